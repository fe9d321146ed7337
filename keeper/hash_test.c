// SPDX-License-Identifier: ISC
// Unit tests of keeper/hash: the service as core sees it, over a real channel, with real threads and cheap
// hashes.
#include "keeper/hash.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define REPLIES_MAX 512
#define DEADLINE_MS 60000

static struct wire_hash_config config = {.workers = 2, .memory_kib = 64, .time = 1};

struct core {
    struct ev_loop *loop;
    struct channel channel;
    struct hash *hash;
    unsigned states, workers, queue_max, later;
    size_t replies;
    uint8_t verdict[REPLIES_MAX]; // by job
    char phc[PHC_SIZE_MAX];       // of the last reply
    bool ended;
};

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct core *core = channel->owner;
    struct wire_hash_reply reply;
    struct wire_hash_state told;
    assert_int_equal(fd, -1);
    if (wire_hash_state_decode(packet, &told)) {
        core->states++;
        core->workers = told.workers;
        core->queue_max = told.queue_max;
        core->later = told.later;
        return true;
    }
    assert_true(wire_hash_reply_decode(packet, &reply));
    assert_true(reply.job < REPLIES_MAX);
    assert_int_equal(core->verdict[reply.job], 0); // one answer a job
    core->verdict[reply.job] = reply.verdict;
    assert_true(view_to_cstr(reply.phc, core->phc, sizeof core->phc));
    core->replies++;
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)why;
    ((struct core *)channel->owner)->ended = true;
}

static const struct channel_events events = {on_packet, on_end};

static void attach(struct core *core)
{
    int sockets[2];
    assert_true(channel_pair(sockets));
    channel_open(&core->channel, core->loop, sockets[0], WIRE_CORE, WIRE_HASH, &events, core, 1 << 20);
    hash_attach(core->hash, sockets[1]);
}

static int set_up(void **state)
{
    struct core *core = calloc(1, sizeof *core);
    struct settings *settings = settings_new();
    if (core == NULL || settings == NULL || !settings_configure(settings, &config)) {
        return 1;
    }
    core->loop = ev_loop_new(EVFLAG_AUTO);
    core->channel.fd = -1;
    core->hash = hash_new(core->loop, hash_bounds_of(&config), settings);
    *state = core;
    return core->hash == NULL ? 1 : 0;
}

static int tear_down(void **state)
{
    struct core *core = *state;
    hash_free(&core->hash);
    channel_close(&core->channel);
    ev_loop_destroy(core->loop);
    free(core);
    return 0;
}

static void wait_for(struct core *core, size_t replies)
{
    while (core->replies < replies && !core->ended) {
        ev_run(core->loop, EVRUN_ONCE);
    }
}

static struct view seal(const char *password, uint8_t out[WIRE_SEALED_MAX])
{
    size_t size = strlen(password);
    assert_int_equal(crypto_box_seal(out, (const uint8_t *)password, size, config.public_key.byte), 0);
    return view_of(out, size + crypto_box_SEALBYTES);
}

static void ask_new(struct core *core, uint64_t job, const char *password)
{
    uint8_t sealed[WIRE_SEALED_MAX];
    assert_true(CHANNEL_SAY(&core->channel, hash_new, .job = job, .deadline_ms = DEADLINE_MS,
                            .sealed = seal(password, sealed), .username = VIEW("ada")));
}

static void ask_verify(struct core *core, uint64_t job, const char *password, const char *phc)
{
    uint8_t sealed[WIRE_SEALED_MAX];
    assert_true(CHANNEL_SAY(&core->channel, hash_verify, .job = job, .deadline_ms = DEADLINE_MS,
                            .sealed = seal(password, sealed), .phc = view_of_cstr(phc)));
}

static void core_is_told_how_much_fits(void **state)
{
    struct core *core = *state;
    attach(core);
    while (core->states == 0) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    assert_int_equal(core->workers, 2);
    assert_true(core->queue_max >= 2);
}

static void a_password_is_set_and_checked(void **state)
{
    struct core *core = *state;
    char phc[PHC_SIZE_MAX];
    attach(core);
    ask_new(core, 1, "gray wind sings nowhere");
    wait_for(core, 1);
    assert_int_equal(core->verdict[1], WIRE_HASH_OK);
    memcpy(phc, core->phc, sizeof phc);
    ask_verify(core, 2, "gray wind sings nowhere", phc);
    wait_for(core, 2);
    assert_string_equal(core->phc, ""); // nothing new to store
    ask_verify(core, 3, "gray wind sings", phc);
    ask_verify(core, 4, "gray wind sings nowhere", "");
    ask_new(core, 5, "12345678");
    wait_for(core, 5);
    assert_int_equal(core->verdict[2], WIRE_HASH_OK);
    assert_int_equal(core->verdict[3], WIRE_HASH_WRONG);
    assert_int_equal(core->verdict[4], WIRE_HASH_WRONG);
    assert_int_equal(core->verdict[5], WIRE_HASH_WEAK);
    assert_int_equal(hash_jobs(core->hash), 0);
}

// Every job is answered once; those that did not fit at once, and as unavailable.
static void more_than_fits_is_refused_at_once(void **state)
{
    struct core *core = *state;
    size_t unavailable = 0;
    attach(core);
    for (uint64_t job = 0; job < 200; job++) {
        ask_verify(core, job, "gray wind sings nowhere", "");
    }
    wait_for(core, 200);
    for (size_t job = 0; job < 200; job++) {
        unavailable += core->verdict[job] == WIRE_HASH_UNAVAILABLE ? 1 : 0;
        assert_true(core->verdict[job] == WIRE_HASH_UNAVAILABLE || core->verdict[job] == WIRE_HASH_WRONG);
    }
    assert_in_range(unavailable, 1, 199);
    assert_int_equal(hash_jobs(core->hash), 0);
}

