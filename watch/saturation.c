// SPDX-License-Identifier: ISC
// Saturation as one gauge with one label. Runs in stayd-watch.
// Why means of samples: whether a worker is busy at the moment of a scrape says little; a queue that was full
// for three of fifteen seconds does.
#include "watch/saturation.h"

#define ROW(resource, relief, used, limit, role, help)                                                       \
    {                                                                                                        \
        resource, relief, STATS_##used, STATS_##limit, STATS_ROLE_##role, STATS_ROLE_##role, help            \
    }

const struct saturation_row saturation_rows[] = {
    ROW("processors", "node", machine_processors_used, machine_processors_limit, supervisor,
        "processor time of all of stayd's processes"),
    ROW("memory", "memory", machine_memory_used, machine_memory_limit, supervisor,
        "memory of the machine or the control group, whoever uses it"),
    ROW("connections", "node", connections_open, capacity_connections, front, "connections of clients"),
    ROW("requests", "node", core_waiting, capacity_requests, front, "requests that wait for core"),
    ROW("flows", "node", flows_active, capacity_flows, core, "changes in progress"),
    ROW("hash_gate", "node", gate_waiting, capacity_hash_gate, core, "log-ins that wait for a worker"),
    ROW("hash_workers", "node", hash_busy, hash_workers, hash, "workers that hash a password"),
    ROW("hash_queue", "node", hash_queued, capacity_hash_queue, hash, "passwords at the workers' door"),
    ROW("hash_memory", "memory", hash_memory_used, hash_memory_budget, hash,
        "memory of hashes being computed"),
    ROW("store_queue", "database", store_queued, capacity_store_queue, store, "operations that wait"),
    ROW("database_connections", "database", pool_busy, capacity_database_connections, store,
        "connections with a statement, of those that the pool finds useful now"),
    ROW("journal", "database", journal_entries, capacity_journal, store,
        "ends in the journal that the database does not have"),
    ROW("tombstones", "database", tombstones, capacity_tombstones, core,
        "ends that look-ups are held against"),
    ROW("ends", "database", ends_pending, capacity_ends, core, "ends that are not yet durable"),
    ROW("threads", "configuration", machine_threads_used, machine_threads_limit, supervisor,
        "threads of the machine or the control group, whoever has them"),
    {"descriptors", "configuration", STATS_process_descriptors, STATS_process_descriptors_max,
     STATS_ROLE_COUNT, STATS_ROLE_COUNT, "open files and connections of a process, of its limit"},
    {"disk", "disk", STATS_disk_free_bytes, STATS_disk_size_bytes, STATS_ROLE_supervisor,
     STATS_ROLE_supervisor, "space of the file system of data_dir", true},
    {"sessions", "configuration", STATS_sessions_live, STATS_capacity_sessions, STATS_ROLE_core,
     STATS_ROLE_supervisor, "sessions in the shared table, of sessions_max"},
};

const unsigned saturation_row_count = sizeof(saturation_rows) / sizeof(saturation_rows[0]);
static_assert(sizeof(saturation_rows) / sizeof(saturation_rows[0]) <= SATURATION_RESOURCES_MAX);

// The limit of the same process, or of the one that knows it.
static uint64_t limit_of(const struct watched *watched, const struct saturation_row *row, unsigned at)
{
    if (row->limit_by == row->used_by) {
        return stats_read(watched->page[at].page, row->limit);
    }
    return watched_sum(watched, row->limit, row->limit_by);
}

double saturation_now(const struct watched *watched, const struct saturation_row *row)
{
    double fullest = -1;
    for (unsigned at = 0; at < watched->pages; at++) {
        const struct watched_page *page = &watched->page[at];
        if ((row->used_by != STATS_ROLE_COUNT && page->role != row->used_by) ||
            !stats_page_fits(page->page)) {
            continue;
        }
        uint64_t limit = limit_of(watched, row, at);
        double part = limit == 0 ? 0 : (double)stats_read(page->page, row->used) / (double)limit;
        double full = limit == 0 ? -1 : row->left ? 1 - part : part;
        fullest = full > fullest ? full : fullest;
    }
    return fullest > 1 ? 1 : fullest;
}

void saturation_sample(struct saturation *saturation, const struct watched *watched)
{
    float *sample = saturation->sample[saturation->taken++ % SATURATION_SAMPLES];
    for (unsigned i = 0; i < saturation_row_count; i++) {
        sample[i] = (float)saturation_now(watched, &saturation_rows[i]);
    }
}

double saturation_mean(const struct saturation *saturation, const struct watched *watched, unsigned row)
{
    unsigned count = saturation->taken < SATURATION_SAMPLES ? saturation->taken : SATURATION_SAMPLES;
    unsigned known = 0;
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        double one = (double)saturation->sample[i][row];
        sum += one >= 0 ? one : 0;
        known += one >= 0;
    }
    return known > 0 ? sum / known : saturation_now(watched, &saturation_rows[row]);
}

void saturation_write(struct bytes *out, const struct saturation *saturation, const struct watched *watched)
{
    bytes_append_view(out,
                      VIEW("# TYPE stayd_saturation gauge\n"
                           "# HELP stayd_saturation How full a bounded resource is, 0 to 1, over the last "
                           "15 seconds; relief: what helps.\n"));
    for (unsigned i = 0; i < saturation_row_count; i++) {
        double full = saturation_mean(saturation, watched, i);
        if (full >= 0) {
            bytes_append_format(out, "stayd_saturation{resource=\"%s\",relief=\"%s\"} %.4f\n",
                                saturation_rows[i].resource, saturation_rows[i].relief, full);
        }
    }
}
