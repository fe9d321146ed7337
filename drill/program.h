// SPDX-License-Identifier: ISC
// Programs that a drill starts: PostgreSQL, psql, stayd, storm, and what disturbs them. Each is a process
// group of its own, has nothing of the caller's descriptors, and dies with the caller. Used by stayctl drill,
// which has one thread. Owns: the process and its pipes. Bounds: PROGRAM_WORDS_MAX words.
#ifndef DRILL_PROGRAM_H
#define DRILL_PROGRAM_H

#include "base/bytes.h"

#include <signal.h>
#include <sys/types.h>

enum { PROGRAM_WORDS_MAX = 64, PROGRAM_PATH_MAX = 1024 };

struct program {
    pid_t pid; // 0: not running
    int in;    // its standard input, or -1
    int out;   // its standard output, or -1
    int status;
};

struct program_options {
    const char *const *words; // ended by NULL; the first is the file
    const char *folder;       // to work in; NULL: /
    const char *output;       // file that gets standard output and error; NULL: nothing is kept
    bool pipe_in, pipe_out;   // pipes to the caller (of standard output; the error stays in `output`)
    bool unprivileged;        // when the caller is root: as the user that runs PostgreSQL
    int parent_death;         // signal when the caller dies; 0: SIGKILL
};

[[nodiscard]] bool program_start(struct program *program, const struct program_options *options);
// A process of this program itself, which does `work` until it is stopped.
[[nodiscard]] bool program_fork(struct program *program, void (*work)(void *context), void *context);
// Processor time it has used so far; 0: it has ended.
double program_cpu_s(const struct program *program);
// And of its children, those that have ended among them.
double program_family_cpu_s(const struct program *program);
// True when it has ended; its status is kept then.
bool program_ended(struct program *program);
// Waits; false when it still runs.
bool program_wait(struct program *program, uint64_t timeout_ms);
// Asks by `signal`, then kills its group. Nothing when it does not run.
void program_stop(struct program *program, int signal, uint64_t patience_ms);
// Runs one to its end. True when it ended with 0 in time.
[[nodiscard]] bool program_run(const struct program_options *options, uint64_t timeout_ms);

// The user that runs PostgreSQL here when the caller is root: postgres, or nobody.
[[nodiscard]] bool program_user(uid_t *user, gid_t *group);

void program_pause(uint64_t ms);
// Unix time, of the machine itself: base/clock.h's jumps where a drill has stayd's jump.
uint64_t program_wall_ms(void);
// A TCP port of 127.0.0.1 that nobody listens on now; 0: none.
uint16_t program_free_port(void);
// Makes a new folder below $TMPDIR that other users may pass through.
[[nodiscard]] bool program_folder(char *out, size_t size);
void program_remove_folder(const char *folder);
// Up to `size` bytes of a file, ended by NUL; false when it can't be read.
[[nodiscard]] bool program_read_file(const char *path, char *out, size_t size);
// Writes a new file, or over an old one.
[[nodiscard]] bool program_write_file(const char *path, struct view content, mode_t mode);

// A process that outlives the caller by a moment: whatever ends the caller, it kills the groups that were
// started, and removes the folder. Begins once; program_guard_end removes the folder by itself and ends it.
[[nodiscard]] bool program_guard(const char *folder);
void program_guard_end(void);

#endif
