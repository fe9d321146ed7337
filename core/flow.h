// SPDX-License-Identifier: ISC
// A flow: one request, or one piece of core's own upkeep, from its start to its answer. Private to core.
// A flow is a small struct and named steps read top-down. A step asks one process and names the step that
// takes the answer; a missed deadline or a lost process is an answer too ("unavailable"), so every step runs
// exactly once.
//
//   flow_start ──► handler ──ask──► (waiting) ──answer, deadline──► step ──► … ──► flow_grant / _refuse /
//   _unavailable
//
// What was asked is kept until it is answered and said again to a process that was restarted: every operation
// is idempotent under its id and values.
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include "base/gate.h"
#include "core/admission.h"
#include "core/core.h"
#include "core/guesses.h"
#include "core/throttle.h"
#include "core/tombstone.h"

#define FLOW_ASK_MS      5000                 // the longest wait for one answer
#define FLOW_LIFE_MS     15000                // the longest life of a flow
#define FLOW_LOOKUPS_MAX (CORE_FLOWS_MAX / 4) // look-ups of unknown tokens can't take the flows of others
#define FLOW_RESEND_MAX  2                    // how often one question is said again
#define FLOW_GATE_MS     3000                 // the longest wait for a place at hashing

// Who goes first at hashing. Log-ins of known devices go before others: a storm of guesses can't come before
// those who were here already. The proof of one's own password, while signed in, is among them.
enum hash_class { HASH_KNOWN, HASH_LOGIN, HASH_SIGN_UP, HASH_ADMINISTRATION, HASH_CLASSES };

struct flow;

// The answer that a step gets. Exactly one part is meaningful: what was asked.
struct answer {
    bool arrived;                  // false: deadline, or the process is gone
    struct wire_store_reply store; // outcome UNAVAILABLE when it did not arrive
    struct wire_hash_reply hash;   // verdict UNAVAILABLE when it did not arrive
    struct wire_key_reply key;
};
typedef void (*flow_step)(struct core *core, struct flow *flow, const struct answer *answer);

#define FLOW_ORIGIN_FIELD(type, name, size_max) wire_##type name;
struct flow_origin {
    WIRE_ORIGIN(FLOW_ORIGIN_FIELD)
};
#undef FLOW_ORIGIN_FIELD

// Whose request it is, once known.
struct flow_caller {
    struct id16 account_id;
    uint32_t epoch;
    uint64_t session_expires_max;
    uint64_t session_created;
    char name[WIRE_USERNAME_MAX + 1];
    bool administrator;
};

// A session that is being granted.
struct flow_grant {
    uint8_t token[32];
    struct wire_session_row row;
    char device[WIRE_DEVICE_MAX];
    size_t device_size;
    bool has_session;
    bool replaces; // the caller's session, which ends
};

struct flow {
    uint32_t place;
    uint64_t id; // of the last question: op or job
    bool active;
    flow_step step;       // NULL: nothing was asked
    enum wire_role asked; // who was asked
    uint8_t resent;
    uint64_t ask_deadline_ms, deadline_ms, asked_ns, started_ns;
    struct bytes question; // kept until answered

    // who asked core: 0 is core itself
    enum wire_role client;
    uint16_t client_index;
    uint32_t client_serial;
    uint16_t number; // of the request
    struct flow_origin origin;
    struct id16 verifier_hash; // of the caller's token; meaningful with origin.has_session
    struct bytes request;      // the packet; the views in `ask` borrow it
    union {
        struct wire_session_lookup session_lookup;
        struct wire_login login;
        struct wire_register_account register_account;
        struct wire_setup setup;
        struct wire_setup_state setup_state;
        struct wire_logout logout;
        struct wire_session_show session_show;
        struct wire_session_list session_list;
        struct wire_session_end session_end;
        struct wire_session_end_others session_end_others;
        struct wire_password_change password_change;
        struct wire_account_list account_list;
        struct wire_account_show account_show;
        struct wire_account_add account_add;
        struct wire_account_set account_set;
        struct wire_account_password account_password;
        struct wire_account_invite account_invite;
        struct wire_account_delete account_delete;
        struct wire_account_sessions account_sessions;
        struct wire_account_sessions_end account_sessions_end;
        struct wire_any_session_end any_session_end;
        struct wire_any_session_show any_session_show;
        struct wire_audit_list audit_list;
        struct wire_status status;
    } ask;

