// SPDX-License-Identifier: ISC
// The simulated machine: one real core, fake fronts, store, hash and key, their channels, one clock, one
// seed. Used by the simulator. Owns everything; a world is used again for the next schedule. Bounds: the
// enums below.
//
// A channel is two queues; each message has a moment before which it is not delivered, never earlier than
// that of the message before it. The next event is whatever is due first.
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "core/core.h"
#include "sessions/seen.h"
#include "sim/model.h"
#include "sim/random.h"
#include "store/memory.h"

#define WORLD_MS  1000000ull // in ns
#define WORLD_S   (1000 * WORLD_MS)
#define WORLD_OFF UINT64_MAX // no such moment

enum {
    WORLD_FRONTS = 3,
    WORLD_CTL = WORLD_FRONTS,
    WORLD_STORE,
    WORLD_HASH,
    WORLD_KEY,
    WORLD_LINKS,
    WORLD_REQUESTS = 48,
    WORLD_TRACE = 50,
};

struct packet {
    struct packet *next;
    uint64_t due_ns;
    size_t size;
    uint8_t data[];
};

struct queue {
    struct packet *first, *last;
    uint64_t last_due_ns;
    uint32_t count;
};

// A process beside core, and its channel.
struct link {
    enum wire_role role;
    uint16_t index;
    bool alive;          // the process
    bool open;           // core's end of the channel
    uint64_t eof_ns;     // when core learns that it died
    uint64_t restart_ns; // when it is started again
    struct queue to_core, from_core;
};

// What the store was asked and did not finish.
struct operation {
    struct packet *ask;
    uint64_t apply_ns, post_ns;
    bool write, applied;
    struct bytes reply;
};

enum store_mode { STORE_UP, STORE_AWAY, STORE_FULL };

enum plant { PLANT_NONE, PLANT_LATE_ANSWER, PLANT_LOST_END, PLANT_EARLY_GRANT };

struct fake_store {
    struct store_memory memory, before; // before: what the late answers of --plant come from
    struct operation *operation;
    uint32_t count, capacity;
    enum store_mode mode;
    uint64_t mode_ns; // when it changes next
    uint64_t last_write_ns, last_post_ns;
};

// Jobs of stayd-hash and stayd-key: answered in any order.
struct job {
    struct packet *ask;
    uint64_t done_ns;
};

struct fake_crew {
    struct job job[4096];
    uint32_t count;
};

enum request_kind {
    REQUEST_LOOKUP,
    REQUEST_LOGIN,
    REQUEST_LOGOUT,
    REQUEST_SHOW,
    REQUEST_LIST,
    REQUEST_END,
    REQUEST_END_OTHERS,
    REQUEST_PASSWORD,
    REQUEST_REGISTER,
    REQUEST_SETUP,
    REQUEST_ADD,
    REQUEST_GROUPS,
    REQUEST_DISABLE,
    REQUEST_ENABLE,
    REQUEST_ADMIN_PASSWORD,
    REQUEST_DELETE,
    REQUEST_END_ALL,
    REQUEST_END_ANY,
    REQUEST_INVITE,
    REQUEST_KINDS
};

struct request {
    bool used, wrong; // wrong: the client knows that it must be refused
    enum request_kind kind;
    uint64_t id, issued, issued_ns;
    uint64_t wall_s; // the lowest of the clock since it was issued
    uint32_t link;
    int session, target, account, invite; // -1: none
    uint32_t value;
    int state_write, groups_write, password_write, ends_write; // -1: none
    uint64_t marked[MODEL_SESSIONS / 64];                      // sessions that it may end
};

