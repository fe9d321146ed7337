// SPDX-License-Identifier: ISC
// Connections to the SQLite file, groups of operations, failures. Runs in stayd-store.
// 1. A group is one transaction; each of its operations is a savepoint of its own, so that a refusal harms no
//    other. Nothing of a group is answered before its COMMIT returned.
// 2. synchronous=FULL: what COMMIT acknowledged is on the disk.
// 3. After a failure that concerns the file or the disk, the whole group is rolled back.
// No memory-mapped reads: a disk error would be a signal instead of a code.
#include "store/sqlite.h"

#include "base/clock.h"
#include "base/stats.h"
#include "store/plan.h"
#include "store/query.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_verbs.h"
#include "store/vfs.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#define BUSY_NS           2000000000u
#define COUNT_PAGES_EVERY 64 // operations
#define GROW_MISSES_MIN   32 // of pages, between two counts

static const struct store_verbs verbs = {
#define VERB(name, class, access) .name = store_sqlite_##name,
    STORE_OPERATIONS(VERB)
#undef VERB
};

// ---- failures --------------------------------------------------------------------------------------------

static bool is_out_of_space(sqlite3 *database)
{
    int cause = sqlite3_system_errno(database);
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

static enum store_failure classify(sqlite3 *database, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STORE_FINE;
    case SQLITE_FULL:
        return STORE_FAILED_NO_SPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STORE_FAILED_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return STORE_FAILED_BUSY;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return STORE_FAILED_VALUE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return is_out_of_space(database) ? STORE_FAILED_NO_SPACE : STORE_FAILED_IO;
    default:
        return STORE_FAILED_IO;
    }
}

void store_sqlite_failed(struct store_sqlite *store, int code)
{
    if (store->failure != STORE_FINE) {
        return; // the first one is the cause
    }
    store->failure = classify(store->database, code);
    (void)snprintf(store->message, sizeof(store->message), "%s (%d)", sqlite3_errmsg(store->database), code);
}

enum store_failure store_sqlite_failure(const struct store_sqlite *store)
{
    return store->failure;
}

void store_sqlite_process(void)
{
    // No first run of pages for each connection, and one arena for all threads: they hardly ever meet there.
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    (void)mallopt(M_ARENA_MAX, 1);
}

const char *store_sqlite_message(const struct store_sqlite *store)
{
    return store->message;
}

enum wire_store_outcome store_failure_outcome(enum store_failure failure)
{
    return failure == STORE_FAILED_NO_SPACE ? WIRE_STORE_NO_SPACE : WIRE_STORE_UNAVAILABLE;
}

static bool concerns_group(enum store_failure failure)
{
    return failure != STORE_FINE && failure != STORE_FAILED_VALUE;
}

// ---- opening ---------------------------------------------------------------------------------------------

static int on_progress(void *argument)
{
    struct store_sqlite *store = argument;
    return store->deadline_ns != 0 && clock_mono_ns() > store->deadline_ns;
}

static int on_wal(void *argument, sqlite3 *database, const char *schema, int pages)
{
    (void)database;
    (void)schema;
    ((struct store_sqlite *)argument)->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

// Another program has the file locked: waits for it BUSY_NS at most.
static int on_busy(void *argument, int count)
{
    struct store_sqlite *store = argument;
    uint64_t now_ns = clock_mono_ns();
    store->busy_began_ns = count == 0 ? now_ns : store->busy_began_ns;
    if (atomic_load(&store->busy_ns) == 0) {
        atomic_store(&store->busy_ns, now_ns);
    }
    if (now_ns - store->busy_began_ns >= BUSY_NS) {
        return 0;
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = count < 5 ? 1000000 : 10000000}, NULL);
    return 1;
}

uint64_t store_sqlite_busy_ns(const struct store_sqlite *store)
{
    return atomic_load(&store->busy_ns);
}

