// SPDX-License-Identifier: ISC
// Compares our HTTP parser with Debian's libhttp-parser on the same bytes: accepted or refused, method,
// target, version, headers and their values, body, where the next request starts, whether the connection is
// kept.
//
// Every difference that may be is a row of `differences`, with a check of its own that the input really is of
// that kind; any other difference aborts. The rows are explained in docs/http-strictness.md.
#include "http/chunked.h"

#include <assert.h>
#include <ctype.h>

#include "fuzz/http_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits wide = {
    .line_bytes_max = 1u << 20,
    .target_bytes_max = 1u << 20,
    .header_count_max = HTTP_HEADERS_MAX,
    .header_bytes_max = 1u << 20,
    .head_bytes_max = 1u << 20,
    .body_bytes_max = 1u << 20,
};

// One message as ours reads it.
struct ours {
    enum http_verdict verdict;
    enum http_reason reason;
    bool in_body;
    size_t consumed;
    struct view body;
    struct http_request request;
    uint8_t memory[REFERENCE_INPUT_MAX];
};

// The pieces of the input, found in another way than the parser's.
struct input {
    struct view text;
    struct view head;                    // up to its empty line, or all of it
    struct view method, target, version; // of a request line with exactly two spaces; else empty
};

static bool has(struct view text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static bool is_word(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte <= 0x20 || byte >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", byte) != NULL) {
            return false;
        }
    }
    return text.size > 0;
}

// How often a line begins so, in any case.
static size_t count_lines(struct view text, const char *start)
{
    size_t count = 0;
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        count += view_equal_nocase(view_first(line, strlen(start)), view_of_cstr(start));
    }
    return count;
}

static bool holds_word(struct view text, const char *word)
{
    struct view wanted = view_of_cstr(word);
    for (size_t i = 0; i < text.size; i++) {
        if (view_equal_nocase(view_first(view_from(text, i), wanted.size), wanted)) {
            return true;
        }
    }
    return false;
}

static bool holds_control(const struct input *input)
{
    for (size_t i = 0; i < input->head.size; i++) {
        uint8_t byte = input->head.data[i];
        if ((byte < 0x20 && strchr("\r\n\t", byte) == NULL) || byte == 0x7f || byte == 0) {
            return true;
        }
    }
    return false;
}

static bool holds_bare_cr(const struct input *input)
{
    for (size_t i = 0; i + 1 < input->head.size; i++) {
        if (input->head.data[i] == '\r' && input->head.data[i + 1] != '\n') {
            return true;
        }
    }
    return false;
}

static bool holds_bare_lf(const struct input *input)
{
    for (size_t i = 0; i < input->head.size; i++) {
        if (input->head.data[i] == '\n' && (i == 0 || input->head.data[i - 1] != '\r')) {
            return true;
        }
    }
    return false;
}

static bool has_odd_request_line(const struct input *input)
{
    struct view version = input->version;
    return input->method.size == 0 || input->target.size == 0 || version.size != 8 ||
           !view_starts_with(version, VIEW("HTTP/")) || version.data[6] != '.' ||
           strspn((const char[]){(char)version.data[5], (char)version.data[7], '\0'}, "0123456789") != 2;
}

static bool has_other_method(const struct input *input)
{
    static const char known[] = " GET HEAD POST PUT DELETE PATCH OPTIONS ";
    char word[40];
    int size =
        snprintf(word, sizeof(word), " %.*s ", (int)input->method.size, (const char *)input->method.data);
    return size > 2 && strstr(known, word) == NULL;
}

static bool has_other_version(const struct input *input)
{
    return !view_equal(input->version, VIEW("HTTP/1.1")) && !view_equal(input->version, VIEW("HTTP/1.0"));
}

static bool has_no_origin_form(const struct input *input)
{
    return input->target.size > 0 && input->target.data[0] != '/';
}

static bool has_bad_target_byte(const struct input *input)
{
    static const char always[] = "\"#<>", in_path[] = "[]{}|\\^`";
    bool query = false;
    for (size_t i = 0; i < input->target.size; i++) {
        uint8_t byte = input->target.data[i];
        if (byte <= 0x20 || byte >= 0x7f || strchr(always, byte) || (!query && strchr(in_path, byte))) {
            return true;
        }
        query |= byte == '?';
    }
    return false;
}

static bool is_hex(uint8_t byte)
{
    return byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL;
}

