// SPDX-License-Identifier: ISC
// Fuzzes front/intake: however the bytes are cut, what is taken is the same. The first byte seeds the cuts.
#include "front/intake.h"

#define SIZE_MAX_HERE 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
    enum intake_phase phase;
    size_t head_size, body_size;
    uint8_t body[SIZE_MAX_HERE];
};

static void take(const uint8_t *data, size_t size, uint8_t seed, struct taken *taken)
{
    static struct intake intake;
    uint8_t *buffer = malloc(size + 1); // its own, so that every byte too far is seen
    size_t have = 0, from = 0;
    unsigned state = seed;
    intake_reset(&intake);
    do {
        state = state * 1103515245 + 12345;
        size_t piece = seed == 0 ? size : 1 + (state >> 16) % 7;
        piece = piece > size - from ? size - from : piece;
        memcpy(buffer + have, data + from, piece);
        have += piece;
        from += piece;
        if (intake.phase != INTAKE_READY && intake.phase != INTAKE_REFUSED) {
            (void)intake_advance(&intake, buffer, &have, &http_limits_default);
        }
    } while (from < size);
    *taken = (struct taken){.phase = intake.phase, .head_size = intake.head_size};
    if (intake.phase == INTAKE_READY) {
        if (intake_size(&intake) > have) {
            __builtin_trap();
        }
        taken->body_size = intake.body_size;
        memcpy(taken->body, buffer + intake.head_size, intake.body_size);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct taken whole, pieces;
    if (size < 2 || size > SIZE_MAX_HERE) {
        return 0;
    }
    take(data + 1, size - 1, 0, &whole);
    take(data + 1, size - 1, data[0] == 0 ? 1 : data[0], &pieces);
    if (whole.phase != pieces.phase || whole.head_size != pieces.head_size ||
        whole.body_size != pieces.body_size || memcmp(whole.body, pieces.body, whole.body_size) != 0) {
        __builtin_trap();
    }
    return 0;
}
