// SPDX-License-Identifier: ISC
// The journal's part in the PostgreSQL service: ends are written down before they are run, answered when they
// are durable somewhere, replayed when the database is back; what the database answers is held against what
// has ended. Used by postgres_*.c of stayd-store. Owns the journal, and the jobs whose answer waits for the
// disk. Bounds: POSTGRES_REPLAYS_MAX replays run at once; as many jobs wait as the service may have.
//
// What is in the journal is in no hurry: while ends take long in the database (an index is gone), each is
// followed by a rest, in which ends are answered by the journal alone. The processor that such statements
// would take is what log-ins and checks on the same machine live on.
//
//   end ──append──▶ run ──answered──▶ acknowledged ─┬─ on the disk ──▶ OK
//                    └──failed, away──▶ postponed ───┤
//                                                    └─ could not be written ──▶ as the database answered
#ifndef STORE_POSTGRES_JOURNAL_H
#define STORE_POSTGRES_JOURNAL_H

#include "store/journal.h"

#define POSTGRES_REPLAYS_MAX 2

struct postgres_service;
struct postgres_job;

struct postgres_journal {
    struct journal *journal;
    struct postgres_job *held_first, *held_last;
    struct id16 server;     // which one is spoken with
    uint64_t server_number; // changes with it
    uint32_t replays;       // running
    bool account_replays;   // one of them is of an account: the next one waits, so that they keep their order
    bool has_next;
    struct journal_entry next; // taken from the journal, not begun yet
    uint64_t replayed;         // since the database is back
    bool slow;                 // the last end that was run took long
    uint32_t under_way;        // ends that run or wait for it,
    uint64_t moved_ns;         // and when the last of them was done, or the first of them came
    uint64_t rest_until_ns;    // none is begun before,
    uint64_t plan_until_ns;    // nor before this while their statement finds no index
};

// What a job keeps of it; zeros at first.
struct postgres_journaled {
    struct postgres_job *next; // of those that are held
    uint64_t sequence;         // 0: none
    uint64_t server_number;    // when its statement began
    uint64_t begun_ns, run_ns;
    bool replay, held, under_way;
    struct store_answer answer; // while held
};

// The folder is where the journal is; NULL: the working folder.
[[nodiscard]] bool postgres_journal_open(struct postgres_service *service, const char *folder,
                                         char why[static JOURNAL_WHY_MAX]);
[[nodiscard]] bool postgres_journal_start(struct postgres_service *service);
void postgres_journal_release(struct postgres_service *service);

// A job is new: an end is written down; a look-up of an ended session needs no database: false, *answer is
// set.
[[nodiscard]] bool postgres_journal_enter(struct postgres_service *service, struct postgres_job *job,
                                          struct store_answer *answer);
// Whether a new job is an end that the journal alone answers now; else it is under way.
[[nodiscard]] bool postgres_journal_rests(struct postgres_service *service, struct postgres_job *job);
// Its statement begins.
void postgres_journal_run(struct postgres_service *service, struct postgres_job *job);
// The database's answer, or what stands for it: true: corrected, to be handed out; false: the job was taken
// over (it waits for the disk, is asked again, or was a replay).
[[nodiscard]] bool postgres_journal_answer(struct postgres_service *service, struct postgres_job *job,
                                           struct store_answer *answer, uint64_t begun_ns);
// It is dropped without an answer.
void postgres_journal_drop(struct postgres_service *service, struct postgres_job *job);
// The database is known to be this one.
void postgres_journal_server(struct postgres_service *service, const char *identity);
// Replays what waits, as far as may be now.
void postgres_journal_replay(struct postgres_service *service);
// Answers wait for the disk.
bool postgres_journal_is_busy(const struct postgres_service *service);

#endif
