// SPDX-License-Identifier: ISC
// Fuzzes http/parse: the verdict and the request are the same however the bytes are cut, every view lies in
// the buffer, and what is accepted keeps the promises of the header. The first byte chooses limits and the
// cut.
#include "http/parse.h"

#include <assert.h>

#include "http/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits tight = {
    .line_bytes_max = 60,
    .target_bytes_max = 30,
    .header_count_max = 4,
    .header_bytes_max = 40,
    .head_bytes_max = 150,
    .body_bytes_max = 100,
};

static void check_view(struct view view, struct view buffer)
{
    assert(view.size == 0 || view_equal(view, VIEW("/")) ||
           (view.data >= buffer.data && view.data + view.size <= buffer.data + buffer.size));
}

static void check_request(const struct http_request *request, struct view head,
                          const struct http_limits *limits)
{
    struct view host = http_request_known(request, HTTP_HEADER_HOST);
    assert(head.size <= limits->head_bytes_max);
    assert(head.size >= 4 && memcmp(head.data + head.size - 4, "\r\n\r\n", 4) == 0);
    assert(request->header_count <= limits->header_count_max);
    assert(request->target.size > 0 && request->target.size <= limits->target_bytes_max);
    assert(request->path.size > 0);
    assert(request->path.data[0] == '/' || request->method == HTTP_OPTIONS);
    assert(request->content_length <= limits->body_bytes_max);
    assert(!request->chunked || (request->content_length == 0 && request->minor == 1));
    assert(request->minor == 0 || http_host_is_valid(host));
    check_view(request->target, head);
    check_view(request->path, head);
    check_view(request->query, head);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        check_view(header->name, head);
        check_view(header->value, head);
        assert(header->name.size > 0 && header->value.data != NULL);
        assert(view_index(header->value, '\r') == header->value.size);
        assert(view_index(header->value, '\n') == header->value.size);
        assert(view_index(header->value, '\0') == header->value.size);
    }
}

static void check_same(const struct http_request *a, const struct http_request *b)
{
    assert(a->method == b->method && a->minor == b->minor && a->keep_alive == b->keep_alive);
    assert(a->chunked == b->chunked && a->content_length == b->content_length);
    assert(a->expect_continue == b->expect_continue && a->header_count == b->header_count);
    assert(view_equal(a->target, b->target) && view_equal(a->path, b->path) &&
           view_equal(a->query, b->query));
    for (size_t i = 0; i < a->header_count; i++) {
        assert(view_equal(a->headers[i].name, b->headers[i].name));
        assert(view_equal(a->headers[i].value, b->headers[i].value));
    }
}

// In steps, each in memory of its own, so that a step past the end is seen.
static enum http_verdict parse_cut(struct http_request *request, struct view text, size_t step,
                                   const struct http_limits *limits, size_t *consumed, uint8_t **memory)
{
    enum http_verdict verdict = HTTP_NEED_MORE;
    http_request_reset(request);
    for (size_t size = 0; verdict == HTTP_NEED_MORE; size += step) {
        size = size > text.size ? text.size : size;
        uint8_t *copy = malloc(size + (size == 0));
        assert(copy != NULL);
        if (size > 0) {
            memcpy(copy, text.data, size);
        }
        verdict = http_parse_head(request, view_of(copy, size), limits, consumed);
        free(*memory);
        *memory = copy;
        if (size == text.size) {
            break;
        }
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request whole, parts;
    if (size == 0 || size > 4096) {
        return 0;
    }
    const struct http_limits *limits = (data[0] & 1) != 0 ? &tight : &http_limits_default;
    size_t step = 1 + (data[0] >> 1) % 64u;
    struct view text = view_of(data + 1, size - 1);
    size_t consumed = 0, parts_consumed = 0;
    uint8_t *memory = NULL;
    http_request_reset(&whole);
    enum http_verdict verdict = http_parse_head(&whole, text, limits, &consumed);
    enum http_verdict parts_verdict = parse_cut(&parts, text, step, limits, &parts_consumed, &memory);
    assert(verdict == parts_verdict && whole.reason == parts.reason && consumed == parts_consumed);
    assert((verdict == HTTP_REFUSED) == (whole.reason != HTTP_REASON_NONE));
    if (verdict == HTTP_DONE) {
        check_request(&whole, view_first(text, consumed), limits);
        check_same(&whole, &parts);
    }
    free(memory);
    return 0;
}
