// SPDX-License-Identifier: ISC
// Unit tests of http/parse: every form that is accepted and every one that is refused, each cut at every
// byte.
#include "http/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "http/host.h"

#define HOST "Host: a.example\r\n"
#define GET  "GET / HTTP/1.1\r\n" HOST

static const struct http_limits small_limits = {
    .line_bytes_max = 64,
    .target_bytes_max = 40,
    .header_count_max = 6,
    .header_bytes_max = 48,
    .head_bytes_max = 200,
    .body_bytes_max = 1000,
};

// A copy of exactly `size` bytes, so that a sanitizer sees any step past the end.
static uint8_t *copy_of(struct view text, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, text.data, size);
    }
    return copy;
}

static void assert_same_view(struct view a, struct view b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_true(view_equal(a, b));
}

static void assert_same_request(const struct http_request *a, const struct http_request *b)
{
    assert_int_equal(a->method, b->method);
    assert_same_view(a->target, b->target);
    assert_same_view(a->path, b->path);
    assert_same_view(a->query, b->query);
    assert_same_view(a->authority, b->authority);
    assert_int_equal(a->minor, b->minor);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->expect_continue, b->expect_continue);
    assert_int_equal(a->chunked, b->chunked);
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->header_count, b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        assert_same_view(a->headers[i].name, b->headers[i].name);
        assert_same_view(a->headers[i].value, b->headers[i].value);
    }
    assert_memory_equal(a->known_at, b->known_at, sizeof(a->known_at));
    assert_int_equal(a->known_repeated, b->known_repeated);
}

static void assert_same(const struct http_request *a, enum http_verdict verdict_a, size_t consumed_a,
                        const struct http_request *b, enum http_verdict verdict_b, size_t consumed_b)
{
    assert_int_equal(verdict_a, verdict_b);
    assert_int_equal(a->reason, b->reason);
    if (verdict_a == HTTP_DONE) {
        assert_int_equal(consumed_a, consumed_b);
        assert_same_request(a, b);
    }
}

// Feeds `first` bytes, then `step` more each time, every time in memory of its own.
static void parse_cut(struct view text, const struct http_limits *limits, size_t first, size_t step,
                      const struct http_request *whole, enum http_verdict whole_verdict,
                      size_t whole_consumed)
{
    struct http_request request;
    enum http_verdict verdict = HTTP_NEED_MORE;
    size_t consumed = 0;
    uint8_t *before = NULL;
    http_request_reset(&request);
    for (size_t size = first; verdict == HTTP_NEED_MORE; size += step) {
        size = size > text.size ? text.size : size;
        uint8_t *copy = copy_of(text, size);
        verdict = http_parse_head(&request, view_of(copy, size), limits, &consumed);
        free(before); // only now, so that the copies are never at one address
        before = copy;
        if (size == text.size) {
            break;
        }
    }
    assert_same(&request, verdict, consumed, whole, whole_verdict, whole_consumed);
    free(before);
}

static enum http_verdict parse_all_ways(struct view text, const struct http_limits *limits,
                                        struct http_request *request, size_t *consumed)
{
    *consumed = 0;
    http_request_reset(request);
    enum http_verdict verdict = http_parse_head(request, text, limits, consumed);
    for (size_t cut = 0; cut <= text.size; cut++) {
        parse_cut(text, limits, cut, text.size, request, verdict, *consumed);
    }
    parse_cut(text, limits, 0, 1, request, verdict, *consumed);
    parse_cut(text, limits, 0, 3, request, verdict, *consumed);
    return verdict;
}

static void assert_refused(struct view text, const struct http_limits *limits, enum http_reason reason)
{
    struct http_request request;
    size_t consumed;
    enum http_verdict verdict = parse_all_ways(text, limits, &request, &consumed);
    if (verdict != HTTP_REFUSED || request.reason != reason) {
        print_error("verdict %d, reason %d instead of %d (%s): %.*s\n", (int)verdict, (int)request.reason,
                    (int)reason, http_reason_text(reason), (int)text.size, (const char *)text.data);
    }
    assert_int_equal(verdict, HTTP_REFUSED);
    assert_int_equal(request.reason, reason);
    assert_int_equal(http_parse_head(&request, text, limits, &consumed), HTTP_REFUSED);
}

