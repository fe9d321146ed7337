// SPDX-License-Identifier: ISC
// Questions to core. Runs in stayd-front.
//   new → (held while there is no core) → sent → answered;  sent → held again when core goes and it may be
//   repeated
// 1. Every ask is answered exactly once: by core, by its deadline, or by the loss of core.
// 2. A change that was sent is never sent twice: nobody could tell whether it was done.
// 3. An ask whose client has gone is still waited for, so that what it did stands in the log.
#include "front/ask.h"

#include "base/clock.h"
#include "base/log.h"
#include "front/answer.h"
#include "front/connection.h"
#include "front/early.h"
#include "front/lookup.h"

#include <assert.h>
#include <unistd.h>

#define QUEUE_MAX_BYTES (4 * 1024 * 1024)
#define TABLE_SIZE      (ASKS_MAX * 2)
#define TURN_MAX_S      1.0 // of the loop

struct asks {
    struct channel core;
    bool connected;
    struct wire_core_state state;
    struct wire_core_admission admission;
    uint64_t next;
    size_t count;
    struct ask *table[TABLE_SIZE]; // place request % TABLE_SIZE
    struct ask head;               // ring of all in the table, oldest first
};

static size_t place_of(uint64_t request)
{
    return request % TABLE_SIZE;
}

static struct ask *find(struct asks *asks, uint64_t request)
{
    struct ask *ask = asks->table[place_of(request)];
    return ask != NULL && ask->request == request ? ask : NULL;
}

static void take_out(struct asks *asks, struct ask *ask)
{
    asks->table[place_of(ask->request)] = NULL;
    ask->previous->next = ask->next;
    ask->next->previous = ask->previous;
    asks->count--;
    ask->request = 0;
    stats_set(STATS_core_waiting, asks->count);
}

static void drop_packet(struct ask *ask)
{
    if (ask->packet.data != NULL) {
        wipe(ask->packet.data, ask->packet.capacity);
    }
    bytes_release(&ask->packet);
}

static void ask_free(struct ask *ask)
{
    drop_packet(ask);
    if (ask->kept_data != NULL) {
        free(ask->kept_data);
    }
    settings_drop(ask->exchange.settings);
    wipe(&ask->exchange.credentials, sizeof(ask->exchange.credentials));
    free(ask);
}

static void say(struct asks *asks, struct ask *ask)
{
    if (!asks->connected) {
        return;
    }
    ask->sent = channel_send(&asks->core, bytes_view(&ask->packet));
    if (ask->sent) {
        stats_count(STATS_core_asked);
        stats_count(STATS_messages_sent);
        if (!ask->may_repeat) {
            drop_packet(ask);
        }
    }
}

static const struct wire_reply unavailable = {
    .outcome = WIRE_UNAVAILABLE, .reason = WIRE_STARTING, .retry_after_s = 1};

// When the loop woke up in this turn, which is when the request was found to be there. libev remembers it as
// wall time only; what a clock that was set makes of it is not believed.
static uint64_t turn_began_ns(const struct front *front, uint64_t now_ns)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    double ago_s = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - ev_now(front->loop);
    return ago_s > 0 && ago_s < TURN_MAX_S ? now_ns - (uint64_t)(ago_s * 1e9) : now_ns;
}

