// SPDX-License-Identifier: ISC
// Reads one HTTP/1.1 answer as it arrives and keeps the little that a load test wants of it. Used by stayctl
// storm. Owns nothing. Bounds: a head of ANSWER_HEAD_MAX bytes, a body of ANSWER_BODY_MAX that is counted and
// not kept. What is not understood is refused, never guessed (RFC 9112): no interim answers, no transfer
// codings (stayd sends neither).
#ifndef DRILL_ANSWER_H
#define DRILL_ANSWER_H

#include "base/bytes.h"

enum {
    ANSWER_HEAD_MAX = 8192,
    ANSWER_BODY_MAX = 1 << 24,
    ANSWER_NAME_SIZE = 65,   // of Remote-User, with NUL
    ANSWER_COOKIE_SIZE = 32, // a cookie's name, with NUL
    ANSWER_TOKEN_SIZE = 44,  // a session's token, with NUL
};

#define ANSWER_NO_RETRY UINT32_MAX

enum answer_state {
    ANSWER_MORE, // not all there yet
    ANSWER_WHOLE,
    ANSWER_BAD, // not an answer that this understands
};

struct answer {
    enum answer_state state;
    bool head_done;
    bool close;             // the connection ends with it
    bool until_end;         // no length: the body lasts until the connection's end
    unsigned status;        // 0: unknown yet
    uint32_t retry_after_s; // ANSWER_NO_RETRY: none was given
    uint64_t body_left;
    uint64_t body_got;
    char user[ANSWER_NAME_SIZE];          // Remote-User, "" when absent
    char cookie_name[ANSWER_COOKIE_SIZE]; // of the session cookie that is set, "" when none is
    char token[ANSWER_TOKEN_SIZE];
    size_t head_size;
    uint8_t head[ANSWER_HEAD_MAX];
};

void answer_init(struct answer *answer);
// Takes what arrived; bytes behind the answer make it bad, since nothing was asked ahead.
enum answer_state answer_take(struct answer *answer, struct view bytes);
// The other side ended the connection: whole when that is how the body ends, else bad.
enum answer_state answer_end(struct answer *answer);

#endif
