// SPDX-License-Identifier: ISC
// A verdict as text for a terminal: the sentence, then all that it rests on. Used by stayd-watch. Owns
// nothing. Bounds: those of `out`; lines of 80 columns, but for commands and plans, which are to be copied.
#ifndef WATCH_WHY_TEXT_H
#define WATCH_WHY_TEXT_H

#include "base/bytes.h"

#include <jansson.h>

// `verdict`: as verdict_json makes it; what is missing or of another type is passed over.
void why_text_write(struct bytes *out, const json_t *verdict, bool colours);

#endif
