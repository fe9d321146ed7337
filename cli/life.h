// SPDX-License-Identifier: ISC
// The life of one session, told from the audit trail: which log-in made it, and what ended it. Used by
// stayctl. Pure; owns nothing but plain values.
#ifndef CLI_LIFE_H
#define CLI_LIFE_H

#include "wire/messages.h"

enum { LIFE_TEXT_SIZE = 320, LIFE_MARK_SIZE = 17, LIFE_ID_SIZE = 23 };

struct life {
    char id[LIFE_ID_SIZE];     // the public id
    char mark[LIFE_MARK_SIZE]; // what the trail calls it where it does not know the id; "": not known yet
    char user[WIRE_USERNAME_MAX + 1];
    uint64_t created, ended;  // 0: not known
    struct id16 source;       // of the log-in
    char how[LIFE_TEXT_SIZE]; // it was made, in words; "": not found
    char why[LIFE_TEXT_SIZE]; // it ended, in words; "": not found
};

// Takes in one row of the trail, which come newest first. True when this row made the session: older ones
// say nothing about it.
bool life_take(struct life *life, const struct wire_audit_row *row);
// What core says of a session that it still has ("live", "expired_idle", …), in words.
const char *life_state_text(struct view state);

#endif