static void answers_for_a_core_that_is_gone_are_dropped(void **state)
{
    struct core *core = *state;
    attach(core);
    for (uint64_t job = 0; job < 5; job++) {
        ask_verify(core, job, "gray wind sings nowhere", "");
    }
    while (hash_jobs(core->hash) == 0) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    channel_close(&core->channel);
    core->replies = 0;
    memset(core->verdict, 0, sizeof core->verdict);
    attach(core);
    ask_verify(core, 100, "gray wind sings nowhere", "");
    wait_for(core, 1);
    while (hash_jobs(core->hash) > 0) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    ev_run(core->loop, EVRUN_NOWAIT);
    assert_int_equal(core->replies, 1);
    assert_int_equal(core->verdict[100], WIRE_HASH_WRONG);
}

static void a_new_configuration_holds_for_the_jobs_to_come(void **state)
{
    struct core *core = *state;
    struct wire_hash_config dearer = config;
    uint8_t keys[1][COMMON_KEY_SIZE];
    attach(core);
    dearer.memory_kib = 128;
    assert_true(hash_configure(core->hash, &dearer));
    ask_new(core, 1, "gray wind sings nowhere");
    wait_for(core, 1);
    assert_non_null(strstr(core->phc, "m=128,"));

    int fd = memfd_create("list", MFD_CLOEXEC);
    common_key(VIEW("gray wind sings nowhere"), keys[0]);
    assert_true(common_write(fd, keys, 1));
    assert_true(hash_add_list(core->hash, VIEW("own"), fd));
    ask_new(core, 2, "gray wind sings nowhere");
    wait_for(core, 2);
    assert_int_equal(core->verdict[2], WIRE_HASH_WEAK);
    assert_true(hash_remove_list(core->hash, VIEW("own")));
    ask_new(core, 3, "gray wind sings nowhere");
    wait_for(core, 3);
    assert_int_equal(core->verdict[3], WIRE_HASH_OK);
}

static void what_can_not_be_used_is_refused_and_the_old_stays(void **state)
{
    struct core *core = *state;
    struct wire_hash_config impossible = config;
    attach(core);
    impossible.time = 0;
    assert_false(hash_configure(core->hash, &impossible));
    assert_false(hash_add_list(core->hash, VIEW("x"), memfd_create("empty", MFD_CLOEXEC)));
    ask_new(core, 1, "gray wind sings nowhere");
    wait_for(core, 1);
    assert_int_equal(core->verdict[1], WIRE_HASH_OK);
}

static void a_wrong_message_ends_the_channel(void **state)
{
    struct core *core = *state;
    struct bytes packet;
    attach(core);
    bytes_init(&packet, 1024);
    assert_true(wire_hash_verify_encode(&packet, &(struct wire_hash_verify){.job = 1, .phc = VIEW("a\0b")}));
    assert_true(channel_send(&core->channel, bytes_view(&packet)));
    bytes_release(&packet);
    while (!core->ended) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    assert_int_equal(core->replies, 0);
    assert_int_equal(hash_jobs(core->hash), 0);
}

static unsigned drained_calls;

static void on_drained(void)
{
    drained_calls++;
}

static void draining_answers_what_there_is_and_no_more(void **state)
{
    struct core *core = *state;
    attach(core);
    drained_calls = 0;
    for (uint64_t job = 0; job < 5; job++) {
        ask_verify(core, job, "gray wind sings nowhere", "");
    }
    while (hash_jobs(core->hash) < 5 && core->replies == 0) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    hash_drain(core->hash, on_drained);
    ask_verify(core, 10, "gray wind sings nowhere", "");
    wait_for(core, 6);
    assert_int_equal(core->verdict[10], WIRE_HASH_UNAVAILABLE);
    assert_int_equal(drained_calls, 1);
    assert_int_equal(hash_jobs(core->hash), 0);
}

static void stopping_with_jobs_under_way_is_clean(void **state)
{
    struct core *core = *state;
    attach(core);
    for (uint64_t job = 0; job < 8; job++) {
        ask_verify(core, job, "gray wind sings nowhere", "");
    }
    ev_run(core->loop, EVRUN_ONCE);
    hash_free(&core->hash);
    assert_null(core->hash);
}

// A reload, or the supervisor's look at the machine: core hears of it, and nothing is asked anew.
static void bounds_follow_the_machine(void **state)
{
    struct core *core = *state;
    struct wire_hash_config fewer = config;
    attach(core);
    fewer.workers = 1;
    assert_true(hash_configure(core->hash, &fewer));
    while (core->workers != 1 || core->later != 1) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    fewer.workers = 9; // only two threads were started
    assert_true(hash_configure(core->hash, &fewer));
    while (core->workers != 2) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    fewer.budget_kib = 64 + 1024 + 10; // room for one
    assert_true(hash_configure(core->hash, &fewer));
    while (core->workers != 1) {
        ev_run(core->loop, EVRUN_ONCE);
    }
    assert_true(hash_configure(core->hash, &config));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(core_is_told_how_much_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_password_is_set_and_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_fits_is_refused_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_for_a_core_that_is_gone_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_configuration_holds_for_the_jobs_to_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_can_not_be_used_is_refused_and_the_old_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_message_ends_the_channel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(draining_answers_what_there_is_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_with_jobs_under_way_is_clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_follow_the_machine, set_up, tear_down),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    crypto_box_keypair(config.public_key.byte, config.secret_key.byte);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
