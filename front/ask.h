// SPDX-License-Identifier: ISC
// Questions to core and their answers. Used by stayd-front. Owns the channel to core and every question in
// flight. Bounds: ASKS_MAX at once, ASK_DEADLINE_MS each. When core goes, a question that was not sent yet,
// or that may be asked twice, waits ASK_HOLD_MS for the next core; the others are answered "unavailable".
#ifndef FRONT_ASK_H
#define FRONT_ASK_H

#include "front/exchange.h"

#define ASKS_MAX        4096
#define ASK_DEADLINE_MS 16000 // a little longer than a flow in core may live
#define ASK_HOLD_MS     2000
// For look-ups, which someone waits for at every request: longer than it takes to see that core hangs and to
// start another (3 s), shorter than the patience of the proxies.
#define ASK_LOOKUP_DEADLINE_MS 5000

struct ask;
// The answer. `reply` is core's, or one made here (WIRE_UNAVAILABLE) when core can't be asked. Answers
// ask->exchange, or asks something else for it.
typedef void (*ask_done)(struct ask *ask, const struct wire_reply *reply);

// What an answer still needs to know about its request: copied, as the request is gone by then.
enum ask_kept {
    KEPT_RD,
    KEPT_USERNAME,
    KEPT_EMAIL,
    KEPT_DISPLAY_NAME,
    KEPT_GROUPS,
    KEPT_INVITE,
    KEPT_QUERY,
    KEPT_WHO, // the signed-in person's user name
    KEPT_COUNT
};

struct ask {
    uint64_t request; // 0: not in the table
    struct exchange exchange;
    ask_done done;
    const char *name; // of the message, for the log
    bool may_repeat;  // a look: asking twice changes nothing
    bool sent;
    bool wants_token; // the API's "token": true
    bool is_change;   // logged as an event of its own
    bool is_lookup;
    uint32_t flags; // the handler's own
    uint32_t due;   // ticks
    uint32_t hold_due;
    uint64_t accepted_ns, ready_ns, sent_ns; // first byte came; request was whole; asked
    struct bytes packet;                     // kept until it needs no sending any more
    struct view kept[KEPT_COUNT];
    uint8_t *kept_data;
    struct ask *previous, *next;
    struct ask *followers; // look-ups of the same session
};

[[nodiscard]] bool asks_init(struct front *front);
void asks_release(struct front *front);
// A channel to core, new or in place of an older one. `fd` passes to it.
void asks_connect(struct front *front, int fd);
// Core is there, and takes changes.
bool asks_core_ready(const struct front *front);
bool asks_setup_open(const struct front *front);
// What core said last of early refusal; nothing while there is no core.
const struct wire_core_admission *asks_admission(const struct front *front);
// More than half of all places are taken: look-ups leave the rest to changes.
bool asks_crowded(const struct front *front);
void asks_tick(struct front *front);

// A question for this exchange, whose connection now waits. NULL: too many, and the exchange is answered.
struct ask *ask_new(struct exchange *exchange, const char *name, ask_done done);
// Copies a view into the ask; at most once each, before it is sent. Fails quietly to an empty one.
void ask_keep(struct ask *ask, enum ask_kept which, struct view value);
static inline void ask_adopt_kept(struct ask *ask, struct ask *from)
{
    for (int i = 0; i < KEPT_COUNT; i++) {
        ask_keep(ask, (enum ask_kept)i, from->kept[i]);
    }
    ask->flags = from->flags;
}
// Sends ask->packet, or keeps it until there is a core.
void ask_send(struct ask *ask);
// The client has gone: nobody is to be answered.
void ask_forget(struct ask *ask);
// Joins an ask that is under way already: the same answer will do. It has no packet.
void ask_follow(struct ask *ask, struct ask *leader);
// Answers it and all that follow it, and ends it.
void ask_answer(struct ask *ask, const struct wire_reply *reply);

// The head of a message to core, from the exchange of an ask.
struct ask_origin {
    uint64_t request, trace, accepted_ns, sent_ns;
    struct id16 source, selector, verifier;
    struct view agent;
    uint8_t via, has_session;
    char agent_text[WIRE_AGENT_MAX];
};
void ask_origin_of(struct ask *ask, struct ask_origin *origin);

// ASK_CORE(ask, login, .username = …): fills in the head, encodes and sends.
#define ASK_CORE(ask_, name_, ...)                                                                           \
    do {                                                                                                     \
        struct ask_origin origin_;                                                                           \
        ask_origin_of((ask_), &origin_);                                                                     \
        struct wire_##name_ message_ = {__VA_ARGS__};                                                        \
        message_.request = origin_.request;                                                                  \
        message_.trace = origin_.trace;                                                                      \
        message_.via = origin_.via;                                                                          \
        message_.source = origin_.source;                                                                    \
        message_.has_session = origin_.has_session;                                                          \
        message_.selector = origin_.selector;                                                                \
        message_.verifier = origin_.verifier;                                                                \
        message_.agent = origin_.agent;                                                                      \
        message_.accepted_ns = origin_.accepted_ns;                                                          \
        message_.sent_ns = origin_.sent_ns;                                                                  \
        (void)wire_##name_##_encode(&(ask_)->packet, &message_);                                             \
        wipe(&message_.verifier, sizeof(message_.verifier));                                                 \
        wipe(&origin_.verifier, sizeof(origin_.verifier));                                                   \
        ask_send(ask_);                                                                                      \
    } while (0)

#endif
