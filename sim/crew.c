// SPDX-License-Identifier: ISC
// The fake stayd-hash and stayd-key. Runs in the simulator. A sealed password is the password itself; a
// stored hash is "$sim$NUMBER$PASSWORD" (the number is the salt), or "$old$…", which is to be made anew.
#include "sim/world.h"

#include <sodium.h>

#define WORKERS 2

void fake_crew_reset(struct fake_crew *crew)
{
    while (crew->count > 0) {
        free(crew->job[--crew->count].ask);
    }
}

static void take(struct world *world, struct fake_crew *crew, struct view packet, uint64_t typical_ns)
{
    if (crew->count == sizeof(crew->job) / sizeof(crew->job[0])) {
        world_fail(world, "too many jobs");
    }
    uint64_t done_ns = world->now_ns + world_delay(world, typical_ns);
    crew->job[crew->count++] = (struct job){.ask = packet_new(packet, done_ns), .done_ns = done_ns};
}

void fake_hash_take(struct world *world, struct view packet)
{
    take(world, &world->hash, packet, 20 * WORLD_MS);
}

void fake_key_take(struct world *world, struct view packet)
{
    take(world, &world->key, packet, WORLD_MS / 10);
}

void fake_hash_greet(struct world *world)
{
    struct bytes packet;
    bytes_init(&packet, 64);
    wire_hash_state_encode(&packet, &(struct wire_hash_state){.workers = WORKERS, .queue_max = 64});
    world_to_core(world, WORLD_HASH, bytes_view(&packet));
    bytes_release(&packet);
}

size_t fake_phc(struct world *world, struct view password, bool old, char *out)
{
    return (size_t)snprintf(out, WIRE_PHC_MAX, "$%s$%llu$%.*s", old ? "old" : "sim",
                            (unsigned long long)++world->phc_count, (int)password.size, password.data);
}

static struct view phc_password(struct view phc)
{
    struct view rest = view_from(phc, 5);
    (void)view_cut(&rest, '$');
    return rest;
}

static void verify(struct world *world, const struct wire_hash_verify *ask, struct wire_hash_reply *reply,
                   char *phc)
{
    reply->job = ask->job;
    reply->verdict = WIRE_HASH_WRONG;
    if (ask->phc.size > 0 && view_equal(phc_password(ask->phc), ask->sealed)) {
        reply->verdict = WIRE_HASH_OK;
        if (view_starts_with(ask->phc, VIEW("$old$"))) {
            reply->phc = view_of(phc, fake_phc(world, ask->sealed, false, phc));
        }
    }
}

static void hash_answer(struct world *world, struct view ask, struct bytes *out)
{
    struct wire_hash_verify verify_ask;
    struct wire_hash_new new_ask;
    struct wire_hash_reply reply = {.hash_us = 20000};
    char phc[WIRE_PHC_MAX];
    if (wire_hash_verify_decode(ask, &verify_ask)) {
        verify(world, &verify_ask, &reply, phc);
    } else if (wire_hash_new_decode(ask, &new_ask)) {
        reply.job = new_ask.job;
        reply.verdict = new_ask.sealed.size < 8 ? WIRE_HASH_WEAK : WIRE_HASH_OK;
        reply.phc = reply.verdict == WIRE_HASH_OK
                        ? view_of(phc, fake_phc(world, new_ask.sealed, chance_of(&world->chance, 200), phc))
                        : VIEW("");
    } else {
        world_fail(world, "stayd-hash can't read message %u", wire_peek(ask));
    }
    if (!world->calm && chance_of(&world->chance, world->crash)) {
        reply.verdict = WIRE_HASH_UNAVAILABLE;
        reply.phc = VIEW("");
    }
    wire_hash_reply_encode(out, &reply);
}

static void key_answer(struct world *world, struct view ask, struct bytes *out)
{
    struct wire_key_mac mac;
    struct wire_key_reply reply = {0};
    if (!wire_key_mac_decode(ask, &mac)) {
        world_fail(world, "stayd-key can't read message %u", wire_peek(ask));
    }
    reply.job = mac.job;
    crypto_generichash(reply.mac.byte, sizeof(reply.mac.byte), mac.data.data, mac.data.size,
                       (const uint8_t *)"the data key of sim", 19);
    wire_key_reply_encode(out, &reply);
}

static uint32_t first(const struct fake_crew *crew)
{
    uint32_t found = 0;
    for (uint32_t i = 1; i < crew->count; i++) {
        found = crew->job[i].done_ns < crew->job[found].done_ns ? i : found;
    }
    return found;
}

uint64_t fake_crew_next(const struct fake_crew *crew)
{
    return crew->count == 0 ? WORLD_OFF : crew->job[first(crew)].done_ns;
}

void fake_crew_run(struct world *world, struct fake_crew *crew, uint32_t link)
{
    uint32_t place = first(crew);
    struct packet *ask = crew->job[place].ask;
    struct bytes out;
    bytes_init(&out, 2048);
    if (link == WORLD_HASH) {
        hash_answer(world, view_of(ask->data, ask->size), &out);
    } else {
        key_answer(world, view_of(ask->data, ask->size), &out);
    }
    world_to_core(world, link, bytes_view(&out));
    bytes_release(&out);
    free(ask);
    crew->job[place] = crew->job[--crew->count];
}
