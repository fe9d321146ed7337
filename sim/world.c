// SPDX-License-Identifier: ISC
// What is due next, and that it happens; schedules. Runs in the simulator.
// 1. Nothing but the seed decides: no clock, no address, no order of a hash table.
// 2. Within a channel messages keep their order; between channels they do not.
#include "sim/world.h"

#include "core/flow.h"
#include "sim/channel.h"
#include "sim/machine.h"

#include <sodium.h>
#include <stdarg.h>
#include <unistd.h>

#define CALM_S_MAX    240 // by then everything asked must be answered and every end durable
#define SESSIONS_ROOM 256

// ---- telling

uint64_t world_wall_s(const struct world *world)
{
    return world->wall_base_s + world->now_ns / WORLD_S;
}

void world_note(struct world *world, const char *format, ...)
{
    char *line = world->trace[world->events++ % WORLD_TRACE];
    va_list arguments;
    int size = snprintf(line, sizeof(world->trace[0]), "%6llu %10.4f  ", (unsigned long long)world->step,
                        (double)world->now_ns / 1e9);
    va_start(arguments, format);
    vsnprintf(line + size, sizeof(world->trace[0]) - (size_t)size, format, arguments);
    va_end(arguments);
    if (world->verbose) {
        puts(line);
    }
}

void world_fail(struct world *world, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    uint64_t first = world->events > WORLD_TRACE ? world->events - WORLD_TRACE : 0;
    for (uint64_t i = first; i < world->events && !world->verbose; i++) {
        puts(world->trace[i % WORLD_TRACE]);
    }
    printf("\nseed %llu, step %llu: %s\nAgain, with every event: stayd-sim --seed %llu --schedules 1 "
           "--verbose\n",
           (unsigned long long)world->seed, (unsigned long long)world->step, text,
           (unsigned long long)world->seed);
    fflush(stdout);
    // No leak report: the world is not taken down. A planted fault is to be found.
    _exit(world->plant == PLANT_NONE ? 1 : 0);
}

// The same seed gives the same trace: every message that is delivered is a part of this.
static void trace_packet(struct world *world, uint32_t link, bool to_core, struct view packet)
{
    uint64_t mark[3] = {world->now_ns, link * 2 + to_core, packet.size};
    uint8_t key[16];
    memcpy(key, world->trace_hash, sizeof(key));
    crypto_shorthash_siphashx24((unsigned char *)world->trace_hash, packet.data, packet.size, key);
    world->trace_hash[0] ^= sessions_mix(mark[0]) + mark[1];
    world->trace_hash[1] += mark[2];
}

// Mostly about `typical`, now and then much longer.
uint64_t world_delay(struct world *world, uint64_t typical_ns)
{
    uint64_t delay = typical_ns / 4 + chance_below(&world->chance, typical_ns * 2);
    if (!world->calm && chance_of(&world->chance, world->slow)) {
        delay += chance_below(&world->chance, 20) * typical_ns * 10;
    }
    if (!world->calm && chance_of(&world->chance, world->slow / 8)) {
        delay += chance_below(&world->chance, 3000) * WORLD_MS; // longer is a hung process, and killed
    }
    return delay;
}

// ---- what happens

static void deliver_to_core(struct world *world, uint32_t number)
{
    struct link *link = &world->link[number];
    struct packet *packet = queue_take(&link->to_core);
    struct view data = view_of(packet->data, packet->size);
    trace_packet(world, number, true, data);
    const struct wire_row *row = wire_row_find(wire_peek(data));
    world_note(world, "%u -> core %s", number, row != NULL ? row->name : "?");
    machine_enter(world);
    bool fine = core_packet(world->core, machine_time(world), link->role, link->index, data);
    machine_leave(world);
    if (!fine) {
        world_fail(world, "core ends the channel of process %u after %s", number,
                   row != NULL ? row->name : "?");
    }
    free(packet);
}

static void deliver_from_core(struct world *world, uint32_t number)
{
    struct packet *packet = queue_take(&world->link[number].from_core);
    struct view data = view_of(packet->data, packet->size);
    trace_packet(world, number, false, data);
    const struct wire_row *row = wire_row_find(wire_peek(data));
    world_note(world, "core -> %u %s", number, row->name);
    if (number <= WORLD_CTL) {
        clients_answer(world, number, data);
    } else if (number == WORLD_STORE) {
        fake_store_take(world, data);
    } else if (number == WORLD_HASH) {
        fake_hash_take(world, data);
    } else {
        fake_key_take(world, data);
    }
    free(packet);
}