static void assert_accepted(struct view text, struct http_request *request)
{
    size_t consumed;
    enum http_verdict verdict = parse_all_ways(text, &http_limits_default, request, &consumed);
    if (verdict != HTTP_DONE) {
        print_error("refused (%s): %.*s\n", http_reason_text(request->reason), (int)text.size,
                    (const char *)text.data);
    }
    assert_int_equal(verdict, HTTP_DONE);
    assert_int_equal(consumed, text.size);
}

#define REFUSED(literal, why)                                                                                \
    {                                                                                                        \
        {(const uint8_t *)("" literal), sizeof(literal) - 1}, HTTP_REASON_##why                              \
    }
struct refused {
    struct view text;
    enum http_reason reason;
};

static void refuse_each(const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_refused(cases[i].text, &http_limits_default, cases[i].reason);
    }
}
#define REFUSE_EACH(cases) refuse_each(cases, sizeof(cases) / sizeof((cases)[0]))

static void bad_bytes_are_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED("GET / HTTP/1.1\n" HOST "\r\n", BARE_LF),
        REFUSED("GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF),
        REFUSED(GET "\n", BARE_LF),
        REFUSED("\nGET / HTTP/1.1\r\n", BARE_LF),
        REFUSED("GET / HTTP/1.1\r" HOST "\r\n", BARE_CR),
        REFUSED(GET "X: a\rb\r\n\r\n", BARE_CR),
        REFUSED(GET "X: a\r\r\n\r\n", BARE_CR),
        REFUSED(GET "\rX", BARE_CR),
        REFUSED(GET "X: a\0b\r\n\r\n", CONTROL_BYTE),
        REFUSED(GET "X\0: a\r\n\r\n", CONTROL_BYTE),
        REFUSED("GET /\0 HTTP/1.1\r\n" HOST "\r\n", CONTROL_BYTE),
        REFUSED(GET "X: a\x1b[0m\r\n\r\n", CONTROL_BYTE),
        REFUSED(GET "X: a\x7f\r\n\r\n", CONTROL_BYTE),
        REFUSED(GET "X: a long value with a control byte far behind its start \x01\r\n\r\n", CONTROL_BYTE),
        REFUSED("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", CONTROL_BYTE),
    };
    REFUSE_EACH(cases);
}

static void bad_request_lines_are_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET\r\n\r\n", REQUEST_LINE),
        REFUSED("GET \r\n\r\n", REQUEST_LINE),
        REFUSED("GET  / HTTP/1.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET /  HTTP/1.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / HTTP/1.1 \r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / x HTTP/1.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / http/1.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / HTTP/1,1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / HTTP/11\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / HTTP/1.10\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("GET / HTTP/x.1\r\n" HOST "\r\n", REQUEST_LINE),
        REFUSED("POST /\r\n\r\n", REQUEST_LINE),
        REFUSED(" GET / HTTP/1.1\r\n" HOST "\r\n", METHOD_TOKEN),
        REFUSED("G@T / HTTP/1.1\r\n" HOST "\r\n", METHOD_TOKEN),
        REFUSED("GET\t/ HTTP/1.1\r\n" HOST "\r\n", METHOD_TOKEN),
        REFUSED("G\xc3\x84T / HTTP/1.1\r\n" HOST "\r\n", METHOD_TOKEN),
        REFUSED("get / HTTP/1.1\r\n" HOST "\r\n", METHOD_UNKNOWN),
        REFUSED("BREW / HTTP/1.1\r\n" HOST "\r\n", METHOD_UNKNOWN),
        REFUSED("TRACE / HTTP/1.1\r\n" HOST "\r\n", METHOD_UNKNOWN),
        REFUSED("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", METHOD_UNKNOWN),
        REFUSED("GET /\r\n", VERSION),
        REFUSED("GET / HTTP/0.9\r\n\r\n", VERSION),
        REFUSED("GET / HTTP/1.2\r\n" HOST "\r\n", VERSION),
        REFUSED("GET / HTTP/2.0\r\n" HOST "\r\n", VERSION),
        REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    };
    REFUSE_EACH(cases);
}

