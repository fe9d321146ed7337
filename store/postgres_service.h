// SPDX-License-Identifier: ISC
// The service on PostgreSQL: operations wait, get a connection of the pool, run and are answered, all on the
// event loop. Used by stayd-store. Owns the connections, two helper threads and what waits. Bounds:
// SERVICE_JOBS_MAX jobs, SERVICE_BYTES_MAX of packets, POSTGRES_CONNECTIONS_MAX connections and one more.
//
// The reserved connection is outside the pool: it watches the server (heartbeats, which server it is), reads
// the state, and ends what an old core or an old stayd-store left running.
//
//   away ──probe: connect──▶ identify ──(first time) migrate──▶ fence ──▶ state ──▶ ready (up)
//     ▲                                                              ▲          │
//     └────────── breaker opens: no answer, no server, read-only ────┴──new core┘
//
// It starts with the database away: what is asked then is refused at once.
#ifndef STORE_POSTGRES_SERVICE_H
#define STORE_POSTGRES_SERVICE_H

#include "base/gate.h"
#include "store/pool.h"
#include "store/postgres_connection.h"
#include "store/postgres_eyes.h"
#include "store/postgres_journal.h"
#include "store/service.h"

#define POSTGRES_CONNECTIONS_MAX 128
#define POSTGRES_KINDS           (WIRE_MESSAGE_store_audit_list - WIRE_MESSAGE_store_account_by_name + 1)

struct postgres_settings {
    struct view url, password;
    uint32_t connections_min, connections_max; // 0: by the cores
    bool pooler;                               // also where the URL does not say so
    const char *folder; // where this node keeps its number and its journal; NULL: the working folder
};

// Reads the settings, opens the node's file; connects nowhere. false: *why.
[[nodiscard]] bool postgres_service_open(struct service **service, const struct postgres_settings *settings,
                                         struct ev_loop *loop, const struct service_events *events,
                                         void *owner, char why[static TARGET_WHY_MAX]);

// For connections to come; nothing when it is empty. false: no memory.
[[nodiscard]] bool postgres_service_password(struct service *service, struct view password);

// ---- what follows is for postgres_*.c of the service ----

struct postgres_job {
    struct gate_ticket ticket; // first: a ticket is its job
    uint32_t kind;             // of operation, in order of priority: class of the gate, kind of the pool
    uint32_t tries;
    uint64_t op;
    uint64_t generation; // of the core that asked
    uint64_t queued_ns, deadline_ns;
    struct postgres_journaled journaled;
    size_t size;
    uint8_t data[];
};

// One connection of the pool, and what it is used for.
struct postgres_slot {
    struct postgres_service *service;
    struct postgres_connection connection;
    struct postgres_job *job; // NULL while busy: it was answered, the statement is not over
    struct postgres_call call;
    struct gate_ticket ticket; // outlives its job
    uint32_t kind;
    uint64_t begun_ns, wait_ns, deadline_ns, cancelled_ns, idle_ns;
    uint64_t asker_ns; // when the asker is answered, whatever becomes of the statement
    uint64_t overdue_ns, stalled_ns;
    enum pool_late late;
    bool running;
    bool patient; // its deadline leaves enough time to learn from it
    bool stale;   // to be closed when it is idle
    struct postgres_slot *idle_next;
};

enum postgres_stage {
    POSTGRES_AWAY,
    POSTGRES_IDENTIFY,
    POSTGRES_MIGRATE,
    POSTGRES_FENCE,
    POSTGRES_STATE,
    POSTGRES_READY,
};

struct postgres_service {
    struct service service;
    struct ev_loop *loop;
    const struct service_events *events;
    void *owner;
    ev_timer tick;
    bool ticking_fast;
    struct postgres_target target;
    struct postgres_journal journal;
    struct postgres_helper *helper;
    char node[17];
    uint32_t timeout_ms; // of the server

    struct pool pool;
    struct postgres_slot *slots;
    struct postgres_slot *idle; // the one used last first
    struct postgres_slot *attempt;
    uint64_t attempt_ns; // when the attempt under way began, the look-up included
    bool attempt_reserved, looking_up;
    struct postgres_addresses addresses;
    unsigned address, addresses_tried;

    struct {
        struct postgres_connection connection;
        enum postgres_stage stage;
        bool asked;
        enum postgres_glance glance; // what was asked, beside the stages' questions
        uint64_t asked_ns, stage_ns, next_ns;
        uint64_t answers_before; // of the pool, when it was asked
        bool replaced;           // it alone was silent, and is made anew
        char identity[128];      // of the server, "" before the first
    } reserved;
    struct postgres_eyes eyes;
    bool migrated;
    bool ghosts; // statements of ours may run that no connection waits for
    bool up, said, fenced, empty, stopping, stopped;
    uint64_t begun_ns; // the core that is connected
    uint64_t last_alive, generation;

    uint64_t answered_ns, answers; // of the pool's connections, whatever they were
    struct gate gate;
    uint32_t limit_admitted; // of the pool, when the gate was last told of all kinds
    size_t waiting_bytes;
    bool pumping;
    struct store_answer answer;
    struct bytes packet;
};

