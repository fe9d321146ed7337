// SPDX-License-Identifier: ISC
// The strict HTTP/1.1 request parser: line by line, one pass, nothing allocated. Runs in stayd-front and
// stayd-watch, on bytes from anyone.
//
// 1. Everything before `line_at` is parsed and accepted; bytes from there to `scanned` hold no control byte.
//    A call starts at `scanned`, so that a slow sender costs no more than a fast one.
// 2. The first byte that breaks a rule for bytes or a limit decides, then the first line that breaks a rule
// for
//    lines, then the head as a whole. So the verdict is the same however the bytes were cut.
// 3. A line ends with CRLF and nothing else (RFC 9112 section 2.2 lets us take a bare LF; proxies differ
// about
//    it, and a difference is a smuggled request).
// 4. A body has one length, said once, in one way (RFC 9112 section 6.3).
#include "http/parse.h"

#include <assert.h>

#include "http/host.h"
#include "http/octets.h"

static_assert(HTTP_HEADER_KNOWN_COUNT <= 32 && HTTP_HEADERS_MAX < 256);

enum { AT_REQUEST_LINE, AT_REQUEST_LINE_AGAIN, AT_HEADERS, AT_END, AT_REFUSAL };

const struct http_limits http_limits_default = {
    .line_bytes_max = 8192 + 64,
    .target_bytes_max = 8192,
    .header_count_max = HTTP_HEADERS_MAX,
    .header_bytes_max = 8192,
    .head_bytes_max = 32768,
    .body_bytes_max = 65536,
};

static const struct view methods[] = {
    [HTTP_GET] = VIEW("GET"),         [HTTP_HEAD] = VIEW("HEAD"),     [HTTP_POST] = VIEW("POST"),
    [HTTP_PUT] = VIEW("PUT"),         [HTTP_DELETE] = VIEW("DELETE"), [HTTP_PATCH] = VIEW("PATCH"),
    [HTTP_OPTIONS] = VIEW("OPTIONS"),
};

struct view http_method_name(enum http_method method)
{
    return methods[method];
}

void http_request_reset(struct http_request *request)
{
    memset(request, 0, offsetof(struct http_request, headers));
}

static enum http_verdict refuse(struct http_request *request, enum http_reason reason)
{
    request->phase = AT_REFUSAL;
    request->reason = reason;
    return HTTP_REFUSED;
}

// Cuts the next line, without its CRLF. The limit that is met first decides the reason (invariant 2).
static enum http_verdict next_line(struct http_request *request, struct view buffer,
                                   const struct http_limits *limits, struct view *line)
{
    bool first = request->phase != AT_HEADERS;
    size_t line_max = request->line_at + (first ? limits->line_bytes_max : limits->header_bytes_max);
    size_t head_max = limits->head_bytes_max - 2;
    size_t end = http_octet_text_end(buffer.data, request->scanned, buffer.size);
    if (end > line_max || end > head_max) {
        return refuse(request, head_max < line_max ? HTTP_REASON_HEAD_TOO_LONG
                               : first             ? HTTP_REASON_LINE_TOO_LONG
                                                   : HTTP_REASON_HEADER_TOO_LONG);
    }
    request->scanned = end;
    if (end == buffer.size) {
        return HTTP_NEED_MORE;
    }
    if (buffer.data[end] != '\r') {
        return refuse(request, buffer.data[end] == '\n' ? HTTP_REASON_BARE_LF : HTTP_REASON_CONTROL_BYTE);
    }
    if (end + 1 == buffer.size) {
        return HTTP_NEED_MORE;
    }
    if (buffer.data[end + 1] != '\n') {
        return refuse(request, HTTP_REASON_BARE_CR);
    }
    *line = view_of(buffer.data + request->line_at, end - request->line_at);
    request->line_at = request->scanned = end + 2;
    return HTTP_DONE;
}

// Skips bytes of the class and well-formed escapes; returns where it stopped.
static size_t skip_escaped(struct view text, size_t at, uint8_t class)
{
    for (;;) {
        while (at < text.size && http_octet_is(text.data[at], class)) {
            at++;
        }
        if (text.size - at < 3 || text.data[at] != '%' || !http_octet_is(text.data[at + 1], HTTP_OCTET_HEX) ||
            !http_octet_is(text.data[at + 2], HTTP_OCTET_HEX)) {
            return at;
        }
        at += 3;
    }
}