    // what the steps keep
    flow_step then, then2; // where a shared piece of a flow goes on (authenticate, end)
    struct flow_caller caller;
    uint64_t began;  // the number of the look-up under way
    uint8_t lookups; // how often it was begun
    bool has_account;
    struct bytes account_bytes; // the stored row; the views in `account` borrow it
    struct wire_account_row account;
    char name[WIRE_USERNAME_MAX + 1];
    char groups[WIRE_GROUPS_MAX + 1];
    char phc[WIRE_PHC_MAX + 1];
    struct flow_grant grant;
    bool weighed;  // counted by pressure_arrived
    bool accepted; // … and by pressure_hashed
    bool charged;  // a guess that is not judged yet: given back unless it was wrong
    bool device_known;
    struct throttle_key key_account, key_source;
    enum throttle_kind key_kind;
    struct gate_ticket ticket;
    uint64_t gate_entered_ns;
    uint32_t pending_place;
    bool has_pending, end_durable, intends;
    uint8_t end_outcome; // enum wire_store_outcome of the end
    struct id16 end_selector, end_account;
    uint32_t end_epoch;
    // where its time went, all questions together
    uint32_t gate_us, key_us, pool_us, statement_us, commit_us, hash_wait_us, hash_us, transit_us;
};

// One kind of request under early refusal (pressure.c).
struct pressure {
    struct admission admission;
    enum wire_reason reason; // of the latest that was refused for want of room
};

struct core_peer {
    bool up;
    uint32_t serial; // changes with every new channel
};

enum { AUDIT_REFUSALS_MAX = 2000, UNSURE_MAX = 64, PENALTIES_TOLD_MAX = 32 };

struct core {
    struct core_settings settings;
    struct core_port port;
    struct sessions_writer *tables;
    struct core_time now;
    uint64_t now_ms;
    uint8_t random_key[32];
    uint64_t random_count;
    struct core_counters counters;

    struct flow *flows; // CORE_FLOWS_MAX
    uint32_t free_place[CORE_FLOWS_MAX];
    uint32_t free_count;
    uint32_t used_end; // places ever used
    uint32_t lookups;  // flows of session_lookup
    uint64_t asks;

    struct core_peer front[CORE_PEERS_MAX], ctl[CORE_PEERS_MAX], store, hash, key;
    bool store_up, store_empty, draining;
    bool store_spoke; // since its process began
    bool store_said;  // the store is there, with its database or without
    bool store_known; // the database's state was read since this core began
    uint64_t last_alive_s;
    uint32_t idle_credit_s; // time that stayd was away: nothing expires by it
    uint64_t started_s;

    struct throttle *throttle;
    struct guesses guesses;
    uint64_t guesses_next_ms;
    struct {
        uint64_t source; // a keyed hash of it; 0: free
        uint64_t until_ms;
    } penalty_told[PENALTIES_TOLD_MAX]; // watch was told of them
    uint32_t penalties_told;
    struct tombstones tombstones;
    struct gate hash_gate; // classes: enum hash_class
    bool gate_turning;
    struct pressure login_pressure, sign_up_pressure;
    uint64_t pressure_next_ms, store_lost_ms;
    uint8_t pressure_told[64]; // the last packet
    size_t pressure_told_size;

    struct bytes audit; // rows not yet sent
    uint32_t audit_rows, audit_dropped;
    uint32_t refusals_left; // that may be recorded
    uint64_t refusals_since_ms;
    struct bytes audit_sent; // rows under way
    bool audit_busy;

