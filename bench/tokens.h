// SPDX-License-Identifier: ISC
// Tokens and user names of the bench: number i has the same ones in the seeded database and in the client.
// Used by bench/seed and bench/load. Owns nothing. BENCH_SESSIONS_PER_USER sessions an account.
#ifndef BENCH_TOKENS_H
#define BENCH_TOKENS_H

#include "base/bytes.h"

#include <sodium.h>
#include <stdio.h>

enum { BENCH_SESSIONS_PER_USER = 10 };

// 32 bytes: selector, verifier.
static inline void bench_token_raw(const char *seed, uint64_t number, uint8_t out[32])
{
    char text[96];
    snprintf(text, sizeof(text), "%s/%llu", seed, (unsigned long long)number);
    crypto_generichash(out, 32, (const unsigned char *)text, strlen(text), NULL, 0);
}

// As the cookie says it: 43 characters and NUL.
static inline void bench_token(const char *seed, uint64_t number, char out[44])
{
    uint8_t raw[32];
    bench_token_raw(seed, number, raw);
    out[base64url_encode(raw, sizeof(raw), out)] = '\0';
}

static inline void bench_user(uint64_t number, char *out, size_t size)
{
    snprintf(out, size, "user%llu", (unsigned long long)number);
}

#endif
