// SPDX-License-Identifier: ISC
// Fills the database of a stayd that is not running with accounts, live sessions and what lies beside them,
// fast: an SQLite file (--file) or PostgreSQL (--database URL). The tables have to be there, empty: stayd
// makes them when it starts. Used by bench/run and by the tests, which wait for it: it is built without
// sanitizers and with none of stayd's objects; not installed. Number i has the token and the user name of
// bench/tokens.h, so that the client knows them; all accounts have one password.
#include "bench/seed.h"
#include "bench/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SESSION_DAYS = 30, EACH_MAX = 1000 };

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
    const char *where, *seed, *password;
    const struct seed_target *target;
    uint64_t sessions, users, each, audit, once, memory_kib, passes;
    char phc[crypto_pwhash_STRBYTES];
    int64_t now;
    struct account *account;
    uint64_t accounts;
} seeding = {
    .seed = "bench", .password = "", .each = BENCH_SESSIONS_PER_USER, .memory_kib = 19456, .passes = 2};

static const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

static const struct seed_table accounts = {
    "accounts",
    "id, name, display_name, email, groups, flags, phc, epoch, created, password_changed, last_login", 11};
static const struct seed_table sessions = {"sessions",
                                           "account_id, selector, verifier_hash, public_id, epoch, created, "
                                           "expires, last_seen, level, address, agent",
                                           11};
static const struct seed_table audit = {"audit",
                                        "time, trace, event, username, actor, source, outcome, detail", 8};
static const struct seed_table once = {"once", "space, hash, payload, expires", 4};

void seed_die(const char *what, const char *why)
{
    fprintf(stderr, "seed: %s: %s\n", what, why);
    exit(1);
}

static struct seed_value text(const char *value)
{
    return (struct seed_value){SEED_TEXT, value, strlen(value), 0};
}

static struct seed_value blob(const void *bytes, size_t size)
{
    return (struct seed_value){SEED_BLOB, bytes, size, 0};
}

static struct seed_value number(int64_t value)
{
    return (struct seed_value){SEED_NUMBER, NULL, 0, value};
}

static void hash_of(const char *kind, uint64_t index, void *out, size_t size)
{
    char name[96];
    snprintf(name, sizeof(name), "%s/%s/%llu", seeding.seed, kind, (unsigned long long)index);
    crypto_generichash(out, size, (const unsigned char *)name, strlen(name), NULL, 0);
}

static void put_account(const struct account *one)
{
    char name[32], display_name[64], email[64];
    bench_user(one->number, name, sizeof(name));
    snprintf(display_name, sizeof(display_name), "Person %llu", (unsigned long long)one->number);
    snprintf(email, sizeof(email), "%s@example.com", name);
    seeding.target->row((struct seed_value[]){blob(one->id, 16), text(name), text(display_name), text(email),
                                              text("staff,readers"), number(2), text(seeding.phc), number(1),
                                              number(seeding.now), number(seeding.now), number(seeding.now)});
}

static int compare_by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void put_sessions(const struct account *owner)
{
    struct session session[EACH_MAX];
    uint64_t first = owner->number * seeding.each;
    size_t count = 0;
    for (uint64_t i = first; i < first + seeding.each && i < seeding.sessions; i++, count++) {
        bench_token_raw(seeding.seed, i, session[count].token);
        hash_of("session", i, session[count].public_id, 16);
    }
    qsort(session, count, sizeof(session[0]), compare_by_id);
    for (size_t i = 0; i < count; i++) {
        uint8_t verifier_hash[16];
        crypto_generichash(verifier_hash, 16, session[i].token + 16, 16, NULL, 0);
        seeding.target->row(
            (struct seed_value[]){blob(owner->id, 16), blob(session[i].token, 16), blob(verifier_hash, 16),
                                  blob(session[i].public_id, 16), number(1), number(seeding.now),
                                  number(seeding.now + SESSION_DAYS * 86400), number(seeding.now), number(1),
                                  blob(address, 16), text("Chrome on Linux")});
    }
}

