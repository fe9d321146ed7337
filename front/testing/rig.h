// SPDX-License-Identifier: ISC
// A front for tests: real connections over socket pairs, real tables, a core that the test plays, and time
// that the test moves. Tests only.
#ifndef FRONT_TESTING_RIG_H
#define FRONT_TESTING_RIG_H

#include "front/ask.h"
#include "front/connection.h"
#include "front/front.h"
#include "sessions/write.h"

#define RIG_TABLE_BYTES (1024 * 1024)

struct rig {
    struct ev_loop *loop;
    struct front front;
    struct sessions_writer writer;
    void *sessions_map, *accounts_map;
    struct wire_front_config config;
    int core; // our end of the channel, -1: no core
    uint8_t packet[WIRE_PACKET_MAX];
    struct bytes rows;
    struct hash32 public_key, secret_key;
    char heard[65536]; // the last answer, with NUL
    size_t heard_size;
};

// `change` alters the configuration before it is used; may be NULL.
void rig_begin(struct rig *rig, void (*change)(struct wire_front_config *config));
void rig_end(struct rig *rig);
// A connection from 203.0.113.9; returns the client's end, non-blocking.
int rig_connect(struct rig *rig);
int rig_connect_from(struct rig *rig, const char *address);
void rig_turn(struct rig *rig);
void rig_pass(struct rig *rig, uint32_t ms);
void rig_say(struct rig *rig, int client, const char *text);
// What has arrived for the client, in rig->heard; false: nothing, and the connection stands.
bool rig_hear(struct rig *rig, int client);
bool rig_is_closed(struct rig *rig, int client);
// Says it, turns the loop, and hears.
const char *rig_ask(struct rig *rig, int client, const char *text);

// A session in the table; the token's text is `token` (44 bytes with NUL).
void rig_session(struct rig *rig, uint8_t number, const char *name, const char *groups, char token[44]);

void rig_core_connect(struct rig *rig);
void rig_core_disconnect(struct rig *rig);
// The next message to core; 0 when there is none. The packet is rig->packet.
uint16_t rig_core_hear(struct rig *rig, struct view *packet);
void rig_core_reply(struct rig *rig, uint64_t request, enum wire_outcome outcome, enum wire_reason reason);
// Rows for the next reply.
void rig_row_account(struct rig *rig, const char *name, const char *groups);
void rig_row_grant(struct rig *rig, uint8_t number);
void rig_row_session(struct rig *rig, uint8_t number);

// `part` is in `text`, or is not.
void rig_has(const char *text, const char *part);
void rig_has_not(const char *text, const char *part);
size_t rig_count(const char *text, const char *part);
// `text` with the value in place of "%s"; good until the next call.
const char *rig_with(const char *text, const char *value);

#endif
