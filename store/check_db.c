// SPDX-License-Identifier: ISC
// The check of a live database. Runs in stayd-store, offline.
#include "store/check_db.h"

#include "store/offline_file.h"
#include "store/plan.h"
#include "store/postgres_connection.h"
#include "store/postgres_schema.h"
#include "store/sqlite_schema.h"

#include <sqlite3.h>

#define LINE_MAX_BYTES 2048
#define CONNECT_MS     5000
#define PENDING_MAX    65536

struct report {
    const struct check_db *how;
    FILE *out;
    const char *separator;
    unsigned looked, small, failed, missing;
    bool open; // the JSON list "statements" has been begun
};

// ---- words -----------------------------------------------------------------------------------------------

static void put_json(FILE *out, const char *text, size_t size)
{
    (void)fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            (void)fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            (void)fprintf(out, "\\u%04x", c);
        } else {
            (void)fputc(c, out);
        }
    }
    (void)fputc('"', out);
}

static void put_field(struct report *report, const char *name, const char *value)
{
    (void)fprintf(report->out, "\"%s\":", name);
    put_json(report->out, value, strlen(value));
}

static const char *class_name(enum store_class class)
{
    static const char *const names[STORE_CLASSES] = {[STORE_ENDING] = "ending",
                                                     [STORE_LOOKUP] = "look-up",
                                                     [STORE_LOGIN] = "login",
                                                     [STORE_SIGN_UP] = "sign-up",
                                                     [STORE_BACKGROUND] = "background"};
    return names[class];
}

// What came first: the database, its schema, and what would run.
static void say_schema(struct report *report, const char *database, const char *server, const char *problem,
                       const struct bytes *pending)
{
    if (report->how->json) {
        (void)fputc('{', report->out);
        put_field(report, "database", database);
        (void)fputc(',', report->out);
        put_field(report, "server", server);
        (void)fprintf(report->out, ",\"schema\":%d,\"step\":%u,", SCHEMA_VERSION, schema_current.step);
        put_field(report, "problem", problem);
        (void)fputs(",\"pending\":", report->out);
        put_json(report->out, pending->size == 0 ? "" : (const char *)pending->data, pending->size);
        return;
    }
    (void)fprintf(report->out, "%s %s\n", strcmp(database, "sqlite") == 0 ? "SQLite" : "PostgreSQL", server);
    if (problem[0] != '\0') {
        (void)fprintf(report->out, "%s\n", problem);
    } else if (pending->size == 0) {
        (void)fputs("The schema is the one of this stayd: nothing would be changed at a start.\n",
                    report->out);
    } else {
        (void)fprintf(report->out, "A start of this stayd would run:\n\n%.*s\n", (int)pending->size,
                      (const char *)pending->data);
    }
}

static void on_missing(void *owner, const char *index, const char *table, const char *statement)
{
    struct report *report = owner;
    report->missing++;
    if (report->how->json) {
        (void)fprintf(report->out, "%s{\"index\":\"%s\",\"table\":\"%s\",", report->separator, index, table);
        put_field(report, "statement", statement);
        (void)fputc('}', report->out);
        report->separator = ",";
    } else {
        (void)fprintf(report->out,
                      "The index %s of %s is missing. It is made, without stopping anyone, by:\n    %s\n",
                      index, table, statement);
    }
}

static void say_finding_json(struct report *report, const struct plan_finding *finding)
{
    enum dialect dialect = statement_sql(DIALECT_POSTGRES, finding->statement) != NULL && report->open
                               ? DIALECT_POSTGRES
                               : DIALECT_SQLITE;
    (void)fprintf(report->out, "%s{\"name\":\"%s\",\"class\":\"%s\",\"holds\":%s,\"small\":%s,\"rows\":",
                  report->separator, statement_name(finding->statement),
                  class_name(statements[finding->statement].class), finding->holds ? "true" : "false",
                  finding->small ? "true" : "false");
    if (finding->rows_known) {
        (void)fprintf(report->out, "%llu", (unsigned long long)finding->rows);
    } else {
        (void)fputs("null", report->out);
    }
    (void)fprintf(report->out, ",\"rows_max\":%u,", statements[finding->statement].dialect[dialect].rows_max);
    put_field(report, "why", finding->why);
    (void)fputc(',', report->out);
    put_field(report, "remedy", finding->remedy);
    (void)fputc('}', report->out);
    report->separator = ",";
}

