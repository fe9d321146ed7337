// SPDX-License-Identifier: ISC
// The fake store: the memory backend behind a queue. Runs in the simulator.
// Writes are applied in order, reads at any moment; an answer leaves some time after its operation was
// applied, a read's perhaps after that of a later write. A crash loses what was not applied, and answers.
#include "sim/world.h"

static void operation_remove(struct fake_store *store, uint32_t place)
{
    free(store->operation[place].ask);
    bytes_release(&store->operation[place].reply);
    store->count--;
    memmove(&store->operation[place], &store->operation[place + 1],
            (store->count - place) * sizeof(store->operation[0]));
}

void fake_store_reset(struct world *world)
{
    struct fake_store *store = &world->store;
    while (store->count > 0) {
        operation_remove(store, store->count - 1);
    }
    store_memory_release(&store->memory);
    store_memory_release(&store->before);
    store->mode = STORE_UP;
    store->mode_ns = WORLD_OFF;
    store->last_write_ns = store->last_post_ns = 0;
}

void fake_store_greet(struct world *world)
{
    struct fake_store *store = &world->store;
    struct bytes packet;
    bytes_init(&packet, 64);
    wire_store_state_encode(&packet, &(struct wire_store_state){.up = store->mode != STORE_AWAY,
                                                                .empty = store_memory_empty(&store->memory),
                                                                .last_alive = store->memory.last_alive});
    world_to_core(world, WORLD_STORE, bytes_view(&packet));
    bytes_release(&packet);
}

void fake_store_set_mode(struct world *world, enum store_mode mode)
{
    struct fake_store *store = &world->store;
    if (store->mode == mode) {
        return;
    }
    bool said = (store->mode == STORE_AWAY) != (mode == STORE_AWAY);
    store->mode = mode;
    store->mode_ns = mode == STORE_UP ? WORLD_OFF : world->now_ns + world_delay(world, 2 * WORLD_S);
    world_note(world, "the store is %s", mode == STORE_UP ? "up" : mode == STORE_AWAY ? "away" : "full");
    if (said && world->link[WORLD_STORE].alive) {
        fake_store_greet(world);
    }
}

void fake_store_take(struct world *world, struct view packet)
{
    struct fake_store *store = &world->store;
    const struct store_operation *row = store_operation_find(wire_peek(packet));
    uint64_t op;
    uint32_t deadline_ms;
    if (row == NULL || !store_head(packet, &op, &deadline_ms)) {
        world_fail(world, "the store is asked what it does not know: %u", wire_peek(packet));
    }
    if (store->count == store->capacity) {
        store->capacity = store->capacity * 2 + 64;
        store->operation = realloc(store->operation, store->capacity * sizeof(store->operation[0]));
        if (store->operation == NULL) {
            abort();
        }
    }
    uint64_t apply_ns = world->now_ns + world_delay(world, WORLD_MS);
    bool write = row->access == STORE_WRITE;
    if (write && apply_ns < store->last_write_ns) {
        apply_ns = store->last_write_ns;
    }
    store->last_write_ns = write ? apply_ns : store->last_write_ns;
    struct operation *operation = &store->operation[store->count++];
    *operation = (struct operation){.ask = packet_new(packet, world->now_ns + deadline_ms * WORLD_MS),
                                    .apply_ns = apply_ns,
                                    .post_ns = WORLD_OFF,
                                    .write = write};
    bytes_init(&operation->reply, WIRE_PACKET_MAX);
}

static void refuse(struct operation *operation, enum wire_store_outcome outcome)
{
    uint64_t op = 0;
    uint32_t deadline_ms;
    struct store_answer answer;
    (void)store_head(view_of(operation->ask->data, operation->ask->size), &op, &deadline_ms);
    store_answer_init(&answer);
    store_answer_set(&answer, outcome, WIRE_CONFLICT_NONE);
    bytes_reset(&operation->reply);
    store_answer_encode(&answer, op, 0, 0, 0, &operation->reply);
    store_answer_release(&answer);
}

