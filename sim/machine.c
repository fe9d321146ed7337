// SPDX-License-Identifier: ISC
// The life of core and of the processes beside it: starts, crashes, also in the middle of an event. Runs in
// the simulator. A crash of core in the middle is a copy of the tables as they were at one of its stores, put
// back when the call returns; what core said after that store was never sent.
#include "sim/machine.h"

#include "sessions/write_parts.h"
#include "sim/channel.h"
#include "store/memory_tables.h"

struct core_time machine_time(const struct world *world)
{
    return (struct core_time){.mono_ns = world->now_ns, .wall_s = world_wall_s(world)};
}

// ---- core's side: entering it, and dying in it

static void at_store(void *context)
{
    struct world *world = context;
    if (++world->cut_count == world->cut_at && !world->cut) {
        world->cut = true;
        memcpy(world->sessions_copy, world->sessions_map, world->sessions_size);
        memcpy(world->accounts_copy, world->accounts_map, world->accounts_size);
    }
}

static bool core_says(void *owner, enum wire_role role, uint16_t index, struct view packet)
{
    struct world *world = owner;
    at_store(world);
    if (world->cut) {
        return false;
    }
    if (role == WIRE_SUPERVISOR) {
        struct wire_setup_link link;
        if (wire_setup_link_decode(packet, &link)) {
            world->setup_token_size = link.token.size;
            memcpy(world->setup_token, link.token.data, link.token.size);
        }
        return true;
    }
    if (role == WIRE_WATCH) {
        return true; // told, and of no matter here
    }
    struct link *link = &world->link[queue_link_of(role, index)];
    if (!wire_permitted(packet, WIRE_CORE, role)) {
        world_fail(world, "core says message %u to role %u, which it may not", wire_peek(packet), role);
    }
    if (!link->open || (!world->calm && role != WIRE_FRONT && role != WIRE_CTL &&
                        chance_of(&world->chance, world->crash / 8))) {
        return false; // its queue is full
    }
    if (link->alive) {
        queue_put(world, &link->from_core, packet);
    }
    return true;
}

void machine_enter(struct world *world)
{
    world->cut = false;
    world->cut_count = 0;
    world->cut_at =
        !world->calm && chance_of(&world->chance, world->crash) ? 1 + chance_below(&world->chance, 40) : 0;
}

void machine_leave(struct world *world)
{
    if (world->cut) {
        world->cut = false;
        world->cuts++;
        memcpy(world->sessions_map, world->sessions_copy, world->sessions_size);
        memcpy(world->accounts_map, world->accounts_copy, world->accounts_size);
        world_note(world, "core dies in the middle");
        world_core_crash(world);
    } else {
        world->cut_at = 0;
    }
}

static bool allocate(void *context, enum sessions_which which, uint64_t offset, uint64_t size)
{
    (void)context;
    (void)which;
    (void)offset;
    (void)size;
    return true;
}

static void link_up(struct world *world, uint32_t number)
{
    struct link *link = &world->link[number];
    link->open = true;
    link->eof_ns = WORLD_OFF;
    link->to_core.last_due_ns = link->from_core.last_due_ns = 0;
    machine_enter(world);
    core_peer_up(world->core, machine_time(world), link->role, link->index);
    machine_leave(world);
    if (world->core == NULL) {
        return;
    }
    if (number == WORLD_STORE) {
        fake_store_greet(world);
    } else if (number == WORLD_HASH) {
        fake_hash_greet(world);
    }
}

void machine_link_down(struct world *world, uint32_t number)
{
    struct link *link = &world->link[number];
    link->eof_ns = WORLD_OFF;
    queue_clear(&link->to_core);
    if (link->open && world->core != NULL) {
        link->open = false;
        machine_enter(world);
        core_peer_down(world->core, machine_time(world), link->role, link->index);
        machine_leave(world);
    }
}

void machine_drain_rings(struct world *world)
{
    struct seen_note note;
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        while (world->core != NULL && seen_take(&world->taker[i], &note)) {
            struct id16 selector;
            machine_enter(world);
            core_seen(world->core, machine_time(world), note.selector, note.seen_s);
            machine_leave(world);
            memcpy(selector.byte, note.selector, 16);
            int session = model_session_find(&world->model, &selector);
            if (world->core != NULL && session >= 0 && world->model.session[session].seen_s < note.seen_s) {
                world->model.session[session].seen_s = note.seen_s;
            }
        }
    }
}

// The tables as the core before left them; core may die here too.
static bool tables_open(struct world *world)
{
    world->writer = (struct sessions_writer){.sessions = (struct sessions_file *)world->sessions_map,
                                             .accounts = (struct accounts_file *)world->accounts_map,
                                             .sessions_size = world->sessions_size,
                                             .accounts_size = world->accounts_size,
                                             .allocate = allocate,
                                             .context = world,
                                             .step = at_store,
                                             .step_context = world};
    machine_enter(world);
    if (world->cut_at != 0) {
        world->cut_at = 1 + chance_below(&world->chance, 2000);
    }
    if (writer_open(&world->writer) == SESSIONS_OPEN_FAILED) {
        world_fail(world, "the tables can't be opened");
    }
    if (world->cut) {
        sessions_writer_release(&world->writer);
        memcpy(world->sessions_map, world->sessions_copy, world->sessions_size);
        memcpy(world->accounts_map, world->accounts_copy, world->accounts_size);
        world->cut = false;
        world->core_restart_ns = world->now_ns + world_delay(world, 50 * WORLD_MS);
        world_note(world, "core dies while it opens the tables");
        return false;
    }
    const char *wrong = sessions_verify(&world->writer);
    if (wrong != NULL) {
        world_fail(world, "the tables of a new core: %s", wrong);
    }
    return true;
}

