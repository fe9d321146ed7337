// SPDX-License-Identifier: ISC
// Where a drill plays: an own stayd (the program beside this one) with its own data in a temporary folder,
// and an own PostgreSQL with many accounts, built once and kept as a template. Nothing of it is anybody
// else's, and nothing is left. Used by stayctl drill; one at a time. Owns: all processes and folders of it.
#ifndef DRILL_STAGE_H
#define DRILL_STAGE_H

#include "drill/postgres.h"
#include "drill/toxics.h"

enum { STAGE_PROBLEM_SIZE = 512, STAGE_SESSIONS_MAX = 20000, STAGE_PIDS_MAX = 64 };

struct stage_options {
    bool sqlite;        // no PostgreSQL: a few accounts that storm registers
    uint32_t accounts;  // in the database
    uint32_t users;     // who are acted for
    const char *cache;  // folder of templates; NULL: below $XDG_CACHE_HOME or ~/.cache
    const char *config; // further lines of stayd's configuration, or NULL
    bool proxy;         // stayd reaches PostgreSQL by way of the fault proxy
    bool standby;       // a second PostgreSQL follows the first
    void (*progress)(const char *what);
    volatile sig_atomic_t *stop;
};

struct stage {
    const struct stage_options *options;
    char folder[256];
    char bin[PROGRAM_PATH_MAX]; // folder of this program, and of stayd
    char own[PROGRAM_PATH_MAX]; // this program
    char config[PROGRAM_PATH_MAX];
    char watch[PROGRAM_PATH_MAX];  // watch's socket
    char people[PROGRAM_PATH_MAX]; // file of sessions for storm; "" when storm registers them
    char password[PROGRAM_PATH_MAX];
    struct postgres postgres, standby;
    struct program proxy;
    struct toxics *toxics; // of the proxy; NULL: there is none
    uint16_t proxy_port;
    struct psql psql; // one session for what a drill does to the database
    struct program stayd;
    uint16_t port, ops_port;
    uint32_t users;
    char problem[STAGE_PROBLEM_SIZE]; // after a failure: one sentence
};

enum stage_result { STAGE_READY, STAGE_FAILED, STAGE_UNAVAILABLE };

// The folder, and the guard of what is started. First of all; then the database, then stayd.
[[nodiscard]] enum stage_result stage_open(struct stage *stage, const struct stage_options *options);
// Copies the template, built first where it is not there yet, and starts PostgreSQL. Nothing with SQLite.
[[nodiscard]] enum stage_result stage_database(struct stage *stage);
// Starts stayd and waits until it is ready and, on PostgreSQL, has the sessions in its tables.
[[nodiscard]] enum stage_result stage_stayd(struct stage *stage);
// Ends everything; may be called at any time, also twice.
void stage_close(struct stage *stage);

// The processes of stayd with this name ("stayd-front"); returns how many.
unsigned stage_pids(const struct stage *stage, const char *name, pid_t pids[static STAGE_PIDS_MAX]);
// Writes the configuration again with other further lines, and has stayd read it (SIGHUP).
[[nodiscard]] bool stage_reconfigure(struct stage *stage, const char *config);
// Stops stayd and starts it again on the same ports and data, as an operator does.
[[nodiscard]] bool stage_restart(struct stage *stage);
// The same, and nothing is known of the incidents so far.
[[nodiscard]] bool stage_begin_anew(struct stage *stage);
// The same with other further lines in its configuration. `filled`: until it has the sessions in its tables,
// else until it is ready.
[[nodiscard]] bool stage_restart_with(struct stage *stage, const char *config, bool filled);
// Waits until it has the sessions in its tables.
[[nodiscard]] bool stage_fill(struct stage *stage);
// Are fault points in this build?
bool stage_has_faults(void);

#endif
