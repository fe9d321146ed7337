// SPDX-License-Identifier: ISC
// The reference for logins a second: bare crypto_pwhash_str_verify of libsodium in as many threads as asked
// for, and what it did as one JSON object. Used by bench/run; not installed.
#include "base/bytes.h"
#include "base/clock.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>

enum { THREADS_MAX = 256 };

static struct bare {
    uint64_t threads, memory_kib, passes;
    double seconds;
    char phc[crypto_pwhash_STRBYTES];
    uint64_t end_ns;
} bare = {.threads = 1, .memory_kib = 19456, .passes = 2, .seconds = 3};

static const char password[] = "correct horse battery staple";

static void *verify(void *count)
{
    uint64_t done = 0;
    while (clock_mono_ns() < bare.end_ns) {
        if (crypto_pwhash_str_verify(bare.phc, password, sizeof(password) - 1) != 0) {
            fprintf(stderr, "argon: a right password was refused\n");
            exit(1);
        }
        done++;
    }
    *(uint64_t *)count = done;
    return NULL;
}

static void take_option(const char *name, const char *value)
{
    uint64_t number = 0;
    bool is_number = view_to_u64(view_of_cstr(value), &number);
    if (strcmp(name, "--seconds") == 0) {
        bare.seconds = strtod(value, NULL);
    } else if (is_number && strcmp(name, "--threads") == 0 && number >= 1 && number <= THREADS_MAX) {
        bare.threads = number;
    } else if (is_number && strcmp(name, "--memory-kib") == 0) {
        bare.memory_kib = number;
    } else if (is_number && strcmp(name, "--passes") == 0) {
        bare.passes = number;
    } else {
        fprintf(stderr, "usage: argon [--threads N] [--seconds S] [--memory-kib 19456] [--passes 2]\n");
        exit(2);
    }
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    static pthread_t thread[THREADS_MAX];
    static uint64_t count[THREADS_MAX];
    for (int i = 1; i + 1 < argc; i += 2) {
        take_option(argv[i], argv[i + 1]);
    }
    if (sodium_init() < 0 ||
        crypto_pwhash_str_alg(bare.phc, password, sizeof(password) - 1, bare.passes, bare.memory_kib * 1024,
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return 1;
    }
    double cpu_before = cpu_s();
    uint64_t began = clock_mono_ns(), total = 0;
    bare.end_ns = began + (uint64_t)(bare.seconds * 1e9);
    for (uint64_t i = 0; i < bare.threads; i++) {
        if (pthread_create(&thread[i], NULL, verify, &count[i]) != 0) {
            return 1;
        }
    }
    for (uint64_t i = 0; i < bare.threads; i++) {
        pthread_join(thread[i], NULL);
        total += count[i];
    }
    double took = (double)(clock_mono_ns() - began) / 1e9;
    printf("{\"verified\":%llu,\"seconds\":%.3f,\"per_second\":%.2f,\"cpu_s\":%.4f}\n",
           (unsigned long long)total, took, (double)total / took, cpu_s() - cpu_before);
    return 0;
}
