// SPDX-License-Identifier: ISC
// Fills the SQLite file of a stayd that is not running with accounts and live sessions, fast: rows go in in
// the order of their tree, the other indexes are built once at the end, and nothing is made durable before
// that. Used by bench/run; not installed. Number i has the token and the user name of bench/tokens.h, so that
// the client knows them; all accounts have one password. The file keeps its owner.
#include "base/bytes.h"
#include "base/clock.h"
#include "bench/tokens.h"
#include "store/schema.h"

#include <sodium.h>
#include <stdio.h>

enum { INDEXES_MAX = 2, SESSION_DAYS = 30 };

// Index i of the accounts' order.
struct account {
    uint8_t id[16];
    uint64_t number;
};

struct session {
    uint8_t token[32];
    uint8_t public_id[16];
};

static struct seeding {
    const char *file, *seed, *password;
    uint64_t sessions, users, memory_kib, passes;
    sqlite3 *database;
    sqlite3_stmt *insert_account, *insert_session;
    char *index[INDEXES_MAX];
    char phc[crypto_pwhash_STRBYTES];
    int64_t now;
} seeding = {.seed = "bench", .password = "", .memory_kib = 19456, .passes = 2};

static void die(const char *what)
{
    fprintf(stderr, "seed: %s: %s\n", what,
            seeding.database != NULL ? sqlite3_errmsg(seeding.database) : "see usage");
    exit(1);
}

static void run(const char *sql)
{
    if (sqlite3_exec(seeding.database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        die(sql);
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(seeding.database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        die(sql);
    }
    return statement;
}

static void step(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK) {
        die("insert");
    }
}

static void hash_of(const char *kind, uint64_t number, uint8_t out[16])
{
    char text[96];
    snprintf(text, sizeof(text), "%s/%s/%llu", seeding.seed, kind, (unsigned long long)number);
    crypto_generichash(out, 16, (const unsigned char *)text, strlen(text), NULL, 0);
}

// The indexes of the sessions but for the tree itself are dropped, and their texts kept for the end.
static void drop_indexes(void)
{
    sqlite3_stmt *find = prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = "
                                 "'sessions' AND sql IS NOT NULL");
    char *drop[INDEXES_MAX];
    size_t count = 0;
    for (; sqlite3_step(find) == SQLITE_ROW; count++) {
        if (count == INDEXES_MAX) {
            die("there are more indexes than this program knows of");
        }
        drop[count] = sqlite3_mprintf("DROP INDEX %w", sqlite3_column_text(find, 0));
        seeding.index[count] = sqlite3_mprintf("%s", sqlite3_column_text(find, 1));
    }
    sqlite3_finalize(find);
    for (size_t i = 0; i < count; i++) {
        run(drop[i]);
        sqlite3_free(drop[i]);
    }
}

static void open_database(void)
{
    int64_t version = 0;
    int code = 0;
    if (sqlite3_open(seeding.file, &seeding.database) != SQLITE_OK) {
        die(seeding.file);
    }
    run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
        "PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY; PRAGMA threads = 2");
    if (schema_migrate(seeding.database, &version, &code) != SCHEMA_CURRENT) {
        die("the schema");
    }
    drop_indexes();
    seeding.insert_account = prepare(
        "INSERT INTO accounts (id, name, display_name, email, groups, flags, phc, epoch, created, "
        "password_changed, last_login) VALUES (?1, ?2, ?3, ?4, 'staff,readers', 2, ?5, 1, ?6, ?6, ?6)");
    seeding.insert_session = prepare(
        "INSERT INTO sessions (account_id, selector, verifier_hash, public_id, epoch, created, expires, "
        "last_seen, level, address, agent) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?5, 1, ?7, 'Chrome on Linux')");
}

static void put_account(const struct account *account)
{
    sqlite3_stmt *insert = seeding.insert_account;
    char name[32], display_name[64], email[64];
    bench_user(account->number, name, sizeof(name));
    snprintf(display_name, sizeof(display_name), "Person %llu", (unsigned long long)account->number);
    snprintf(email, sizeof(email), "%s@example.com", name);
    sqlite3_bind_blob(insert, 1, account->id, 16, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, display_name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, email, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 5, seeding.phc, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, seeding.now);
    step(insert);
}