static void tick(struct world *world)
{
    uint64_t wait_ns = world_delay(world, CORE_TICK_MS * WORLD_MS);
    uint64_t longest_ns = world->calm ? CORE_TICK_MS * WORLD_MS : 2 * WORLD_S; // later is hung, and killed
    world->tick_ns = world->now_ns + (wait_ns < longest_ns ? wait_ns : longest_ns);
    machine_drain_rings(world);
    if (world->core == NULL) {
        return;
    }
    machine_enter(world);
    core_tick(world->core, machine_time(world));
    bool drained = world->draining && core_drain(world->core);
    machine_leave(world);
    if (drained && world->core != NULL) {
        if (world->core->counters.flows_active != 0) {
            world_fail(world, "core has drained and has flows");
        }
        world_core_crash(world); // the supervisor starts another
    }
}

static void jump(struct world *world)
{
    world->wall_base_s += chance_below(&world->chance, 5);
    world->wall_base_s -= 2;
    world->jumped = world->step;
    world_note(world, "the wall clock jumps to %llu", (unsigned long long)world_wall_s(world));
    for (uint32_t i = 0; i < WORLD_REQUESTS; i++) {
        uint64_t wall_s = world_wall_s(world);
        world->request[i].wall_s = world->request[i].wall_s < wall_s ? world->request[i].wall_s : wall_s;
    }
}

static void misfortune(struct world *world)
{
    world->chaos_ns = world->now_ns + world_delay(world, 800 * WORLD_MS);
    uint64_t which = chance_below(&world->chance, 1000);
    if (!chance_of(&world->chance, world->chaos)) {
        return;
    }
    if (world->gentle) {
        machine_process_crash(world, WORLD_STORE + (uint32_t)chance_below(&world->chance, 3));
    } else if (which < 250) {
        if (world->core != NULL) {
            world_core_crash(world);
        }
    } else if (which < 700) {
        machine_process_crash(world, (uint32_t)chance_below(&world->chance, WORLD_LINKS));
    } else if (which < 800) {
        jump(world);
    } else if (which < 815) {
        machine_crash(world);
    } else if (which < 850) {
        world->draining = world->core != NULL;
    } else {
        fake_store_set_mode(world, (enum store_mode)chance_below(&world->chance, 3));
    }
}

// ---- the loop

enum due {
    DUE_NOTHING,
    DUE_TO_CORE,
    DUE_FROM_CORE,
    DUE_EOF,
    DUE_START,
    DUE_CORE,
    DUE_TICK,
    DUE_STORE,
    DUE_HASH,
    DUE_KEY,
    DUE_CLIENT,
    DUE_MISFORTUNE
};

struct next {
    uint64_t at_ns;
    enum due due;
    uint32_t link;
};

static void consider(struct next *next, uint64_t at_ns, enum due due, uint32_t link)
{
    if (at_ns < next->at_ns) {
        *next = (struct next){at_ns, due, link};
    }
}

static struct next next_event(const struct world *world)
{
    struct next next = {.at_ns = WORLD_OFF};
    for (uint32_t i = 0; i < WORLD_LINKS; i++) {
        const struct link *link = &world->link[i];
        if (link->to_core.first != NULL && world->core != NULL && link->open) {
            consider(&next, link->to_core.first->due_ns, DUE_TO_CORE, i);
        }
        if (link->from_core.first != NULL && link->alive) {
            consider(&next, link->from_core.first->due_ns, DUE_FROM_CORE, i);
        }
        if (world->core != NULL) {
            consider(&next, link->eof_ns, DUE_EOF, i);
        }
        consider(&next, link->restart_ns, DUE_START, i);
    }
    consider(&next, world->core_restart_ns, DUE_CORE, 0);
    consider(&next, world->tick_ns, DUE_TICK, 0);
    consider(&next, fake_store_next(world), DUE_STORE, 0);
    consider(&next, fake_crew_next(&world->hash), DUE_HASH, 0);
    consider(&next, fake_crew_next(&world->key), DUE_KEY, 0);
    if (!world->calm) {
        consider(&next, world->client_ns, DUE_CLIENT, 0);
        consider(&next, world->chaos_ns, DUE_MISFORTUNE, 0);
    }
    return next;
}

