// SPDX-License-Identifier: ISC
// For the tests of services: one that is open on a loop which the test turns, and everything that it says.
// Included by tests only. Bounds: the first ANSWERS_MAX answers are kept one by one, the newest EVENTS_MAX
// events.
#ifndef STORE_TESTING_SERVICE_H
#define STORE_TESTING_SERVICE_H

#include "base/clock.h"
#include "base/stats.h"
#include "store/postgres_service.h"
#include "store/sqlite_service.h"
#include "store/testing.h"

#define ANSWERS_MAX 8192
#define EVENTS_MAX  256
#define PATIENCE_MS 60000 // what should come comes in a second; a busy machine takes longer

struct heard {
    uint8_t kind;
    uint64_t a, b;
    char name[80], text[2100], more[1024];
};

struct seen {
    struct service *service;
    struct ev_loop *loop;
    ev_timer pulse;
    PGconn *other; // the test's own connection; NULL: on SQLite
    char folder[64], place[160];
    bool pooler;
    uint32_t deadline_ms; // of what SUBMIT asks; 0: none
    uint64_t ops[ANSWERS_MAX], done_ns[ANSWERS_MAX];
    uint8_t outcomes[ANSWERS_MAX];
    size_t answers, fine, states, malformed;
    struct wire_store_reply reply; // the last one, without its rows
    struct bytes rows;
    struct wire_store_state state;
    bool stopped;
    struct heard event[EVENTS_MAX];
    size_t events, count[WIRE_EVENT_END]; // all, and of each kind
};

// ---- what it says ----------------------------------------------------------------------------------------

static inline void on_answer(void *owner, struct view packet)
{
    struct seen *seen = owner;
    assert_true(wire_store_reply_decode(packet, &seen->reply));
    bytes_reset(&seen->rows);
    assert_true(bytes_append_view(&seen->rows, seen->reply.rows));
    if (seen->answers < ANSWERS_MAX) {
        seen->outcomes[seen->answers] = seen->reply.outcome;
        seen->done_ns[seen->answers] = clock_mono_ns();
        seen->ops[seen->answers] = seen->reply.op;
    }
    seen->answers++;
    seen->fine += seen->reply.outcome == WIRE_STORE_OK;
}

static inline void on_state(void *owner, const struct wire_store_state *state)
{
    struct seen *seen = owner;
    seen->state = *state;
    seen->states++;
}

static inline void on_malformed(void *owner)
{
    ((struct seen *)owner)->malformed++;
}

static inline void on_stopped(void *owner)
{
    ((struct seen *)owner)->stopped = true;
}

static inline void copy_text(char *out, size_t size, struct view view)
{
    (void)snprintf(out, size, "%.*s", (int)view.size, view.size == 0 ? "" : (const char *)view.data);
}

static inline void on_event(void *owner, const struct wire_event *event)
{
    struct seen *seen = owner;
    struct heard *heard = &seen->event[seen->events++ % EVENTS_MAX];
    assert_int_equal(event->role, STATS_ROLE_store);
    *heard = (struct heard){.kind = event->kind, .a = event->a, .b = event->b};
    copy_text(heard->name, sizeof(heard->name), event->name);
    copy_text(heard->text, sizeof(heard->text), event->text);
    copy_text(heard->more, sizeof(heard->more), event->more);
    seen->count[event->kind]++;
}

static const struct service_events seen_events = {on_answer, on_state, on_malformed, on_stopped, on_event};

// The newest of a kind; of kind 0: there was none.
static inline const struct heard *last(const struct seen *seen, uint8_t kind)
{
    static const struct heard none;
    for (size_t i = seen->events; i > 0 && i + EVENTS_MAX > seen->events; i--) {
        if (seen->event[(i - 1) % EVENTS_MAX].kind == kind) {
            return &seen->event[(i - 1) % EVENTS_MAX];
        }
    }
    return &none;
}

static inline bool was(const struct seen *seen, uint8_t kind)
{
    return last(seen, kind)->kind == kind;
}

// 0: not answered.
static inline uint8_t outcome_of(const struct seen *seen, uint64_t op)
{
    assert_true(seen->answers <= ANSWERS_MAX);
    for (size_t i = 0; i < seen->answers; i++) {
        if (seen->ops[i] == op) {
            return seen->outcomes[i];
        }
    }
    return 0;
}

static inline size_t count_of(const struct seen *seen, uint8_t outcome)
{
    size_t count = 0;
    assert_true(seen->answers <= ANSWERS_MAX);
    for (size_t i = 0; i < seen->answers; i++) {
        count += seen->outcomes[i] == outcome;
    }
    return count;
}

// ---- its life --------------------------------------------------------------------------------------------