static enum http_reason path_and_query(struct http_request *request, struct view text)
{
    size_t path_end = skip_escaped(text, 0, HTTP_OCTET_PATH);
    size_t end = path_end;
    if (end < text.size && text.data[end] == '?') {
        end = skip_escaped(text, path_end + 1, HTTP_OCTET_QUERY);
        request->query = view_of(text.data + path_end + 1, end - path_end - 1);
    }
    if (end < text.size) {
        return text.data[end] == '%' ? HTTP_REASON_TARGET_ESCAPE : HTTP_REASON_TARGET_BYTE;
    }
    request->path = path_end == 0 ? VIEW("/") : view_first(text, path_end);
    return HTTP_REASON_NONE;
}

// RFC 9112 section 3.2: origin-form, absolute-form, or "*" for OPTIONS.
static enum http_reason parse_target(struct http_request *request)
{
    struct view target = request->target;
    if (target.data[0] == '/') {
        return path_and_query(request, target);
    }
    if (view_equal(target, VIEW("*")) && request->method == HTTP_OPTIONS) {
        request->path = target;
        return HTTP_REASON_NONE;
    }
    bool secure = view_equal_nocase(view_first(target, 8), VIEW("https://"));
    if (!secure && !view_equal_nocase(view_first(target, 7), VIEW("http://"))) {
        return HTTP_REASON_TARGET_FORM;
    }
    struct view rest = view_from(target, secure ? 8 : 7);
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?') {
        end++;
    }
    request->authority = view_first(rest, end);
    if (!http_host_is_valid(request->authority)) {
        return HTTP_REASON_TARGET_FORM;
    }
    return path_and_query(request, view_of(rest.data + end, rest.size - end));
}

static enum http_reason parse_version(struct http_request *request, struct view version)
{
    const uint8_t *text = version.data;
    if (version.size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
        !http_octet_is(text[5], HTTP_OCTET_DIGIT) || !http_octet_is(text[7], HTTP_OCTET_DIGIT)) {
        return HTTP_REASON_REQUEST_LINE;
    }
    if (text[5] != '1' || text[7] > '1') {
        return HTTP_REASON_VERSION;
    }
    request->minor = text[7] - (unsigned)'0';
    return HTTP_REASON_NONE;
}

static bool parse_method(struct http_request *request, struct view name)
{
    for (unsigned method = 0; method < sizeof(methods) / sizeof(methods[0]); method++) {
        if (view_equal(name, methods[method])) {
            request->method = (enum http_method)method;
            return true;
        }
    }
    return false;
}

static enum http_reason request_line(struct http_request *request, struct view line,
                                     const struct http_limits *limits)
{
    size_t method_end = http_octet_token_end(line.data, line.size);
    if (method_end == 0 || method_end == line.size || line.data[method_end] != ' ') {
        return method_end == line.size ? HTTP_REASON_REQUEST_LINE : HTTP_REASON_METHOD_TOKEN;
    }
    struct view method = view_first(line, method_end);
    struct view rest = view_from(line, method_end + 1);
    size_t target_end = view_index(rest, ' ');
    if (target_end == 0 || target_end == rest.size) { // no version: HTTP/0.9 knew only GET
        bool old = target_end > 0 && view_equal(method, VIEW("GET"));
        return old ? HTTP_REASON_VERSION : HTTP_REASON_REQUEST_LINE;
    }
    request->target = view_first(rest, target_end);
    enum http_reason reason = parse_version(request, view_from(rest, target_end + 1));
    if (reason != HTTP_REASON_NONE) {
        return reason;
    }
    if (!parse_method(request, method)) {
        return HTTP_REASON_METHOD_UNKNOWN;
    }
    return target_end > limits->target_bytes_max ? HTTP_REASON_TARGET_TOO_LONG : parse_target(request);
}

static void note_known(struct http_request *request, struct view name)
{
    enum http_known known = http_known_of(name);
    if (known == HTTP_HEADER_KNOWN_COUNT) {
        return;
    }
    if (request->known_at[known] != 0) {
        request->known_repeated |= 1u << known;
    } else {
        request->known_at[known] = (uint8_t)request->header_count; // already counted: the index plus 1
    }
}