static void happen(struct world *world, const struct next *next)
{
    switch (next->due) {
    case DUE_TO_CORE:
        deliver_to_core(world, next->link);
        break;
    case DUE_FROM_CORE:
        deliver_from_core(world, next->link);
        break;
    case DUE_EOF:
        machine_link_down(world, next->link);
        break;
    case DUE_START:
        machine_process_start(world, next->link);
        break;
    case DUE_CORE:
        world_core_start(world);
        break;
    case DUE_TICK:
        tick(world);
        break;
    case DUE_STORE:
        fake_store_run(world);
        break;
    case DUE_HASH:
        fake_crew_run(world, &world->hash, WORLD_HASH);
        break;
    case DUE_KEY:
        fake_crew_run(world, &world->key, WORLD_KEY);
        break;
    case DUE_CLIENT:
        clients_act(world);
        break;
    case DUE_MISFORTUNE:
        misfortune(world);
        break;
    case DUE_NOTHING:
        world_fail(world, "nothing is due any more");
    }
}

static void step(struct world *world)
{
    struct next next = next_event(world);
    world->step++;
    world->now_ns = next.at_ns > world->now_ns ? next.at_ns : world->now_ns;
    uint64_t wall_s = world_wall_s(world);
    world->wall_high_s = wall_s > world->wall_high_s ? wall_s : world->wall_high_s;
    happen(world, &next);
    if (world->core != NULL) {
        judge_pending(world);
    }
}

static bool is_quiet(const struct world *world)
{
    bool quiet = world->core != NULL && world->clients_in_flight == 0 && world->store.count == 0 &&
                 world->hash.count == 0 && world->key.count == 0 && world->core->counters.flows_active == 0 &&
                 sessions_pending_count(&world->writer) == 0 && world->core->warm_done &&
                 !world->core->warm_again && world->core->unsure_count == 0;
    for (uint32_t i = 0; i < WORLD_LINKS && quiet; i++) {
        const struct link *link = &world->link[i];
        quiet = link->alive && link->open && link->to_core.count == 0 && link->from_core.count == 0;
    }
    return quiet;
}

// No more misfortune: everything must come to rest, and agree.
static void calm_down(struct world *world)
{
    world->calm = true;
    fake_store_set_mode(world, STORE_UP);
    world_note(world, "calm");
    uint64_t began_ns = world->now_ns;
    for (uint64_t quiet_ns = 0;
         quiet_ns == 0 || world->now_ns < quiet_ns + 2 * WORLD_S || !is_quiet(world);) {
        step(world);
        if (quiet_ns == 0 && is_quiet(world)) {
            quiet_ns = world->now_ns;
        }
        if (world->now_ns > began_ns + CALM_S_MAX * WORLD_S) {
            world_fail(
                world,
                "no rest: %u requests unanswered, %llu flows, %u ends pending, %u at the store, warm %d",
                world->clients_in_flight,
                world->core == NULL ? 0 : (unsigned long long)world->core->counters.flows_active,
                world->core == NULL ? 0 : sessions_pending_count(&world->writer), world->store.count,
                world->core != NULL && world->core->warm_done);
        }
    }
    judge_calm(world);
    world->calm = false;
}

// ---- life

static uint8_t *map_new(uint64_t size)
{
    uint8_t *map = aligned_alloc(4096, size);
    if (map == NULL) {
        abort();
    }
    return map;
}

void world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->crowded = world->tight || chance_of(&world->chance, 100);
    world->sessions_size = sessions_file_size(SESSIONS_ROOM);
    world->accounts_size = (accounts_file_size(SESSIONS_ROOM) + 4095) & ~4095ull;
    world->sessions_map = map_new(world->sessions_size);
    world->sessions_copy = map_new(world->sessions_size);
    world->accounts_map = map_new(world->accounts_size);
    world->accounts_copy = map_new(world->accounts_size);
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        world->page[i] = (struct seen_page *)map_new(SEEN_RING_BYTES);
    }
    store_memory_init(&world->store.memory, 4096);
    store_memory_init(&world->store.before, 4096);
}

static void clear(struct world *world)
{
    if (world->core != NULL) {
        core_free(&world->core);
        sessions_writer_release(&world->writer);
    }
    for (uint32_t i = 0; i < WORLD_LINKS; i++) {
        queue_clear(&world->link[i].to_core);
        queue_clear(&world->link[i].from_core);
    }
    fake_crew_reset(&world->hash);
    fake_crew_reset(&world->key);
    fake_store_reset(world);
}