// postgres_service.c
// NULL: no memory, or not a whole head of an operation.
struct postgres_job *postgres_service_job(struct postgres_service *service, struct view packet);
void postgres_service_free_job(struct postgres_job *job);
// Takes over the job: it runs, waits, or is refused.
void postgres_service_admit(struct postgres_service *service, struct postgres_job *job, uint64_t now_ns);
// The answer may be corrected, or taken over until the disk has the end that it is about.
void postgres_service_answer(struct postgres_service *service, struct postgres_job *job,
                             struct store_answer *answer, uint64_t begun_ns, uint64_t now_ns);
void postgres_service_refuse(struct postgres_service *service, struct postgres_job *job,
                             enum wire_store_outcome outcome);
void postgres_service_say_state(struct postgres_service *service);
void postgres_service_look(struct postgres_service *service); // at what may be done now
// The next that may run now, or NULL.
struct postgres_job *postgres_service_next(struct postgres_service *service, uint64_t now_ns);
void postgres_service_again(struct postgres_service *service, struct postgres_job *job);
void postgres_service_refuse_waiting(struct postgres_service *service);
uint32_t postgres_random(void);
// Operations in order of priority: number of the message to kind, and back.
uint32_t postgres_kind(uint16_t number);
const struct store_operation *postgres_operation(uint32_t kind);

// postgres_pool.c: the pool's connections
[[nodiscard]] bool postgres_pool_init(struct postgres_service *service,
                                      const struct postgres_settings *settings);
void postgres_pool_release(struct postgres_service *service);
// One that entered the gate: there is an idle connection for it.
void postgres_pool_start(struct postgres_service *service, struct postgres_job *job, uint64_t now_ns);
void postgres_pool_run(struct postgres_service *service);
// Tells the gate how many may run, and how many of the kind.
void postgres_pool_admit(struct postgres_service *service);
void postgres_pool_tick(struct postgres_service *service, uint64_t now_ns);
// Every connection is closed; their jobs are answered as unavailable.
void postgres_pool_close_all(struct postgres_service *service);
// Those that are idle now, the others when they are: the server is another one.
void postgres_pool_replace_all(struct postgres_service *service);
void postgres_pool_cancel_old(struct postgres_service *service, uint64_t now_ns);
// What is overdue is cancelled: behind a pooler it may hold all the connections that there are.
void postgres_pool_make_room(struct postgres_service *service, uint64_t now_ns);
void postgres_service_trip(struct postgres_service *service);

// postgres_attempt.c: one connection attempt at a time
void postgres_attempt(struct postgres_service *service, bool reserved);
void postgres_attempt_tick(struct postgres_service *service, uint64_t now_ns);
void postgres_attempt_drop(struct postgres_service *service);
void postgres_attempt_succeeded(struct postgres_service *service);
void postgres_attempt_failed(struct postgres_service *service, enum postgres_failure failure,
                             const char *text);
void postgres_on_addresses(void *service, const struct postgres_addresses *addresses);

// postgres_reserved.c: the connection beside the pool
void postgres_reserved_init(struct postgres_service *service);
void postgres_reserved_tick(struct postgres_service *service, uint64_t now_ns);
void postgres_reserved_begin(struct postgres_service *service); // a new core
void postgres_reserved_lost(struct postgres_service *service);
void postgres_on_migrated(void *service, enum postgres_migrated migrated, const char *why);

// postgres_eyes.c: what the reserved connection sees of the server beside its own questions
// The next question of theirs that is due; POSTGRES_GLANCE_NONE: none.
enum postgres_glance postgres_eyes_wants(struct postgres_service *service, uint64_t now_ns);
void postgres_eyes_ask(struct postgres_service *service, enum postgres_glance glance);
void postgres_eyes_take(struct postgres_service *service, enum postgres_glance glance,
                        enum postgres_failure failure, const PGresult *result);
// A heartbeat was answered: what it took, and what of it the server says was its own.
bool postgres_eyes_probed(struct postgres_service *service, const PGresult *heartbeat, uint64_t now_ns);
// Nothing can be seen.
void postgres_eyes_close(struct postgres_service *service);

// postgres_events.c: what stayd-watch is told
void postgres_events_init(struct postgres_service *service);
void postgres_events_tick(struct postgres_service *service, uint64_t now_ns);
// Which server answers; `other` than before, or the same one started anew.
void postgres_events_server(struct postgres_service *service, bool other);
// A statement was cancelled at its deadline.
void postgres_events_cancelled(struct postgres_service *service, uint32_t kind, uint64_t ran_ns);
void postgres_events_disk_full(struct postgres_service *service, const char *text);
void postgres_on_plans(void *service, const struct eyes_plan *plans);

static inline struct postgres_service *postgres_service_of(struct service *service)
{
    return (struct postgres_service *)service;
}

static inline bool postgres_may_run(const struct postgres_service *service)
{
    return service->up && !service->fenced;
}

#endif
