// SPDX-License-Identifier: ISC
// SQLSTATE to what is to be done. Runs in stayd-store. Codes: PostgreSQL documentation, appendix A; where no
// code of five characters is listed, its class of two is.
#include "store/postgres_failure.h"

#include "base/log.h"

#include <ctype.h>
#include <stdio.h>

#define LAST_MS 2000u

static const struct {
    const char *state; // or its class
    enum postgres_failure failure;
} states[] = {
    {"40001", POSTGRES_FAILED_RACE},        // serialization failure (distributed ones)
    {"40P01", POSTGRES_FAILED_RACE},        // deadlock
    {"40003", POSTGRES_FAILED_RACE},        // completion unknown
    {"55P03", POSTGRES_FAILED_LATE},        // lock not available
    {"23505", POSTGRES_FAILED_RACE},        // lost against another insert of the same key
    {"57014", POSTGRES_FAILED_LATE},        // cancelled
    {"25006", POSTGRES_FAILED_MOVED},       // read-only transaction
    {"53300", POSTGRES_FAILED_CROWDED},     // too many connections
    {"53100", POSTGRES_FAILED_SPACE},       // disk full
    {"53", POSTGRES_FAILED_MEMORY},         // insufficient resources
    {"54", POSTGRES_FAILED_MEMORY},         // a limit of the server
    {"57P", POSTGRES_FAILED_LOST},          // shut down, crashed, starting
    {"08P01", POSTGRES_FAILED_POOLER},      // PgBouncer: unsupported startup parameter
    {"08", POSTGRES_FAILED_LOST},           // connection exception
    {"26000", POSTGRES_FAILED_POOLER},      // prepared statement does not exist
    {"42P05", POSTGRES_FAILED_POOLER},      // prepared statement exists already
    {"0A000", POSTGRES_FAILED_STALE},       // cached plan must not change result type
    {"28", POSTGRES_FAILED_PASSWORD},       // authorization
    {"3D000", POSTGRES_FAILED_NO_DATABASE}, // no such database
    {"42501", POSTGRES_FAILED_RIGHTS},      // no such right
    {"42P01", POSTGRES_FAILED_SCHEMA},      // no such table
    {"42703", POSTGRES_FAILED_SCHEMA},      // no such column
    {"42883", POSTGRES_FAILED_SCHEMA},      // no such function or operator
    {"42804", POSTGRES_FAILED_SCHEMA},      // a column of another type
    {"42P10", POSTGRES_FAILED_SCHEMA},      // no unique index for ON CONFLICT
    {"3F000", POSTGRES_FAILED_SCHEMA},      // no such schema
    {"23502", POSTGRES_FAILED_SCHEMA},      // a column that stayd does not fill may not be null
    {"58", POSTGRES_FAILED_LOST},           // an I/O error of the server
    {"XX", POSTGRES_FAILED_LOST},           // internal error, damage
};

enum postgres_failure postgres_failure_of(const char *sqlstate)
{
    if (sqlstate == NULL || *sqlstate == '\0') {
        return POSTGRES_FAILED_LOST;
    }
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strncmp(sqlstate, states[i].state, strlen(states[i].state)) == 0) {
            return states[i].failure;
        }
    }
    return POSTGRES_FAILED_VALUE;
}

// "...: FATAL:  28P01: password authentication failed": severity may be translated, the code is not.
static bool find_state(const char *text, char state[static 6])
{
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        const char *code = colon + 1 + strspn(colon + 1, " ");
        size_t size = 0;
        while (size < 5 && (isdigit((unsigned char)code[size]) || isupper((unsigned char)code[size]))) {
            size++;
        }
        if (size == 5 && code[5] == ':' && (isdigit((unsigned char)code[0]) || code[0] == 'X')) {
            memcpy(state, code, 5);
            state[5] = '\0';
            return true;
        }
    }
    return false;
}

enum postgres_failure postgres_failure_of_connect(const char *text)
{
    char state[6];
    if (strstr(text, "unsupported startup parameter") != NULL) {
        return POSTGRES_FAILED_POOLER;
    }
    if (find_state(text, state)) {
        return postgres_failure_of(state);
    }
    static const struct {
        const char *part;
        enum postgres_failure failure;
    } parts[] = {
        {"read-only", POSTGRES_FAILED_MOVED},      {"in hot standby", POSTGRES_FAILED_MOVED},
        {"certificate", POSTGRES_FAILED_TLS},      {"SSL", POSTGRES_FAILED_TLS},
        {"no password", POSTGRES_FAILED_PASSWORD},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(text, parts[i].part) != NULL) {
            return parts[i].failure;
        }
    }
    return POSTGRES_FAILED_LOST;
}

enum wire_store_outcome postgres_failure_outcome(enum postgres_failure failure)
{
    return failure == POSTGRES_FINE           ? WIRE_STORE_OK
           : failure == POSTGRES_FAILED_SPACE ? WIRE_STORE_NO_SPACE
                                              : WIRE_STORE_UNAVAILABLE;
}