    struct bytes seen;      // rows not yet sent
    struct bytes seen_sent; // rows under way
    uint32_t seen_rows;
    bool seen_busy;
    uint64_t seen_next_ms, expire_next_ms, collect_next_ms, resend_next_ms;
    uint32_t expire_patience_ms; // how long the next look for expired rows may take; 0: as at the start
    uint32_t resends;            // ends being made durable by core itself
    uint64_t pending_flow[SESSIONS_PENDING_MAX]; // place → id of the flow's place + 1, 0: nobody
    bool warm_done, warm_busy, warm_again;
    uint64_t warm_next_ms;
    struct id16 warm_account, warm_selector;
    struct id16 unsure[UNSURE_MAX]; // accounts whose change was asked for and not answered
    uint32_t unsure_count;
    bool unsure_busy;
    uint64_t unsure_next_ms;
    char setup_token[48];
    size_t setup_token_size;
};

// Lifecycle. NULL: all flows are in use.
struct flow *flow_new(struct core *core, enum wire_role client, uint16_t client_index);
void flow_end(struct core *core, struct flow *flow);
static inline bool flow_is_for(const struct flow *flow, enum wire_role role)
{
    return flow->client == role;
}

// The end of a flow that somebody asked for: a reply, then flow_end. `rows` may be empty.
void flow_grant(struct core *core, struct flow *flow, struct view rows);
void flow_refuse(struct core *core, struct flow *flow, enum wire_reason reason, const char *detail);
void flow_refuse_view(struct core *core, struct flow *flow, enum wire_reason reason, struct view detail);
void flow_throttled(struct core *core, struct flow *flow, uint32_t wait_ms);
void flow_unavailable(struct core *core, struct flow *flow, enum wire_reason reason, uint32_t retry_after_s);
// The same, from what the store said.
void flow_store_failed(struct core *core, struct flow *flow, const struct answer *answer);