// A store that breaks its promises, to see that somebody notices.
static bool planted(struct world *world, struct operation *operation)
{
    struct fake_store *store = &world->store;
    struct view ask = view_of(operation->ask->data, operation->ask->size);
    uint16_t number = wire_peek(ask);
    if (world->plant == PLANT_LOST_END && number == WIRE_MESSAGE_store_session_end) {
        refuse(operation, WIRE_STORE_OK);
        return true;
    }
    if (world->plant == PLANT_EARLY_GRANT && number == WIRE_MESSAGE_store_session_grant &&
        chance_of(&world->chance, 100)) {
        refuse(operation, WIRE_STORE_OK);
        return true;
    }
    if (world->plant == PLANT_LATE_ANSWER && number == WIRE_MESSAGE_store_session_by_selector) {
        return store_memory_apply(&store->before, ask, &operation->reply);
    }
    return false;
}

static void apply(struct world *world, struct operation *operation)
{
    struct fake_store *store = &world->store;
    struct view ask = view_of(operation->ask->data, operation->ask->size);
    bool late = world->now_ns > operation->ask->due_ns;
    bool done = !late && (store->mode == STORE_UP || (store->mode == STORE_FULL && !operation->write) ||
                          (store->mode == STORE_AWAY && chance_of(&world->chance, 100)));
    operation->applied = true;
    bool keep = store_memory_empty(&store->before) || chance_of(&world->chance, 20);
    if (world->plant == PLANT_LATE_ANSWER && keep && !store_memory_copy(&store->before, &store->memory)) {
        abort();
    }
    if (done && !planted(world, operation) && !store_memory_apply(&store->memory, ask, &operation->reply)) {
        world_fail(world, "the store can't read message %u", wire_peek(ask));
    }
    if (!done || store->mode == STORE_AWAY) { // away: whether it was done is unknown
        refuse(operation, store->mode == STORE_FULL && !late ? WIRE_STORE_NO_SPACE : WIRE_STORE_UNAVAILABLE);
    }
    world_note(world, "the store has %s: %u", done ? "done" : "not done", wire_peek(ask));
    operation->post_ns = world->now_ns + world_delay(world, WORLD_MS / 2);
    if (operation->write && operation->post_ns < store->last_post_ns) {
        operation->post_ns = store->last_post_ns;
    }
    store->last_post_ns = operation->write ? operation->post_ns : store->last_post_ns;
}

// Of what was not applied yet the first few writes are, nobody knows how many.
void fake_store_finish(struct world *world)
{
    struct fake_store *store = &world->store;
    uint64_t keep = chance_below(&world->chance, store->count + 1);
    for (uint32_t i = 0; i < store->count && keep > 0; i++) {
        if (store->operation[i].write && !store->operation[i].applied) {
            apply(world, &store->operation[i]);
            keep--;
        }
    }
    while (store->count > 0) {
        operation_remove(store, store->count - 1);
    }
    store->last_write_ns = store->last_post_ns = 0;
}

void fake_store_crash(struct world *world)
{
    fake_store_finish(world);
}

static uint64_t moment(const struct operation *operation)
{
    return operation->applied ? operation->post_ns : operation->apply_ns;
}

static uint32_t first(const struct fake_store *store)
{
    uint32_t found = 0;
    for (uint32_t i = 1; i < store->count; i++) {
        if (moment(&store->operation[i]) < moment(&store->operation[found])) {
            found = i;
        }
    }
    return found;
}

uint64_t fake_store_next(const struct world *world)
{
    const struct fake_store *store = &world->store;
    uint64_t next = store->count == 0 ? WORLD_OFF : moment(&store->operation[first(store)]);
    return next < store->mode_ns ? next : store->mode_ns;
}

void fake_store_run(struct world *world)
{
    struct fake_store *store = &world->store;
    if (store->mode_ns <= world->now_ns) {
        fake_store_set_mode(world, STORE_UP);
        return;
    }
    uint32_t place = first(store);
    struct operation *operation = &store->operation[place];
    if (!operation->applied) {
        apply(world, operation);
        return;
    }
    world_to_core(world, WORLD_STORE, bytes_view(&operation->reply));
    operation_remove(store, place);
}