static void bad_targets_are_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED("GET * HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET a.example:80 HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET login HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET ?a HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET http:/a.example/ HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET http:///x HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET http:// HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", TARGET_FORM),
        REFUSED("GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", TARGET_AUTHORITY),
        REFUSED("GET http://a.example:80/ HTTP/1.1\r\n" HOST "\r\n", TARGET_AUTHORITY),
        REFUSED("GET http://a.example/ HTTP/1.0\r\n\r\n", TARGET_AUTHORITY),
        REFUSED("GET /#top HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /?a#top HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /?\xff HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /\t HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /a\\b HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /a\"b HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /?<b> HTTP/1.1\r\n" HOST "\r\n", TARGET_BYTE),
        REFUSED("GET /% HTTP/1.1\r\n" HOST "\r\n", TARGET_ESCAPE),
        REFUSED("GET /%4 HTTP/1.1\r\n" HOST "\r\n", TARGET_ESCAPE),
        REFUSED("GET /%4g HTTP/1.1\r\n" HOST "\r\n", TARGET_ESCAPE),
        REFUSED("GET /?%u0041 HTTP/1.1\r\n" HOST "\r\n", TARGET_ESCAPE),
    };
    REFUSE_EACH(cases);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED(GET "X: a\r\n b\r\n\r\n", HEADER_FOLDED),
        REFUSED(GET "X: a\r\n\tb\r\n\r\n", HEADER_FOLDED),
        REFUSED("GET / HTTP/1.1\r\n " HOST "\r\n", HEADER_FOLDED),
        REFUSED(GET "X : a\r\n\r\n", HEADER_SPACE),
        REFUSED(GET "X\t: a\r\n\r\n", HEADER_SPACE),
        REFUSED(GET "X y: a\r\n\r\n", HEADER_SPACE),
        REFUSED(GET ": a\r\n\r\n", HEADER_NAME),
        REFUSED(GET "X(y): a\r\n\r\n", HEADER_NAME),
        REFUSED(GET "X\xc3\xa4: a\r\n\r\n", HEADER_NAME),
        REFUSED(GET "X\r\n\r\n", HEADER_COLON),
        REFUSED("GET / HTTP/1.1\r\n\r\n", HOST_MISSING),
        REFUSED(GET "host: a.example\r\n\r\n", HOST_REPEATED),
        REFUSED("GET / HTTP/1.0\r\n" HOST HOST "\r\n", HOST_REPEATED),
        REFUSED("GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST_SYNTAX),
        REFUSED("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HOST_SYNTAX),
        REFUSED("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HOST_SYNTAX),
        REFUSED("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST_SYNTAX),
        REFUSED("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST_SYNTAX),
        REFUSED("GET / HTTP/1.0\r\nHost: a?\r\n\r\n", HOST_SYNTAX),
        REFUSED(GET "Expect: 200-ok\r\n\r\n", EXPECT),
        REFUSED(GET "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", EXPECT),
        REFUSED(GET "Expect:\r\n\r\n", EXPECT),
    };
    REFUSE_EACH(cases);
}

static void ambiguous_bodies_are_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED(GET "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", LENGTH_AND_CODING),
        REFUSED(GET "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", LENGTH_AND_CODING),
        REFUSED(GET "Transfer-Encoding: x\r\nContent-Length:\r\n\r\n", LENGTH_AND_CODING),
        REFUSED(GET "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", LENGTH_REPEATED),
        REFUSED(GET "Content-Length: 3\r\ncontent-length: 3\r\n\r\n", LENGTH_REPEATED),
        REFUSED(GET "Content-Length: 3, 3\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: 3,\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length:\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: +3\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: -3\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: 0x3\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: 3 3\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: 18446744073709551616\r\n\r\n", LENGTH_SYNTAX),
        REFUSED(GET "Content-Length: 18446744073709551615\r\n\r\n", BODY_TOO_LONG),
        REFUSED(GET "Content-Length: 65537\r\n\r\n", BODY_TOO_LONG),
        REFUSED(GET "Transfer-Encoding: gzip\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: chunked, chunked\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: xchunked\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: identity\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: \"chunked\"\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding:\r\n\r\n", CODING_UNKNOWN),
        REFUSED(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_REPEATED),
        REFUSED(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", CODING_REPEATED),
        REFUSED("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_OLD),
    };
    REFUSE_EACH(cases);
}

static void limits_hold(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        REFUSED("GET /0123456789012345678901234567890123456789012345678901234567890123", LINE_TOO_LONG),
        REFUSED("GET /0123456789012345678901234567890123456789 HTTP/1.1\r\n", TARGET_TOO_LONG),
        REFUSED(GET "X: 0123456789012345678901234567890123456789012345", HEADER_TOO_LONG),
        REFUSED(GET "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n", HEADERS_TOO_MANY),
        REFUSED(GET
                "A: 01234567890123456789012345678901234567890123\r\nB: 012345678901234567890123456789012345"
                "67890123\r\nC: 01234567890123456789012345678901234567890123\r\nD: 01234567890123456789",
                HEAD_TOO_LONG),
        REFUSED(GET "Content-Length: 1001\r\n\r\n", BODY_TOO_LONG),
        // A byte past the limit comes before the control byte behind it, and the other way round.
        REFUSED(GET "X: 0123456789012345678901234567890123456789012345\x01\r\n", HEADER_TOO_LONG),
        REFUSED(GET "X: 0123456789\x01"
                    "012345678901234567890123456789012345678901234567890",
                CONTROL_BYTE),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(cases[i].text, &small_limits, cases[i].reason);
    }
    struct http_request request;
    size_t consumed;
    struct view fits = VIEW("GET /012345678901234567890123456789012345678 HTTP/1.1\r\n" HOST
                            "A: 012345678901234567890123456789012345678901234\r\nB:\r\nC:\r\nD:\r\n"
                            "Content-Length: 1000\r\n\r\n");
    assert_int_equal(parse_all_ways(fits, &small_limits, &request, &consumed), HTTP_DONE);
    assert_int_equal(request.content_length, 1000);
}

static void head_limit_is_exact(void **state)
{
    (void)state;
    struct view text = VIEW(GET "X: 1\r\n\r\n");
    struct http_limits limits = http_limits_default;
    struct http_request request;
    size_t consumed;
    limits.head_bytes_max = text.size;
    assert_int_equal(parse_all_ways(text, &limits, &request, &consumed), HTTP_DONE);
    limits.head_bytes_max = text.size - 1;
    assert_refused(text, &limits, HTTP_REASON_HEAD_TOO_LONG);
}

static void a_browser_is_understood(void **state)
{
    (void)state;
    struct http_request request;
    size_t count;
    assert_accepted(VIEW("GET /auth/check?mode=redirect HTTP/1.1\r\nHost: app.example:8443\r\n"
                         "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\naccept:text/html,*/*;q=0.8\r\n"
                         "Cookie: a=b; stayd=c\r\nX-Forwarded-Method: GET \t\r\nX-Empty:\r\n"
                         "X-Name: J\xc3\xbcrgen\tX\r\nx-empty:  \r\n\r\n"),
                    &request);
    assert_int_equal(request.method, HTTP_GET);
    assert_true(view_equal(request.target, VIEW("/auth/check?mode=redirect")));
    assert_true(view_equal(request.path, VIEW("/auth/check")));
    assert_true(view_equal(request.query, VIEW("mode=redirect")));
    assert_int_equal(request.minor, 1);
    assert_true(request.keep_alive);
    assert_false(request.chunked);
    assert_int_equal(request.content_length, 0);
    assert_int_equal(request.header_count, 8);
    assert_true(view_equal(http_request_known(&request, HTTP_HEADER_HOST), VIEW("app.example:8443")));
    assert_true(view_equal(http_request_known(&request, HTTP_HEADER_X_FORWARDED_METHOD), VIEW("GET")));
    assert_null(http_request_known(&request, HTTP_HEADER_EXPECT).data);
    struct view empty = http_request_find(&request, VIEW("X-EMPTY"), &count);
    assert_int_equal(count, 2);
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    assert_true(view_equal(http_request_find(&request, VIEW("x-name"), &count), VIEW("J\xc3\xbcrgen\tX")));
    http_request_find(&request, VIEW("x-nam"), &count);
    assert_int_equal(count, 0);
}

static void targets_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        struct view text, path, query;
    } cases[] = {
        {VIEW("\r\n" GET "\r\n"), VIEW("/"), {NULL, 0}},
        {VIEW("GET /? HTTP/1.1\r\n" HOST "\r\n"), VIEW("/"), VIEW("")},
        {VIEW("GET /a%2Fb/../c;d=e,@:!$&'()*+~ HTTP/1.1\r\n" HOST "\r\n"),
         VIEW("/a%2Fb/../c;d=e,@:!$&'()*+~"),
         {NULL, 0}},
        {VIEW("GET //evil/x HTTP/1.1\r\n" HOST "\r\n"), VIEW("//evil/x"), {NULL, 0}},
        {VIEW("GET /x?a[0]={b}|\\^`?/%20 HTTP/1.1\r\n" HOST "\r\n"), VIEW("/x"), VIEW("a[0]={b}|\\^`?/%20")},
        {VIEW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), VIEW("*"), {NULL, 0}},
        {VIEW("OPTIONS /x HTTP/1.1\r\n" HOST "\r\n"), VIEW("/x"), {NULL, 0}},
        {VIEW("GET http://A.example/x?y HTTP/1.1\r\n" HOST "\r\n"), VIEW("/x"), VIEW("y")},
        {VIEW("GET HTTPS://a.example HTTP/1.1\r\n" HOST "\r\n"), VIEW("/"), {NULL, 0}},
        {VIEW("GET http://a.example?y HTTP/1.1\r\n" HOST "\r\n"), VIEW("/"), VIEW("y")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_request request;
        assert_accepted(cases[i].text, &request);
        assert_true(view_equal(request.path, cases[i].path));
        assert_same_view(request.query, cases[i].query);
    }
}

