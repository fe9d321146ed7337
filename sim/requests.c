// SPDX-License-Identifier: ISC
// Requests under way, and what the model notes of them before they are sent: their effect may come at once.
// Runs in the simulator.
#include "sim/requests.h"

#define SOURCES 6

struct request *request_new(struct world *world, enum request_kind kind, uint32_t link)
{
    for (uint32_t i = 0; i < REQUESTS_FLIGHT_MAX; i++) {
        struct request *request = &world->request[i];
        if (!request->used) {
            *request = (struct request){.used = true,
                                        .kind = kind,
                                        .id = ++world->request_id,
                                        .issued = world->step,
                                        .issued_ns = world->now_ns,
                                        .wall_s = world_wall_s(world),
                                        .link = link,
                                        .session = -1,
                                        .target = -1,
                                        .account = -1,
                                        .invite = -1,
                                        .state_write = -1,
                                        .groups_write = -1,
                                        .password_write = -1,
                                        .ends_write = -1};
            world->clients_in_flight++;
            return request;
        }
    }
    return NULL;
}

void request_free(struct world *world, struct request *request)
{
    request->used = false;
    world->clients_in_flight--;
}

void request_mark(struct world *world, struct request *request, int session)
{
    uint64_t *word = &request->marked[session / 64];
    if ((*word >> (session % 64) & 1) == 0) {
        *word |= 1ull << (session % 64);
        world->model.session[session].may_end++;
    }
}

static void mark_account(struct world *world, struct request *request, int account, int keep)
{
    for (uint32_t i = 0; i < world->model.session_count; i++) {
        if ((int)i != keep && world->model.session[i].account == (uint32_t)account) {
            request_mark(world, request, (int)i);
        }
    }
}

// Granted: what was there before it was asked is over from now on.
void request_marked_end(struct world *world, struct request *request, bool soft)
{
    for (uint32_t i = 0; i < world->model.session_count; i++) {
        struct model_session *session = &world->model.session[i];
        if ((request->marked[i / 64] >> (i % 64) & 1) != 0 && session->ended == MODEL_NEVER) {
            session->ended = world->step;
            session->ended_soft = soft;
        }
    }
}

static struct model_register *registers(struct world *world, const struct request *request, int which)
{
    struct model_account *account = &world->model.account[request->account];
    return which == 0   ? &account->state
           : which == 1 ? &account->groups
           : which == 2 ? &account->password
                        : &account->ends;
}

static void drop_write(struct world *world, const struct request *request, int which, int place)
{
    if (place >= 0) {
        registers(world, request, which)->write[place].dropped = true;
        registers(world, request, which)->write[place].acked = world->step;
    }
}

// Refused: nothing was changed.
void request_drop(struct world *world, struct request *request)
{
    for (uint32_t i = 0; i < world->model.session_count; i++) {
        if ((request->marked[i / 64] >> (i % 64) & 1) != 0) {
            world->model.session[i].may_end--;
        }
    }
    memset(request->marked, 0, sizeof(request->marked));
    drop_write(world, request, 0, request->state_write);
    drop_write(world, request, 1, request->groups_write);
    drop_write(world, request, 2, request->password_write);
    drop_write(world, request, 3, request->ends_write);
}

void clients_lost(struct world *world, uint32_t link)
{
    for (uint32_t i = 0; i < REQUESTS_FLIGHT_MAX; i++) {
        if (world->request[i].used && world->request[i].link == link) {
            request_free(world, &world->request[i]); // what it did stays unknown
        }
    }
}

// ---- messages

struct id16 choose_source(struct world *world)
{
    struct id16 source = {{[10] = 0xff, [11] = 0xff, [12] = 10}};
    source.byte[15] = (uint8_t)chance_below(&world->chance, SOURCES);
    return source;
}

struct id16 request_selector(struct world *world, int session)
{
    return session < 0 ? (struct id16){{0}} : world->model.session[session].selector;
}

struct id16 request_verifier(struct world *world, int session)
{
    struct id16 verifier = {{0}};
    if (session >= 0) {
        memcpy(verifier.byte, world->model.session[session].token + 16, 16);
    }
    return verifier;
}

void request_send(struct world *world, struct request *request, struct bytes *packet)
{
    if (packet->failed) {
        world_fail(world, "a request that does not fit");
    }
    if (!world_from_client(world, request->link, bytes_view(packet))) {
        request_drop(world, request);
        request_free(world, request);
    }
    bytes_release(packet);
}

// ---- choices

int choose_session(struct world *world)
{
    // The newest are the most interesting.
    uint32_t count = world->model.session_count;
    if (count == 0) {
        return -1;
    }
    uint32_t window = chance_of(&world->chance, 500) && count > 12 ? 12 : count;
    uint32_t chosen = count - 1 - (uint32_t)chance_below(&world->chance, window);
    // Mostly one that nothing is known to have ended.
    for (int i = 0; i < 8 && chance_of(&world->chance, 900); i++) {
        const struct model_session *session = &world->model.session[chosen];
        if (session->ended == MODEL_NEVER && session->gone == MODEL_NEVER) {
            break;
        }
        chosen = (uint32_t)chance_below(&world->chance, count);
    }
    return (int)chosen;
}

int choose_account(struct world *world)
{
    return (int)chance_below(&world->chance, world->accounts);
}

// The newest password that may hold.
uint32_t choose_password(struct world *world, int account)
{
    const struct model_register *reg = &world->model.account[account].password;
    for (uint32_t i = reg->count; i-- > 0;) {
        if (!reg->write[i].dropped && (i == 0 || chance_of(&world->chance, 700))) {
            return reg->write[i].value;
        }
    }
    return reg->write[0].value;
}

bool request_write(struct world *world, struct model_register *reg, uint32_t value, int *place)
{
    *place = model_register_write(reg, value, world->step);
    return *place >= 0;
}

bool request_ends(struct world *world, struct request *request, int keep)
{
    mark_account(world, request, request->account, keep);
    return request_write(world, &world->model.account[request->account].ends, 0, &request->ends_write);
}

// A model that is full: the request is not made.
void request_give_up(struct world *world, struct request *request)
{
    request_drop(world, request);
    request_free(world, request);
}
