// SPDX-License-Identifier: ISC
// The service of stayd-hash: jobs come from core, are done by the crew, and the verdicts go back.
// Used by stayd-hash's event loop. Owns the channel to core, the crew, the jobs and the settings. Bounds: as
// many jobs as there are workers and places to wait; one more is answered WIRE_HASH_UNAVAILABLE at once.
#ifndef KEEPER_HASH_H
#define KEEPER_HASH_H

#include "keeper/settings.h"
#include "wire/channel.h"

#include <ev.h>

struct hash;

// How much may be done at once. Threads that are started and not wanted cost next to nothing.
struct hash_bounds {
    unsigned workers;    // at work at once
    unsigned threads;    // the most that `workers` may become; at least as many
    uint32_t budget_kib; // of all hashes together; 0: no bound
};

// Before the sandbox's filter: starts the threads, at low priority. Takes the settings over. NULL when there
// is no memory or thread to be had.
struct hash *hash_new(struct ev_loop *loop, struct hash_bounds bounds, struct settings *settings);
// Called on a worker that has been idle for CREW_IDLE_MS, to give back what is kept between hashes. Before
// the first job.
void hash_on_idle(struct hash *hash, void (*give_back)(void));
// From the configuration: what is left out is filled in.
struct hash_bounds hash_bounds_of(const struct wire_hash_config *config);
// Waits for the hashes being computed (some milliseconds).
void hash_free(struct hash **hash);

// A channel to core: a new one replaces the old one, and answers meant for the old one are dropped. Takes the
// socket.
void hash_attach(struct hash *hash, int socket);

// A new configuration for the jobs to come. More workers than threads were started need a new start. False,
// with the old one kept and the reason logged, when it can't be used.
bool hash_configure(struct hash *hash, const struct wire_hash_config *config);
bool hash_add_list(struct hash *hash, struct view name, int fd); // takes the descriptor
bool hash_remove_list(struct hash *hash, struct view name);

// For the log: why a list is not used.
void hash_log_list_refused(struct view name, enum common_result result);

// Jobs not yet answered.
size_t hash_jobs(const struct hash *hash);
// Takes no more jobs, and calls `drained` once, maybe at once, when those there are have been answered.
void hash_drain(struct hash *hash, void (*drained)(void));

#endif
