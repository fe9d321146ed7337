// SPDX-License-Identifier: ISC
// For the store's tests: each backend behind one call, and the values that most tests use. Included by
// tests only.
#ifndef STORE_TESTING_H
#define STORE_TESTING_H

#include "store/memory.h"
#include "store/postgres_schema.h"
#include "store/sqlite.h"
#include "store/testing_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum backend_kind { BACKEND_MEMORY, BACKEND_SQLITE, BACKEND_POSTGRES };

struct backend {
    enum backend_kind kind;
    struct store_memory memory;
    struct store_sqlite *sqlite;
    PGconn *postgres;
    char folder[64], path[96];
    struct store_answer answer;
};

static inline void testing_folder(char folder[static 64])
{
    (void)snprintf(folder, 64, "/tmp/stayd-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static inline void testing_remove(const char *folder)
{
    static const char *const names[] = {"stayd.db", "stayd.db-wal", "stayd.db-shm", "stayd.db-journal"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static inline void backend_init(struct backend *backend, bool is_memory)
{
    *backend = (struct backend){.kind = is_memory ? BACKEND_MEMORY : BACKEND_SQLITE};
    store_answer_init(&backend->answer);
    if (is_memory) {
        store_memory_init(&backend->memory, 100000);
        return;
    }
    char why[STORE_WHY_MAX] = "";
    testing_folder(backend->folder);
    (void)snprintf(backend->path, sizeof(backend->path), "%s/stayd.db", backend->folder);
    assert_int_equal(store_sqlite_open(&backend->sqlite, backend->path, STORE_WRITE, why), STORE_OPENED);
}

// The program's one server; started by testing_postgres_group.
static struct testing_postgres testing_server;

// An empty database of the same server.
static inline void backend_init_postgres(struct backend *backend)
{
    struct postgres_schema schema = {0};
    *backend = (struct backend){.kind = BACKEND_POSTGRES,
                                .postgres = testing_postgres_connect(&testing_server, "postgres")};
    store_answer_init(&backend->answer);
    assert_non_null(backend->postgres);
    PQclear(PQexec(backend->postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
    if (postgres_schema_apply(&schema, backend->postgres) != POSTGRES_SCHEMA_CURRENT) {
        fail_msg("%s", schema.why);
    }
    assert_true(testing_postgres_prepare(backend->postgres));
}

static inline void backend_release(struct backend *backend)
{
    store_answer_release(&backend->answer);
    if (backend->kind == BACKEND_MEMORY) {
        store_memory_release(&backend->memory);
    } else if (backend->kind == BACKEND_POSTGRES) {
        PQfinish(backend->postgres);
    } else {
        store_sqlite_close(&backend->sqlite);
        testing_remove(backend->folder);
    }
}

// The packet is whole? The answer is in backend->answer.
static inline bool backend_apply(struct backend *backend, struct view packet)
{
    if (backend->kind == BACKEND_MEMORY) {
        return store_memory_answer(&backend->memory, packet, &backend->answer);
    }
    if (backend->kind == BACKEND_POSTGRES) {
        char state[6];
        return testing_postgres_apply(backend->postgres, packet, &backend->answer, state);
    }
    const struct store_operation *operation = store_operation_find(wire_peek(packet));
    if (operation == NULL || operation->access == STORE_READ) {
        return store_sqlite_apply(backend->sqlite, packet, &backend->answer);
    }
    assert_int_equal(store_sqlite_begin(backend->sqlite), STORE_FINE);
    bool whole = store_sqlite_apply(backend->sqlite, packet, &backend->answer);
    assert_int_equal(store_sqlite_commit(backend->sqlite), STORE_FINE);
    return whole;
}

// ASK(backend, session_end, .selector = …) → the outcome.
#define ASK(backend_, name_, ...)                                                                            \
    ({                                                                                                       \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        assert_true(                                                                                         \
            wire_store_##name_##_encode(&packet_, &(struct wire_store_##name_){.op = 1, __VA_ARGS__}));      \
        assert_true(backend_apply((backend_), bytes_view(&packet_)));                                        \
        bytes_release(&packet_);                                                                             \
        (backend_)->answer.outcome;                                                                          \
    })
#define OK(backend_, name_, ...) assert_int_equal(ASK(backend_, name_, __VA_ARGS__), WIRE_STORE_OK)
#define MISSING(backend_, name_, ...)                                                                        \
    assert_int_equal(ASK(backend_, name_, __VA_ARGS__), WIRE_STORE_NOT_FOUND)
#define CONFLICT(backend_, conflict_, name_, ...)                                                            \
    do {                                                                                                     \
        assert_int_equal(ASK(backend_, name_, __VA_ARGS__), WIRE_STORE_CONFLICT);                            \
        assert_int_equal((backend_)->answer.conflict, conflict_);                                            \
    } while (0)

static inline struct id16 testing_id(uint8_t kind, uint32_t number)
{
    struct id16 id = {{kind}};
    for (size_t i = 0; i < 4; i++) {
        id.byte[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return id;
}

static inline struct hash32 testing_hash(uint8_t number)
{
    return (struct hash32){{number, 7}};
}

#define ACCOUNT(number)                                                                                      \
    .id = testing_id('a', number), .display_name = VIEW("Alice"), .email = VIEW("alice@example.org"),        \
    .phc = VIEW("$argon2id$one"), .created = 1000

// Session `number` of account `account`.
#define SESSION(account, number)                                                                             \
    .selector = testing_id('s', number), .verifier_hash = testing_id('v', number),                           \
    .public_id = testing_id('p', number), .account_id = testing_id('a', account), .created = 2000,           \
    .expires = 9000, .last_seen = 2000, .level = 1, .address = testing_id('x', 1), .agent = VIEW("Firefox")

static inline struct wire_account_row testing_account(struct backend *backend, uint32_t number)
{
    OK(backend, account_by_id, .id = testing_id('a', number));
    struct view rows = bytes_view(&backend->answer.rows);
    struct wire_account_row row;
    assert_true(wire_account_row_next(&rows, &row));
    assert_int_equal(rows.size, 0);
    return row;
}

static inline bool testing_session_is_there(struct backend *backend, uint32_t number)
{
    return ASK(backend, session_by_selector, .selector = testing_id('s', number)) == WIRE_STORE_OK;
}

static inline size_t testing_session_count(struct backend *backend, uint32_t account, uint64_t now)
{
    OK(backend, session_list, .account_id = testing_id('a', account), .now = now, .limit = 100);
    struct view rows = bytes_view(&backend->answer.rows);
    struct wire_session_row row;
    size_t count = 0;
    while (wire_session_row_next(&rows, &row)) {
        count++;
    }
    assert_int_equal(rows.size, 0);
    return count;
}

static inline int testing_memory(void **state)
{
    *state = calloc(1, sizeof(struct backend));
    backend_init(*state, true);
    return 0;
}

static inline int testing_sqlite(void **state)
{
    *state = calloc(1, sizeof(struct backend));
    backend_init(*state, false);
    return 0;
}

static inline int testing_on_postgres(void **state)
{
    *state = calloc(1, sizeof(struct backend));
    backend_init_postgres(*state);
    return 0;
}

static inline int testing_postgres_group(void **state)
{
    (void)state;
    return testing_postgres_start(&testing_server) ? 0 : -1;
}

static inline int testing_postgres_group_end(void **state)
{
    (void)state;
    testing_postgres_stop(&testing_server);
    return 0;
}

static inline int testing_teardown(void **state)
{
    backend_release(*state);
    free(*state);
    return 0;
}

#define ON(setup, function)                                                                                  \
    {                                                                                                        \
#function " on " #setup, function, setup, testing_teardown, NULL                                     \
    }

static inline void testing_alice(struct backend *b)
{
    OK(b, account_add, ACCOUNT(1), .name = VIEW("alice"), .groups = VIEW("staff,admins"));
}

#endif
