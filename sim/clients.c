// SPDX-License-Identifier: ISC
// What the clients do: one thing at a time, chosen by weight, through any front or through stayctl.
// Runs in the simulator. What is asked is noted in the model before it is sent: its effect may come at once.
#include "sim/world.h"

#include <sodium.h>

#define SETUP_ROOM    8 // places of the model kept free for log-ins under way
#define FLIGHT_MAX    24
#define SOURCES       6
#define INVITE_LIFE_S 86400

// ---- requests

static struct request *request_new(struct world *world, enum request_kind kind, uint32_t link)
{
    for (uint32_t i = 0; i < FLIGHT_MAX; i++) {
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

static void request_free(struct world *world, struct request *request)
{
    request->used = false;
    world->clients_in_flight--;
}

static void mark(struct world *world, struct request *request, int session)
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
            mark(world, request, (int)i);
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
    for (uint32_t i = 0; i < FLIGHT_MAX; i++) {
        if (world->request[i].used && world->request[i].link == link) {
            request_free(world, &world->request[i]); // what it did stays unknown
        }
    }
}

// ---- messages

static struct id16 source_of(struct world *world)
{
    struct id16 source = {{[10] = 0xff, [11] = 0xff, [12] = 10}};
    source.byte[15] = (uint8_t)chance_below(&world->chance, SOURCES);
    return source;
}

static struct id16 selector_of(struct world *world, int session)
{
    return session < 0 ? (struct id16){{0}} : world->model.session[session].selector;
}

static struct id16 verifier_of(struct world *world, int session)
{
    return session < 0 ? (struct id16){{0}} : world->model.session[session].verifier_hash;
}

static void send(struct world *world, struct request *request, struct bytes *packet)
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

#define SEND(world_, request_, name_, session_, ...)                                                         \
    do {                                                                                                     \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        wire_##name_##_encode(                                                                               \
            &packet_,                                                                                        \
            &(struct wire_##name_){.request = (request_)->id,                                                \
                                   .trace = (request_)->id,                                                  \
                                   .via = (request_)->link == WORLD_CTL ? WIRE_VIA_CTL : WIRE_VIA_API,       \
                                   .source = source_of(world_),                                              \
                                   .has_session = (session_) >= 0,                                           \
                                   .selector = selector_of((world_), (session_)),                            \
                                   .verifier_hash = verifier_of((world_), (session_)),                       \
                                   .agent = VIEW("sim"),                                                     \
                                   ##__VA_ARGS__});                                                          \
        send((world_), (request_), &packet_);                                                                \
    } while (0)

// ---- choices

static int any_session(struct world *world)
{
    // The newest are the most interesting.
    uint32_t count = world->model.session_count;
    if (count == 0) {
        return -1;
    }
    uint32_t window = chance_of(&world->chance, 600) && count > 12 ? 12 : count;
    return (int)(count - 1 - chance_below(&world->chance, window));
}

static int any_account(struct world *world)
{
    return (int)chance_below(&world->chance, MODEL_ACCOUNTS);
}

// The newest password that may hold.
static uint32_t password_of(struct world *world, int account)
{
    const struct model_register *reg = &world->model.account[account].password;
    for (uint32_t i = reg->count; i-- > 0;) {
        if (!reg->write[i].dropped && (i == 0 || chance_of(&world->chance, 700))) {
            return reg->write[i].value;
        }
    }
    return reg->write[0].value;
}

static bool begin_write(struct world *world, struct model_register *reg, uint32_t value, int *place)
{
    *place = model_register_write(reg, value, world->step);
    return *place >= 0;
}

static bool begin_ends(struct world *world, struct request *request, int keep)
{
    mark_account(world, request, request->account, keep);
    return begin_write(world, &world->model.account[request->account].ends, 0, &request->ends_write);
}

// A model that is full: the request is not made.
static void give_up(struct world *world, struct request *request)
{
    request_drop(world, request);
    request_free(world, request);
}

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
    int session = any_session(world);
    if (session >= 0) {
        clients_check(world, session);
    }
}

// A token that nobody was given, or half of one.
static void act_check_forged(struct world *world)
{
    struct id16 selector, verifier;
    struct sessions_identity identity;
    int session = any_session(world);
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
                                                                          .verifier_hash = verifier});
        send(world, request, &packet);
    }
}

