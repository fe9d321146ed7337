// SPDX-License-Identifier: ISC
// Records of core as tables and as JSON: the shapes that scripts rely on. Used by stayctl. Owns: a listing's
// table. Bounds: a listing is printed as it arrives.
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/text.h"
#include "wire/messages.h"

#include <jansson.h>

// New JSON objects, the caller's. Text that is not UTF-8 becomes null.
json_t *show_account_json(const struct wire_account_public *account);
json_t *show_session_json(const struct wire_session_public *session);
json_t *show_audit_json(const struct wire_audit_row *row);
json_t *show_text_json(struct view text);
json_t *show_time_json(uint64_t unix_s); // null for 0

// A member of an answer; NAN when it is none or no number.
double show_number_of(const json_t *object, const char *name);

// What is listed: how a record is taken off the rows and shown.
enum show_kind { SHOW_ACCOUNTS, SHOW_SESSIONS, SHOW_AUDIT };

struct listing {
    enum show_kind kind;
    bool json;
    bool broken; // a record was not what it should be
    size_t count;
    FILE *out;
    struct table table;
    char last_name[WIRE_USERNAME_MAX + 1]; // accounts: where the next page begins
    uint64_t last_id;                      // audit: the same
};

void listing_begin(struct listing *listing, enum show_kind kind, bool json, FILE *out);
// All records of one reply, at most `most` of them; returns how many there were.
size_t listing_rows(struct listing *listing, struct view rows, size_t most);
// `none`: what to say when there was nothing.
void listing_end(struct listing *listing, const char *none);

// One account, line by line or as one JSON object.
void show_account(FILE *out, const struct wire_account_public *account, bool json);
// Prints an object and a newline; releases it.
void show_json(FILE *out, json_t *object);

#endif
