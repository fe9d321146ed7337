// SPDX-License-Identifier: ISC
// Rows of a drill's database, see population.h. Runs in stayctl drill.
#include "drill/population.h"

#include <sodium.h>

enum { HASH_KIB = 19456, HASH_PASSES = 2, SESSION_YEARS = 5 };

static void hash_of(const char *kind, uint32_t number, void *out, size_t size)
{
    char name[48];
    int length = snprintf(name, sizeof(name), "drill/%s/%u", kind, number);
    crypto_generichash(out, size, (const unsigned char *)name, (unsigned long long)length, NULL, 0);
}

bool population_init(struct population *population, uint32_t accounts, uint32_t sessions, uint64_t now_s)
{
    *population = (struct population){
        .accounts = accounts, .sessions = sessions < accounts ? sessions : accounts, .now_s = now_s};
    return crypto_pwhash_str_alg(population->phc, POPULATION_PASSWORD, sizeof(POPULATION_PASSWORD) - 1,
                                 HASH_PASSES, (size_t)HASH_KIB * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

void population_write_accounts(const struct population *population, FILE *out)
{
    unsigned long long now_s = population->now_s;
    for (uint32_t i = 0; i < population->accounts; i++) {
        uint8_t id[16];
        char hex[33];
        hash_of("account", i, id, sizeof(id));
        hex_encode(id, sizeof(id), hex);
        fprintf(out,
                "\\\\x%s\tuser%u\tPerson %u\tuser%u@example.com\tstaff,readers\t2\t%s\t1\t%llu\t%llu\t%llu\n",
                hex, i, i, i, population->phc, now_s, now_s, now_s);
    }
    fputs("\\.\n", out);
}

void population_write_sessions(const struct population *population, FILE *out)
{
    unsigned long long now_s = population->now_s;
    for (uint32_t i = 0; i < population->sessions; i++) {
        uint8_t account[16], token[32], verifier[16], id[16];
        char hex[4][33];
        hash_of("account", i, account, sizeof(account));
        hash_of("token", i, token, sizeof(token));
        hash_of("session", i, id, sizeof(id));
        crypto_generichash(verifier, sizeof(verifier), token + 16, 16, NULL, 0);
        hex_encode(account, 16, hex[0]);
        hex_encode(token, 16, hex[1]);
        hex_encode(verifier, 16, hex[2]);
        hex_encode(id, 16, hex[3]);
        fprintf(out, "\\\\x%s\t\\\\x%s\t\\\\x%s\t\\\\x%s\t1\t%llu\t%llu\t%llu\t1\t\\\\x%s\tChrome on Linux\n",
                hex[0], hex[1], hex[2], hex[3], now_s, now_s + SESSION_YEARS * 31536000ull, now_s,
                "00000000000000000000ffff7f000001");
    }
    fputs("\\.\n", out);
}

void population_write_tokens(uint32_t sessions, FILE *out)
{
    for (uint32_t i = 0; i < sessions; i++) {
        uint8_t token[32];
        char text[48];
        hash_of("token", i, token, sizeof(token));
        text[base64url_encode(token, sizeof(token), text)] = '\0';
        fprintf(out, "user%u %s\n", i, text);
    }
}
