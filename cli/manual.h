// SPDX-License-Identifier: ISC
// The manual page and the shell completion, made from the table of commands while stayd is built, so that
// neither can say anything else than the program does. Not part of stayctl. Owns nothing.
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stdio.h>

// stayctl(1), for man.
void manual_page(FILE *out);
// For bash.
void manual_completion(FILE *out);

#endif