static int compare_sessions(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void put_sessions(const struct account *account)
{
    static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    struct session session[BENCH_SESSIONS_PER_USER];
    uint64_t first = account->number * BENCH_SESSIONS_PER_USER;
    size_t count = 0;
    for (uint64_t i = first; i < first + BENCH_SESSIONS_PER_USER && i < seeding.sessions; i++, count++) {
        bench_token_raw(seeding.seed, i, session[count].token);
        hash_of("session", i, session[count].public_id);
    }
    qsort(session, count, sizeof(session[0]), compare_sessions);
    sqlite3_stmt *insert = seeding.insert_session;
    for (size_t i = 0; i < count; i++) {
        uint8_t verifier_hash[16];
        crypto_generichash(verifier_hash, 16, session[i].token + 16, 16, NULL, 0);
        sqlite3_bind_blob(insert, 1, account->id, 16, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, session[i].token, 16, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 3, verifier_hash, 16, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 4, session[i].public_id, 16, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 5, seeding.now);
        sqlite3_bind_int64(insert, 6, seeding.now + SESSION_DAYS * 86400);
        sqlite3_bind_blob(insert, 7, address, 16, SQLITE_STATIC);
        step(insert);
    }
}

static void fill(void)
{
    uint64_t count = (seeding.sessions + BENCH_SESSIONS_PER_USER - 1) / BENCH_SESSIONS_PER_USER;
    count = count < seeding.users ? seeding.users : count;
    struct account *account = calloc(count, sizeof(*account));
    if (account == NULL) {
        die("no memory");
    }
    for (uint64_t i = 0; i < count; i++) {
        account[i].number = i;
        hash_of("account", i, account[i].id);
    }
    qsort(account, count, sizeof(*account), compare_sessions);
    run("BEGIN");
    for (uint64_t i = 0; i < count; i++) {
        put_account(&account[i]);
    }
    for (uint64_t i = 0; i < count; i++) {
        put_sessions(&account[i]);
    }
    run("COMMIT");
    free(account);
}

static void take_option(const char *name, const char *value)
{
    uint64_t number = 0;
    bool is_number = view_to_u64(view_of_cstr(value), &number);
    if (strcmp(name, "--file") == 0) {
        seeding.file = value;
    } else if (strcmp(name, "--seed") == 0) {
        seeding.seed = value;
    } else if (strcmp(name, "--password") == 0) {
        seeding.password = value;
    } else if (is_number && strcmp(name, "--sessions") == 0) {
        seeding.sessions = number;
    } else if (is_number && strcmp(name, "--users") == 0) {
        seeding.users = number;
    } else if (is_number && strcmp(name, "--memory-kib") == 0) {
        seeding.memory_kib = number;
    } else if (is_number && strcmp(name, "--passes") == 0) {
        seeding.passes = number;
    } else {
        die(name);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        take_option(argv[i], argv[i + 1]);
    }
    if (seeding.file == NULL || argc % 2 == 0) {
        fprintf(stderr,
                "usage: seed --file DATABASE [--sessions N] [--users N] [--password P] [--seed TEXT]\n"
                "            [--memory-kib 19456] [--passes 2]\n");
        return 2;
    }
    uint64_t began = clock_mono_ns();
    seeding.now = (int64_t)clock_wall_s();
    if (sodium_init() < 0 ||
        crypto_pwhash_str_alg(seeding.phc, seeding.password, strlen(seeding.password), seeding.passes,
                              seeding.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        die("hashing the password");
    }
    open_database();
    fill();
    for (size_t i = 0; i < INDEXES_MAX && seeding.index[i] != NULL; i++) {
        run(seeding.index[i]);
        sqlite3_free(seeding.index[i]);
    }
    sqlite3_finalize(seeding.insert_account);
    sqlite3_finalize(seeding.insert_session);
    run("PRAGMA journal_mode = DELETE");
    sqlite3_close(seeding.database);
    printf("{\"sessions\":%llu,\"seconds\":%.3f}\n", (unsigned long long)seeding.sessions,
           (double)(clock_mono_ns() - began) / 1e9);
    return 0;
}
