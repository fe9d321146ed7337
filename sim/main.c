// SPDX-License-Identifier: ISC
// stayd-sim: thousands of schedules of the real core in a simulated machine, each from one seed.
// Exit code 0: all held; 1: one did not (the seed is printed); 2: usage. With --plant the store breaks a
// promise, and 0 means that this was found, 1 that it was not.
#include "sim/world.h"

#include <getopt.h>
#include <malloc.h>
#include <time.h>

enum { STEPS_SHORT = 1200, STEPS_LONG = 12000, LONG_EVERY = 32, TWICE_EVERY = 16 };

static const char usage[] = "usage: stayd-sim [--schedules N] [--seed S] [--steps M] [--verbose] [--plant "
                            "late-answer|lost-end|early-grant]\n"
                            "Runs N schedules from the seeds S, S + 1, ... A --plant makes the store break a "
                            "promise: it must be caught.\n";

struct options {
    uint64_t schedules, seed;
    uint32_t steps; // 0: short, and every 32nd long
    bool verbose;
    enum plant plant;
};

static bool take_plant(const char *name, enum plant *plant)
{
    static const char *const names[] = {[PLANT_LATE_ANSWER] = "late-answer",
                                        [PLANT_LOST_END] = "lost-end",
                                        [PLANT_EARLY_GRANT] = "early-grant"};
    for (uint32_t i = PLANT_LATE_ANSWER; i <= PLANT_EARLY_GRANT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *plant = (enum plant)i;
            return true;
        }
    }
    return false;
}

static bool take_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"schedules", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
        {"steps", required_argument, NULL, 'm'},     {"verbose", no_argument, NULL, 'v'},
        {"plant", required_argument, NULL, 'p'},     {0}};
    uint64_t steps;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        bool fine = true;
        if (option == 'n') {
            fine = view_to_u64(view_of_cstr(optarg), &options->schedules);
        } else if (option == 's') {
            fine = view_to_u64(view_of_cstr(optarg), &options->seed);
        } else if (option == 'm') {
            fine = view_to_u64(view_of_cstr(optarg), &steps) && steps > 0 && steps < 100000000;
            options->steps = fine ? (uint32_t)steps : 0;
        } else if (option == 'v') {
            options->verbose = true;
        } else {
            fine = option == 'p' && take_plant(optarg, &options->plant);
        }
        if (!fine) {
            return false;
        }
    }
    return optind == argc;
}

static uint32_t steps_of(const struct options *options, uint64_t seed)
{
    return options->steps > 0 ? options->steps : seed % LONG_EVERY == 0 ? STEPS_LONG : STEPS_SHORT;
}

static void run_seed(struct world *world, const struct options *options, uint64_t seed)
{
    world_run(world, seed, steps_of(options, seed));
    if (seed % TWICE_EVERY == 1 || options->schedules == 1) {
        uint64_t before[2] = {world->trace_hash[0], world->trace_hash[1]};
        bool verbose = world->verbose;
        world->verbose = false;
        world_run(world, seed, steps_of(options, seed));
        if (memcmp(before, world->trace_hash, sizeof(before)) != 0) {
            world_fail(world, "the same seed gave another trace");
        }
        world->verbose = verbose;
    }
}

int main(int argc, char **argv)
{
    static struct world world;
    struct options options = {.schedules = 1000, .seed = 1};
    if (!take_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD,
            256 << 10); // core's big tables: fresh pages from the system, zero without writing
    world_init(&world);
    world.verbose = options.verbose;
    world.plant = options.plant;
    for (uint64_t i = 0; i < options.schedules; i++) {
        run_seed(&world, &options, options.seed + i);
    }
    printf(
        "%llu schedules held: %llu restarts of core (%llu in the middle of a change), %llu sessions granted, "
        "%llu checks valid, %llu not; %llu requests granted, %llu refused, %llu unavailable\n",
        (unsigned long long)options.schedules, (unsigned long long)world.restarts,
        (unsigned long long)world.cuts, (unsigned long long)world.grants, (unsigned long long)world.valid,
        (unsigned long long)world.invalid, (unsigned long long)world.answered[WIRE_GRANTED],
        (unsigned long long)world.answered[WIRE_REFUSED],
        (unsigned long long)world.answered[WIRE_UNAVAILABLE]);
    world_release(&world);
    return options.plant == PLANT_NONE ? 0 : 1;
}