void world_core_start(struct world *world)
{
    struct hash32 seed;
    world->core_restart_ns = WORLD_OFF;
    if (!tables_open(world)) {
        return;
    }
    chance_fill(&world->chance, seed.byte, sizeof(seed.byte));
    world->core = core_new(&world->settings, &world->writer, &seed,
                           (struct core_port){.send = core_says, .owner = world}, machine_time(world));
    if (world->core == NULL) {
        abort();
    }
    world->away_s += (world->now_ns - world->core_died_ns) / WORLD_S + 1;
    world->tick_ns = world->now_ns + world_delay(world, CORE_TICK_MS * WORLD_MS);
    world_note(world, "core starts");
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        seen_taker_init(&world->taker[i], world->page[i]);
    }
    machine_drain_rings(world);
    fake_store_finish(world);
    fake_crew_reset(&world->hash); // answers to an old core go nowhere
    fake_crew_reset(&world->key);
    for (uint32_t i = 0; i < WORLD_LINKS && world->core != NULL; i++) {
        queue_clear(&world->link[i].to_core);
        queue_clear(&world->link[i].from_core);
        if (i <= WORLD_CTL) {
            clients_lost(world, i);
        }
        if (world->link[i].alive) {
            link_up(world, i);
        }
    }
}

void world_core_crash(struct world *world)
{
    core_free(&world->core);
    sessions_writer_release(&world->writer);
    world->restarts++;
    world->draining = false;
    world->audited_count = 0; // what was not stored yet is lost with it
    world->tick_ns = WORLD_OFF;
    world->core_died_ns = world->now_ns;
    world->core_restart_ns = world->now_ns + world_delay(world, 60 * WORLD_MS);
    for (uint32_t i = 0; i < WORLD_LINKS; i++) {
        struct link *link = &world->link[i];
        link->open = false;
        link->eof_ns = WORLD_OFF;
        queue_clear(&link->to_core);
        queue_cut(&link->from_core, chance_below(&world->chance, link->from_core.count + 1));
    }
    world_note(world, "core is dead");
}

void machine_process_crash(struct world *world, uint32_t number)
{
    struct link *link = &world->link[number];
    if (!link->alive) {
        return;
    }
    world_note(world, "process %u dies", number);
    link->alive = false;
    queue_clear(&link->from_core);
    queue_cut(&link->to_core, chance_below(&world->chance, link->to_core.count + 1));
    link->restart_ns = world->now_ns + world_delay(world, 60 * WORLD_MS);
    if (link->open) {
        link->eof_ns = world->now_ns + world_delay(world, WORLD_MS);
        link->eof_ns = link->to_core.first != NULL && link->eof_ns < link->to_core.last_due_ns
                           ? link->to_core.last_due_ns
                           : link->eof_ns;
    }
    if (number <= WORLD_CTL) {
        clients_lost(world, number);
    } else if (number == WORLD_STORE) {
        fake_store_crash(world);
    } else {
        fake_crew_reset(number == WORLD_HASH ? &world->hash : &world->key);
    }
}

void machine_process_start(struct world *world, uint32_t number)
{
    struct link *link = &world->link[number];
    link->restart_ns = WORLD_OFF;
    link->alive = true;
    world_note(world, "process %u starts", number);
    if (number < WORLD_FRONTS) {
        seen_putter_init(&world->putter[number], world->page[number]);
    }
    if (world->core != NULL) {
        machine_link_down(world, number);
    }
    if (world->core != NULL) {
        queue_clear(&link->from_core);
        link_up(world, number);
    }
}

// The whole machine: the tables are gone, what is durable stays.
void machine_crash(struct world *world)
{
    world_note(world, "the machine restarts: tables gone");
    if (world->core != NULL) {
        world_core_crash(world);
    }
    for (uint32_t i = 0; i < WORLD_LINKS; i++) {
        machine_process_crash(world, i);
        queue_clear(&world->link[i].from_core);
        queue_clear(&world->link[i].to_core);
    }
    memset(world->sessions_map, 0, world->sessions_size);
    memset(world->accounts_map, 0, world->accounts_size);
    for (size_t i = 0; i < WORLD_FRONTS; i++) {
        memset(world->page[i], 0, SEEN_RING_BYTES);
    }
    for (uint32_t i = 0; i < world->model.session_count; i++) {
        struct model_session *session = &world->model.session[i];
        session->gone = session->ended != MODEL_NEVER && !session->ended_soft ? session->gone : MODEL_NEVER;
        session->may_end += session->ended_soft;
        session->ended = session->ended_soft ? MODEL_NEVER : session->ended;
        const struct memory_session *row =
            memory_session_by_selector(&world->store.memory, session->selector);
        session->seen_s = row != NULL ? row->last_seen : session->created_s; // of the notes, what is stored
    }
}
