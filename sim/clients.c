// SPDX-License-Identifier: ISC
// What users do: one thing at a time, chosen by weight, through any front. Runs in the simulator.
#include "sim/administration.h"
#include "sim/requests.h"

// ---- checks

void clients_check(struct world *world, int session)
{
    struct model_session *mine = &world->model.session[session];
    struct sessions_identity identity;
    uint64_t wall_s = world_wall_s(world);
    uint32_t front = (uint32_t)chance_below(&world->chance, WORLD_FRONTS);
    if (!world->link[front].alive) {
        return;
    }
    enum sessions_check check = sessions_check(&world->reader, mine->selector.byte, mine->verifier_hash.byte,
                                               (uint32_t)wall_s, &identity);
    world_note(world, "front %u checks session %d: %s", front, session,
               sessions_reason_text(identity.reason));
    if (check == SESSIONS_VALID) {
        judge_valid(world, session, world->step, wall_s, identity.name, identity.groups, true);
        if (identity.note_seen) {
            struct seen_note note = {.seen_s = (uint32_t)wall_s};
            memcpy(note.selector, mine->selector.byte, 16);
            (void)seen_put(&world->putter[front], &note);
        }
    } else if (check == SESSIONS_INVALID) {
        judge_invalid(world, session, true);
    } else {
        struct request *request = request_new(world, REQUEST_LOOKUP, front);
        if (request != NULL) {
            request->session = session;
            SEND(world, request, session_lookup, session, .accepted_ns = world->now_ns);
        }
    }
}

static void act_check(struct world *world)
{
    int session = choose_session(world);
    if (session >= 0) {
        clients_check(world, session);
    }
}

// A token that nobody was given, or half of one.
static void act_check_forged(struct world *world)
{
    struct id16 selector, verifier;
    struct sessions_identity identity;
    int session = choose_session(world);
    chance_fill(&world->chance, verifier.byte, 16);
    chance_fill(&world->chance, selector.byte, 16);
    if (session >= 0 && chance_of(&world->chance, 500)) {
        selector = world->model.session[session].selector;
    }
    enum sessions_check check = sessions_check(&world->reader, selector.byte, verifier.byte,
                                               (uint32_t)world_wall_s(world), &identity);
    if (check == SESSIONS_VALID) {
        world_fail(world, "a forged token is valid");
    }
    if (session >= 0 && chance_of(&world->chance, 500)) {
        // All that a front can read in the tables.
        selector = world->model.session[session].selector;
        verifier = world->model.session[session].verifier_hash;
    }
    struct request *request =
        request_new(world, REQUEST_LOOKUP, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request != NULL) {
        request->wrong = true;
        struct bytes packet;
        bytes_init(&packet, 512);
        wire_session_lookup_encode(&packet, &(struct wire_session_lookup){.request = request->id,
                                                                          .via = WIRE_VIA_CHECK,
                                                                          .has_session = 1,
                                                                          .selector = selector,
                                                                          .verifier = verifier});
        request_send(world, request, &packet);
    }
}

// ---- requests of users

static void act_login(struct world *world)
{
    struct request *request =
        request_new(world, REQUEST_LOGIN, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request == NULL || world->model.session_count + REQUESTS_SESSIONS_ROOM > MODEL_SESSIONS) {
        if (request != NULL) {
            request_free(world, request);
        }
        return;
    }
    char password[64];
    request->account = choose_account(world);
    struct model_account *account = &world->model.account[request->account];
    request->value = choose_password(world, request->account);
    size_t size = model_password_text(request->value, password);
    request->wrong = chance_of(&world->chance, 120);
    if (request->wrong) {
        size = model_password_text(4000000000u, password);
    }
    int replaced = chance_of(&world->chance, 250) ? choose_session(world) : -1;
    request->target = replaced;
    if (replaced >= 0) {
        request_mark(world, request, replaced);
    }
    bool device = chance_of(&world->chance, 500);
    bool unknown = chance_of(&world->chance, 50);
    request->wrong |= unknown;
    SEND(world, request, login, replaced, .username = unknown ? VIEW("nobody") : view_of_cstr(account->name),
         .sealed = view_of(password, size),
         .device = view_of(account->device, device ? account->device_size : 0));
}

