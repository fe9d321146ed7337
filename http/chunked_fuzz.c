// SPDX-License-Identifier: ISC
// Fuzzes http/chunked: the content, the verdict and where the body ends do not depend on how the bytes are
// cut.
#include "http/chunked.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 512

static const struct http_limits limits = {.body_bytes_max = BODY_MAX};

struct outcome {
    enum http_verdict verdict;
    enum http_reason reason;
    size_t consumed;
    size_t size;
    uint8_t content[BODY_MAX];
};

static void decode(struct outcome *outcome, struct view raw, size_t step)
{
    struct http_chunked chunked;
    http_chunked_reset(&chunked, &limits);
    *outcome = (struct outcome){.verdict = HTTP_NEED_MORE};
    while (raw.size > 0 && outcome->verdict == HTTP_NEED_MORE) {
        struct view piece = view_first(raw, step);
        size_t size = 0, consumed = 0;
        uint8_t *copy = malloc(piece.size);
        assert(copy != NULL);
        memcpy(copy, piece.data, piece.size);
        outcome->verdict = http_chunked_decode(&chunked, copy, piece.size, &size, &consumed);
        assert(size <= consumed && consumed <= piece.size && outcome->size + size <= BODY_MAX);
        assert(memcmp(copy + consumed, piece.data + consumed, piece.size - consumed) == 0);
        memcpy(outcome->content + outcome->size, copy, size);
        outcome->size += size;
        outcome->consumed += consumed;
        raw = view_from(raw, step);
        free(copy);
    }
    outcome->reason = chunked.reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, parts;
    if (size < 2 || size > 4096) {
        return 0;
    }
    struct view raw = view_of(data + 1, size - 1);
    decode(&whole, raw, raw.size);
    decode(&parts, raw, 1 + data[0] % 32u);
    assert(whole.verdict == parts.verdict && whole.reason == parts.reason);
    assert(whole.consumed == parts.consumed && whole.size == parts.size);
    assert(memcmp(whole.content, parts.content, whole.size) == 0);
    assert((whole.verdict == HTTP_REFUSED) == (whole.reason != HTTP_REASON_NONE));
    return 0;
}
