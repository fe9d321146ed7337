// SPDX-License-Identifier: ISC
// A password as text: the one form in which it is hashed and looked up, however it was typed.
// Used by stayd-hash and by the tool that builds lists of common passwords. Owns nothing; results are secrets
// of the caller. Bounds: TEXT_BYTES_MAX in, TEXT_NORMAL_BYTES_MAX out. Thread-safe.
#ifndef KEEPER_TEXT_H
#define KEEPER_TEXT_H

#include "base/bytes.h"

// What a person may type. Unicode's own bound: NFC makes UTF-8 at most three times longer.
#define TEXT_BYTES_MAX        1024
#define TEXT_NORMAL_BYTES_MAX (3 * TEXT_BYTES_MAX)

enum text_result {
    TEXT_OK,
    TEXT_TOO_LONG,  // more than TEXT_BYTES_MAX
    TEXT_NOT_UTF8,  // not well-formed UTF-8, or a NUL in it
    TEXT_NO_MEMORY, // nothing wrong with the text
};

// The text in NFC (Unicode, UAX 15), as a new secret that the caller releases; untouched unless TEXT_OK.
[[nodiscard]] enum text_result text_normalise(struct view typed, struct secret *normal);
// Case-folded and in NFC: equal for spellings that differ in case only. As text_normalise.
[[nodiscard]] enum text_result text_fold(struct view typed, struct secret *folded);
// Number of code points of well-formed UTF-8.
size_t text_characters(struct view text);
// Made with hardly a choice: code points in even steps ("аааааааа", "абвгдежз"), or few of them over and
// over.
[[nodiscard]] bool text_is_monotonous(struct view text);

#endif
