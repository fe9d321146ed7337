// SPDX-License-Identifier: ISC
// What was there before a schedule: accounts and sessions in the store, nothing in the tables. Runs in the
// simulator.
#include "sim/world.h"

#include <sodium.h>

void clients_reset(struct world *world)
{
    model_reset(&world->model);
    memset(world->request, 0, sizeof(world->request));
    world->request_id = 0;
    world->clients_in_flight = 0;
}

static void store_apply(struct world *world, struct bytes *packet)
{
    struct bytes reply;
    bytes_init(&reply, WIRE_PACKET_MAX);
    if (packet->failed || !store_memory_apply(&world->store.memory, bytes_view(packet), &reply)) {
        world_fail(world, "the store can't be filled");
    }
    bytes_release(&reply);
    bytes_release(packet);
}

static void populate_account(struct world *world, uint32_t number, struct id16 *id)
{
    char phc[WIRE_PHC_MAX], password[64], groups[64];
    struct bytes packet;
    uint32_t value = number == 0 ? 1 : ++world->model.groups + 1;
    world->model.groups = world->model.groups < value ? value : world->model.groups;
    size_t groups_size = model_groups_text(value, groups);
    size_t size = model_password_text(++world->model.passwords, password);
    size_t phc_size = fake_phc(world, view_of(password, size), number % 2 == 1, phc);
    chance_fill(&world->chance, id->byte, 16);
    struct model_account *account = &world->model.account[number];
    bytes_init(&packet, WIRE_PACKET_MAX);
    wire_store_account_add_encode(&packet,
                                  &(struct wire_store_account_add){.id = *id,
                                                                   .name = view_of_cstr(account->name),
                                                                   .groups = view_of(groups, groups_size),
                                                                   .phc = view_of(phc, phc_size)});
    store_apply(world, &packet);
    model_register_settle(&account->state, MODEL_ENABLED, 0);
    model_register_settle(&account->groups, value, 0);
    model_register_settle(&account->password, world->model.passwords, 0);
}

static void populate_session(struct world *world, uint32_t account, const struct id16 *id)
{
    struct model_session *session = &world->model.session[world->model.session_count++];
    struct bytes packet;
    uint64_t now_s = world_wall_s(world);
    *session = (struct model_session){.account = account,
                                      .created_s = now_s,
                                      .seen_s = now_s,
                                      .used_s = now_s,
                                      .expires_s = now_s + world->settings.session_max_s,
                                      .ended = MODEL_NEVER,
                                      .gone = MODEL_NEVER};
    chance_fill(&world->chance, session->token, 32);
    chance_fill(&world->chance, session->public_id.byte, 16);
    memcpy(session->selector.byte, session->token, 16);
    crypto_generichash(session->verifier_hash.byte, 16, session->token + 16, 16, NULL, 0);
    bytes_init(&packet, WIRE_PACKET_MAX);
    wire_store_session_grant_encode(
        &packet, &(struct wire_store_session_grant){.selector = session->selector,
                                                    .verifier_hash = session->verifier_hash,
                                                    .public_id = session->public_id,
                                                    .account_id = *id,
                                                    .created = now_s,
                                                    .expires = session->expires_s,
                                                    .last_seen = now_s,
                                                    .level = 1,
                                                    .agent = VIEW("sim")});
    store_apply(world, &packet);
}

void clients_populate(struct world *world)
{
    struct id16 id;
    uint32_t accounts = 1 + (uint32_t)chance_below(&world->chance, world->accounts);
    for (uint32_t i = 0; i < accounts; i++) {
        populate_account(world, i, &id);
        for (uint64_t n = chance_below(&world->chance, world->crowded ? 200 / world->accounts : 6);
             n > 0 && world->model.session_count < 140; n--) {
            populate_session(world, i, &id);
        }
    }
}
