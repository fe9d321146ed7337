// SPDX-License-Identifier: ISC
// Functions that this project never calls: using one is a compile error.
// Included before every source file by the build (see meson.build). The system
// headers that declare or use them come first, so that only our code is checked.
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef gets
#undef strtok
#undef atoi
#undef atol
#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol alloca

#endif