struct ask *ask_new(struct exchange *exchange, const char *name, ask_done done)
{
    struct front *front = exchange->front;
    struct asks *asks = front->asks;
    struct ask *ask = NULL;
    // An id whose place is taken by a very old ask is skipped.
    for (int tries = 0; tries < 64 && asks->table[place_of(asks->next)] != NULL; tries++) {
        asks->next++;
    }
    if (asks->count < ASKS_MAX && asks->table[place_of(asks->next)] == NULL) {
        ask = calloc(1, sizeof(*ask));
    }
    if (ask == NULL) {
        stats_count(STATS_refused_busy);
        struct wire_reply busy = unavailable;
        busy.reason = WIRE_BUSY;
        struct answer_error error = answer_error_of(&busy);
        answer_error(exchange, &error);
        return NULL;
    }
    *ask = (struct ask){.request = asks->next++, .exchange = *exchange, .done = done, .name = name};
    bytes_init(&ask->packet, WIRE_PACKET_MAX);
    ask->due = front->wheel.now + ASK_DEADLINE_MS / WHEEL_TICK_MS;
    ask->hold_due = front->wheel.now + ASK_HOLD_MS / WHEEL_TICK_MS;
    ask->sent_ns = clock_mono_ns();
    ask->ready_ns = front->ready_ns != 0 ? front->ready_ns : ask->sent_ns;
    ask->accepted_ns = exchange->intake != NULL && exchange->intake->accepted_ns != 0
                           ? exchange->intake->accepted_ns
                           : turn_began_ns(front, ask->ready_ns);
    ask->exchange.trace = exchange_trace(exchange);
    ask->exchange.settings = settings_hold(exchange->settings);
    ask->exchange.body = NULL;
    ask->exchange.intake = NULL;
    asks->table[place_of(ask->request)] = ask;
    ask->previous = asks->head.previous;
    ask->next = &asks->head;
    ask->previous->next = ask;
    asks->head.previous = ask;
    asks->count++;
    stats_set(STATS_core_waiting, asks->count);
    if (exchange->connection != NULL) {
        exchange->connection->ask = ask;
        exchange->connection->state = CONNECTION_WAITING;
    }
    return ask;
}

void ask_keep(struct ask *ask, enum ask_kept which, struct view value)
{
    // One block, never moved: room for all of them is taken with the first.
    enum { ROOM = 8192 };
    if (value.size == 0) {
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        used += ask->kept[i].size;
    }
    if (ask->kept_data == NULL) {
        ask->kept_data = malloc(ROOM);
    }
    if (ask->kept_data != NULL && value.size <= ROOM - used) {
        memcpy(ask->kept_data + used, value.data, value.size);
        ask->kept[which] = view_of(ask->kept_data + used, value.size);
    }
}

void ask_send(struct ask *ask)
{
    ask->exchange.request = NULL;
    assert(!ask->packet.failed || ask->packet.size < WIRE_PACKET_MAX);
    if (ask->packet.failed) {
        // A field over its bound that the handler let through: nothing core could have granted.
        ask->due = ask->exchange.front->wheel.now;
        return;
    }
    say(ask->exchange.front->asks, ask);
}

void ask_forget(struct ask *ask)
{
    ask->exchange.connection = NULL;
}

void ask_follow(struct ask *ask, struct ask *leader)
{
    take_out(ask->exchange.front->asks, ask);
    ask->exchange.request = NULL;
    ask->followers = leader->followers;
    leader->followers = ask;
}

static uint64_t passed(uint64_t from_ns, uint64_t to_ns)
{
    return from_ns == 0 || to_ns < from_ns ? 0 : to_ns - from_ns;
}

// One stage of one request: in its line, in the histograms, and in the sum of what is explained.
static void stage(struct log_line *line, const char *key, enum stats_histogram histogram, uint64_t took_ns,
                  uint64_t *explained_ns)
{
    log_u64(line, key, took_ns / 1000);
    stats_time(histogram, took_ns);
    *explained_ns += took_ns;
}

// Names that core knows. What was typed into the name field is none before it is granted: it may be a
// password.
static void log_names(struct log_line *line, const struct ask *ask, const struct wire_reply *reply)
{
    struct view account = reply->account;
    if (account.size == 0 && reply->outcome == WIRE_GRANTED) {
        account = ask->kept[KEPT_USERNAME];
    }
    if (account.size > 0) {
        log_view(line, "account", account);
    }
    if (reply->actor.size > 0 && !view_equal(reply->actor, account)) {
        log_view(line, "actor", reply->actor);
    }
}