static bool has_bad_escape(const struct input *input)
{
    struct view target = input->target;
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] == '%' &&
            (i + 2 >= target.size || !is_hex(target.data[i + 1]) || !is_hex(target.data[i + 2]))) {
            return true;
        }
    }
    return false;
}

static bool is_folded(const struct input *input)
{
    return has(input->head, "\n ") || has(input->head, "\n\t");
}

static bool has_space_in_name(const struct input *input)
{
    struct view rest = input->head;
    while (rest.size > 0) {
        struct view line = view_cut(&rest, '\n');
        struct view name = view_first(line, view_index(line, ':'));
        if (view_index(name, ' ') < name.size || view_index(name, '\t') < name.size) {
            return true;
        }
    }
    return false;
}

static bool lacks_host(const struct input *input)
{
    return count_lines(input->head, "host:") == 0;
}

static bool has_hosts(const struct input *input)
{
    return count_lines(input->head, "host:") > 1;
}

// The value of the first line with that name.
static struct view value_of(struct view head, const char *name)
{
    while (head.size > 0) {
        struct view value = view_cut(&head, '\n');
        if (view_equal_nocase(view_cut(&value, ':'), view_of_cstr(name))) {
            return view_trim(view_first(value, view_index(value, '\r')));
        }
    }
    return (struct view){NULL, 0};
}

static bool has_odd_host(const struct input *input)
{
    struct view port = value_of(input->head, "host");
    bool numbered = view_index(port, ':') < port.size, address = view_starts_with(port, VIEW("["));
    struct view name = view_cut(&port, ':');
    uint64_t number = 0;
    bool odd = name.size == 0 || name.size > 255 || address || (numbered && !view_to_u64(port, &number)) ||
               port.size > 5 || number > 65535;
    for (size_t i = 0; i < name.size; i++) {
        odd |= !isalnum(name.data[i]) && strchr("-._", name.data[i]) == NULL;
    }
    return odd;
}

static bool has_length(const struct input *input)
{
    return count_lines(input->head, "content-length:") > 0;
}

static bool has_coding(const struct input *input)
{
    return count_lines(input->head, "transfer-encoding:") > 0;
}

static bool has_other_coding(const struct input *input)
{
    return has_coding(input) &&
           !view_equal_nocase(value_of(input->head, "transfer-encoding"), VIEW("chunked"));
}

// A line up to its CRLF, both consumed; without one the rest, less a CR at its end, and *whole is false.
static struct view cut_line(struct view *rest, bool *whole)
{
    const uint8_t *end = rest->size > 0 ? memmem(rest->data, rest->size, "\r\n", 2) : NULL;
    *whole = end != NULL;
    struct view line = view_first(*rest, end == NULL ? rest->size : (size_t)(end - rest->data));
    *rest = view_from(*rest, line.size + 2);
    line.size -= !*whole && line.size > 0 && line.data[line.size - 1] == '\r';
    return line;
}

static bool is_text(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (iscntrl(text.data[i]) && text.data[i] != '\t') {
            return false;
        }
    }
    return true;
}

// What follows a last chunk, as far as it is there.
static bool has_odd_trailers(struct view rest, size_t thrown_away)
{
    bool whole = true;
    while (rest.size > 0 && whole) {
        struct view line = cut_line(&rest, &whole);
        size_t colon = view_index(line, ':');
        if (line.size == 0) {
            return false;
        }
        thrown_away += line.size;
        if (!is_word(view_first(line, colon)) || (whole && colon == line.size) ||
            !is_text(view_from(line, colon)) || thrown_away > HTTP_CHUNKED_FRAMING_MAX) {
            return true;
        }
    }
    return false;
}

// A chunked body as RFC 9112 7.1 has it, with our bounds: a second reader of the same rules.
static bool has_odd_chunks(const struct input *input)
{
    struct view rest = view_from(input->text, input->head.size);
    size_t thrown_away = 0;
    bool whole = true;
    while (rest.size > 0 && whole) {
        struct view extension = cut_line(&rest, &whole);
        struct view digits = view_first(extension, view_index(extension, ';'));
        extension = view_from(extension, digits.size);
        thrown_away += extension.size > 0 ? extension.size - 1 : 0;
        size_t size = 0;
        for (size_t i = 0; i < digits.size; i++) {
            if (!is_hex(digits.data[i])) {
                return true;
            }
            size = size * 16 +
                   (size_t)(isdigit(digits.data[i]) ? digits.data[i] - '0' : (digits.data[i] & 7) + 9);
        }
        if (digits.size > 16 || (digits.size == 0 && (whole || extension.size > 0)) || !is_text(extension) ||
            thrown_away > HTTP_CHUNKED_FRAMING_MAX) {
            return true;
        }
        if (size == 0 && whole) {
            return has_odd_trailers(rest, thrown_away);
        }
        rest = view_from(rest, size);
        if (rest.size > 0 && !view_starts_with(VIEW("\r\n"), view_first(rest, 2))) {
            return true;
        }
        rest = view_from(rest, 2);
    }
    return false;
}

