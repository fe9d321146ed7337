// SPDX-License-Identifier: ISC
// What the clients were told, and what follows from it: the reference that every answer is judged by.
// Used by the simulator. Owns its tables. Bounds: the enum below; what does not fit is not tried.
//
// Time is the number of the event ("step"). A request took effect at one moment between its issue and its
// answer; without an answer (or with "unavailable") perhaps, and perhaps later, until a calm: then everything
// is restarted, nothing is under way, and the store says what is.
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "base/bytes.h"

#define MODEL_NEVER UINT64_MAX

enum {
    MODEL_ACCOUNTS = 8,
    MODEL_SESSIONS = 192,
    MODEL_WRITES = 48,
    MODEL_INVITES = 8,
    MODEL_SETUP_REQUESTS = 2,
};

// A value that requests write and answers show: who could read what, when?
struct model_write {
    uint32_t value;
    uint64_t issued, acked; // acked: MODEL_NEVER while unknown
    bool dropped;           // refused: it had no effect
};

struct model_register {
    struct model_write write[MODEL_WRITES];
    uint32_t count;
};

void model_register_settle(struct model_register *reg, uint32_t value, uint64_t step);
// The place of the write, or -1 when there is no room.
int model_register_write(struct model_register *reg, uint32_t value, uint64_t step);
// May a reader between `begin` and `end` have seen this value? Must every one have?
bool model_register_possible(const struct model_register *reg, uint32_t value, uint64_t begin, uint64_t end);
// `except`: the place of the reader's own write, or -1.
bool model_register_certain(const struct model_register *reg, uint32_t value, uint64_t begin, uint64_t end,
                            int except);
// Is a write under way between `begin` and `end`, or of unknown outcome?
bool model_register_busy(const struct model_register *reg, uint64_t begin, uint64_t end, int except);

enum model_state { MODEL_ABSENT, MODEL_ENABLED, MODEL_DISABLED };

struct model_account {
    char name[16];
    struct model_register state, groups, password;
    struct model_register ends; // every end of all sessions: issued, acked
    char device[192];           // the last device cookie
    size_t device_size;
};

struct model_session {
    uint8_t token[32];
    struct id16 selector, verifier_hash, public_id;
    uint32_t account;
    uint64_t expires_s, created_s;
    uint64_t issued;  // of the log-in
    uint64_t granted; // of its answer
    uint64_t ended;   // the answer that said it is over, MODEL_NEVER
    uint64_t gone;    // first seen to be over (not by time), MODEL_NEVER
    uint64_t seen_s;  // core has noted: seen then, at least
    uint64_t used_s;  // last seen valid, at most
    uint32_t may_end; // requests that may have ended it
    bool ended_soft;  // ended as a part of another request, perhaps not durable at its answer
};

struct model_invite {
    char token[64];
    size_t token_size;
    uint32_t winners;
};

struct model {
    struct model_account account[MODEL_ACCOUNTS];
    struct model_session session[MODEL_SESSIONS];
    uint32_t session_count;
    struct model_invite invite[MODEL_INVITES];
    uint32_t invite_count;
    uint32_t passwords, groups; // values given out
};

void model_reset(struct model *model);
// Is there a session of this selector? -1: none.
int model_session_find(const struct model *model, const struct id16 *selector);
// Text of a password or of groups by number; out needs 64 bytes.
size_t model_password_text(uint32_t value, char *out);
size_t model_groups_text(uint32_t value, char *out);
// The other way round; false: no such text.
bool model_groups_value(struct view text, uint32_t *value);

#endif