static int configure(struct store_sqlite *store)
{
    char cache[48];
    store->cache_kib = SQLITE_CACHE_KIB;
    (void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", SQLITE_CACHE_KIB);
    const char *const pragmas[] = {
        "PRAGMA journal_mode = WAL",   "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",    cache,
        "PRAGMA mmap_size = 0",        "PRAGMA temp_store = MEMORY",
        "PRAGMA cell_size_check = ON", "PRAGMA trusted_schema = OFF",
        "PRAGMA secure_delete = FAST", "PRAGMA journal_size_limit = 16777216",
    };
    (void)sqlite3_extended_result_codes(store->database, 1);
    (void)sqlite3_busy_handler(store->database, on_busy, store);
    (void)sqlite3_db_config(store->database, SQLITE_DBCONFIG_LOOKASIDE, NULL, 256, 64);
    (void)sqlite3_db_config(store->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_wal_hook(store->database, on_wal, store); // in place of the automatic checkpoint
    sqlite3_progress_handler(store->database, 2000, on_progress, store);
    for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
        if (sqlite3_exec(store->database, pragmas[i], NULL, NULL, NULL) != SQLITE_OK) {
            return sqlite3_extended_errcode(store->database);
        }
    }
    return SQLITE_OK;
}

// Every statement must fit the tables; kept are those that come to be used, each from its first use on,
// because all of them on every connection are most of this process's memory.
static int try_statements(struct store_sqlite *store)
{
    int code = SQLITE_OK;
    for (enum statement i = 0; code == SQLITE_OK && i < STATEMENTS; i++) {
        const char *sql = statement_sql(DIALECT_SQLITE, i);
        sqlite3_stmt *statement = NULL;
        if (sql != NULL && sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK) {
            code = sqlite3_extended_errcode(store->database);
        }
        (void)sqlite3_finalize(statement);
    }
    return code;
}

sqlite3_stmt *store_sqlite_statement(struct store_sqlite *store, unsigned index)
{
    assert(index < STATEMENTS);
    bool known = store->statements[index] != NULL;
    stats_add_shared(known ? STATS_cache_statements_hits : STATS_cache_statements_misses, 1);
    stats_add_shared(STATS_cache_statements_entries, known ? 0 : 1);
    if (!known &&
        sqlite3_prepare_v3(store->database, statement_sql(DIALECT_SQLITE, index), -1,
                           SQLITE_PREPARE_PERSISTENT, &store->statements[index], NULL) != SQLITE_OK) {
        store_sqlite_failed(store, sqlite3_extended_errcode(store->database));
    }
    return store->statements[index];
}

static enum store_open explain(struct store_sqlite *store, const char *path, int code, char why[static 1])
{
    enum store_failure failure = classify(store->database, code);
    const char *text = sqlite3_errstr(code);
    if (failure == STORE_FAILED_DAMAGED || failure == STORE_FAILED_VALUE || (code & 0xff) == SQLITE_ERROR) {
        (void)snprintf(why, STORE_WHY_MAX,
                       "%s is damaged (%s): restore it from a backup with \"stayctl restore FILE\"", path,
                       text);
        return STORE_OPEN_DAMAGED;
    }
    if (failure == STORE_FAILED_NO_SPACE) {
        (void)snprintf(why, STORE_WHY_MAX, "no space left on the disk of %s: free some", path);
        return STORE_OPEN_NO_SPACE;
    }
    (void)snprintf(why, STORE_WHY_MAX, "%s can't be opened: %s", path, text);
    return STORE_OPEN_FAILED;
}

static enum store_open settle_schema(struct store_sqlite *store, const char *path, enum store_access access,
                                     char why[static 1])
{
    int64_t version = 0;
    int code = SQLITE_OK;
    switch (access == STORE_WRITE ? sqlite_schema_migrate(store->database, &schema_current, &version, &code)
                                  : sqlite_schema_check(store->database, &version)) {
    case SCHEMA_CURRENT:
        break;
    case SCHEMA_FOREIGN:
        (void)snprintf(why, STORE_WHY_MAX,
                       "%s is not a database of stayd: move it away, or restore a backup with \"stayctl "
                       "restore FILE\"",
                       path);
        return STORE_OPEN_DAMAGED;
    case SCHEMA_NEWER:
        (void)snprintf(why, STORE_WHY_MAX,
                       "%s was written by a newer stayd (schema %lld, this one knows %d): install that one",
                       path, (long long)version, SCHEMA_VERSION);
        return STORE_OPEN_NEWER;
    case SCHEMA_FAILED:
    default:
        return explain(store, path, code == SQLITE_OK ? sqlite3_extended_errcode(store->database) : code,
                       why);
    }
    char found[128];
    if (access == STORE_WRITE && version > 0 &&
        !sqlite_schema_columns_hold(store->database, &schema_current, found, sizeof(found))) {
        (void)snprintf(
            why, STORE_WHY_MAX,
            "%s was altered by hand: %s: put it back, or restore a backup with \"stayctl restore FILE\"",
            path, found);
        return STORE_OPEN_DAMAGED;
    }
    return STORE_OPENED;
}

enum store_open store_sqlite_open(struct store_sqlite **out, const char *path, enum store_access access,
                                  char why[static STORE_WHY_MAX])
{
    enum store_open result = STORE_OPEN_FAILED;
    *out = NULL;
    struct store_sqlite *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        (void)snprintf(why, STORE_WHY_MAX, "out of memory");
        return result;
    }
    int code = sqlite3_open_v2(path, &store->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   (access == STORE_WRITE ? SQLITE_OPEN_CREATE : 0),
                               store_vfs());
    code = code == SQLITE_OK ? configure(store) : code;
    if (code != SQLITE_OK) {
        result = explain(store, path, code, why);
        goto out;
    }
    result = settle_schema(store, path, access, why);
    if (result == STORE_OPENED && access == STORE_WRITE && (code = try_statements(store)) != SQLITE_OK) {
        result = explain(store, path, code, why);
    }
    store->wal_pages = 1; // what an earlier process left is moved at the first quiet moment
out:
    if (result != STORE_OPENED) {
        store_sqlite_close(&store);
    }
    *out = store;
    return result;
}