static bool has_codings(const struct input *input)
{
    return count_lines(input->head, "transfer-encoding:") > 1;
}

static bool has_coding_in_old_version(const struct input *input)
{
    return has_coding(input) && view_equal(input->version, VIEW("HTTP/1.0"));
}

static bool has_other_expectation(const struct input *input)
{
    return count_lines(input->head, "expect:") != 1 ||
           !view_equal_nocase(value_of(input->head, "expect"), VIEW("100-continue"));
}

static bool has_many_headers(const struct input *input)
{
    return count_lines(input->head, "") > HTTP_HEADERS_MAX;
}

static bool has_line_breaks_first(const struct input *input)
{
    return view_starts_with(input->text, VIEW("\r\n\r\n"));
}

static bool has_both_options(const struct input *input)
{
    return holds_word(input->head, "close") && holds_word(input->head, "keep-alive");
}

static bool has_longer_coding_name(const struct input *input)
{
    return count_lines(input->head, "transfer-encoding") > count_lines(input->head, "transfer-encoding:");
}

static bool has_framing_trailer(const struct input *input)
{
    struct view body = view_from(input->text, input->head.size);
    return has_coding(input) &&
           count_lines(body, "content-length") + count_lines(body, "transfer-encoding") > 0;
}

// The other parser, having begun to match a word, takes the comma for a part of it.
static bool is_begun_word(struct view element)
{
    static const char *const words[] = {"close", "keep-alive", "upgrade"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct view word = view_of_cstr(words[i]);
        if (element.size < word.size && view_equal_nocase(element, view_first(word, element.size))) {
            return true;
        }
    }
    return false;
}

static bool has_odd_element(struct view list)
{
    list.size -= list.size > 0 && list.data[list.size - 1] == '\r';
    bool odd = list.size == 0 || list.data[list.size - 1] == ',';
    while (list.size > 0) {
        struct view element = view_trim(view_cut(&list, ','));
        odd |= !is_word(element) || is_begun_word(element);
    }
    return odd;
}

static bool has_odd_elements(const struct input *input)
{
    struct view rest = input->head;
    while (rest.size > 0) {
        struct view list = view_cut(&rest, '\n');
        struct view name = view_cut(&list, ':');
        if (view_equal_nocase(name, VIEW("connection")) && has_odd_element(list)) {
            return true;
        }
    }
    return false;
}

// A tab is white space as well as a space is.
static bool has_tab_near_framing(const struct input *input)
{
    return has(input->head, "\t") && (has_length(input) || has_coding(input));
}

static bool has_tab(const struct input *input)
{
    return has(input->head, "\t");
}

enum kind {
    OURS_REFUSES,      // and the other lets pass, at least so far
    REFERENCE_REFUSES, // and ours accepts the whole message
    KEEPING,           // both accept; they differ about keeping the connection
};