// As a year of log-ins leaves it: one event has nearly all rows, another few.
static void put_audit(uint64_t index)
{
    char name[32];
    int64_t trace = 0;
    bench_user(index % seeding.accounts, name, sizeof(name));
    hash_of("audit", index, &trace, sizeof(trace));
    seeding.target->row((struct seed_value[]){number(seeding.now - (int64_t)(seeding.audit - index)),
                                              number(trace & INT64_MAX),
                                              text(index % 100 == 0 ? "password" : "login"), text(name),
                                              text(name), blob(address, 16), text("granted"), text("")});
}

static void put_once(uint64_t index)
{
    uint8_t hash[32];
    hash_of("once", index, hash, sizeof(hash));
    seeding.target->row((struct seed_value[]){text("invite"), blob(hash, 32), blob(address, 16),
                                              number(seeding.now + 86400 + (int64_t)index)});
}

static void make_accounts(void)
{
    uint64_t count = (seeding.sessions + seeding.each - 1) / seeding.each;
    seeding.accounts = count < seeding.users ? seeding.users : count;
    seeding.account = calloc(seeding.accounts, sizeof(struct account));
    if (seeding.account == NULL || seeding.accounts == 0) {
        seed_die("accounts", "no memory, or none asked for");
    }
    for (uint64_t i = 0; i < seeding.accounts; i++) {
        seeding.account[i].number = i;
        hash_of("account", i, seeding.account[i].id, 16);
    }
    qsort(seeding.account, seeding.accounts, sizeof(struct account), compare_by_id);
}

static void fill(void)
{
    make_accounts();
    seeding.target->table(&accounts);
    for (uint64_t i = 0; i < seeding.accounts; i++) {
        put_account(&seeding.account[i]);
    }
    seeding.target->table(&sessions);
    for (uint64_t i = 0; i < seeding.accounts; i++) {
        put_sessions(&seeding.account[i]);
    }
    seeding.target->table(&audit);
    for (uint64_t i = 0; i < seeding.audit; i++) {
        put_audit(i);
    }
    seeding.target->table(&once);
    for (uint64_t i = 0; i < seeding.once; i++) {
        put_once(i);
    }
    free(seeding.account);
}

static bool take_text(const char *name, const char *value)
{
    if (strcmp(name, "--file") == 0 || strcmp(name, "--database") == 0) {
        seeding.target = name[2] == 'f' ? &seed_sqlite : &seed_postgres;
        seeding.where = value;
    } else if (strcmp(name, "--seed") == 0) {
        seeding.seed = value;
    } else if (strcmp(name, "--password") == 0) {
        seeding.password = value;
    } else {
        return false;
    }
    return true;
}

static bool take_number(const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *to;
    } known[] = {{"--sessions", &seeding.sessions}, {"--users", &seeding.users},
                 {"--each", &seeding.each},         {"--audit", &seeding.audit},
                 {"--once", &seeding.once},         {"--memory-kib", &seeding.memory_kib},
                 {"--passes", &seeding.passes}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0) {
            char *end = NULL;
            *known[i].to = strtoull(value, &end, 10);
            return end != value && *end == '\0';
        }
    }
    return false;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    bool fine = argc % 2 == 1;
    for (int i = 1; fine && i + 1 < argc; i += 2) {
        fine = take_text(argv[i], argv[i + 1]) || take_number(argv[i], argv[i + 1]);
    }
    if (!fine || seeding.target == NULL || seeding.each == 0 || seeding.each > EACH_MAX) {
        fprintf(
            stderr,
            "usage: seed --file FILE | --database URL [--sessions N] [--users N] [--each 10: sessions an\n"
            "            account] [--audit N] [--once N] [--password P] [--seed TEXT]\n"
            "            [--memory-kib 19456] [--passes 2]\n");
        return 2;
    }
    double began = seconds();
    seeding.now = (int64_t)time(NULL);
    if (sodium_init() < 0 ||
        crypto_pwhash_str_alg(seeding.phc, seeding.password, strlen(seeding.password), seeding.passes,
                              seeding.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        seed_die("the password", "hashing it failed");
    }
    seeding.target->open(seeding.where);
    fill();
    seeding.target->close();
    printf("{\"sessions\":%llu,\"seconds\":%.3f}\n", (unsigned long long)seeding.sessions, seconds() - began);
    return 0;
}
