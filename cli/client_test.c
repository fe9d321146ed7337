// SPDX-License-Identifier: ISC
// The conversation with core, played by a child process on a socket in a temporary folder.
#include "cli/client.h"

#include "wire/channel.h"

#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct stage {
    char folder[64];
    char path[128];
    int listener;
    pid_t core;
    struct client client;
};

static uint8_t public_key[crypto_box_PUBLICKEYBYTES];
static uint8_t secret_key[crypto_box_SECRETKEYBYTES];

static void say(int socket, struct bytes *packet)
{
    if (!channel_send_blocking(socket, bytes_view(packet), -1)) {
        _exit(9);
    }
    bytes_reset(packet);
}

static struct view hear(int socket)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    int fd;
    return view_of(buffer, channel_receive_blocking(socket, buffer, sizeof(buffer), &fd));
}

// Answers one greeting and then each account_show: "alice" is granted, "slow" unavailable, "odd" gets a reply
// to another request first, "gone" the end of the connection; all others are refused.
static void play_core(int listener)
{
    struct bytes packet;
    struct bytes rows;
    int socket = accept(listener, NULL, NULL);
    struct wire_ctl_welcome welcome = {
        .protocol = 1, .version = VIEW("0.1.0"), .public_url = VIEW("https://id.example.org")};
    memcpy(welcome.hash_public_key.byte, public_key, sizeof(public_key));
    bytes_init(&packet, WIRE_PACKET_MAX);
    bytes_init(&rows, 4096);
    (void)hear(socket);
    wire_ctl_welcome_encode(&packet, &welcome);
    say(socket, &packet);
    for (;;) {
        struct wire_account_show ask;
        if (!wire_account_show_decode(hear(socket), &ask) || view_equal(ask.username, VIEW("gone"))) {
            _exit(0);
        }
        struct wire_reply reply = {
            .request = ask.request, .outcome = WIRE_REFUSED, .reason = WIRE_NOT_FOUND, .detail = VIEW("No.")};
        if (view_equal(ask.username, VIEW("slow"))) {
            reply = (struct wire_reply){.request = ask.request,
                                        .outcome = WIRE_UNAVAILABLE,
                                        .reason = WIRE_STORE_DOWN,
                                        .retry_after_s = 3};
        }
        if (view_equal(ask.username, VIEW("odd"))) {
            wire_reply_encode(&packet,
                              &(struct wire_reply){.request = ask.request + 1, .outcome = WIRE_GRANTED});
            say(socket, &packet);
        }
        if (view_equal(ask.username, VIEW("alice"))) {
            bytes_reset(&rows);
            wire_account_public_append(&rows, &(struct wire_account_public){.name = VIEW("alice")});
            reply = (struct wire_reply){
                .request = ask.request, .outcome = WIRE_GRANTED, .rows = bytes_view(&rows)};
        }
        wire_reply_encode(&packet, &reply);
        say(socket, &packet);
    }
}

static int raise_curtain(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(stage);
    assert_int_equal(crypto_box_keypair(public_key, secret_key), 0);
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/stayd-cli-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->path, sizeof(stage->path), "%s/core.sock", stage->folder);
    memcpy(address.sun_path, stage->path, strlen(stage->path) + 1);
    stage->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stage->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(stage->listener, 4), 0);
    fflush(NULL);
    stage->core = fork();
    if (stage->core == 0) {
        play_core(stage->listener);
        _exit(0);
    }
    close(stage->listener);
    client_init(&stage->client);
    assert_int_equal(client_connect(&stage->client, stage->path), CLIENT_GRANTED);
    *state = stage;
    return 0;
}

static int drop_curtain(void **state)
{
    struct stage *stage = *state;
    client_release(&stage->client);
    kill(stage->core, SIGKILL);
    waitpid(stage->core, NULL, 0);
    unlink(stage->path);
    rmdir(stage->folder);
    free(stage);
    return 0;
}

static enum client_result show(struct stage *stage, const char *name, struct wire_reply *reply)
{
    return CLIENT_ASK(&stage->client, reply, account_show, .username = view_of_cstr(name));
}

static void the_welcome_is_kept(void **state)
{
    struct stage *stage = *state;
    assert_string_equal(stage->client.version, "0.1.0");
    assert_string_equal(stage->client.public_url, "https://id.example.org");
    assert_memory_equal(stage->client.hash_public_key.byte, public_key, sizeof(public_key));
}

static void answers_are_told_apart(void **state)
{
    struct stage *stage = *state;
    struct wire_reply reply;
    struct wire_account_public account;
    assert_int_equal(show(stage, "alice", &reply), CLIENT_GRANTED);
    assert_true(wire_account_public_next(&reply.rows, &account));
    assert_true(view_equal(account.name, VIEW("alice")));
    assert_int_equal(show(stage, "nobody", &reply), CLIENT_REFUSED);
    assert_int_equal(reply.reason, WIRE_NOT_FOUND);
    assert_int_equal(show(stage, "slow", &reply), CLIENT_UNAVAILABLE);
    assert_int_equal(reply.retry_after_s, 3);
}

static void an_answer_to_another_request_is_passed_over(void **state)
{
    struct wire_reply reply;
    assert_int_equal(show(*state, "odd", &reply), CLIENT_REFUSED);
}

static void a_lost_core_is_noticed(void **state)
{
    struct wire_reply reply;
    assert_int_equal(show(*state, "gone", &reply), CLIENT_BROKEN);
    assert_int_equal(show(*state, "alice", &reply), CLIENT_BROKEN);
}

static void too_long_a_value_is_not_sent(void **state)
{
    char name[512];
    struct wire_reply reply;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(show(*state, name, &reply), CLIENT_REFUSED);
    assert_int_equal(reply.reason, WIRE_BAD_REQUEST);
    assert_int_equal(show(*state, "alice", &reply), CLIENT_GRANTED);
}

static void only_the_hash_key_opens_a_password(void **state)
{
    struct stage *stage = *state;
    uint8_t sealed[WIRE_SEALED_MAX];
    uint8_t opened[WIRE_PASSWORD_MAX];
    static const uint8_t long_one[WIRE_PASSWORD_MAX + 1];
    size_t size = client_seal(&stage->client, VIEW("correct horse"), sealed);
    assert_int_equal(size, 13 + crypto_box_SEALBYTES);
    assert_int_equal(crypto_box_seal_open(opened, sealed, size, public_key, secret_key), 0);
    assert_memory_equal(opened, "correct horse", 13);
    assert_int_equal(client_seal(&stage->client, view_of(long_one, sizeof(long_one)), sealed), 0);
}

static void nobody_listening_is_told_apart(void **unused)
{
    struct client client;
    char deep[4096] = "/tmp";
    (void)unused;
    client_init(&client);
    assert_int_equal(client_connect(&client, "/tmp/stayd-is-not-here/core.sock"), CLIENT_ABSENT);
    client_release(&client);
    for (int i = 0; i < 20; i++) { // longer than an address can be
        memcpy(deep + strlen(deep), "/not-here", 10);
    }
    client_init(&client);
    assert_int_equal(client_connect(&client, deep), CLIENT_ABSENT);
    client_release(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_welcome_is_kept, raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(answers_are_told_apart, raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(an_answer_to_another_request_is_passed_over, raise_curtain,
                                        drop_curtain),
        cmocka_unit_test_setup_teardown(a_lost_core_is_noticed, raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(too_long_a_value_is_not_sent, raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(only_the_hash_key_opens_a_password, raise_curtain, drop_curtain),
        cmocka_unit_test(nobody_listening_is_told_apart),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
