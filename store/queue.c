// SPDX-License-Identifier: ISC
// Waiting jobs by class. Runs in stayd-store, under the service's lock.
// 1. Each class's list is in order of arrival; counts and bytes are those of the jobs in the lists.
// 2. A batch is in order of arrival as a whole: a change never overtakes another of the same batch, and with
// no
//    backlog everything is one batch.
#include "store/queue.h"

struct store_job *store_job_new(struct view packet, uint64_t now_ns)
{
    uint64_t op;
    uint32_t deadline_ms;
    if (!store_head(packet, &op, &deadline_ms)) {
        return NULL;
    }
    struct store_job *job = malloc(sizeof(*job) + packet.size);
    if (job == NULL) {
        return NULL;
    }
    *job = (struct store_job){
        .op = op,
        .class = store_operation_find(wire_peek(packet))->class,
        .queued_ns = now_ns,
        .deadline_ns = now_ns + (uint64_t)deadline_ms * 1000000u,
        .size = packet.size,
    };
    memcpy(job->data, packet.data, packet.size);
    store_answer_init(&job->answer);
    return job;
}

// Packets and rows carry password hashes.
void store_job_free(struct store_job **job)
{
    if (*job == NULL) {
        return;
    }
    wipe((*job)->data, (*job)->size);
    wipe((*job)->answer.rows.data, (*job)->answer.rows.size);
    store_answer_release(&(*job)->answer);
    free(*job);
    *job = NULL;
}

void store_queue_init(struct store_queue *queue, size_t count_max, size_t bytes_max)
{
    *queue = (struct store_queue){.count_max = count_max, .bytes_max = bytes_max};
}

static struct store_job *take_first(struct store_queue *queue, enum store_class class)
{
    struct store_job *job = queue->class[class].first;
    queue->class[class].first = job->next;
    if (job->next == NULL) {
        queue->class[class].last = NULL;
    }
    queue->class[class].count--;
    queue->class[class].bytes -= job->size;
    queue->count--;
    queue->bytes -= job->size;
    job->next = NULL;
    return job;
}

void store_queue_release(struct store_queue *queue)
{
    for (enum store_class class = 0; class < STORE_CLASSES; class ++) {
        while (queue->class[class].first != NULL) {
            struct store_job *job = take_first(queue, class);
            store_job_free(&job);
        }
    }
}

bool store_queue_push(struct store_queue *queue, struct store_job *job)
{
    enum store_class class = job->class;
    if (queue->count >= queue->count_max || queue->bytes + job->size > queue->bytes_max ||
        queue->class[class].count >= queue->count_max / 4 * 3 ||
        queue->class[class].bytes + job->size > queue->bytes_max / 4 * 3) {
        return false;
    }
    job->sequence = queue->arrivals++;
    job->next = NULL;
    if (queue->class[class].last != NULL) {
        queue->class[class].last->next = job;
    } else {
        queue->class[class].first = job;
    }
    queue->class[class].last = job;
    queue->class[class].count++;
    queue->class[class].bytes += job->size;
    queue->count++;
    queue->bytes += job->size;
    return true;
}

bool store_queue_has(const struct store_queue *queue, enum store_class end)
{
    for (enum store_class class = 0; class < end; class ++) {
        if (queue->class[class].first != NULL) {
            return true;
        }
    }
    return false;
}

struct store_job *store_queue_take(struct store_queue *queue, enum store_class end)
{
    for (enum store_class class = 0; class < end; class ++) {
        if (queue->class[class].first != NULL) {
            return take_first(queue, class);
        }
    }
    return NULL;
}

// The oldest job among the classes that have a share left.
static struct store_job *take_oldest(struct store_queue *queue, size_t share[static STORE_CLASSES])
{
    enum store_class oldest = STORE_CLASSES;
    for (enum store_class class = 0; class < STORE_CLASSES; class ++) {
        if (share[class] > 0 && (oldest == STORE_CLASSES || queue->class[class].first->sequence <
                                                                queue->class[oldest].first->sequence)) {
            oldest = class;
        }
    }
    if (oldest == STORE_CLASSES) {
        return NULL;
    }
    share[oldest]--;
    return take_first(queue, oldest);
}

struct store_job *store_queue_take_batch(struct store_queue *queue, size_t most)
{
    size_t share[STORE_CLASSES];
    for (enum store_class class = 0; class < STORE_CLASSES; class ++) {
        share[class] = queue->class[class].count < most ? queue->class[class].count : most;
        most -= share[class];
    }
    struct store_job *batch = NULL, **end = &batch;
    while ((*end = take_oldest(queue, share)) != NULL) {
        end = &(*end)->next;
    }
    return batch;
}
