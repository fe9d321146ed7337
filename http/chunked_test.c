// SPDX-License-Identifier: ISC
// Unit tests of http/chunked: accepted and refused bodies, each cut at every byte.
#include "http/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct http_limits limits = {.body_bytes_max = 40};

struct outcome {
    enum http_verdict verdict;
    enum http_reason reason;
    size_t consumed;
    size_t size;
    uint8_t content[64];
};

// Each piece is decoded in memory of exactly its size.
static void feed(struct http_chunked *chunked, struct view piece, struct outcome *outcome)
{
    uint8_t *copy = malloc(piece.size == 0 ? 1 : piece.size);
    size_t size = 0, consumed = 0;
    assert_non_null(copy);
    if (piece.size > 0) {
        memcpy(copy, piece.data, piece.size);
    }
    outcome->verdict = http_chunked_decode(chunked, copy, piece.size, &size, &consumed);
    assert_true(consumed <= piece.size && size <= consumed);
    assert_true(outcome->verdict != HTTP_NEED_MORE || consumed == piece.size);
    assert_true(outcome->size + size <= sizeof(outcome->content));
    memcpy(outcome->content + outcome->size, copy, size);
    assert_memory_equal(copy + consumed, piece.data + consumed, piece.size - consumed);
    outcome->size += size;
    outcome->consumed += consumed;
    outcome->reason = chunked->reason;
    free(copy);
}

static struct outcome decode(struct view raw, size_t first, size_t step)
{
    struct http_chunked chunked;
    struct outcome outcome = {.verdict = HTTP_NEED_MORE};
    http_chunked_reset(&chunked, &limits);
    size_t piece = first;
    while (outcome.verdict == HTTP_NEED_MORE && raw.size > 0) {
        feed(&chunked, view_first(raw, piece), &outcome);
        raw = view_from(raw, piece);
        piece = step;
    }
    return outcome;
}

static void assert_same_outcome(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->consumed, b->consumed);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->content, b->content, a->size);
}

static struct outcome decode_all_ways(struct view raw)
{
    struct outcome whole = decode(raw, raw.size, 1);
    for (size_t cut = 0; cut < raw.size; cut++) {
        struct outcome parts = decode(raw, cut, raw.size);
        assert_same_outcome(&whole, &parts);
    }
    struct outcome bytes = decode(raw, 1, 1);
    assert_same_outcome(&whole, &bytes);
    return whole;
}