// Questions. flow->question was encoded with flow->id = flow_next_id(...).
uint64_t flow_next_id(struct core *core, struct flow *flow);
void flow_ask(struct core *core, struct flow *flow, enum wire_role role, flow_step step);
#define ASK_STORE(core_, flow_, step_, name_, ...)                                                           \
    do {                                                                                                     \
        uint64_t id_ = flow_next_id((core_), (flow_));                                                       \
        wire_##name_##_encode(&(flow_)->question,                                                            \
                              &(struct wire_##name_){.op = id_, .deadline_ms = FLOW_ASK_MS, __VA_ARGS__});   \
        flow_ask((core_), (flow_), WIRE_STORE, (step_));                                                     \
    } while (0)
#define ASK_HASH(core_, flow_, step_, name_, ...)                                                            \
    do {                                                                                                     \
        uint64_t id_ = flow_next_id((core_), (flow_));                                                       \
        wire_##name_##_encode(&(flow_)->question,                                                            \
                              &(struct wire_##name_){.job = id_, .deadline_ms = FLOW_ASK_MS, __VA_ARGS__});  \
        flow_ask((core_), (flow_), WIRE_HASH, (step_));                                                      \
    } while (0)
#define ASK_KEY(core_, flow_, step_, ...)                                                                    \
    do {                                                                                                     \
        uint64_t id_ = flow_next_id((core_), (flow_));                                                       \
        wire_key_mac_encode(&(flow_)->question, &(struct wire_key_mac){.job = id_, __VA_ARGS__});            \
        flow_ask((core_), (flow_), WIRE_KEY, (step_));                                                       \
    } while (0)

// Shared pieces of flows (each goes on at `then`, or answers by itself when the verdict is no).
// Who is the caller? Refuses with NOT_SIGNED_IN, or goes on with flow->caller set.
void flow_authenticate(struct core *core, struct flow *flow, flow_step then);
// Is the caller an administrator (or stayctl)?
void flow_administer(struct core *core, struct flow *flow, flow_step then);
// Loads flow->account of a user name, its times apart; NOT_FOUND when there is none.
void flow_load_account(struct core *core, struct flow *flow, struct view name, flow_step then);
// Loads flow->account again, with its times.
void flow_load_times(struct core *core, struct flow *flow, flow_step then);
// Takes the account row out of rows; false when it is not there.
[[nodiscard]] bool flow_keep_account(struct flow *flow, struct view *rows);
// Charges a guess to key_account before it is tried, where that is set.
void flow_charge(struct core *core, struct flow *flow);
// It was right, or was not tried. Nothing where nothing is charged.
void flow_give_back(struct core *core, struct flow *flow);
// It was wrong: the charge stays, and key_source pays too, where that is set. A source pays for failures
// only, so that many people behind one address may log in at once; how many guesses can be under way is the
// gate's to bound.
void flow_guess_failed(struct core *core, struct flow *flow);
// Waits for a place at hashing; goes on at `then` (with answer NULL) or answers HASH_BUSY.
void flow_enter_gate(struct core *core, struct flow *flow, enum hash_class class, flow_step then);
// Whether it is worth asking anything for this flow: false when the gate would refuse it (it is answered).
[[nodiscard]] bool flow_gate_is_open(struct core *core, struct flow *flow, enum hash_class class);
// The store is up, down (pressure.c).
void pressure_store_changed(struct core *core, bool up);
bool pressure_store_away(const struct core *core);
// Whether it is worth asking the store for this flow: false when it is away (the flow is answered).
[[nodiscard]] bool pressure_store_is_there(struct core *core, struct flow *flow);
uint32_t pressure_store_retry_after_s(struct core *core);
// A log-in or a sign-up came; it was worth a hash; it is about to be answered.
void pressure_arrived(struct core *core, struct flow *flow);
void pressure_hashed(struct core *core, struct flow *flow);
void pressure_note(struct core *core, const struct flow *flow, enum wire_outcome outcome,
                   enum wire_reason reason);
void pressure_tell_front(struct core *core, uint16_t index);
void pressure_tell_fronts(struct core *core); // when there is something new
void pressure_tick(struct core *core);
void flow_leave_gate(struct core *core, struct flow *flow, bool ran);
void flow_gate_turn(
    struct core *core); // hands free places to those who wait, and refuses who waited too long
// Ends one session, or all of an account: visible at once, durable later; goes on at `then` (answer NULL)
// with flow->end_outcome OK (durable) or not (visible here, being repeated until durable).
void flow_end_session(struct core *core, struct flow *flow, const struct id16 *selector, flow_step then);
void flow_end_all(struct core *core, struct flow *flow, const struct id16 *account, uint32_t epoch,
                  const struct id16 *keep, flow_step then);
// All of the caller's but the one they ask with.
void flow_end_others(struct core *core, struct flow *flow, flow_step then);
// The epoch of the next end of all of an account's sessions: above `known` (what the store said) and above
// that of every other end, under way or visible.
uint32_t flow_next_epoch(struct core *core, const struct id16 *account, uint32_t known);
// The same as a part of another operation (a new password, a deleted account): what is intended is kept where
// a new core finds it before the store is asked, and becomes visible with the store's answer, or when that is
// unknown.
bool flow_intend_end_all(struct core *core, struct flow *flow, const struct id16 *account, uint32_t epoch,
                         const struct id16 *keep);
void flow_intent_done(struct core *core, struct flow *flow, const struct answer *answer,
                      const struct id16 *keep);
// Makes a session for flow->account: random token, device cookie, durable, visible; then the reply.
void flow_grant_session(struct core *core, struct flow *flow, uint32_t epoch, flow_step granted);
void flow_prepare_session(struct core *core, struct flow *flow, uint32_t epoch);
// Grants the one that was prepared.
void flow_grant_prepared(struct core *core, struct flow *flow, flow_step granted);
// Makes the granted session visible and says the reply.
void flow_show_session(struct core *core, struct flow *flow);

// Takes stored rows into the tables; the account's row was asked for at `began`. OVER: the session may not be
// believed (ended meanwhile).
enum table_taken { TABLE_TAKEN, TABLE_NOT_KEPT, TABLE_OVER };
enum table_taken table_take(struct core *core, const struct wire_account_row *account,
                            const struct wire_session_row *session, uint64_t began);
bool table_put_account(struct core *core, const struct wire_account_row *account,
                       struct sessions_account_ref *ref);
uint64_t table_idle_expires(const struct core *core, const struct wire_session_row *session);

// Appends what others than core may know of a stored account.
void flow_append_account(struct bytes *rows, const struct wire_account_row *account);

// The audit trail. Outcome and detail are words, never secrets.
void audit(struct core *core, const struct flow *flow, const char *event, struct view username,
           const char *outcome, struct view detail);
void audit_flush(struct core *core);
// Which session an event was about, so that one session's life can be told from the trail. `mark` is made of
// its selector, which a log-out knows where it does not know the public id; nobody can get back from it.
enum { AUDIT_MARK_SIZE = 16, AUDIT_SESSION_SIZE = 224 };
void audit_mark(const struct id16 *selector, char out[static AUDIT_MARK_SIZE + 1]);
// "session ID mark MARK", after `before` and followed by `after` where they are not empty.
struct view audit_session(const char *before, const struct wire_session_row *session, const char *after,
                          char out[static AUDIT_SESSION_SIZE]);

// Core's own randomness: a stream from the seed.
void core_random(struct core *core, void *out, size_t size);
bool core_say(struct core *core, enum wire_role role, uint16_t index, const struct bytes *packet);
void core_tell_fronts(struct core *core);
// An event for stayd-watch, of now and of core; one that can't be sent is lost.
void core_tell_watch(struct core *core, const struct wire_event *event);
uint64_t wall_s(const struct core *core);

// Handlers (one a message), by file.
typedef void (*flow_handler)(struct core *core, struct flow *flow);
void on_session_lookup(struct core *core, struct flow *flow);
void on_login(struct core *core, struct flow *flow);
void on_register_account(struct core *core, struct flow *flow);
void on_setup(struct core *core, struct flow *flow);
void on_setup_state(struct core *core, struct flow *flow);
void on_logout(struct core *core, struct flow *flow);
void on_session_show(struct core *core, struct flow *flow);
void on_session_list(struct core *core, struct flow *flow);
void on_session_end(struct core *core, struct flow *flow);
void on_session_end_others(struct core *core, struct flow *flow);
void on_password_change(struct core *core, struct flow *flow);
void on_account_list(struct core *core, struct flow *flow);
void on_account_show(struct core *core, struct flow *flow);
void on_account_add(struct core *core, struct flow *flow);
void on_account_set(struct core *core, struct flow *flow);
void on_account_password(struct core *core, struct flow *flow);
void on_account_invite(struct core *core, struct flow *flow);
void on_account_delete(struct core *core, struct flow *flow);
void on_account_sessions(struct core *core, struct flow *flow);
void on_account_sessions_end(struct core *core, struct flow *flow);
void on_any_session_end(struct core *core, struct flow *flow);
void on_any_session_show(struct core *core, struct flow *flow);
void on_audit_list(struct core *core, struct flow *flow);
void on_status(struct core *core, struct flow *flow);

// Upkeep, on every tick (upkeep.c).
void upkeep(struct core *core);
// Whether this account was changed is unknown: its row is read again when the change is over, one way or the
// other.
void upkeep_unsure(struct core *core, const struct id16 *account);
void setup_open(struct core *core);
void setup_done(struct core *core);
struct view setup_token(const struct core *core);

#endif