static const struct difference {
    enum kind kind;
    enum http_reason reason; // for OURS_REFUSES
    bool (*applies)(const struct input *input);
    const char *why;
} differences[] = {
    {OURS_REFUSES, HTTP_REASON_CONTROL_BYTE, holds_control,
     "RFC 9110 5.5: control bytes in a head are invalid"},
    {OURS_REFUSES, HTTP_REASON_BARE_CR, holds_bare_cr, "RFC 9112 2.2: a bare CR is invalid"},
    {OURS_REFUSES, HTTP_REASON_BARE_LF, holds_bare_lf, "RFC 9112 2.2: only MAY be taken as a line's end"},
    {OURS_REFUSES, HTTP_REASON_REQUEST_LINE, has_odd_request_line, "RFC 9112 3: single spaces"},
    {OURS_REFUSES, HTTP_REASON_REQUEST_LINE, has_line_breaks_first,
     "RFC 9112 2.2: at least one, here at most"},
    {OURS_REFUSES, HTTP_REASON_METHOD_UNKNOWN, has_other_method, "RFC 9110 9.1: 501 for what nobody handles"},
    {OURS_REFUSES, HTTP_REASON_VERSION, has_other_version, "RFC 9110 15.6.6: 505"},
    {OURS_REFUSES, HTTP_REASON_TARGET_FORM, has_no_origin_form, "RFC 9112 3.2: the form must fit the method"},
    {OURS_REFUSES, HTTP_REASON_TARGET_BYTE, has_bad_target_byte, "RFC 9112 3.2: SHOULD answer 400"},
    {OURS_REFUSES, HTTP_REASON_TARGET_ESCAPE, has_bad_escape, "RFC 3986 2.1"},
    {OURS_REFUSES, HTTP_REASON_TARGET_AUTHORITY, has_no_origin_form, "RFC 9112 3.2.2: two hosts"},
    {OURS_REFUSES, HTTP_REASON_HEADER_FOLDED, is_folded, "RFC 9112 5.2: MUST reject or replace"},
    {OURS_REFUSES, HTTP_REASON_HEADER_SPACE, has_space_in_name, "RFC 9112 5.1: MUST reject"},
    {OURS_REFUSES, HTTP_REASON_HOST_MISSING, lacks_host, "RFC 9112 3.2: MUST answer 400"},
    {OURS_REFUSES, HTTP_REASON_HOST_REPEATED, has_hosts, "RFC 9112 3.2: MUST answer 400"},
    {OURS_REFUSES, HTTP_REASON_HOST_SYNTAX, has_odd_host, "RFC 9112 3.2: MUST answer 400"},
    {OURS_REFUSES, HTTP_REASON_BODY_TOO_LONG, has_length, "RFC 9110 15.5.14: the limit of this harness"},
    {OURS_REFUSES, HTTP_REASON_BODY_TOO_LONG, has_coding, "RFC 9110 15.5.14: the limit of this harness"},
    {OURS_REFUSES, HTTP_REASON_CODING_UNKNOWN, has_other_coding, "RFC 9112 6.1: SHOULD answer 501"},
    {OURS_REFUSES, HTTP_REASON_CODING_REPEATED, has_codings, "RFC 9112 7.1: chunked only once"},
    {OURS_REFUSES, HTTP_REASON_CODING_OLD, has_coding_in_old_version, "RFC 9112 6.1: faulty framing"},
    {OURS_REFUSES, HTTP_REASON_EXPECT, has_other_expectation, "RFC 9110 10.1.1: MAY answer 417"},
    {OURS_REFUSES, HTTP_REASON_HEADERS_TOO_MANY, has_many_headers, "RFC 9110 5.4: 431"},
    {OURS_REFUSES, HTTP_REASON_CHUNK_SIZE, has_odd_chunks,
     "RFC 9112 7.1: no white space, CRLF, at most 16 digits"},
    {OURS_REFUSES, HTTP_REASON_CHUNK_EXTENSION, has_odd_chunks, "RFC 9112 7.1.1: bounded, no control bytes"},
    {OURS_REFUSES, HTTP_REASON_CHUNK_END, has_odd_chunks, "RFC 9112 7.1: CRLF after a chunk's content"},
    {OURS_REFUSES, HTTP_REASON_TRAILER, has_odd_chunks, "RFC 9112 7.1.2: trailers are header lines"},
    {REFERENCE_REFUSES, HTTP_REASON_NONE, has_longer_coding_name,
     "its mistake: only the name's start is compared"},
    {REFERENCE_REFUSES, HTTP_REASON_NONE, has_framing_trailer,
     "RFC 9110 6.5.1: not framing in a trailer; dropped"},
    {REFERENCE_REFUSES, HTTP_REASON_NONE, has_tab_near_framing, "RFC 9110 5.6.3: a tab is white space too"},
    {KEEPING, HTTP_REASON_NONE, has_tab, "RFC 9110 5.6.3: a tab is white space too"},
    {KEEPING, HTTP_REASON_NONE, has_odd_elements, "RFC 9110 5.6.1.2: an empty or odd element hides no other"},
    {KEEPING, HTTP_REASON_NONE, has_both_options, "RFC 9112 9.3: close wins"},
};

static bool is_listed(enum kind kind, enum http_reason reason, const struct input *input)
{
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        const struct difference *row = &differences[i];
        if (row->kind == kind && (kind != OURS_REFUSES || row->reason == reason) && row->applies(input)) {
            return true;
        }
    }
    return false;
}