// From the first byte of the request to the last of the answer. What core did not use for questions it spent
// on deciding; what no stage explains is the residual. A request that core never took has no more than a
// front.
static void log_stages(struct log_line *line, const struct ask *ask, const struct wire_reply *reply,
                       uint64_t answered_ns, uint64_t written_ns)
{
    const struct {
        const char *key;
        enum stats_histogram histogram;
        uint64_t took_us;
    } inner[] = {
        {"gate_us", STATS_TIME_stage_gate_wait, reply->gate_us},
        {"pool_us", STATS_TIME_stage_pool_wait, reply->pool_us},
        {"statement_us", STATS_TIME_stage_statement, reply->statement_us},
        {"commit_us", STATS_TIME_stage_commit, reply->commit_us},
        {"key_us", STATS_TIME_stage_key, reply->key_us},
        {"hash_wait_us", STATS_TIME_stage_hash_wait, reply->hash_wait_us},
        {"hash_us", STATS_TIME_stage_hash, reply->hash_us},
        {"transit_us", STATS_TIME_stage_transit, reply->transit_us},
    };
    uint64_t explained_ns = 0;
    uint64_t total_ns = passed(ask->accepted_ns, written_ns);
    uint64_t in_core_ns = passed(reply->received_ns, reply->answered_ns);
    bool taken = reply->received_ns != 0;
    stage(line, "accept_us", STATS_TIME_stage_accept, passed(ask->accepted_ns, ask->ready_ns), &explained_ns);
    stage(line, "parse_us", STATS_TIME_stage_parse, passed(ask->ready_ns, ask->sent_ns), &explained_ns);
    stage(line, "queue_us", STATS_TIME_stage_front_queue,
          passed(ask->sent_ns, taken ? reply->received_ns : answered_ns), &explained_ns);
    uint64_t before_ns = explained_ns;
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        stage(line, inner[i].key, inner[i].histogram, inner[i].took_us * 1000, &explained_ns);
    }
    uint64_t asking_ns = explained_ns - before_ns;
    stage(line, "core_us", STATS_TIME_stage_core, in_core_ns > asking_ns ? in_core_ns - asking_ns : 0,
          &explained_ns);
    stage(line, "return_us", STATS_TIME_stage_return, passed(reply->answered_ns, answered_ns), &explained_ns);
    stage(line, "write_us", STATS_TIME_stage_write, passed(answered_ns, written_ns), &explained_ns);
    uint64_t residual_ns = total_ns > explained_ns ? total_ns - explained_ns : explained_ns - total_ns;
    log_u64(line, "residual_us", residual_ns / 1000);
    stats_time(STATS_TIME_stage_residual, residual_ns);
    log_u64(line, "total_us", total_ns / 1000);
}

// One line for every change: who, what, how it ended, and where the time went.
static void log_change(const struct ask *ask, const struct wire_reply *reply, uint64_t answered_ns,
                       uint64_t written_ns)
{
    static const char *const outcomes[] = {"none", "granted", "refused", "unavailable"};
    struct log_line line;
    log_begin(&line, reply->outcome == WIRE_UNAVAILABLE ? LOG_WARNING : LOG_INFO, ask->name);
    log_id(&line, "request", ask->exchange.trace);
    log_names(&line, ask, reply);
    log_address(&line, "source", ask->exchange.client);
    log_text(&line, "outcome", outcomes[reply->outcome < 4 ? reply->outcome : 0]);
    if (reply->reason != WIRE_REASON_NONE) {
        log_text(&line, "reason", wire_reason_name((enum wire_reason)reply->reason));
    }
    log_u64(&line, "status", ask->exchange.status);
    log_stages(&line, ask, reply, answered_ns, written_ns);
    log_end(&line);
}

static void count_change(const struct ask *ask, const struct wire_reply *reply)
{
    bool granted = reply->outcome == WIRE_GRANTED;
    bool unknown = reply->outcome == WIRE_UNAVAILABLE;
    if (ask->exchange.class == STATS_CLASS_login) {
        stats_count(granted                           ? STATS_logins_granted
                    : unknown                         ? STATS_logins_unavailable
                    : reply->reason == WIRE_THROTTLED ? STATS_logins_throttled
                                                      : STATS_logins_refused);
    } else if (ask->exchange.class == STATS_CLASS_register) {
        stats_count(granted   ? STATS_registrations_granted
                    : unknown ? STATS_registrations_unavailable
                              : STATS_registrations_refused);
    }
    if (reply->reason == WIRE_THROTTLED) {
        stats_count(STATS_throttled);
    }
}

