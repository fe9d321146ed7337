// SPDX-License-Identifier: ISC
// The rows of the memory backend and how they are found; private to it (store/memory.c, memory_verbs.c).
// Texts are held in the rows, so that a table is copied as one run of bytes.
#ifndef STORE_MEMORY_TABLES_H
#define STORE_MEMORY_TABLES_H

#include "store/memory.h"

#define MEMORY_TEXT(name, size_max)                                                                          \
    struct {                                                                                                 \
        uint16_t size;                                                                                       \
        char data[size_max];                                                                                 \
    } name

struct memory_account {
    struct id16 id;
    MEMORY_TEXT(name, WIRE_USERNAME_MAX);
    MEMORY_TEXT(display_name, WIRE_DISPLAY_NAME_MAX);
    MEMORY_TEXT(email, WIRE_EMAIL_MAX);
    MEMORY_TEXT(groups, WIRE_GROUPS_MAX);
    MEMORY_TEXT(phc, WIRE_PHC_MAX);
    uint32_t flags, epoch;
    uint64_t created, password_changed, last_login;
};

struct memory_session {
    struct id16 account_id, selector, verifier_hash, public_id, address;
    uint32_t epoch;
    uint64_t created, expires, last_seen;
    uint8_t level;
    MEMORY_TEXT(agent, WIRE_AGENT_MAX);
};

struct memory_once {
    MEMORY_TEXT(space, 32);
    struct hash32 hash;
    MEMORY_TEXT(payload, 1024);
    uint64_t expires;
};

struct memory_audit {
    uint64_t id, time, trace;
    struct id16 source;
    MEMORY_TEXT(event, 64);
    MEMORY_TEXT(username, WIRE_USERNAME_MAX);
    MEMORY_TEXT(actor, WIRE_USERNAME_MAX);
    MEMORY_TEXT(outcome, 64);
    MEMORY_TEXT(detail, 256);
};

#define MEMORY_VIEW(text) view_of((text).data, (text).size)
// A text that fits: the decoder has held the bound.
#define MEMORY_SET(text, view_)                                                                              \
    do {                                                                                                     \
        struct view set_ = view_first((view_), sizeof((text).data));                                         \
        (text).size = (uint16_t)set_.size;                                                                   \
        if (set_.size > 0) {                                                                                 \
            memcpy((text).data, set_.data, set_.size);                                                       \
        }                                                                                                    \
    } while (0)

// NULL: not there.
struct memory_account *memory_account_by_id(struct store_memory *store, struct id16 id);
struct memory_account *memory_account_by_name(struct store_memory *store, struct view name);
struct memory_session *memory_session_by_selector(struct store_memory *store, struct id16 selector);
struct memory_session *memory_session_by_public_id(struct store_memory *store, struct id16 public_id);
struct memory_once *memory_once_find(struct store_memory *store, struct view space, struct hash32 hash);

// A zeroed row at its place in the order; NULL: the table is full or there is no memory.
struct memory_account *memory_account_insert(struct store_memory *store, struct id16 id);
struct memory_session *memory_session_insert(struct store_memory *store, struct id16 account_id,
                                             struct id16 selector);
struct memory_once *memory_once_insert(struct store_memory *store, struct view space, struct hash32 hash);
struct memory_audit *memory_audit_insert(struct store_memory *store);

void memory_account_remove(struct store_memory *store, struct memory_account *row);
void memory_session_remove(struct store_memory *store, struct memory_session *row);
void memory_once_remove(struct store_memory *store, struct memory_once *row);

extern const struct store_verbs memory_verbs;

#endif