void store_sqlite_close(struct store_sqlite **store)
{
    if (*store == NULL) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        (void)sqlite3_finalize((*store)->statements[i]);
    }
    (void)sqlite3_close_v2((*store)->database);
    free(*store);
    *store = NULL;
}

// ---- groups ----------------------------------------------------------------------------------------------

static bool run(struct store_sqlite *store, enum statement statement)
{
    struct query query = query_begin(store, statement);
    bool done = query_run(&query, NULL);
    query_end(&query);
    return done;
}

// Whatever went wrong before stays the group's failure.
static void roll_back(struct store_sqlite *store)
{
    if (sqlite3_get_autocommit(store->database) == 0) {
        (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    }
    store->in_group = false;
}

void store_sqlite_undo(struct store_sqlite *store)
{
    roll_back(store);
    store->failure = STORE_FINE;
}

enum store_failure store_sqlite_begin(struct store_sqlite *store)
{
    assert(!store->in_group);
    store->failure = STORE_FINE;
    store->in_group = run(store, STATEMENT_BEGIN);
    if (store->in_group) { // who had it locked is gone
        atomic_store(&store->busy_ns, 0);
    }
    return store->failure;
}

enum store_failure store_sqlite_commit(struct store_sqlite *store)
{
    if (concerns_group(store->failure)) {
        roll_back(store);
        return store->failure;
    }
    store->failure = STORE_FINE;
    if (run(store, STATEMENT_COMMIT)) {
        store->in_group = false;
    } else {
        roll_back(store);
    }
    return store->failure;
}

// A refusal is undone and a failure of one value too; both leave the group whole.
static void finish_operation(struct store_sqlite *store, struct store_answer *answer)
{
    enum store_failure failure = store->failure;
    if (concerns_group(failure)) {
        return;
    }
    store->failure = STORE_FINE;
    if (answer->outcome != WIRE_STORE_OK || failure != STORE_FINE) {
        (void)run(store, STATEMENT_UNDO);
    }
    (void)run(store, STATEMENT_RELEASE);
    store->failure = store->failure == STORE_FINE ? failure : store->failure;
}

// The figures' sum over all connections is what they have room for.
static void set_cache(struct store_sqlite *store, uint32_t kib)
{
    char text[48];
    if (kib > SQLITE_CACHE_KIB_MAX || kib == store->cache_kib) {
        return;
    }
    (void)snprintf(text, sizeof(text), "PRAGMA cache_size = -%u", kib);
    if (sqlite3_exec(store->database, text, NULL, NULL, NULL) == SQLITE_OK) {
        uint64_t before = store->cache_kib;
        store->cache_kib = kib;
        stats_add_shared(STATS_cache_pages_capacity, (kib - before) * 1024 / SQLITE_PAGE_BYTES);
    }
}

// What this connection's cache of pages did since the last time. One that is full and misses more than one
// page in ten gets twice the room.
static void count_pages(struct store_sqlite *store)
{
    int hits = 0, misses = 0, used = 0, most = 0;
    (void)sqlite3_db_status(store->database, SQLITE_DBSTATUS_CACHE_HIT, &hits, &most, 1);
    (void)sqlite3_db_status(store->database, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 1);
    (void)sqlite3_db_status(store->database, SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0);
    stats_add_shared(STATS_cache_pages_hits, (uint64_t)hits);
    stats_add_shared(STATS_cache_pages_misses, (uint64_t)misses);
    uint64_t pages = (uint64_t)used / SQLITE_PAGE_BYTES;
    if (misses > GROW_MISSES_MIN && misses > hits / 9 && pages * 10 >= store->cache_kib / 4 * 9) {
        set_cache(store, store->cache_kib * 2);
    }
    stats_add_shared(STATS_cache_pages_entries, pages - store->counted_pages); // wraps where it is less
    store->counted_pages = pages;
}

bool store_sqlite_apply(struct store_sqlite *store, struct view packet, struct store_answer *answer)
{
    if (store->applied++ % COUNT_PAGES_EVERY == 0) {
        count_pages(store);
    }
    if (store->in_group && concerns_group(store->failure)) {
        store_answer_set(answer, store_failure_outcome(store->failure), WIRE_CONFLICT_NONE);
        return true;
    }
    store->failure = STORE_FINE;
    bool whole = true;
    if (!store->in_group) {
        const struct store_operation *operation = store_operation_find(wire_peek(packet));
        assert(operation == NULL || operation->access == STORE_READ);
        whole = store_dispatch(&verbs, store, packet, answer);
    } else if (run(store, STATEMENT_SAVEPOINT)) {
        store_answer_reset(answer);
        whole = store_dispatch(&verbs, store, packet, answer);
        if (!whole) {
            store_answer_set(answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
        }
        finish_operation(store, answer);
    }
    if (store->failure != STORE_FINE) {
        store_answer_set(answer, store_failure_outcome(store->failure), WIRE_CONFLICT_NONE);
    }
    return whole;
}

void store_sqlite_deadline(struct store_sqlite *store, uint64_t deadline_ns)
{
    store->deadline_ns = deadline_ns;
}

enum store_failure store_sqlite_probe(struct store_sqlite *store)
{
    if (store_sqlite_begin(store) != STORE_FINE) {
        return store->failure;
    }
    (void)run(store, STATEMENT_META_PROBE);
    return store_sqlite_commit(store);
}

enum store_failure store_sqlite_state(struct store_sqlite *store, bool *empty, uint64_t *last_alive)
{
    assert(!store->in_group);
    store->failure = STORE_FINE;
    struct query any = query_begin(store, STATEMENT_ACCOUNT_ANY);
    *empty = !query_row(&any);
    query_end(&any);
    struct query alive = query_begin(store, STATEMENT_META_GET);
    query_put_text(&alive, VIEW("last_alive"));
    *last_alive = query_row(&alive) ? query_take_u64(&alive) : 0;
    query_end(&alive);
    return store->failure;
}

// ---- the write-ahead log ---------------------------------------------------------------------------------

uint32_t store_sqlite_wal_pages(const struct store_sqlite *store)
{
    return store->wal_pages;
}

// The log file is not cut: room that it has once had lets changes go on for a while when the disk is full.
enum store_failure store_sqlite_checkpoint(struct store_sqlite *store)
{
    int left = 0, moved = 0;
    store->failure = STORE_FINE;
    int code = sqlite3_wal_checkpoint_v2(store->database, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &moved);
    if (code != SQLITE_OK) {
        store_sqlite_failed(store, code);
    } else if (left == moved) {
        store->wal_pages = 0;
    }
    return store->failure;
}

void store_sqlite_shrink(struct store_sqlite *store)
{
    (void)sqlite3_db_release_memory(store->database);
    count_pages(store);
    set_cache(store, SQLITE_CACHE_KIB);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    // Not under a sanitizer, which brings its own malloc: glibc's is not set up there, and would be by two
    // threads at once.
    (void)malloc_trim(65536);
#endif
}

// ---- plans -----------------------------------------------------------------------------------------------

static void on_plan(void *owner, const struct plan_finding *finding)
{
    bool *all = owner;
    if (!finding->holds) {
        (void)fprintf(stderr, "%s: %s\n", statement_name(finding->statement), finding->why);
        *all = false;
    }
}

bool store_sqlite_plans_hold(struct store_sqlite *store)
{
    char why[STORE_WHY_MAX] = "";
    bool all = true;
    return sqlite_plans_look(store->database, on_plan, &all, why, sizeof(why)) && all;
}