static void answer_one(struct ask *ask, const struct wire_reply *reply)
{
    struct front *front = ask->exchange.front;
    struct connection *connection = ask->exchange.connection;
    uint64_t now = ask->is_change ? clock_mono_ns() : 0;
    bool rerun = false;
    if (connection != NULL) {
        bytes_reset(&front->out);
        http_date_update(&front->date, front_wall_s(front));
        stats_flight_begin(ask->exchange.class, &ask->exchange.client);
        ask->done(ask, reply);
        stats_flight_end();
        rerun = ask->is_lookup;
        if (connection->ask == ask) {
            assert(rerun || ask->exchange.answered);
            connection->ask = NULL;
            connection_resume(connection, rerun, ask->exchange.keep_alive);
        }
    } else if (ask->is_lookup) {
        ask->done(ask, reply);
    }
    if (ask->is_lookup) {
        lookup_answer_forget(front);
    }
    if (ask->is_change) {
        uint64_t written = clock_mono_ns();
        log_change(ask, reply, now, written);
        count_change(ask, reply);
        stats_time(ask->exchange.class == STATS_CLASS_login ? STATS_TIME_login : STATS_TIME_change,
                   written - ask->accepted_ns);
    } else if (!ask->is_lookup) {
        stats_time(STATS_TIME_other, clock_mono_ns() - ask->accepted_ns);
    }
}

void ask_answer(struct ask *ask, const struct wire_reply *reply)
{
    if (ask->request != 0) {
        take_out(ask->exchange.front->asks, ask);
    }
    while (ask != NULL) {
        struct ask *next = ask->followers;
        answer_one(ask, reply);
        ask_free(ask);
        ask = next;
    }
}

