// SPDX-License-Identifier: ISC
// Stored password hashes: argon2id as PHC strings, "$argon2id$v=19$m=19456,t=2,p=1$salt$digest".
// Used by stayd-hash (making, checking) and by whoever takes a hash from outside (import). Owns nothing.
// Bounds: strings of at most PHC_SIZE_MAX with NUL; memory and passes within the limits below, so that a hash
// in an imported file can't ask for more than the machine has. Thread-safe.
#ifndef KEEPER_PHC_H
#define KEEPER_PHC_H

#include "base/bytes.h"

#define PHC_SIZE_MAX 128 // libsodium's crypto_pwhash_STRBYTES

#define PHC_MEMORY_KIB_DEFAULT 19456
#define PHC_MEMORY_KIB_MIN     8
#define PHC_MEMORY_KIB_MAX     1048576
#define PHC_PASSES_DEFAULT     2
#define PHC_PASSES_MIN         1
#define PHC_PASSES_MAX         64

// Lanes (p) are always 1: libsodium computes no others.
struct phc_parameters {
    uint32_t memory_kib;
    uint32_t passes;
};

// Within the limits above.
[[nodiscard]] bool phc_parameters_valid(const struct phc_parameters *parameters);
// Strict: exactly the form above, 16 bytes of salt, 32 of digest, canonical base64, parameters valid.
[[nodiscard]] bool phc_parse(struct view phc, struct phc_parameters *parameters);
// A valid string whose parameters are other than the wanted ones: hash again while the password is at hand.
[[nodiscard]] bool phc_needs_rehash(struct view phc, const struct phc_parameters *wanted);
// A string that no password matches, and which costs as much to check as a real one; for unknown users.
void phc_make_dummy(const struct phc_parameters *parameters, char phc[PHC_SIZE_MAX]);

// Hashes with a fresh salt; false when there is no memory for it. Costs memory_kib and a good part of a
// second.
[[nodiscard]] bool phc_make(struct view password, const struct phc_parameters *parameters,
                            char phc[PHC_SIZE_MAX]);

enum phc_verdict {
    PHC_RIGHT,
    PHC_WRONG,
    PHC_MALFORMED, // not a string that phc_parse takes
    PHC_NO_MEMORY, // nothing is known about the password
};
[[nodiscard]] enum phc_verdict phc_verify(struct view phc, struct view password);

#endif
