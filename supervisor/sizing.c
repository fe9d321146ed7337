// SPDX-License-Identifier: ISC
// Sizes from the machine. Runs in the supervisor.
// Why as many workers as processors: hashing is nothing but computing and filling memory; one more worker
// than processors makes every hash slower and none of them sooner. Why a quarter of the memory: the shared
// tables, the database's cache and the page cache serve many more requests for each byte than hashing does.
#include "supervisor/sizing.h"

#include <stdio.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t between(uint64_t value, uint64_t lowest, uint64_t highest)
{
    return value < lowest ? lowest : least(value, highest);
}

void sizing_choose(struct sizing *sizing, const struct sizing_wish *wish, const struct machine *machine)
{
    uint64_t cost = (uint64_t)wish->memory_kib + SIZING_STACK_KIB;
    uint64_t part = machine->memory / 1024 / SIZING_MEMORY_PART;
    uint64_t free = (machine->memory_free / 1024 + wish->in_use_kib) / SIZING_FREE_PART;
    uint64_t budget = least(part, free);
    uint64_t fit = budget / cost;
    *sizing = (struct sizing){
        .fronts =
            (uint16_t)between(wish->fronts != 0 ? wish->fronts : machine->processors, 1, SIZING_WORKERS_MAX),
        .hash_workers = (uint16_t)between(least(machine->processors, fit), 1, SIZING_WORKERS_MAX),
        .worker_kib = (uint32_t)least(cost, UINT32_MAX),
        .memory_bound = fit < machine->processors,
        .too_large = fit == 0,
    };
    if (wish->hash_workers != 0) {
        sizing->hash_workers = (uint16_t)between(wish->hash_workers, 1, SIZING_WORKERS_MAX);
        sizing->memory_bound = false;
        sizing->too_large = sizing->hash_workers > fit;
        budget = sizing->hash_workers * cost;
    }
    sizing->hash_memory_kib = (uint32_t)between(budget, cost, UINT32_MAX);
}

static void limit_text(uint64_t value, uint64_t unit, char *text, size_t size)
{
    if (value == MACHINE_NO_LIMIT) {
        (void)snprintf(text, size, "none");
    } else if (unit == 1000) {
        (void)snprintf(text, size, "%.2f", (double)value / 1000);
    } else {
        (void)snprintf(text, size, "%llu MiB", (unsigned long long)(value / unit));
    }
}

void sizing_text(const struct sizing *sizing, const struct sizing_wish *wish, const struct machine *machine,
                 char *text, size_t size)
{
    char cpu[32], memory[32];
    const uint64_t mib = 1024ULL * 1024;
    limit_text(machine->cpu_milli, 1000, cpu, sizeof cpu);
    limit_text(machine->memory_limit, mib, memory, sizeof memory);
    const char *why = wish->hash_workers != 0 ? "as hash_workers says"
                      : sizing->memory_bound  ? "as memory allows"
                                              : "as processors allow";
    (void)snprintf(
        text, size,
        "%u fronts, %u password workers of %u MiB (%s), at most %u MiB for hashing; processors: %u may "
        "be used, limit of control groups %s; memory: %llu MiB, %llu free, limit of control groups %s",
        sizing->fronts, sizing->hash_workers, sizing->worker_kib / 1024, why, sizing->hash_memory_kib / 1024,
        machine->affinity, cpu, (unsigned long long)(machine->memory_total / mib),
        (unsigned long long)(machine->memory_free / mib), memory);
}

bool sizing_follow(struct sizing_follow *follow, const struct sizing *seen)
{
    struct sizing *now = &follow->now;
    uint32_t step = seen->worker_kib;
    bool fewer = seen->hash_workers < now->hash_workers ||
                 (uint64_t)seen->hash_memory_kib + step <= now->hash_memory_kib;
    bool more = seen->hash_workers > now->hash_workers ||
                seen->hash_memory_kib >= (uint64_t)now->hash_memory_kib + step;
    follow->larger = more && !fewer ? follow->larger + 1 : 0;
    if (!fewer && follow->larger < SIZING_STEADY) {
        return false;
    }
    follow->larger = 0;
    uint16_t fronts = now->fronts; // their number is fixed: the tables' rings are theirs
    *now = *seen;
    now->fronts = fronts;
    return true;
}