static void parse_ours(struct ours *ours, struct view text)
{
    size_t body_size = 0, body_consumed = 0;
    memcpy(ours->memory, text.data, text.size);
    http_request_reset(&ours->request);
    ours->in_body = false;
    ours->consumed = 0;
    ours->body = (struct view){NULL, 0};
    ours->verdict = http_parse_head(&ours->request, view_of(ours->memory, text.size), &wide, &ours->consumed);
    ours->reason = ours->request.reason;
    if (ours->verdict != HTTP_DONE) {
        return;
    }
    ours->in_body = true;
    uint8_t *body = ours->memory + ours->consumed;
    size_t left = text.size - ours->consumed;
    if (ours->request.chunked) {
        struct http_chunked chunked;
        http_chunked_reset(&chunked, &wide);
        ours->verdict = http_chunked_decode(&chunked, body, left, &body_size, &body_consumed);
        ours->reason = chunked.reason;
    } else {
        body_size = body_consumed = ours->request.content_length;
        ours->verdict = body_size > left ? HTTP_NEED_MORE : HTTP_DONE;
    }
    ours->consumed += body_consumed;
    ours->body = view_of(body, body_size);
}

static void find_pieces(struct input *input, struct view text)
{
    struct view rest = text;
    *input = (struct input){.text = text};
    while (view_starts_with(rest, VIEW("\r")) || view_starts_with(rest, VIEW("\n"))) {
        rest = view_from(rest, 1);
    }
    const uint8_t *end = rest.size > 0 ? memmem(rest.data, rest.size, "\r\n\r\n", 4) : NULL;
    input->head = end == NULL ? text : view_first(text, (size_t)(end - text.data) + 4);
    struct view line = view_first(rest, view_index(rest, '\r'));
    input->method = view_cut(&line, ' ');
    input->target = view_cut(&line, ' ');
    input->version = line;
}

static void fail(const char *what, const struct ours *ours, const struct reference *reference)
{
    fprintf(stderr, "an unlisted difference: %s\n  ours: verdict %d, %s\n  other: verdict %d, %s\n", what,
            (int)ours->verdict, http_reason_text(ours->reason), (int)reference->verdict, reference->error);
    abort();
}

#define AGREE(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fail(#condition, ours, reference);                                                               \
        }                                                                                                    \
    } while (0)

static void compare_accepted(const struct input *input, const struct ours *ours,
                             const struct reference *reference)
{
    const struct http_request *request = &ours->request;
    AGREE(view_equal(http_method_name(request->method), view_of_cstr(reference->method)));
    AGREE(view_equal(request->target, reference->target));
    AGREE(reference->major == 1 && request->minor == reference->minor);
    AGREE(request->header_count == reference->header_count);
    for (size_t i = 0; i < request->header_count; i++) {
        AGREE(view_equal(request->headers[i].name, reference->headers[i].name));
        AGREE(view_equal(request->headers[i].value, view_trim(reference->headers[i].value)));
    }
    AGREE(view_equal(ours->body, reference->body));
    AGREE(ours->consumed == reference->consumed);
    AGREE(request->keep_alive == reference->keep_alive || is_listed(KEEPING, HTTP_REASON_NONE, input));
}

// While ours waits in the head, the other may refuse: ours judges whole lines, the other each byte.
static void compare(const struct input *input, const struct ours *ours, const struct reference *reference)
{
    bool listed =
        reference->verdict == REFERENCE_REFUSED && is_listed(REFERENCE_REFUSES, HTTP_REASON_NONE, input);
    if (ours->verdict == HTTP_REFUSED) {
        AGREE(reference->verdict == REFERENCE_REFUSED || is_listed(OURS_REFUSES, ours->reason, input));
    } else if (ours->verdict == HTTP_NEED_MORE) {
        bool early = reference->verdict == REFERENCE_REFUSED && !ours->in_body;
        AGREE(reference->verdict == REFERENCE_NEED_MORE || early || listed);
    } else if (reference->verdict == REFERENCE_DONE) {
        compare_accepted(input, ours, reference);
    } else {
        AGREE(listed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ours ours;
    static struct reference reference;
    struct input input;
    if (size == 0 || size > REFERENCE_INPUT_MAX) {
        return 0;
    }
    find_pieces(&input, view_of(data, size));
    parse_ours(&ours, input.text);
    reference_parse(&reference, input.text);
    compare(&input, &ours, &reference);
    return 0;
}
