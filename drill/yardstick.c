// SPDX-License-Identifier: ISC
// The yardstick. Runs in stayctl drill and in a child of it.
#include "drill/yardstick.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    SAMPLES = 4096, // the last twenty minutes
    EVERY_MS = 300,
    MEMORY = 16 << 20,
    BLOCK = 1024,
    BLOCKS = MEMORY / BLOCK,
    PASSES = 2,
};

struct yardstick_samples {
    _Atomic uint64_t count;
    struct {
        uint64_t at_ns, cpu_ns;
    } sample[SAMPLES];
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Each block is enciphered by a key out of another one that nobody can foresee: arithmetic, and waiting for
// memory, as in a password hash. (One of libsodium's would have its memory cleared by the kernel each time,
// which takes as long as there are large pages left.)
static void walk(unsigned char *memory)
{
    static const unsigned char nonce[crypto_stream_chacha20_NONCEBYTES];
    uint64_t next = 1;
    for (size_t i = 0; i < PASSES * BLOCKS; i++) {
        unsigned char *block = memory + i % BLOCKS * BLOCK;
        const unsigned char *key = memory + next % BLOCKS * BLOCK;
        (void)crypto_stream_chacha20_xor(block, block, BLOCK, nonce, key);
        memcpy(&next, block, sizeof(next));
    }
}

_Noreturn static void work(void *context)
{
    struct yardstick_samples *samples = context;
    unsigned char *memory = aligned_alloc(2 << 20, MEMORY);
    if (memory == NULL) {
        _exit(1);
    }
    (void)madvise(memory, MEMORY, MADV_HUGEPAGE);
    memset(memory, 1, MEMORY);
    for (uint64_t i = 0;; program_pause(EVERY_MS)) {
        uint64_t began_ns = cpu_ns();
        walk(memory);
        samples->sample[i % SAMPLES].cpu_ns = cpu_ns() - began_ns;
        samples->sample[i % SAMPLES].at_ns = clock_mono_ns();
        atomic_store(&samples->count, ++i);
    }
}

bool yardstick_start(struct yardstick *yardstick)
{
    *yardstick = (struct yardstick){.program = {.in = -1, .out = -1}};
    if (sodium_init() < 0) {
        errno = ENOSYS;
        return false;
    }
    yardstick->samples =
        mmap(NULL, sizeof(*yardstick->samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (yardstick->samples == MAP_FAILED) {
        yardstick->samples = NULL;
        return false;
    }
    return program_fork(&yardstick->program, work, yardstick->samples);
}

void yardstick_stop(struct yardstick *yardstick)
{
    program_stop(&yardstick->program, SIGKILL, 0);
    if (yardstick->samples != NULL) {
        munmap(yardstick->samples, sizeof(*yardstick->samples));
        yardstick->samples = NULL;
    }
}

double yardstick_ms(const struct yardstick *yardstick, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t all_ns = 0;
    unsigned count = 0;
    uint64_t there = yardstick->samples == NULL ? 0 : atomic_load(&yardstick->samples->count);
    for (uint64_t i = there < SAMPLES ? 0 : there - SAMPLES + 1; i < there; i++) {
        uint64_t at_ns = yardstick->samples->sample[i % SAMPLES].at_ns;
        if (at_ns >= from_ns && at_ns < to_ns) {
            all_ns += yardstick->samples->sample[i % SAMPLES].cpu_ns;
            count++;
        }
    }
    return count == 0 ? 0 : (double)all_ns / 1e6 / count;
}