void ask_origin_of(struct ask *ask, struct ask_origin *origin)
{
    struct exchange *exchange = &ask->exchange;
    const struct credentials *credentials = exchange_credentials(exchange);
    *origin = (struct ask_origin){.request = ask->request,
                                  .trace = exchange->trace,
                                  .accepted_ns = ask->accepted_ns,
                                  .sent_ns = ask->sent_ns,
                                  .source = exchange->client,
                                  .has_session = credentials->kind != CREDENTIALS_NONE};
    origin->via = (uint8_t)(exchange->route->style == ROUTE_PAGE  ? WIRE_VIA_PAGE
                            : exchange->route->style == ROUTE_API ? WIRE_VIA_API
                                                                  : WIRE_VIA_CHECK);
    if (origin->has_session) {
        memcpy(origin->selector.byte, credentials->selector, 16);
        memcpy(origin->verifier.byte, credentials->verifier, 16);
    }
    if (exchange->request != NULL) {
        struct view agent =
            view_first(http_request_known(exchange->request, HTTP_HEADER_USER_AGENT), WIRE_AGENT_MAX);
        for (size_t i = 0; i < agent.size; i++) {
            uint8_t byte = agent.data[i];
            origin->agent_text[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
        }
        origin->agent = view_of(origin->agent_text, agent.size);
    }
}

static bool on_reply(struct asks *asks, struct view packet)
{
    struct wire_reply reply;
    if (!wire_reply_decode(packet, &reply) || reply.outcome < WIRE_GRANTED ||
        reply.outcome > WIRE_UNAVAILABLE) {
        return false;
    }
    struct ask *ask = find(asks, reply.request);
    if (ask != NULL) { // otherwise it was too late
        ask_answer(ask, &reply);
    }
    return true;
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct front *front = channel->owner;
    struct asks *asks = front->asks;
    stats_count(STATS_messages_received);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (wire_peek(packet) == WIRE_MESSAGE_reply) {
        return on_reply(asks, packet);
    }
    if (wire_peek(packet) == WIRE_MESSAGE_core_admission) {
        bool fine = wire_core_admission_decode(packet, &asks->admission);
        early_told(front);
        return fine;
    }
    return wire_peek(packet) == WIRE_MESSAGE_core_state && wire_core_state_decode(packet, &asks->state);
}

// Core has gone: what was sent and can't be repeated is lost to us.
static void core_lost(struct front *front)
{
    struct asks *asks = front->asks;
    asks->connected = false;
    asks->state.ready = 0;
    asks->admission = (struct wire_core_admission){0};
    early_told(front);
    stats_set(STATS_core_connected, 0);
    uint64_t end = asks->next; // asks that are made while answering are younger
    struct ask *ask = asks->head.next;
    while (ask != &asks->head && ask->request < end) {
        struct ask *next = ask->next;
        if (ask->may_repeat || !ask->sent) {
            ask->sent = false;
            ask->hold_due = front->wheel.now + ASK_HOLD_MS / WHEEL_TICK_MS;
        } else {
            stats_count(STATS_core_unreachable);
            ask_answer(ask, &unavailable);
            next = asks->head.next; // answering may end others: begin again
        }
        ask = next;
    }
}

static void on_end(struct channel *channel, const char *why)
{
    struct front *front = channel->owner;
    log_event(LOG_WARNING, "core_lost", "%s", why);
    core_lost(front);
}

static const struct channel_events events = {.on_packet = on_packet, .on_end = on_end};

void asks_connect(struct front *front, int fd)
{
    struct asks *asks = front->asks;
    if (asks->connected) {
        channel_close(&asks->core);
        core_lost(front);
    }
    channel_open(&asks->core, front->loop, fd, WIRE_FRONT, WIRE_CORE, &events, front, QUEUE_MAX_BYTES);
    asks->connected = true;
    stats_set(STATS_core_connected, 1);
    for (struct ask *ask = asks->head.next; ask != &asks->head; ask = ask->next) {
        if (!ask->sent && !ask->packet.failed && ask->packet.size > 0) {
            say(asks, ask);
        }
    }
}

bool asks_core_ready(const struct front *front)
{
    return front->asks->connected && front->asks->state.ready != 0;
}

bool asks_setup_open(const struct front *front)
{
    return front->asks->state.setup_open != 0;
}

const struct wire_core_admission *asks_admission(const struct front *front)
{
    return &front->asks->admission;
}

bool asks_crowded(const struct front *front)
{
    return front->asks->count >= ASKS_MAX / 2;
}

static bool is_late(const struct front *front, const struct ask *ask)
{
    uint32_t now = front->wheel.now;
    return (int32_t)(now - ask->due) >= 0 || (!ask->sent && (int32_t)(now - ask->hold_due) >= 0);
}

void asks_tick(struct front *front)
{
    struct asks *asks = front->asks;
    struct ask *ask = asks->head.next;
    while (ask != &asks->head) {
        if (is_late(front, ask)) {
            stats_count(ask->sent ? STATS_core_timed_out : STATS_core_unreachable);
            struct wire_reply late = unavailable;
            late.reason = ask->sent ? WIRE_BUSY : WIRE_STARTING;
            ask_answer(ask, &late);
            ask = asks->head.next;
        } else {
            if (!ask->sent && asks->connected && ask->packet.size > 0) {
                say(asks, ask); // the queue was full
            }
            ask = ask->next;
        }
    }
}

bool asks_init(struct front *front)
{
    front->asks = calloc(1, sizeof(*front->asks));
    if (front->asks == NULL) {
        return false;
    }
    front->asks->head.next = front->asks->head.previous = &front->asks->head;
    front->asks->next = 1;
    front->asks->core.fd = -1;
    return true;
}

void asks_release(struct front *front)
{
    struct asks *asks = front->asks;
    if (asks == NULL) {
        return;
    }
    if (asks->connected) {
        channel_close(&asks->core);
    }
    while (asks->head.next != &asks->head) {
        struct ask *ask = asks->head.next;
        take_out(asks, ask);
        while (ask != NULL) {
            struct ask *next = ask->followers;
            ask_free(ask);
            ask = next;
        }
    }
    free(asks);
    front->asks = NULL;
}
