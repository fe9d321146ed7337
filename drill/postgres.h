// SPDX-License-Identifier: ISC
// A real PostgreSQL for a drill: found on this machine, in a folder and on a port of its own, never as root,
// and forgotten afterwards; and psql to talk to it. Used by stayctl drill. Owns: the server and the sessions
// of psql that are open. Bounds: PSQL_ANSWER_MAX bytes an answer.
#ifndef DRILL_POSTGRES_H
#define DRILL_POSTGRES_H

#include "drill/program.h"

enum { PSQL_ANSWER_MAX = 64 * 1024, POSTGRES_PROBLEM_SIZE = 256 };

struct postgres {
    struct program program;
    char folder[PROGRAM_PATH_MAX]; // data/ and log below it
    uint16_t port;
    char problem[POSTGRES_PROBLEM_SIZE]; // after a failure: one sentence
};

// The folder with PostgreSQL's programs; false when there is none on this machine.
[[nodiscard]] bool postgres_find(char *out, size_t size);
// Its major version, like 15; 0: unknown.
unsigned postgres_version(void);
// Makes an empty cluster in folder/data.
[[nodiscard]] bool postgres_make(struct postgres *postgres, const char *folder);
// Copies a cluster that is stopped (folder/data) into another folder, by reference where the disk can.
[[nodiscard]] bool postgres_copy(struct postgres *postgres, const char *from, const char *to);
// Starts it on a free port; `settings`: further lines of its configuration, or NULL.
[[nodiscard]] bool postgres_start(struct postgres *postgres, const char *settings);
// SIGINT: in order; SIGQUIT: at once, recovery is left to the next start.
void postgres_stop(struct postgres *postgres, int signal);
// "postgres://USER@127.0.0.1:PORT/DATABASE?sslmode=disable"
void postgres_url(const struct postgres *postgres, uint16_t port, const char *user, const char *database,
                  char *out, size_t size);

// One session of psql, as the superuser.
struct psql {
    struct program program;
    uint32_t asked;
    size_t size;
    char answer[PSQL_ANSWER_MAX]; // of the last command: rows as lines, columns divided by |
};

[[nodiscard]] bool psql_open(struct psql *psql, const struct postgres *postgres, const char *database);
void psql_close(struct psql *psql);
// Sends without waiting; psql_wait waits for the answer. False: an error, or too late; the answer says which.
[[nodiscard]] bool psql_send(struct psql *psql, const char *sql);
[[nodiscard]] bool psql_wait(struct psql *psql, uint64_t timeout_ms);
[[nodiscard]] bool psql_run(struct psql *psql, const char *sql, uint64_t timeout_ms);

#endif
