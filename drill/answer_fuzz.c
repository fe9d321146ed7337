// SPDX-License-Identifier: ISC
// Whatever a server might answer: taken whole, and in pieces, with the same result and without harm.
#include "drill/answer.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct answer whole;
    static struct answer parts;
    struct view rest = view_of(data, size);
    size_t piece = size > 0 ? 1 + data[0] % 31u : 1;
    answer_init(&whole);
    answer_init(&parts);
    answer_take(&whole, rest);
    while (rest.size > 0) {
        struct view next = view_first(rest, piece);
        answer_take(&parts, next);
        rest = view_from(rest, next.size);
    }
    assert(whole.state == parts.state);
    if (whole.state == ANSWER_WHOLE) {
        assert(whole.status == parts.status && whole.retry_after_s == parts.retry_after_s);
        assert(strcmp(whole.user, parts.user) == 0 && strcmp(whole.token, parts.token) == 0);
        assert(strlen(whole.user) < sizeof(whole.user) && whole.status >= 200);
    }
    answer_end(&whole);
    assert(whole.state != ANSWER_MORE);
    return 0;
}