// Where the name ends, at its colon; the reason when there is none.
static enum http_reason header_name(struct view line, size_t *name_size)
{
    size_t at = http_octet_token_end(line.data, line.size);
    if (at == line.size) {
        return HTTP_REASON_HEADER_COLON;
    }
    uint8_t stop = line.data[at];
    if (stop == ':' && at > 0) {
        *name_size = at;
        return HTTP_REASON_NONE;
    }
    if (stop == ' ' || stop == '\t') {
        return at == 0 ? HTTP_REASON_HEADER_FOLDED : HTTP_REASON_HEADER_SPACE;
    }
    return HTTP_REASON_HEADER_NAME;
}

static enum http_reason header_line(struct http_request *request, struct view line,
                                    const struct http_limits *limits)
{
    size_t name_size = 0;
    enum http_reason reason = header_name(line, &name_size);
    if (reason != HTTP_REASON_NONE) {
        return reason;
    }
    if (request->header_count >= HTTP_HEADERS_MAX || request->header_count >= limits->header_count_max) {
        return HTTP_REASON_HEADERS_TOO_MANY;
    }
    struct http_header *header = &request->headers[request->header_count++];
    header->name = view_first(line, name_size);
    header->value = view_trim(view_of(line.data + name_size + 1, line.size - name_size - 1));
    note_known(request, header->name);
    return HTTP_REASON_NONE;
}

struct view http_request_known(const struct http_request *request, enum http_known known)
{
    unsigned at = request->known_at[known];
    return at == 0 ? (struct view){NULL, 0} : request->headers[at - 1].value;
}

bool http_request_repeated(const struct http_request *request, enum http_known known)
{
    return (request->known_repeated >> known & 1) != 0;
}

struct view http_request_find(const struct http_request *request, struct view name, size_t *count)
{
    struct view value = {NULL, 0};
    *count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (view_equal_nocase(request->headers[i].name, name) && (*count)++ == 0) {
            value = request->headers[i].value;
        }
    }
    return value;
}

static enum http_reason check_host(const struct http_request *request)
{
    struct view host = http_request_known(request, HTTP_HEADER_HOST);
    if (http_request_repeated(request, HTTP_HEADER_HOST)) {
        return HTTP_REASON_HOST_REPEATED;
    }
    if (host.data == NULL && request->minor > 0) {
        return HTTP_REASON_HOST_MISSING;
    }
    if (host.data != NULL && !http_host_is_valid(host)) {
        return HTTP_REASON_HOST_SYNTAX;
    }
    bool absolute = request->authority.size > 0;
    return absolute && !view_equal_nocase(request->authority, host) ? HTTP_REASON_TARGET_AUTHORITY
                                                                    : HTTP_REASON_NONE;
}

// RFC 9112 section 6.3, where it leaves a choice: refuse.
static enum http_reason check_body(struct http_request *request, const struct http_limits *limits)
{
    struct view length = http_request_known(request, HTTP_HEADER_CONTENT_LENGTH);
    struct view coding = http_request_known(request, HTTP_HEADER_TRANSFER_ENCODING);
    if (length.data != NULL && coding.data != NULL) {
        return HTTP_REASON_LENGTH_AND_CODING;
    }
    if (coding.data != NULL) {
        request->chunked = true;
        return http_request_repeated(request, HTTP_HEADER_TRANSFER_ENCODING) ? HTTP_REASON_CODING_REPEATED
               : request->minor == 0                                         ? HTTP_REASON_CODING_OLD
               : !view_equal_nocase(coding, VIEW("chunked"))                 ? HTTP_REASON_CODING_UNKNOWN
                                                                             : HTTP_REASON_NONE;
    }
    if (length.data == NULL) {
        return HTTP_REASON_NONE;
    }
    if (http_request_repeated(request, HTTP_HEADER_CONTENT_LENGTH)) {
        return HTTP_REASON_LENGTH_REPEATED;
    }
    if (!view_to_u64(length, &request->content_length)) {
        return HTTP_REASON_LENGTH_SYNTAX;
    }
    return request->content_length > limits->body_bytes_max ? HTTP_REASON_BODY_TOO_LONG : HTTP_REASON_NONE;
}