bool postgres_failure_repeats(enum postgres_failure failure)
{
    return failure == POSTGRES_FAILED_RACE || failure == POSTGRES_FAILED_LOST ||
           failure == POSTGRES_FAILED_MOVED || failure == POSTGRES_FAILED_POOLER ||
           failure == POSTGRES_FAILED_STALE;
}

bool postgres_failure_ends(enum postgres_failure failure)
{
    return failure == POSTGRES_FAILED_LATE || failure == POSTGRES_FAILED_LOST ||
           failure == POSTGRES_FAILED_SILENT || failure == POSTGRES_FAILED_MOVED ||
           failure == POSTGRES_FAILED_POOLER || failure == POSTGRES_FAILED_STALE;
}

// ---- what a person is told -------------------------------------------------------------------------------

static const struct {
    enum log_level level;
    const char *event, *advice; // NULL: nothing to be said
} lines[POSTGRES_FAILURES] = {
    [POSTGRES_FAILED_LATE] =
        {LOG_WARNING, "statement_cancelled",
         "it ran past its deadline; \"stayctl check-db\" shows whether an index is missing"},
    [POSTGRES_FAILED_LOST] = {LOG_WARNING, "database_lost",
                              "is the server running, and can it be reached from here?"},
    [POSTGRES_FAILED_SILENT] = {LOG_WARNING, "database_silent",
                                "the server accepts and does not answer: is it hung, or its network?"},
    [POSTGRES_FAILED_MOVED] =
        {LOG_WARNING, "database_read_only",
         "this server takes no changes; name every server of the cluster in \"database\" so "
         "that stayd finds the primary"},
    [POSTGRES_FAILED_CROWDED] =
        {LOG_WARNING, "database_crowded",
         "raise max_connections of the server, or lower \"database_connections_max\""},
    [POSTGRES_FAILED_SPACE] =
        {LOG_ERROR, "disk_full",
         "the server's disk is full: changes are refused, reading goes on; free some space"},
    [POSTGRES_FAILED_MEMORY] = {LOG_ERROR, "database_short",
                                "the server is short of memory or of another resource"},
    [POSTGRES_FAILED_POOLER] = {LOG_INFO, "pooler_found",
                                "a pooler stands in between: going on without prepared statements; "
                                "\"?pooler=transaction\" at the end of \"database\" saves the trial"},
    [POSTGRES_FAILED_PASSWORD] =
        {LOG_ERROR, "database_password",
         "correct the user in \"database\" or the password in \"database_password_file\", or "
         "the server's pg_hba.conf"},
    [POSTGRES_FAILED_RIGHTS] =
        {LOG_ERROR, "database_rights",
         "give the role its rights: it has to own stayd's tables or hold SELECT, INSERT, "
         "UPDATE and DELETE on them"},
    [POSTGRES_FAILED_SCHEMA] =
        {LOG_ERROR, "database_altered",
         "the tables are not as stayd made them; \"stayctl check-db\" says what differs"},
    [POSTGRES_FAILED_NO_DATABASE] = {LOG_ERROR, "database_missing",
                                     "create it (\"CREATE DATABASE\") or correct its name in \"database\""},
    [POSTGRES_FAILED_TLS] = {LOG_ERROR, "database_tls",
                             "check sslmode and sslrootcert in \"database\" and the server's certificate"},
    [POSTGRES_FAILED_OLD] = {LOG_ERROR, "database_old", "stayd needs PostgreSQL 12 or later"},
    [POSTGRES_FAILED_VALUE] = {LOG_ERROR, "store_value_refused", "the server refused one operation"},
};

static struct {
    char text[300];
    uint64_t ms;
} last;

const char *postgres_failure_last(uint64_t now_ms)
{
    return now_ms - last.ms <= LAST_MS ? last.text : "";
}

void postgres_failure_say(enum postgres_failure failure, const char *where, const char *text, uint64_t now_ms)
{
    static uint64_t said_ms[POSTGRES_FAILURES];
    if (failure != POSTGRES_FAILED_RACE && failure != POSTGRES_FAILED_LATE) {
        (void)snprintf(last.text, sizeof(last.text), "%.100s: %.*s", where, (int)strcspn(text, "\n"), text);
        last.ms = now_ms;
    }
    if (lines[failure].event == NULL ||
        (said_ms[failure] > 0 && now_ms - said_ms[failure] < POSTGRES_SAY_EVERY_S * 1000)) {
        return;
    }
    said_ms[failure] = now_ms;
    size_t size = strcspn(text, "\n");
    log_event(lines[failure].level, lines[failure].event, "%s: %.*s%s%s", where, (int)size, text,
              size > 0 ? "; " : "", lines[failure].advice);
}