// ---- requests of users

static void act_login(struct world *world)
{
    struct request *request =
        request_new(world, REQUEST_LOGIN, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request == NULL || world->model.session_count + FLIGHT_MAX + SETUP_ROOM > MODEL_SESSIONS) {
        if (request != NULL) {
            request_free(world, request);
        }
        return;
    }
    char password[64];
    request->account = any_account(world);
    struct model_account *account = &world->model.account[request->account];
    request->value = password_of(world, request->account);
    size_t size = model_password_text(request->value, password);
    request->wrong = chance_of(&world->chance, 120);
    if (request->wrong) {
        size = model_password_text(4000000000u, password);
    }
    int replaced = chance_of(&world->chance, 250) ? any_session(world) : -1;
    request->target = replaced;
    if (replaced >= 0) {
        mark(world, request, replaced);
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
    int session = any_session(world);
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
        mark(world, request, request->session);
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
        request->target = any_session(world);
        struct model_session *target = &world->model.session[request->target];
        if (target->account == (uint32_t)request->account) {
            mark(world, request, request->target);
        }
        SEND(world, request, session_end, request->session, .public_id = target->public_id);
    }
}

static void act_end_others(struct world *world)
{
    struct request *request = own_request(world, REQUEST_END_OTHERS);
    if (request != NULL) {
        if (!begin_ends(world, request, request->session)) {
            give_up(world, request);
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
    uint32_t value = password_of(world, request->account);
    size_t current_size = model_password_text(value, current);
    request->wrong = chance_of(&world->chance, 100);
    if (request->wrong) {
        current_size = model_password_text(4000000001u, current);
    }
    request->value = value;
    size_t next_size = model_password_text(++world->model.passwords, next);
    if (!begin_ends(world, request, -1) ||
        !begin_write(world, &account->password, world->model.passwords, &request->password_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, password_change, request->session, .sealed_current = view_of(current, current_size),
         .sealed_new = view_of(next, next_size));
}

// ---- new accounts

static bool begin_account(struct world *world, struct request *request, uint32_t groups, char *password,
                          size_t *password_size)
{
    struct model_account *account = &world->model.account[request->account];
    *password_size = model_password_text(++world->model.passwords, password);
    return world->model.session_count + FLIGHT_MAX + SETUP_ROOM <= MODEL_SESSIONS &&
           begin_write(world, &account->state, MODEL_ENABLED, &request->state_write) &&
           begin_write(world, &account->groups, groups, &request->groups_write) &&
           begin_write(world, &account->password, world->model.passwords, &request->password_write);
}

static void act_setup(struct world *world)
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
    request->account = any_account(world);
    if (!begin_account(world, request, 1, password, &size)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, setup, -1, .token = view_of(world->setup_token, world->setup_token_size),
         .username = view_of_cstr(world->model.account[request->account].name),
         .email = VIEW("a@example.com"), .sealed = view_of(password, size));
}

static void act_register(struct world *world)
{
    char password[64];
    size_t size;
    struct view invite = VIEW("");
    struct request *request =
        request_new(world, REQUEST_REGISTER, (uint32_t)chance_below(&world->chance, WORLD_FRONTS));
    if (request == NULL) {
        return;
    }
    request->account = any_account(world);
    if (world->model.invite_count > 0 && chance_of(&world->chance, 700)) {
        request->invite = (int)chance_below(&world->chance, world->model.invite_count);
        struct model_invite *given = &world->model.invite[request->invite];
        invite = view_of(given->token, given->token_size);
    }
    if (!begin_account(world, request, 0, password, &size)) {
        give_up(world, request);
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
        request->session = by_session ? any_session(world) : -1;
        request->account = any_account(world);
    }
    return request;
}

#define NAME_OF(world_, request_) view_of_cstr((world_)->model.account[(request_)->account].name)

static void act_add(struct world *world)
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
        give_up(world, request);
        return;
    }
    SEND(world, request, account_add, request->session, .username = NAME_OF(world, request),
         .display_name = VIEW("Some One"), .groups = view_of(groups, groups_size),
         .sealed = view_of(password, size));
}