static inline void on_pulse(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

static inline struct seen *seen_new(void)
{
    struct seen *seen = calloc(1, sizeof(*seen));
    bytes_init(&seen->rows, WIRE_PACKET_MAX);
    seen->loop = ev_loop_new(EVFLAG_AUTO);
    testing_folder(seen->folder);
    ev_timer_init(&seen->pulse, on_pulse, 0.005, 0.005);
    ev_timer_start(seen->loop, &seen->pulse);
    return seen;
}

// Its database is empty; it is not open yet.
static inline struct seen *seen_on_postgres(const char *role)
{
    struct seen *seen = seen_new();
    seen->deadline_ms = 5000;
    (void)snprintf(seen->place, sizeof(seen->place), "postgres://%s@/postgres?host=%s", role,
                   testing_server.folder);
    seen->other = testing_postgres_connect(&testing_server, "postgres");
    assert_non_null(seen->other);
    PQclear(PQexec(seen->other, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
    return seen;
}

static inline void open_postgres(struct seen *seen, uint32_t connections_max)
{
    char why[TARGET_WHY_MAX] = "";
    struct postgres_settings settings = {.url = view_of_cstr(seen->place),
                                         .folder = seen->folder,
                                         .pooler = seen->pooler,
                                         .connections_max = connections_max};
    if (!postgres_service_open(&seen->service, &settings, seen->loop, &seen_events, seen, why)) {
        fail_msg("%s", why);
    }
    assert_true(service_start(seen->service));
}

static inline void open_sqlite(struct seen *seen)
{
    char why[STORE_WHY_MAX];
    assert_int_equal(sqlite_service_open(&seen->service, seen->place, seen->loop, &seen_events, seen, why),
                     STORE_OPENED);
    assert_true(service_start(seen->service));
}

static inline struct seen *seen_on_sqlite(void)
{
    struct seen *seen = seen_new();
    (void)snprintf(seen->place, sizeof(seen->place), "%s/stayd.db", seen->folder);
    open_sqlite(seen);
    return seen;
}

static inline int teardown(void **state)
{
    struct seen *seen = *state;
    service_free(&seen->service);
    ev_timer_stop(seen->loop, &seen->pulse);
    ev_loop_destroy(seen->loop);
    PQfinish(seen->other);
    testing_remove_tree(seen->folder);
    bytes_release(&seen->rows);
    free(seen);
    return 0;
}

// ---- the test's own connection ---------------------------------------------------------------------------

static inline void sql(struct seen *seen, const char *text)
{
    PGresult *result = PQexec(seen->other, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text, PQerrorMessage(seen->other));
    }
    PQclear(result);
}

static inline int64_t number(struct seen *seen, const char *text)
{
    PGresult *result = PQexec(seen->other, text);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

// ---- asking and waiting ----------------------------------------------------------------------------------

// Turns the loop until the condition holds; false: not within so long.
#define WITHIN(seen, ms, condition)                                                                          \
    ({                                                                                                       \
        uint64_t end_ns_ = clock_mono_ns() + (uint64_t)(ms)*1000000u;                                        \
        while (!(condition) && clock_mono_ns() < end_ns_) {                                                  \
            ev_run((seen)->loop, EVRUN_ONCE);                                                                \
        }                                                                                                    \
        (condition);                                                                                         \
    })
#define UNTIL(seen, condition) assert_true(WITHIN(seen, PATIENCE_MS, condition))

#define SUBMIT_FOR(seen, ms_, op_, name_, ...)                                                               \
    do {                                                                                                     \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        assert_true(wire_store_##name_##_encode(                                                             \
            &packet_, &(struct wire_store_##name_){.op = (op_), .deadline_ms = (ms_), __VA_ARGS__}));        \
        assert_true(service_submit((seen)->service, bytes_view(&packet_)));                                  \
        bytes_release(&packet_);                                                                             \
    } while (0)
#define SUBMIT(seen, op_, name_, ...) SUBMIT_FOR(seen, (seen)->deadline_ms, op_, name_, __VA_ARGS__)

// Asks by `ask` one after the other, each when the one before was answered, until the condition holds.
#define ASK_UNTIL(seen, ask, condition)                                                                      \
    do {                                                                                                     \
        uint64_t ask_end_ns_ = clock_mono_ns() + (uint64_t)PATIENCE_MS * 1000000u;                           \
        size_t asked_ = (seen)->answers;                                                                     \
        while (!(condition) && clock_mono_ns() < ask_end_ns_) {                                              \
            if ((seen)->answers >= asked_) {                                                                 \
                asked_ = (seen)->answers + 1;                                                                \
                ask(seen);                                                                                   \
            }                                                                                                \
            ev_run((seen)->loop, EVRUN_ONCE);                                                                \
        }                                                                                                    \
        assert_true(condition);                                                                              \
        UNTIL(seen, (seen)->answers >= asked_);                                                              \
    } while (0)

static inline void add_account(struct seen *seen, uint64_t op, uint32_t number)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "u%u", number);
    SUBMIT(seen, op, account_add, ACCOUNT(number), .name = view_of_cstr(name));
}

#endif
