// SPDX-License-Identifier: ISC
// What is taken for an answer of stayd-watch lies within its bytes, and ends where they end.
#include "cli/watch_client.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned status = 0;
    struct view body = {0};
    if (watch_answer_parse(view_of(data, size), &status, &body)) {
        assert(status >= 200 && status <= 599);
        assert(body.data >= data && body.data + body.size == data + size);
    }
    return 0;
}