static void note_connection(struct view value, bool *close, bool *keep)
{
    while (value.size > 0) {
        struct view option = view_trim(view_cut(&value, ','));
        *close |= view_equal_nocase(option, VIEW("close"));
        *keep |= view_equal_nocase(option, VIEW("keep-alive"));
    }
}

// RFC 9112 section 9.3.
static void check_connection(struct http_request *request)
{
    bool close = false, keep = request->minor > 0;
    size_t first = request->known_at[HTTP_HEADER_CONNECTION];
    size_t end = http_request_repeated(request, HTTP_HEADER_CONNECTION) ? request->header_count : first;
    for (size_t i = first; i > 0 && i <= end; i++) {
        const struct http_header *header = &request->headers[i - 1];
        if (view_equal_nocase(header->name, http_known_name(HTTP_HEADER_CONNECTION))) {
            note_connection(header->value, &close, &keep);
        }
    }
    request->keep_alive = keep && !close;
}

// RFC 9110 section 10.1.1. HTTP/1.0 knows no expectation: ignored.
static enum http_reason check_expect(struct http_request *request)
{
    struct view expect = http_request_known(request, HTTP_HEADER_EXPECT);
    if (expect.data == NULL || request->minor == 0) {
        return HTTP_REASON_NONE;
    }
    if (http_request_repeated(request, HTTP_HEADER_EXPECT) ||
        !view_equal_nocase(expect, VIEW("100-continue"))) {
        return HTTP_REASON_EXPECT;
    }
    request->expect_continue = request->chunked || request->content_length > 0;
    return HTTP_REASON_NONE;
}

static enum http_reason check_head(struct http_request *request, const struct http_limits *limits)
{
    enum http_reason reason = check_host(request);
    reason = reason == HTTP_REASON_NONE ? check_body(request, limits) : reason;
    reason = reason == HTTP_REASON_NONE ? check_expect(request) : reason;
    if (reason == HTTP_REASON_NONE) {
        check_connection(request);
        request->phase = AT_END;
    }
    return reason;
}

static void rebase(struct view *view, const uint8_t *from, const uint8_t *to, size_t size)
{
    uintptr_t offset = (uintptr_t)view->data - (uintptr_t)from;
    if (view->data != NULL &&
        offset <= size) { // the path "/" of an absolute-form target is not in the buffer
        view->data = to + offset;
    }
}

void http_request_rebase(struct http_request *request, const uint8_t *base)
{
    const uint8_t *from = request->base;
    request->base = base;
    if (from == base || from == NULL) {
        return;
    }
    struct view *views[] = {&request->target, &request->authority, &request->path, &request->query};
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        rebase(views[i], from, base, request->line_at);
    }
    for (size_t i = 0; i < request->header_count; i++) {
        rebase(&request->headers[i].name, from, base, request->line_at);
        rebase(&request->headers[i].value, from, base, request->line_at);
    }
}

static enum http_reason take_line(struct http_request *request, struct view line,
                                  const struct http_limits *limits)
{
    if (request->phase == AT_HEADERS) {
        return line.size == 0 ? check_head(request, limits) : header_line(request, line, limits);
    }
    if (line.size == 0 && request->phase == AT_REQUEST_LINE) { // one empty line is forgiven, RFC 9112 2.2
        request->phase = AT_REQUEST_LINE_AGAIN;
        return HTTP_REASON_NONE;
    }
    request->phase = AT_HEADERS;
    return request_line(request, line, limits);
}

enum http_verdict http_parse_head(struct http_request *request, struct view buffer,
                                  const struct http_limits *limits, size_t *consumed)
{
    assert(limits->head_bytes_max >= 2);
    if (request->phase == AT_REFUSAL) {
        return HTTP_REFUSED;
    }
    http_request_rebase(request, buffer.data);
    while (request->phase != AT_END) {
        struct view line;
        enum http_verdict verdict = next_line(request, buffer, limits, &line);
        if (verdict != HTTP_DONE) {
            return verdict;
        }
        enum http_reason reason = take_line(request, line, limits);
        if (reason != HTTP_REASON_NONE) {
            return refuse(request, reason);
        }
    }
    *consumed = request->line_at;
    return HTTP_DONE;
}
