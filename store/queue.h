// SPDX-License-Identifier: ISC
// Jobs that wait for a thread of stayd-store, by class. Used by store/service.c under its lock. Owns the jobs
// that are in it. Bounds: `count_max` jobs and `bytes_max` of packets; one class may have at most three
// quarters of either, so that no class crowds out all others.
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/store.h"

struct store_job {
    struct store_job *next;
    uint64_t op;
    enum store_class class;
    uint64_t sequence;   // order of arrival
    uint64_t generation; // of the core that asked
    uint64_t queued_ns, deadline_ns;
    uint32_t wait_us, run_us, commit_us;
    bool malformed;
    struct store_answer answer;
    size_t size;
    uint8_t data[]; // the packet
};

// NULL: no memory, or not a store operation. The packet is copied.
struct store_job *store_job_new(struct view packet, uint64_t now_ns);
void store_job_free(struct store_job **job);
static inline struct view store_job_packet(const struct store_job *job)
{
    return view_of(job->data, job->size);
}

struct store_queue {
    struct {
        struct store_job *first, *last;
        size_t count, bytes;
    } class[STORE_CLASSES];
    size_t count, bytes;
    size_t count_max, bytes_max;
    uint64_t arrivals;
};

void store_queue_init(struct store_queue *queue, size_t count_max, size_t bytes_max);
// Drops everything.
void store_queue_release(struct store_queue *queue);
// Takes over the job; false: full, the job stays the caller's.
[[nodiscard]] bool store_queue_push(struct store_queue *queue, struct store_job *job);
// The oldest job of the first class that has one, of classes before `end` only; NULL: none.
struct store_job *store_queue_take(struct store_queue *queue, enum store_class end);
// Up to `most` jobs as a list in order of arrival; when there are more, those of the first classes.
struct store_job *store_queue_take_batch(struct store_queue *queue, size_t most);
// Is there a job of a class before `end`?
bool store_queue_has(const struct store_queue *queue, enum store_class end);

#endif