static void methods_are_known(void **state)
{
    (void)state;
    for (unsigned method = HTTP_GET; method <= HTTP_OPTIONS; method++) {
        struct http_request request;
        char text[64];
        struct view name = http_method_name((enum http_method)method);
        int size = snprintf(text, sizeof(text), "%.*s / HTTP/1.1\r\n" HOST "\r\n", (int)name.size,
                            (const char *)name.data);
        assert_accepted(view_of(text, (size_t)size), &request);
        assert_int_equal(request.method, method);
    }
}

static void every_known_header_is_recognised(void **state)
{
    (void)state;
    for (unsigned known = 0; known < HTTP_HEADER_KNOWN_COUNT; known++) {
        struct view lower = http_known_name((enum http_known)known);
        char name[32];
        assert_true(view_to_cstr(lower, name, sizeof(name)));
        assert_int_equal(http_known_of(lower), known);
        for (size_t i = 0; i < lower.size; i++) {
            name[i] = (char)(name[i] == '-' ? '-' : name[i] - 'a' + 'A');
        }
        assert_int_equal(http_known_of(view_of(name, lower.size)), known);
        name[lower.size / 2] = '!';
        assert_int_equal(http_known_of(view_of(name, lower.size)), HTTP_HEADER_KNOWN_COUNT);
    }
    assert_int_equal(http_known_of(VIEW("x-forwarded-protocol")), HTTP_HEADER_KNOWN_COUNT);
}