void world_release(struct world *world)
{
    clear(world);
    store_memory_release(&world->store.memory);
    store_memory_release(&world->store.before);
    free(world->store.operation);
    free(world->sessions_map);
    free(world->sessions_copy);
    free(world->accounts_map);
    free(world->accounts_copy);
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        free(world->page[i]);
    }
}

static void settings_choose(struct world *world)
{
    static const uint32_t idle_s[] = {3600, 3600, 3600, 12, 0}, max_s[] = {86400, 86400, 86400, 30};
    world->settings = (struct core_settings){
        .registration = chance_of(&world->chance, 500) ? WIRE_REGISTRATION_OPEN : WIRE_REGISTRATION_INVITE,
        .session_idle_s = idle_s[chance_below(&world->chance, 5)],
        .session_max_s = max_s[chance_below(&world->chance, 4)],
        .public_url = "http://sim",
        .version = "sim"};
    world->slow = (uint32_t[]){0, 20, 100, 300}[chance_below(&world->chance, 4)];
    world->chaos = (uint32_t[]){0, 300, 700, 1000}[chance_below(&world->chance, 4)];
    world->crash = (uint32_t[]){0, 2, 10, 40}[chance_below(&world->chance, 4)];
    world->accounts = 1 + (uint32_t)chance_below(&world->chance, MODEL_ACCOUNTS);
    world->gentle = chance_of(&world->chance, 80);
    if (world->gentle) {
        world->slow = world->crash = 0;
        world->chaos = 300;
    }
    world->fortunate = world->gentle || (world->slow == 0 && world->chaos == 0 && world->crash == 0);
    // A tight table is full at about 110 sessions: what has no place takes the miss path for ever.
    world->tight = chance_of(&world->chance, 150);
    world->crowded = world->tight || chance_of(&world->chance, 100);
    world->sessions_size = sessions_file_size(world->tight ? 0 : SESSIONS_ROOM);
}

static void begin(struct world *world, uint64_t seed)
{
    clear(world);
    world->seed = seed;
    world->chance = (struct chance){seed * 0x9e3779b97f4a7c15ull + 1};
    world->step = world->jumped = 0;
    world->now_ns = 1000 * WORLD_S;
    world->events = 0;
    world->wall_base_s = 1700000000;
    world->wall_high_s = 0;
    world->calm = false;
    world->trace_hash[0] = world->trace_hash[1] = seed;
    world->away_s = 0;
    world->core_died_ns = world->now_ns;
    world->setup_token_size = 0;
    world->draining = false;
    world->audited_count = 0;
    world->phc_count = 0;
    settings_choose(world);
    memset(world->sessions_map, 0, world->sessions_size);
    memset(world->accounts_map, 0, world->accounts_size);
    if (!sessions_reader_init(&world->reader, world->sessions_map, world->sessions_size, world->accounts_map,
                              world->accounts_size)) {
        abort();
    }
    clients_reset(world);
    for (uint32_t i = 0; i < WORLD_LINKS; i++) {
        static const enum wire_role role[] = {WIRE_CTL, WIRE_STORE, WIRE_HASH, WIRE_KEY};
        world->link[i] = (struct link){.role = i < WORLD_FRONTS ? WIRE_FRONT : role[i - WORLD_FRONTS],
                                       .index = i < WORLD_FRONTS ? (uint16_t)i : 0,
                                       .alive = true,
                                       .eof_ns = WORLD_OFF,
                                       .restart_ns = WORLD_OFF};
    }
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        memset(world->page[i], 0, SEEN_RING_BYTES);
        seen_putter_init(&world->putter[i], world->page[i]);
    }
    if (chance_of(&world->chance, 850)) {
        clients_populate(world);
    }
    world->tick_ns = WORLD_OFF;
    world->core_restart_ns = world->now_ns;
    world->client_ns = world->now_ns + WORLD_MS;
    world->chaos_ns = world->now_ns + WORLD_S;
}

void world_run(struct world *world, uint64_t seed, uint32_t steps)
{
    begin(world, seed);
    uint64_t rounds = 1 + chance_below(&world->chance, 3);
    for (uint64_t round = 0; round < rounds; round++) {
        uint64_t end = world->step + steps / rounds;
        while (world->step < end) {
            step(world);
        }
        calm_down(world);
    }
    bool drained = false;
    for (int i = 0; i < 400 && !drained; i++) {
        drained = core_drain(world->core);
        world->calm = true;
        step(world);
    }
    world->calm = false;
    if (!drained) {
        world_fail(world, "core does not drain");
    }
}
