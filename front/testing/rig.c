// SPDX-License-Identifier: ISC
// A front for tests. Tests only.
#include "front/testing/rig.h"

#include "front/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

// Heap memory has its pages.
static bool allocate(void *context, enum sessions_which which, uint64_t offset, uint64_t size)
{
    (void)context;
    (void)which;
    (void)offset;
    (void)size;
    return true;
}

void rig_begin(struct rig *rig, void (*change)(struct wire_front_config *config))
{
    const char *error;
    memset(rig, 0, sizeof(*rig));
    assert_true(sodium_init() >= 0);
    json_begin();
    crypto_box_keypair(rig->public_key.byte, rig->secret_key.byte);
    rig->core = -1;
    rig->loop = ev_loop_new(0);
    bytes_init(&rig->rows, 61440);
    rig->config = (struct wire_front_config){.public_url = VIEW("http://auth.example.com"),
                                             .trusted_proxies = VIEW("10.0.0.0/8,unix"),
                                             .registration = WIRE_REGISTRATION_OPEN,
                                             .hash_public_key = rig->public_key};
    if (change != NULL) {
        change(&rig->config);
    }
    struct settings *settings = settings_new(&rig->config, &error);
    assert_true(settings != NULL);
    assert_true(front_init(&rig->front, rig->loop, settings));
    rig->sessions_map = calloc(1, sessions_file_size(SESSIONS_MAX_LEAST));
    rig->accounts_map = calloc(1, accounts_file_size(SESSIONS_MAX_LEAST));
    enum sessions_opened opened =
        sessions_writer_open(&rig->writer, rig->sessions_map, sessions_file_size(SESSIONS_MAX_LEAST),
                             rig->accounts_map, accounts_file_size(SESSIONS_MAX_LEAST), allocate, NULL);
    assert_true(opened == SESSIONS_OPENED_NEW);
    rig->front.has_tables =
        sessions_reader_init(&rig->front.tables, rig->sessions_map, sessions_file_size(SESSIONS_MAX_LEAST),
                             rig->accounts_map, accounts_file_size(SESSIONS_MAX_LEAST));
    assert_true(rig->front.has_tables);
    sessions_idle_clock_set(&rig->writer, (uint32_t)ev_now(rig->loop));
}

void rig_end(struct rig *rig)
{
    rig_core_disconnect(rig);
    front_release(&rig->front);
    sessions_writer_release(&rig->writer);
    free(rig->sessions_map);
    free(rig->accounts_map);
    bytes_release(&rig->rows);
    ev_loop_destroy(rig->loop);
}

int rig_connect_from(struct rig *rig, const char *address)
{
    int ends[2];
    struct peer peer = {.unix_socket = false};
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    assert_true(made == 0 && address_parse(view_of_cstr(address), &peer.address));
    struct source *source = sources_get(&rig->front.sources, peer.address, front_mono_s(&rig->front));
    struct connection *connection = connection_open(&rig->front, ends[0], &peer, false, source);
    assert_true(connection != NULL);
    return ends[1];
}

int rig_connect(struct rig *rig)
{
    return rig_connect_from(rig, "203.0.113.9");
}

void rig_turn(struct rig *rig)
{
    for (int i = 0; i < 8; i++) {
        ev_run(rig->loop, EVRUN_NOWAIT);
    }
}

void rig_pass(struct rig *rig, uint32_t ms)
{
    for (uint32_t passed = 0; passed <= ms; passed += WHEEL_TICK_MS) {
        wheel_tick(&rig->front.wheel, connection_expire);
        asks_tick(&rig->front);
    }
    rig_turn(rig);
}

void rig_say(struct rig *rig, int client, const char *text)
{
    ssize_t sent = send(client, text, strlen(text), MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)strlen(text));
    rig_turn(rig);
}

bool rig_hear(struct rig *rig, int client)
{
    rig->heard_size = 0;
    for (;;) {
        ssize_t got = recv(client, rig->heard + rig->heard_size, sizeof(rig->heard) - 1 - rig->heard_size, 0);
        if (got <= 0) {
            break;
        }
        rig->heard_size += (size_t)got;
        rig_turn(rig);
    }
    rig->heard[rig->heard_size] = '\0';
    return rig->heard_size > 0;
}

