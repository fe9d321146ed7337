// SPDX-License-Identifier: ISC
// New accounts, by their owners and by administrators, and changes of accounts. Runs in the simulator.
#include "sim/administration.h"

#include "sim/requests.h"

#define INVITE_LIFE_S 86400

// ---- new accounts

static bool begin_account(struct world *world, struct request *request, uint32_t groups, char *password,
                          size_t *password_size)
{
    struct model_account *account = &world->model.account[request->account];
    *password_size = model_password_text(++world->model.passwords, password);
    return world->model.session_count + REQUESTS_SESSIONS_ROOM <= MODEL_SESSIONS &&
           request_write(world, &account->state, MODEL_ENABLED, &request->state_write) &&
           request_write(world, &account->groups, groups, &request->groups_write) &&
           request_write(world, &account->password, world->model.passwords, &request->password_write);
}

void act_setup(struct world *world)
{
    char password[64];
    size_t size;
    if (world->setup_token_size == 0) {
        return;
    }
    struct request *request =
        request_new(world, REQUEST_SETUP, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request == NULL) {
        return;
    }
    request->account = choose_account(world);
    if (!begin_account(world, request, 1, password, &size)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, setup, -1, .token = view_of(world->setup_token, world->setup_token_size),
         .username = view_of_cstr(world->model.account[request->account].name),
         .email = VIEW("a@example.com"), .sealed = view_of(password, size));
}

void act_register(struct world *world)
{
    char password[64];
    size_t size;
    struct view invite = VIEW("");
    struct request *request =
        request_new(world, REQUEST_REGISTER, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request == NULL) {
        return;
    }
    request->account = choose_account(world);
    if (world->model.invite_count > 0 && chance_of(&world->chance, 700)) {
        request->invite = (int)chance_below(&world->chance, world->model.invite_count);
        struct model_invite *given = &world->model.invite[request->invite];
        invite = view_of(given->token, given->token_size);
    }
    if (!begin_account(world, request, 0, password, &size)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, register_account, -1,
         .username = view_of_cstr(world->model.account[request->account].name),
         .email = VIEW("a@example.com"), .sealed = view_of(password, size), .invite = invite);
}

// ---- administration: mostly by stayctl, else with some session, which may or may not be an administrator's

static struct request *admin_request(struct world *world, enum request_kind kind)
{
    bool by_session = world->model.session_count > 0 && chance_of(&world->chance, 400);
    struct request *request = request_new(
        world, kind, by_session ? (uint32_t)chance_below(&world->chance, WORLD_FRONTS) : WORLD_CTL);
    if (request != NULL) {
        request->session = by_session ? choose_session(world) : -1;
        request->account = choose_account(world);
    }
    return request;
}

#define NAME_OF(world_, request_) view_of_cstr((world_)->model.account[(request_)->account].name)

void act_add(struct world *world)
{
    char password[64], groups[64];
    size_t size;
    struct request *request = admin_request(world, REQUEST_ADD);
    if (request == NULL) {
        return;
    }
    uint32_t value = chance_of(&world->chance, 200) ? 1 : ++world->model.groups;
    size_t groups_size = model_groups_text(value, groups);
    if (!begin_account(world, request, value, password, &size)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_add, request->session, .username = NAME_OF(world, request),
         .display_name = VIEW("Some One"), .groups = view_of(groups, groups_size),
         .sealed = view_of(password, size));
}

void act_groups(struct world *world)
{
    char groups[64];
    struct request *request = admin_request(world, REQUEST_GROUPS);
    if (request == NULL) {
        return;
    }
    uint32_t value = chance_of(&world->chance, 150) ? 1 : ++world->model.groups;
    size_t size = model_groups_text(value, groups);
    if (!request_write(world, &world->model.account[request->account].groups, value,
                       &request->groups_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_GROUPS, .groups = view_of(groups, size));
}

void act_disable(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_DISABLE);
    if (request == NULL) {
        return;
    }
    if (!request_ends(world, request, -1) ||
        !request_write(world, &world->model.account[request->account].state, MODEL_DISABLED,
                       &request->state_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_DISABLED, .disabled = 1);
}

void act_enable(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_ENABLE);
    if (request == NULL) {
        return;
    }
    if (!request_write(world, &world->model.account[request->account].state, MODEL_ENABLED,
                       &request->state_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_DISABLED, .disabled = 0);
}

void act_admin_password(struct world *world)
{
    char password[64];
    struct request *request = admin_request(world, REQUEST_ADMIN_PASSWORD);
    if (request == NULL) {
        return;
    }
    size_t size = model_password_text(++world->model.passwords, password);
    if (!request_ends(world, request, -1) ||
        !request_write(world, &world->model.account[request->account].password, world->model.passwords,
                       &request->password_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_password, request->session, .username = NAME_OF(world, request),
         .sealed = view_of(password, size));
}

void act_delete(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_DELETE);
    if (request == NULL) {
        return;
    }
    if (!request_ends(world, request, -1) ||
        !request_write(world, &world->model.account[request->account].state, MODEL_ABSENT,
                       &request->state_write)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_delete, request->session, .username = NAME_OF(world, request));
}

void act_end_all(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_END_ALL);
    if (request == NULL) {
        return;
    }
    if (!request_ends(world, request, -1)) {
        request_give_up(world, request);
        return;
    }
    SEND(world, request, account_sessions_end, request->session, .username = NAME_OF(world, request));
}

void act_end_any(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_END_ANY);
    int target = choose_session(world);
    if (request == NULL || target < 0) {
        if (request != NULL) {
            request_free(world, request);
        }
        return;
    }
    request->target = target;
    request_mark(world, request, target);
    SEND(world, request, any_session_end, request->session,
         .public_id = world->model.session[target].public_id);
}

void act_invite(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_INVITE);
    if (request != NULL) {
        SEND(world, request, account_invite, request->session, .groups = VIEW(""), .valid_s = INVITE_LIFE_S);
    }
}
