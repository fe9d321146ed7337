// SPDX-License-Identifier: ISC
// store-seed: fills a new SQLite file with accounts and sessions, millions of them in a minute, for the
// bench. Not installed. Rows go in in the order of their trees; the other indexes are built afterwards,
// sorted.
#include "store/seed.h"

#include "base/clock.h"
#include "store/schema.h"

#include <sqlite3.h>
#include <unistd.h>

#define SESSIONS_EACH_MAX 1000
#define AGENT             "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

struct account {
    uint8_t id[16];
    uint64_t number;
};

struct session {
    uint8_t token[32];
    uint64_t number;
};

struct seeding {
    sqlite3 *database;
    sqlite3_stmt *account, *session;
    uint64_t accounts, each, seed, now, said_ns;
    const char *phc;
};

static bool failed(const struct seeding *s)
{
    fprintf(stderr, "store-seed: %s\n", sqlite3_errmsg(s->database));
    return false;
}

static bool execute(const struct seeding *s, const char *sql)
{
    return sqlite3_exec(s->database, sql, NULL, NULL, NULL) == SQLITE_OK || failed(s);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16); // both structs begin with the key
}

static bool put_account(struct seeding *s, const struct account *account)
{
    char name[32], email[64];
    seed_account_name(account->number, name);
    (void)snprintf(email, sizeof(email), "%s@example.org", name);
    sqlite3_bind_blob(s->account, 1, account->id, 16, SQLITE_STATIC);
    sqlite3_bind_text(s->account, 2, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(s->account, 3, email, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(s->account, 4, s->phc, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s->account, 5, (sqlite3_int64)s->now);
    bool done = sqlite3_step(s->account) == SQLITE_DONE;
    sqlite3_reset(s->account);
    return done || failed(s);
}

static bool put_session(struct seeding *s, const struct account *account, const struct session *session)
{
    uint8_t verifier_hash[16], public_id[16];
    (void)crypto_generichash(verifier_hash, 16, session->token + 16, 16, NULL, 0);
    seed_public_id(s->seed, session->number, public_id);
    sqlite3_bind_blob(s->session, 1, account->id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s->session, 2, session->token, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s->session, 3, verifier_hash, 16, SQLITE_STATIC);
    sqlite3_bind_blob(s->session, 4, public_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s->session, 5, (sqlite3_int64)s->now);
    bool done = sqlite3_step(s->session) == SQLITE_DONE;
    sqlite3_reset(s->session);
    return done || failed(s);
}

static bool put_sessions(struct seeding *s, const struct account *account)
{
    static struct session sessions[SESSIONS_EACH_MAX];
    for (uint64_t i = 0; i < s->each; i++) {
        sessions[i].number = account->number * s->each + i;
        seed_token(s->seed, sessions[i].number, sessions[i].token);
    }
    qsort(sessions, s->each, sizeof(sessions[0]), by_id);
    for (uint64_t i = 0; i < s->each; i++) {
        if (!put_session(s, account, &sessions[i])) {
            return false;
        }
    }
    return true;
}

static void say_progress(struct seeding *s, uint64_t done)
{
    if (clock_mono_ns() - s->said_ns > 2000000000u) {
        s->said_ns = clock_mono_ns();
        fprintf(stderr, "store-seed: %llu of %llu accounts\n", (unsigned long long)done,
                (unsigned long long)s->accounts);
    }
}

static bool put_all(struct seeding *s)
{
    bool fine = true;
    struct account *accounts = calloc(s->accounts, sizeof(*accounts));
    for (uint64_t i = 0; accounts != NULL && i < s->accounts; i++) {
        accounts[i].number = i;
        seed_account_id(s->seed, i, accounts[i].id);
    }
    if (accounts == NULL) {
        fprintf(stderr, "store-seed: no memory\n");
        return false;
    }
    qsort(accounts, s->accounts, sizeof(*accounts), by_id);
    for (uint64_t i = 0; fine && i < s->accounts; i++) {
        fine = put_account(s, &accounts[i]);
    }
    for (uint64_t i = 0; fine && i < s->accounts; i++) {
        fine = put_sessions(s, &accounts[i]);
        say_progress(s, i);
    }
    free(accounts);
    return fine;
}

// The statements that make the indexes of `sessions`, as the schema has them; to be freed.
static char *indexes_of_sessions(const struct seeding *s)
{
    sqlite3_stmt *statement = NULL;
    char *sql = NULL;
    if (sqlite3_prepare_v2(s->database,
                           "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE type = 'index' AND"
                           " tbl_name = 'sessions' AND sql IS NOT NULL",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        sql = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return sql;
}

static bool fill(struct seeding *s)
{
    char *indexes = indexes_of_sessions(s);
    char *alive =
        sqlite3_mprintf("UPDATE meta SET value = %lld WHERE name = 'last_alive'", (long long)s->now);
    bool fine = indexes != NULL && alive != NULL &&
                execute(s, "PRAGMA ignore_check_constraints = ON; BEGIN;"
                           "DROP INDEX sessions_selector; DROP INDEX sessions_public_id");
    fine = fine && (sqlite3_prepare_v2(
                        s->database, "INSERT INTO accounts VALUES (?1, ?2, ?2, ?3, '', 2, ?4, 0, ?5, ?5, ?5)",
                        -1, &s->account, NULL) == SQLITE_OK ||
                    failed(s));
    fine =
        fine && (sqlite3_prepare_v2(s->database,
                                    "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, 0, ?5, ?5 + 2592000, ?5, 1,"
                                    " x'00000000000000000000ffff7f000001', '" AGENT "')",
                                    -1, &s->session, NULL) == SQLITE_OK ||
                 failed(s));
    fine = fine && put_all(s);
    sqlite3_finalize(s->account);
    sqlite3_finalize(s->session);
    if (fine) {
        fprintf(stderr, "store-seed: indexes\n");
    }
    fine = fine && execute(s, indexes) && execute(s, alive) && execute(s, "COMMIT");
    sqlite3_free(indexes);
    sqlite3_free(alive);
    return fine;
}

static bool read_arguments(struct seeding *s, int argc, char **argv)
{
    if (argc != 6 || !view_to_u64(view_of_cstr(argv[2]), &s->accounts) ||
        !view_to_u64(view_of_cstr(argv[3]), &s->each) || !view_to_u64(view_of_cstr(argv[4]), &s->seed) ||
        s->accounts == 0 || s->each > SESSIONS_EACH_MAX) {
        fprintf(stderr, "usage: store-seed NEW_FILE ACCOUNTS SESSIONS_EACH SEED PHC\n"
                        "PHC is the password hash of every account.\n");
        return false;
    }
    s->phc = argv[5];
    return true;
}

int main(int argc, char **argv)
{
    struct seeding s = {.now = clock_wall_s()};
    int64_t version;
    int code;
    if (!read_arguments(&s, argc, argv)) {
        return 2;
    }
    if (sodium_init() < 0 || access(argv[1], F_OK) == 0) {
        fprintf(stderr, "store-seed: %s is there already\n", argv[1]);
        return 1;
    }
    bool fine = sqlite3_open(argv[1], &s.database) == SQLITE_OK || failed(&s);
    fine = fine &&
           execute(&s, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
                       "PRAGMA cache_size = -262144; PRAGMA threads = 2");
    fine = fine && (schema_migrate(s.database, &version, &code) == SCHEMA_CURRENT || failed(&s));
    fine = fine && fill(&s);
    fine = fine && execute(&s, "PRAGMA locking_mode = NORMAL; PRAGMA synchronous = FULL");
    fine = sqlite3_close(s.database) == SQLITE_OK && fine;
    if (fine) {
        printf("%llu accounts, %llu sessions\n", (unsigned long long)s.accounts,
               (unsigned long long)(s.accounts * s.each));
    }
    return fine ? 0 : 1;
}
