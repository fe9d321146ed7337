// SPDX-License-Identifier: ISC
// The answer's head is collected, then read line by line; the body is only counted. Runs in stayctl storm.
// Invariants: 1. nothing is read from a head that is not complete; 2. a state other than MORE is final;
// 3. texts that are kept end with NUL and hold no control characters.
// RFC 9112 sections 4, 5, 6.3; RFC 9110 section 10.2.3 (Retry-After: seconds only, as stayd sends it).
#include "drill/answer.h"

enum { RETRY_MAX_S = 86400 };

void answer_init(struct answer *answer)
{
    // The head's bytes need no clearing.
    memset(answer, 0, offsetof(struct answer, head));
    answer->retry_after_s = ANSWER_NO_RETRY;
    answer->until_end = true;
}

static bool has_controls(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 127) {
            return true;
        }
    }
    return false;
}

// "HTTP/1.1 200 OK"; the reason may be empty.
static bool take_status_line(struct answer *answer, struct view line)
{
    uint64_t status = 0;
    struct view rest = view_from(line, 9);
    if ((!view_starts_with(line, VIEW("HTTP/1.1 ")) && !view_starts_with(line, VIEW("HTTP/1.0 "))) ||
        rest.size < 3 || !view_to_u64(view_first(rest, 3), &status) || status < 200 || status > 599 ||
        (rest.size > 3 && rest.data[3] != ' ')) {
        return false;
    }
    answer->status = (unsigned)status;
    answer->close = line.data[7] == '0';
    return true;
}

static bool is_session_cookie(struct view name)
{
    return view_equal(name, VIEW("stayd")) || view_equal(name, VIEW("__Host-stayd")) ||
           view_equal(name, VIEW("__Secure-stayd"));
}

// A cookie of another name, or one that is taken away (an empty value), is none of ours.
static void take_cookie(struct answer *answer, struct view value)
{
    struct view pair = view_cut(&value, ';');
    struct view name = view_cut(&pair, '=');
    if (is_session_cookie(name) && pair.size == ANSWER_TOKEN_SIZE - 1 &&
        view_to_cstr(name, answer->cookie_name, sizeof(answer->cookie_name)) &&
        !view_to_cstr(pair, answer->token, sizeof(answer->token))) {
        answer->cookie_name[0] = '\0';
    }
}

static bool take_length(struct answer *answer, struct view value)
{
    uint64_t length;
    if (!view_to_u64(value, &length) || length > ANSWER_BODY_MAX ||
        (!answer->until_end && length != answer->body_left)) {
        return false;
    }
    answer->until_end = false;
    answer->body_left = length;
    return true;
}

static bool take_field(struct answer *answer, struct view line)
{
    struct view value = line;
    struct view name = view_cut(&value, ':');
    uint64_t seconds;
    if (name.size == 0 || name.size == line.size || name.data[0] == ' ' || name.data[0] == '\t') {
        return false;
    }
    value = view_trim(value);
    if (view_equal_nocase(name, VIEW("Content-Length"))) {
        return take_length(answer, value);
    }
    if (view_equal_nocase(name, VIEW("Transfer-Encoding"))) {
        return false;
    }
    if (view_equal_nocase(name, VIEW("Connection"))) {
        answer->close |= view_equal_nocase(value, VIEW("close"));
    } else if (view_equal_nocase(name, VIEW("Retry-After")) && view_to_u64(value, &seconds)) {
        answer->retry_after_s = seconds < RETRY_MAX_S ? (uint32_t)seconds : RETRY_MAX_S;
    } else if (view_equal_nocase(name, VIEW("Remote-User"))) {
        return view_to_cstr(value, answer->user, sizeof(answer->user));
    } else if (view_equal_nocase(name, VIEW("Set-Cookie"))) {
        take_cookie(answer, value);
    }
    return true;
}

// `head` has its last empty line.
static bool take_head(struct answer *answer, struct view head)
{
    for (bool first = true; head.size > 0; first = false) {
        struct view line = view_cut(&head, '\n');
        if (line.size == 0 || line.data[line.size - 1] != '\r') {
            return false;
        }
        line.size--;
        if (has_controls(line)) {
            return false;
        }
        if (line.size == 0) {
            break;
        }
        if (first ? !take_status_line(answer, line) : !take_field(answer, line)) {
            return false;
        }
    }
    if (answer->status == 204 || answer->status == 304) {
        answer->until_end = false;
        answer->body_left = 0;
    }
    answer->close |= answer->until_end;
    answer->head_done = true;
    return answer->status != 0;
}

static enum answer_state take_body(struct answer *answer, size_t size)
{
    answer->body_got += size;
    if (answer->until_end) {
        return answer->body_got <= ANSWER_BODY_MAX ? ANSWER_MORE : ANSWER_BAD;
    }
    if (size > answer->body_left) {
        return ANSWER_BAD;
    }
    answer->body_left -= size;
    return answer->body_left == 0 ? ANSWER_WHOLE : ANSWER_MORE;
}

enum answer_state answer_take(struct answer *answer, struct view bytes)
{
    if (answer->state != ANSWER_MORE) {
        answer->state = bytes.size == 0 ? answer->state : ANSWER_BAD;
        return answer->state;
    }
    if (answer->head_done) {
        return answer->state = take_body(answer, bytes.size);
    }
    size_t before = answer->head_size;
    struct view fits = view_first(bytes, sizeof(answer->head) - before);
    if (fits.size > 0) {
        memcpy(answer->head + before, fits.data, fits.size);
    }
    answer->head_size += fits.size;
    // The end may lie across what was there and what came.
    size_t from = before < 3 ? 0 : before - 3;
    const uint8_t *end = memmem(answer->head + from, answer->head_size - from, "\r\n\r\n", 4);
    if (end == NULL) {
        return answer->state = answer->head_size == sizeof(answer->head) ? ANSWER_BAD : ANSWER_MORE;
    }
    size_t head_size = (size_t)(end - answer->head) + 4;
    if (!take_head(answer, view_of(answer->head, head_size))) {
        return answer->state = ANSWER_BAD;
    }
    return answer->state = take_body(answer, before + bytes.size - head_size);
}

enum answer_state answer_end(struct answer *answer)
{
    if (answer->state == ANSWER_MORE) {
        answer->state = answer->head_done && answer->until_end ? ANSWER_WHOLE : ANSWER_BAD;
    }
    return answer->state;
}