static void on_finding(void *owner, const struct plan_finding *finding)
{
    struct report *report = owner;
    report->looked++;
    report->small += finding->small;
    report->failed += !finding->holds;
    if (report->how->json) {
        say_finding_json(report, finding);
    } else if (!finding->holds) {
        (void)fprintf(report->out, "%s (%s): %s.", statement_name(finding->statement),
                      class_name(statements[finding->statement].class), finding->why);
        (void)fprintf(report->out, finding->remedy[0] == '\0' ? "\n" : " Run:\n    %s\n", finding->remedy);
    }
}

static void begin_list(struct report *report, const char *name)
{
    report->separator = "";
    if (report->how->json) {
        (void)fprintf(report->out, ",\"%s\":[", name);
    }
}

static void end_list(struct report *report)
{
    if (report->how->json) {
        (void)fputc(']', report->out);
    }
}

static enum offline_status say_end(struct report *report, bool problem)
{
    bool holds = !problem && report->failed == 0 && report->missing == 0;
    if (report->how->json) {
        (void)fprintf(report->out, ",\"holds\":%s}\n", holds ? "true" : "false");
    } else if (report->looked > 0 && report->failed == 0) {
        (void)fprintf(report->out, "All %u statements find their rows as they should.%s\n", report->looked,
                      report->small > 0
                          ? " (Small tables are read whole, and rightly; this says more once they grow.)"
                          : "");
    } else if (report->looked > 0) {
        (void)fprintf(report->out, "%u of %u statements are slow.\n", report->failed, report->looked);
    }
    return holds ? OFFLINE_DONE : OFFLINE_REFUSED;
}

// ---- SQLite ----------------------------------------------------------------------------------------------

static enum offline_status check_sqlite(struct report *report, const char *path)
{
    sqlite3 *database = NULL;
    struct bytes pending;
    char why[256] = "";
    bytes_init(&pending, PENDING_MAX);
    enum offline_status status = offline_open(path, SQLITE_OPEN_READONLY, &database);
    status = status == OFFLINE_DONE ? offline_schema(path, database) : status;
    if (status != OFFLINE_DONE) {
        goto out;
    }
    bool known = sqlite_schema_pending(database, &schema_current, &pending);
    bool whole =
        known && (pending.size > 0 || sqlite_schema_is_whole(database, &schema_current, why, sizeof(why)));
    say_schema(report, "sqlite", sqlite3_libversion(), why, &pending);
    begin_list(report, "missing_indexes");
    end_list(report);
    begin_list(report, "statements");
    if (pending.size == 0 && !sqlite_plans_look(database, on_finding, report, why, sizeof(why))) {
        offline_say("%s", why);
        whole = false;
    }
    if (whole && report->how->run && !sqlite_work_look(path, on_finding, report, why, sizeof(why))) {
        offline_say("%s", why);
        whole = false;
    }
    end_list(report);
    status = say_end(report, !whole);
out:
    (void)sqlite3_close(database);
    bytes_release(&pending);
    return status;
}

// ---- PostgreSQL ------------------------------------------------------------------------------------------

// The first host that answers. What each of them said goes to standard error when none does.
static PGconn *connect_any(const struct postgres_target *target)
{
    for (unsigned i = 0; i < target->hosts; i++) {
        PGconn *pg = postgres_connect_begin(target, &(struct postgres_address){.host = i});
        if (pg != NULL && postgres_connect_wait(pg, CONNECT_MS) && PQsetnonblocking(pg, 0) == 0) {
            (void)PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
            return pg;
        }
        const char *text = pg == NULL ? "out of memory" : PQerrorMessage(pg);
        offline_say("%s:%s: %.*s", target->host[i].name, target->host[i].port, (int)strcspn(text, "\n"),
                    text[0] == '\0' ? "no answer" : text);
        PQfinish(pg);
    }
    return NULL;
}