bool rig_is_closed(struct rig *rig, int client)
{
    char byte;
    rig_turn(rig);
    ssize_t got = recv(client, &byte, 1, 0);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

const char *rig_ask(struct rig *rig, int client, const char *text)
{
    rig_say(rig, client, text);
    (void)rig_hear(rig, client);
    return rig->heard;
}

static void token_of(uint8_t number, uint8_t raw[32])
{
    for (size_t i = 0; i < 32; i++) {
        raw[i] = (uint8_t)(number * 7 + i * 31 + 1);
    }
}

void rig_session(struct rig *rig, uint8_t number, const char *name, const char *groups, char token[44])
{
    uint8_t raw[32];
    struct sessions_account_ref ref;
    struct sessions_account account = {.name = view_of_cstr(name),
                                       .display_name = VIEW("Ada Lovelace"),
                                       .email = VIEW("ada@example.com"),
                                       .groups = view_of_cstr(groups),
                                       .flags = ACCOUNT_EMAIL_VERIFIED};
    account.id.byte[0] = number;
    token_of(number, raw);
    base64url_encode(raw, 32, token);
    token[43] = '\0';
    enum sessions_account_put_result put = sessions_account_put(&rig->writer, &account, &ref);
    assert_true(put == SESSIONS_ACCOUNT_STORED);
    struct sessions_row row = {.account_slot = ref.slot,
                               .account_generation = ref.generation,
                               .epoch = ref.epoch,
                               .created = (uint32_t)ev_now(rig->loop),
                               .expires = SESSIONS_NEVER,
                               .idle_expires = SESSIONS_NEVER,
                               .level = 1};
    memcpy(row.selector, raw, 16);
    crypto_generichash(row.verifier_hash, 16, raw + 16, 16, NULL, 0);
    enum sessions_inserted inserted = sessions_insert(&rig->writer, &row);
    assert_true(inserted == SESSIONS_INSERTED);
}

void rig_core_connect(struct rig *rig)
{
    int ends[2];
    assert_true(rig->core < 0);
    bool made = channel_pair(ends);
    assert_true(made);
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    rig->core = ends[1];
    asks_connect(&rig->front, ends[0]);
    struct bytes packet;
    bytes_init(&packet, 64);
    wire_core_state_encode(&packet, &(struct wire_core_state){.ready = 1, .store_up = 1});
    (void)channel_send_blocking(rig->core, bytes_view(&packet), -1);
    bytes_release(&packet);
    rig_turn(rig);
}

void rig_core_disconnect(struct rig *rig)
{
    if (rig->core >= 0) {
        close(rig->core);
        rig->core = -1;
        rig_turn(rig);
    }
}

uint16_t rig_core_hear(struct rig *rig, struct view *packet)
{
    rig_turn(rig);
    ssize_t got = recv(rig->core, rig->packet, sizeof(rig->packet), 0);
    if (got <= 0) {
        return 0;
    }
    *packet = view_of(rig->packet, (size_t)got);
    return wire_peek(*packet);
}

void rig_core_reply(struct rig *rig, uint64_t request, enum wire_outcome outcome, enum wire_reason reason)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    wire_reply_encode(&packet, &(struct wire_reply){.request = request,
                                                    .outcome = (uint8_t)outcome,
                                                    .reason = (uint8_t)reason,
                                                    .rows = bytes_view(&rig->rows)});
    bool said = channel_send_blocking(rig->core, bytes_view(&packet), -1);
    assert_true(said);
    bytes_release(&packet);
    bytes_reset(&rig->rows);
    rig_turn(rig);
}

void rig_row_account(struct rig *rig, const char *name, const char *groups)
{
    wire_account_public_append(&rig->rows,
                               &(struct wire_account_public){.name = view_of_cstr(name),
                                                             .display_name = VIEW("Ada"),
                                                             .email = VIEW("ada@example.com"),
                                                             .groups = view_of_cstr(groups),
                                                             .flags = WIRE_ACCOUNT_EMAIL_VERIFIED});
}

void rig_row_grant(struct rig *rig, uint8_t number)
{
    struct wire_grant grant = {.expires = 2000000000, .expires_max = 2000000000, .device = VIEW("device1")};
    token_of(number, grant.token.byte);
    grant.public_id.byte[0] = number;
    wire_grant_append(&rig->rows, &grant);
}

void rig_row_session(struct rig *rig, uint8_t number)
{
    struct wire_session_public session = {
        .created = 1700000000, .expires = 2000000000, .agent = VIEW("Firefox")};
    session.public_id.byte[0] = number;
    wire_session_public_append(&rig->rows, &session);
}

void rig_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

void rig_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("\"%s\" is in:\n%s", part, text);
    }
}

size_t rig_count(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) {
        count++;
    }
    return count;
}

const char *rig_with(const char *text, const char *value)
{
    static char out[65536];
    const char *at = strstr(text, "%s");
    assert_non_null(at);
    snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, value, at + 2);
    return out;
}
