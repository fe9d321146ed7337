// SPDX-License-Identifier: ISC
// One password job of stayd-hash: open the sealed password, check it or judge and hash it, forget it.
// Used by stayd-hash: filled on the event loop, run on a worker. Owns nothing but its bytes; borrows its
// settings. Bounds: fixed size; the plaintext lives for the length of job_run.
#ifndef KEEPER_JOB_H
#define KEEPER_JOB_H

#include "base/bytes.h"
#include "keeper/crew.h"
#include "keeper/settings.h"

enum job_kind { JOB_VERIFY, JOB_NEW };

struct job {
    struct crew_task task; // first: a task of the crew is a job
    struct settings *settings;
    // asked
    enum job_kind kind;
    uint64_t number; // chosen by core
    uint64_t received_ns;
    uint64_t deadline_ns;
    size_t sealed_size;
    uint8_t sealed[WIRE_SEALED_MAX];
    char stored[WIRE_PHC_MAX + 1]; // JOB_VERIFY: empty for an unknown user
    char username[WIRE_USERNAME_MAX + 1];
    char email[WIRE_EMAIL_MAX + 1];
    // answered
    enum wire_hash_verdict verdict;
    bool stored_malformed;  // the database holds something that is no hash of ours
    char phc[PHC_SIZE_MAX]; // to be stored, when not empty
    char advice[RULES_ADVICE_SIZE];
    uint32_t wait_us;
    uint32_t hash_us;
};

// Runs one job to its verdict. One whose deadline passed while it waited is WIRE_HASH_UNAVAILABLE and costs
// nothing.
void job_run(struct job *job);

#endif