static void connections_are_kept_as_asked(void **state)
{
    (void)state;
    static const struct {
        struct view text;
        bool keep;
    } cases[] = {
        {VIEW(GET "\r\n"), true},
        {VIEW(GET "Connection: close\r\n\r\n"), false},
        {VIEW(GET "Connection: Upgrade, CLOSE\r\n\r\n"), false},
        {VIEW(GET "Connection: foo\r\nX: y\r\nConnection: close\r\n\r\n"), false},
        {VIEW(GET "Connection: keep-alive\r\n\r\n"), true},
        {VIEW(GET "Connection: closed\r\n\r\n"), true},
        {VIEW("GET / HTTP/1.0\r\n\r\n"), false},
        {VIEW("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true},
        {VIEW("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_request request;
        assert_accepted(cases[i].text, &request);
        assert_int_equal(request.keep_alive, cases[i].keep);
    }
}

static void expectations_are_noted(void **state)
{
    (void)state;
    struct http_request request;
    assert_accepted(VIEW(GET "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), &request);
    assert_true(request.expect_continue);
    assert_accepted(VIEW(GET "Expect: 100-continue\r\nTransfer-Encoding: Chunked\r\n\r\n"), &request);
    assert_true(request.expect_continue && request.chunked);
    assert_accepted(VIEW(GET "Expect: 100-continue\r\n\r\n"), &request);
    assert_false(request.expect_continue);
    assert_accepted(VIEW("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n"), &request);
    assert_false(request.expect_continue);
}

static void pipelined_requests_are_cut_apart(void **state)
{
    (void)state;
    struct view rest = VIEW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                            "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n"
                            "HEAD /c HTTP/1.0\r\n\r\nGET /");
    static const struct view paths[] = {VIEW("/a"), VIEW("/b"), VIEW("/c")};
    struct http_request request;
    size_t consumed;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(parse_all_ways(rest, &http_limits_default, &request, &consumed), HTTP_DONE);
        assert_true(view_equal(request.path, paths[i]));
        rest = view_from(rest, consumed + (size_t)request.content_length);
    }
    http_request_reset(&request);
    assert_int_equal(http_parse_head(&request, rest, &http_limits_default, &consumed), HTTP_NEED_MORE);
}

static void views_follow_a_moved_buffer(void **state)
{
    (void)state;
    struct view text = VIEW("POST http://a.example HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
    struct http_request request;
    size_t consumed;
    uint8_t *first = copy_of(text, text.size), *second = copy_of(text, text.size);
    http_request_reset(&request);
    assert_int_equal(http_parse_head(&request, view_of(first, text.size), &http_limits_default, &consumed),
                     HTTP_DONE);
    http_request_rebase(&request, second);
    free(first);
    assert_true(view_equal(request.target, VIEW("http://a.example")));
    assert_true(view_equal(request.path, VIEW("/")));
    assert_true(view_equal(request.authority, VIEW("a.example")));
    assert_true(view_equal(http_request_known(&request, HTTP_HEADER_CONTENT_LENGTH), VIEW("3")));
    free(second);
}

static void hosts_are_checked(void **state)
{
    (void)state;
    static const struct view good[] = {VIEW("a"),     VIEW("a-b.example:80"), VIEW("127.0.0.1:8080"),
                                       VIEW("[::1]"), VIEW("[::1]:65535"),    VIEW("[::ffff:192.0.2.1]:1"),
                                       VIEW("a_b")};
    static const struct view bad[] = {
        VIEW(""),    VIEW(":80"), VIEW("a:"),       VIEW("a:65536"),        VIEW("a:+1"),   VIEW("[::1"),
        VIEW("::1"), VIEW("[]"),  VIEW("[:::]"),    VIEW("[::1]x"),         VIEW("a%41"),   VIEW("a:1:2"),
        VIEW("[a]"), VIEW("a;b"), VIEW("\xc3\xa4"), VIEW("[fe80::1%25lo]"), VIEW("[::1\0]")};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(http_host_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(http_host_is_valid(bad[i]));
    }
    uint8_t name[256];
    memset(name, 'a', sizeof(name));
    assert_true(http_host_is_valid(view_of(name, 255)));
    assert_false(http_host_is_valid(view_of(name, 256)));
}

static void every_reason_has_a_status_and_a_text(void **state)
{
    (void)state;
    for (unsigned reason = HTTP_REASON_NONE + 1; reason < HTTP_REASON_COUNT; reason++) {
        assert_in_range(http_reason_status((enum http_reason)reason), 400, 505);
        assert_non_null(http_reason_text((enum http_reason)reason));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_bytes_are_refused),
        cmocka_unit_test(bad_request_lines_are_refused),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(ambiguous_bodies_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(head_limit_is_exact),
        cmocka_unit_test(a_browser_is_understood),
        cmocka_unit_test(targets_are_taken_apart),
        cmocka_unit_test(methods_are_known),
        cmocka_unit_test(every_known_header_is_recognised),
        cmocka_unit_test(connections_are_kept_as_asked),
        cmocka_unit_test(expectations_are_noted),
        cmocka_unit_test(pipelined_requests_are_cut_apart),
        cmocka_unit_test(views_follow_a_moved_buffer),
        cmocka_unit_test(hosts_are_checked),
        cmocka_unit_test(every_reason_has_a_status_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