struct world {
    // options
    uint64_t seed;
    bool verbose;
    enum plant plant;
    // the schedule
    struct chance chance;
    uint64_t step, now_ns, wall_base_s, wall_high_s;
    uint32_t slow, chaos, crash; // of 1000
    bool calm;
    uint64_t jumped; // the step of the last jump of the wall clock
    uint64_t trace_hash[2];
    char trace[WORLD_TRACE][176];
    // the tables, their copy for a crash in the middle, and the readers
    uint8_t *sessions_map, *accounts_map, *sessions_copy, *accounts_copy;
    uint64_t sessions_size, accounts_size;
    bool tight, crowded;
    bool gentle;       // of all processes only store, hash and key die, now and then
    bool fortunate;    // nothing happens that a client may notice
    uint32_t accounts; // how many there may be
    struct sessions_writer writer;
    struct sessions_reader reader;
    struct seen_page *page[WORLD_FRONTS];
    struct seen_putter putter[WORLD_FRONTS];
    struct seen_taker taker[WORLD_FRONTS];
    // core
    struct core *core;
    struct core_settings settings;
    uint64_t core_restart_ns, tick_ns, core_died_ns, away_s;
    uint64_t cut_at, cut_count; // the store or message of this event at which core dies
    bool cut, draining;
    char setup_token[64];
    size_t setup_token_size;
    // the others
    struct link link[WORLD_LINKS];
    struct fake_store store;
    struct fake_crew hash, key;
    uint64_t phc_count;
    // clients
    struct model model;
    struct request request[WORLD_REQUESTS];
    uint64_t request_id, client_ns, chaos_ns;
    uint32_t clients_in_flight;
    uint64_t audited[512]; // requests that this core granted since the last rest: the trail must have them
    uint32_t audited_count;
    // figures
    uint64_t events, restarts, cuts, grants, valid, invalid, unknown, answered[4];
};

void world_init(struct world *world);
void world_release(struct world *world);
// Runs one schedule; ends the process when an invariant does not hold.
void world_run(struct world *world, uint64_t seed, uint32_t steps);

// For the parts.
[[gnu::format(printf, 2, 3)]] void world_note(struct world *world, const char *format, ...);
[[gnu::noreturn, gnu::format(printf, 2, 3)]] void world_fail(struct world *world, const char *format, ...);
uint64_t world_wall_s(const struct world *world);
uint64_t world_delay(struct world *world, uint64_t typical_ns);
void world_to_core(struct world *world, uint32_t link, struct view packet);
bool world_from_client(struct world *world, uint32_t link, struct view packet);
struct packet *packet_new(struct view data, uint64_t due_ns);
void world_core_start(struct world *world);
void world_core_crash(struct world *world);
void world_settle_all(struct world *world);

// store.c
void fake_store_reset(struct world *world);
void fake_store_take(struct world *world, struct view packet);
void fake_store_crash(struct world *world);
void fake_store_finish(struct world *world); // what an old core asked, before a new one is answered
void fake_store_greet(struct world *world);
void fake_store_set_mode(struct world *world, enum store_mode mode);
uint64_t fake_store_next(const struct world *world);
void fake_store_run(struct world *world);

// crew.c
void fake_crew_reset(struct fake_crew *crew);
void fake_hash_take(struct world *world, struct view packet);
void fake_hash_greet(struct world *world);
void fake_key_take(struct world *world, struct view packet);
uint64_t fake_crew_next(const struct fake_crew *crew);
void fake_crew_run(struct world *world, struct fake_crew *crew, uint32_t link);
// A password hash as stayd-hash would make it; returns its size. out needs WIRE_PHC_MAX.
size_t fake_phc(struct world *world, struct view password, bool old, char *out);

// clients.c, answers.c
void clients_reset(struct world *world);
void clients_act(struct world *world);
void clients_lost(struct world *world, uint32_t link);
void clients_answer(struct world *world, uint32_t link, struct view packet);
void clients_check(struct world *world, int session);
void clients_check_all(struct world *world);
void clients_populate(struct world *world);
void request_marked_end(struct world *world, struct request *request, bool soft);
void request_drop(struct world *world, struct request *request);

// judge.c
void judge_valid(struct world *world, int session, uint64_t begin, uint64_t wall_s, struct view name,
                 struct view groups, bool has_account);
// `check`: it was a check (or its look-up), which from here on must not be valid again.
void judge_invalid(struct world *world, int session, bool check);
// It may have expired, absolutely or by idleness.
bool judge_time_may_end(const struct world *world, const struct model_session *session);
void judge_pending(struct world *world);
void judge_calm(struct world *world);

#endif