static void act_groups(struct world *world)
{
    char groups[64];
    struct request *request = admin_request(world, REQUEST_GROUPS);
    if (request == NULL) {
        return;
    }
    uint32_t value = chance_of(&world->chance, 150) ? 1 : ++world->model.groups;
    size_t size = model_groups_text(value, groups);
    if (!begin_write(world, &world->model.account[request->account].groups, value, &request->groups_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_GROUPS, .groups = view_of(groups, size));
}

static void act_disable(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_DISABLE);
    if (request == NULL) {
        return;
    }
    if (!begin_ends(world, request, -1) || !begin_write(world, &world->model.account[request->account].state,
                                                        MODEL_DISABLED, &request->state_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_DISABLED, .disabled = 1);
}

static void act_enable(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_ENABLE);
    if (request == NULL) {
        return;
    }
    if (!begin_write(world, &world->model.account[request->account].state, MODEL_ENABLED,
                     &request->state_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_set, request->session, .username = NAME_OF(world, request),
         .fields = WIRE_SET_DISABLED, .disabled = 0);
}

static void act_admin_password(struct world *world)
{
    char password[64];
    struct request *request = admin_request(world, REQUEST_ADMIN_PASSWORD);
    if (request == NULL) {
        return;
    }
    size_t size = model_password_text(++world->model.passwords, password);
    if (!begin_ends(world, request, -1) ||
        !begin_write(world, &world->model.account[request->account].password, world->model.passwords,
                     &request->password_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_password, request->session, .username = NAME_OF(world, request),
         .sealed = view_of(password, size));
}

static void act_delete(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_DELETE);
    if (request == NULL) {
        return;
    }
    if (!begin_ends(world, request, -1) || !begin_write(world, &world->model.account[request->account].state,
                                                        MODEL_ABSENT, &request->state_write)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_delete, request->session, .username = NAME_OF(world, request));
}

static void act_end_all(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_END_ALL);
    if (request == NULL) {
        return;
    }
    if (!begin_ends(world, request, -1)) {
        give_up(world, request);
        return;
    }
    SEND(world, request, account_sessions_end, request->session, .username = NAME_OF(world, request));
}

static void act_end_any(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_END_ANY);
    int target = any_session(world);
    if (request == NULL || target < 0) {
        if (request != NULL) {
            request_free(world, request);
        }
        return;
    }
    request->target = target;
    mark(world, request, target);
    SEND(world, request, any_session_end, request->session,
         .public_id = world->model.session[target].public_id);
}

static void act_invite(struct world *world)
{
    struct request *request = admin_request(world, REQUEST_INVITE);
    if (request != NULL) {
        SEND(world, request, account_invite, request->session, .groups = VIEW(""), .valid_s = INVITE_LIFE_S);
    }
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

// ---- what was there before this schedule

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
    uint32_t accounts = 2 + (uint32_t)chance_below(&world->chance, MODEL_ACCOUNTS - 2);
    for (uint32_t i = 0; i < accounts; i++) {
        populate_account(world, i, &id);
        for (uint64_t n = chance_below(&world->chance, world->tight ? 26 : 6);
             n > 0 && world->model.session_count < 140; n--) {
            populate_session(world, i, &id);
        }
    }
}
