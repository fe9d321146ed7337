// SPDX-License-Identifier: ISC
// May this be somebody's password? NIST SP 800-63B section 5.1.1.2 as verdicts with a reason for the person
// who chose it. Used by stayd-hash when a password is set; never at login. Owns nothing; borrows the open
// lists. Bounds: at least RULES_CHARACTERS_MIN code points, at most TEXT_BYTES_MAX bytes; at most
// RULES_WORDS_MAX words of context of RULES_WORD_SIZE_MAX bytes; the time of one judgement is bounded
// (docs/decisions/0010-password-rules.md).
#ifndef KEEPER_RULES_H
#define KEEPER_RULES_H

#include "keeper/common.h"
#include "keeper/text.h"

#define RULES_CHARACTERS_MIN 8
#define RULES_LISTS_MAX      4
#define RULES_WORDS_MAX      16
#define RULES_WORD_SIZE_MAX  64
#define RULES_ADVICE_SIZE    256

// An attacker who needs fewer guesses than this is not kept away by slow hashing and limits alone: 10^8, in
// bits.
#define RULES_BITS_MIN 26.5754

struct rules {
    const struct common *lists[RULES_LISTS_MAX]; // breached or common passwords
    size_t list_count;
};

// What an attacker knows about the account. Any may be empty.
struct rules_context {
    struct view user_name;
    struct view email;
    struct view service; // the host name of public_url
};

enum rules_verdict {
    RULES_ACCEPTED,
    RULES_NOT_TEXT,
    RULES_TOO_LONG,
    RULES_TOO_SHORT,
    RULES_COMMON,     // in a list
    RULES_PERSONAL,   // the account's own name or address, give or take a little
    RULES_GUESSABLE,  // too few guesses
    RULES_UNAVAILABLE // no memory, or a list can't be read: nothing is known
};

struct rules_finding {
    enum rules_verdict verdict;
    char advice[RULES_ADVICE_SIZE]; // for people, in English; empty when accepted. Never a part of the
                                    // password.
};

// Judges what was typed. When accepted, *normal is the password to hash, owned by the caller; else untouched.
void rules_judge(const struct rules *rules, struct view typed, const struct rules_context *context,
                 struct secret *normal, struct rules_finding *finding);

#endif