static enum offline_status look_at_postgres(struct report *report, PGconn *pg)
{
    struct postgres_schema schema = {0};
    struct bytes pending;
    char why[256] = "";
    bytes_init(&pending, PENDING_MAX);
    enum postgres_schema_result said = postgres_schema_look(&schema, pg, &pending);
    bool fine = said == POSTGRES_SCHEMA_CURRENT;
    if (said == POSTGRES_SCHEMA_FAILED) {
        offline_say("%s", schema.why);
        bytes_release(&pending);
        return OFFLINE_UNAVAILABLE;
    }
    const char *version = PQparameterStatus(pg, "server_version");
    say_schema(report, "postgres", version == NULL ? "" : version, fine ? "" : schema.why, &pending);
    bool serves = fine && schema.step > 0;
    begin_list(report, "missing_indexes");
    bool looked = !serves || postgres_indexes_look(pg, on_missing, report, why, sizeof(why));
    end_list(report);
    begin_list(report, "statements");
    looked = looked && (!serves || schema.step < schema_current.step ||
                        postgres_plans_look(pg, report->how->run ? PLAN_RUN : PLAN_LIVE, on_finding, report,
                                            why, sizeof(why)));
    end_list(report);
    if (!looked) {
        offline_say("%s", why);
    }
    bytes_release(&pending);
    enum offline_status status = say_end(report, !fine || !looked);
    return looked ? status : OFFLINE_UNAVAILABLE;
}

static enum offline_status check_postgres(struct report *report, const char *url, const char *ca,
                                          const char *password)
{
    struct postgres_target target;
    char why[TARGET_WHY_MAX] = "";
    if (!postgres_target_init(&target, view_of_cstr(url), view_of_cstr(password), why)) {
        offline_say("database: %s", why);
        return OFFLINE_REFUSED;
    }
    enum offline_status status = OFFLINE_UNAVAILABLE;
    PGconn *pg = NULL;
    bool fine = ca[0] == '\0' || postgres_target_get(&target, "sslrootcert") != NULL ||
                (postgres_target_set(&target, "sslrootcert", ca) &&
                 (postgres_target_get(&target, "sslmode") != NULL ||
                  postgres_target_set(&target, "sslmode", "verify-full")));
    if (fine) {
        report->open = true;
        pg = connect_any(&target);
        status = pg == NULL ? OFFLINE_UNAVAILABLE : look_at_postgres(report, pg);
    }
    PQfinish(pg);
    postgres_target_release(&target);
    return status;
}

// ---- what is asked ---------------------------------------------------------------------------------------

static bool read_line(FILE *in, char line[static LINE_MAX_BYTES])
{
    line[0] = '\0';
    if (fgets(line, LINE_MAX_BYTES, in) == NULL) {
        return true; // empty
    }
    size_t size = strcspn(line, "\n");
    bool whole = line[size] == '\n' || feof(in);
    line[size] = '\0';
    return whole;
}

enum offline_status check_db(const struct check_db *how, FILE *in, FILE *out)
{
    char database[LINE_MAX_BYTES], ca[LINE_MAX_BYTES], password[LINE_MAX_BYTES];
    struct report report = {.how = how, .out = out};
    enum offline_status status = OFFLINE_USAGE;
    if (!read_line(in, database) || !read_line(in, ca) || !read_line(in, password) || database[0] == '\0') {
        offline_say("standard input is to have three lines: the database, the CA file, the password");
    } else if (postgres_target_is(view_of_cstr(database))) {
        status = check_postgres(&report, database, ca, password);
    } else {
        status = check_sqlite(&report, database);
    }
    wipe(password, sizeof(password));
    return status;
}