static struct request *own_request(struct world *world, enum request_kind kind)
{
    int session = choose_session(world);
    struct request *request =
        session < 0 ? NULL : request_new(world, kind, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request != NULL) {
        request->session = session;
        request->account = (int)world->model.session[session].account;
    }
    return request;
}

static void act_logout(struct world *world)
{
    struct request *request = own_request(world, REQUEST_LOGOUT);
    if (request != NULL) {
        request_mark(world, request, request->session);
        SEND(world, request, logout, request->session, .accepted_ns = world->now_ns);
    }
}

static void act_show(struct world *world)
{
    struct request *request = own_request(world, REQUEST_SHOW);
    if (request != NULL) {
        SEND(world, request, session_show, request->session, .accepted_ns = world->now_ns);
    }
}

static void act_list(struct world *world)
{
    struct request *request = own_request(world, REQUEST_LIST);
    if (request != NULL) {
        SEND(world, request, session_list, request->session, .accepted_ns = world->now_ns);
    }
}

static void act_end(struct world *world)
{
    struct request *request = own_request(world, REQUEST_END);
    if (request != NULL) {
        request->target = choose_session(world);
        struct model_session *target = &world->model.session[request->target];
        if (target->account == (uint32_t)request->account) {
            request_mark(world, request, request->target);
        }
        SEND(world, request, session_end, request->session, .public_id = target->public_id);
    }
}

static void act_end_others(struct world *world)
{
    struct request *request = own_request(world, REQUEST_END_OTHERS);
    if (request != NULL) {
        if (!request_ends(world, request, request->session)) {
            request_give_up(world, request);
            return;
        }
        SEND(world, request, session_end_others, request->session, .accepted_ns = world->now_ns);
    }
}

static void act_password(struct world *world)
{
    struct request *request = own_request(world, REQUEST_PASSWORD);
    if (request == NULL) {
        return;
    }
    char current[64], next[64];
    struct model_account *account = &world->model.account[request->account];
    uint32_t value = choose_password(world, request->account);
    size_t current_size = model_password_text(value, current);
    request->wrong = chance_of(&world->chance, 100);
    if (request->wrong) {
        current_size = model_password_text(4000000001u, current);
    }
    request->value = value;
    size_t next_size = model_password_text(++world->model.passwords, next);
    if (!request_ends(world, request, -1) ||
        !request_write(world, &account->password, world->model.passwords, &request->password_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, password_change, request->session, .sealed_current = view_of(current, current_size),
         .sealed_new = view_of(next, next_size));
}

static const struct {
    void (*act)(struct world *world);
    uint32_t weight;
} acts[] = {
    {act_check, 300},   {act_check_forged, 15}, {act_login, 110},   {act_logout, 25},
    {act_show, 15},     {act_list, 15},         {act_end, 25},      {act_end_others, 12},
    {act_password, 14}, {act_setup, 20},        {act_register, 16}, {act_add, 14},
    {act_groups, 14},   {act_disable, 7},       {act_enable, 10},   {act_admin_password, 7},
    {act_delete, 5},    {act_end_all, 6},       {act_end_any, 8},   {act_invite, 6},
};

void clients_act(struct world *world)
{
    uint32_t sum = 0;
    world->client_ns = world->now_ns + world_delay(world, 8 * WORLD_MS);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        sum += acts[i].weight;
    }
    uint64_t pick = chance_below(&world->chance, sum);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (pick < acts[i].weight) {
            acts[i].act(world);
            return;
        }
        pick -= acts[i].weight;
    }
}