static void bodies_are_decoded(void **state)
{
    (void)state;
    static const struct {
        struct view raw, content;
        size_t left;
    } cases[] = {
        {VIEW("0\r\n\r\n"), VIEW(""), 0},
        {VIEW("3\r\nabc\r\n0\r\n\r\nGET /"), VIEW("abc"), 5},
        {VIEW("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n"), VIEW("abc"), 0},
        {VIEW("00A\r\n0123456789\r\n0\r\n\r\n"), VIEW("0123456789"), 0},
        {VIEW("a\r\n01234567\r\n\r\n0\r\n\r\n"), VIEW("01234567\r\n"), 0},
        {VIEW("0000000000000003\r\nabc\r\n0\r\n\r\n"), VIEW("abc"), 0},
        {VIEW("3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n"), VIEW("abc"), 0},
        {VIEW("3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 9\r\nZ:\r\n\r\n."), VIEW("abc"), 1},
        {VIEW("28\r\n0123456789012345678901234567890123456789\r\n0\r\n\r\n"),
         VIEW("0123456789012345678901234567890123456789"), 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome outcome = decode_all_ways(cases[i].raw);
        assert_int_equal(outcome.verdict, HTTP_DONE);
        assert_int_equal(outcome.consumed, cases[i].raw.size - cases[i].left);
        assert_true(view_equal(view_of(outcome.content, outcome.size), cases[i].content));
    }
}

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct view raw;
        enum http_reason reason;
    } cases[] = {
        {VIEW("\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("g\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("-1\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("+1\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("0x1\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW(" 1\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("1 \r\na"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("1 ;x\r\na"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("1\na\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("1\ra"), HTTP_REASON_CHUNK_SIZE},
        {VIEW(";x\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("00000000000000001\r\na"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("10000000000000000\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("ffffffffffffffff\r\n"), HTTP_REASON_BODY_TOO_LONG},
        {VIEW("29\r\n"), HTTP_REASON_BODY_TOO_LONG},
        {VIEW("1\r\na\r\n28\r\n"), HTTP_REASON_BODY_TOO_LONG},
        {VIEW("1\r\na\r\nffffffffffffffff\r\n"), HTTP_REASON_BODY_TOO_LONG},
        {VIEW("1;x\na\r\n"), HTTP_REASON_CHUNK_EXTENSION},
        {VIEW("1;\0\r\na\r\n"), HTTP_REASON_CHUNK_EXTENSION},
        {VIEW("1;x\rx\r\na\r\n"), HTTP_REASON_CHUNK_SIZE},
        {VIEW("1\r\nab\r\n"), HTTP_REASON_CHUNK_END},
        {VIEW("1\r\na\n"), HTTP_REASON_CHUNK_END},
        {VIEW("1\r\na\rb"), HTTP_REASON_CHUNK_END},
        {VIEW("0\r\n\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\n\rx"), HTTP_REASON_TRAILER},
        {VIEW("0\r\n: y\r\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\nX y\r\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\nX: y\r\n z\r\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\nX: y\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\nX: \x01\r\n"), HTTP_REASON_TRAILER},
        {VIEW("0\r\nX: y\rz"), HTTP_REASON_TRAILER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome outcome = decode_all_ways(cases[i].raw);
        assert_int_equal(outcome.verdict, HTTP_REFUSED);
        assert_int_equal(outcome.reason, cases[i].reason);
    }
}

static void unfinished_bodies_wait(void **state)
{
    (void)state;
    struct view raw = VIEW("3;x\r\nabc\r\n0\r\nX: y\r\n\r\n");
    for (size_t size = 0; size < raw.size; size++) {
        assert_int_equal(decode_all_ways(view_first(raw, size)).verdict, HTTP_NEED_MORE);
    }
}

static enum http_verdict decode_long(const char *head, char fill, size_t count)
{
    static uint8_t raw[HTTP_CHUNKED_FRAMING_MAX + 64];
    struct http_chunked chunked;
    size_t head_size = strlen(head), size = 0, consumed = 0;
    assert_true(head_size + count <= sizeof(raw));
    memcpy(raw, head, head_size);
    memset(raw + head_size, fill, count);
    http_chunked_reset(&chunked, &limits);
    return http_chunked_decode(&chunked, raw, head_size + count, &size, &consumed);
}

static void thrown_away_bytes_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(decode_long("1;", 'x', HTTP_CHUNKED_FRAMING_MAX), HTTP_NEED_MORE);
    assert_int_equal(decode_long("1;", 'x', HTTP_CHUNKED_FRAMING_MAX + 1), HTTP_REFUSED);
    assert_int_equal(decode_long("0\r\n", 'x', HTTP_CHUNKED_FRAMING_MAX), HTTP_NEED_MORE);
    assert_int_equal(decode_long("0\r\n", 'x', HTTP_CHUNKED_FRAMING_MAX + 1), HTTP_REFUSED);
    assert_int_equal(decode_long("0;y\r\nX:", 'x', HTTP_CHUNKED_FRAMING_MAX - 3), HTTP_NEED_MORE);
    assert_int_equal(decode_long("0;y\r\nX:", 'x', HTTP_CHUNKED_FRAMING_MAX - 2), HTTP_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded),
        cmocka_unit_test(bad_bodies_are_refused),
        cmocka_unit_test(unfinished_bodies_wait),
        cmocka_unit_test(thrown_away_bytes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
