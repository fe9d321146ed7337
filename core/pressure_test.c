// SPDX-License-Identifier: ISC
// Core under more log-ins than can be served, and without its store: the real core, with a store, a hash and
// a front that the test plays, and time that it moves.
#include "core/core.h"

#include "core/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MS           1000000ull
#define HASH_WORKERS 2
#define HASH_MS      40
#define JOBS_MAX     4096
#define REQUESTS_MAX 65536

static struct {
    struct core *core;
    struct sessions_writer writer;
    void *sessions_map, *accounts_map;
    uint64_t now_ns;
    // the front
    struct wire_core_admission told;
    uint32_t told_times;
    uint64_t next_request;
    uint64_t asked_ns[REQUESTS_MAX], answered_ns[REQUESTS_MAX];
    struct wire_reply reply[REQUESTS_MAX]; // without its views
    // the store
    uint64_t ops[JOBS_MAX], op;
    uint32_t op_count;
    bool store_mute;
    // the hash: in order, so many at once
    uint64_t job[JOBS_MAX];
    uint32_t job_first, job_end;
    uint64_t worker_job[HASH_WORKERS], worker_end_ns[HASH_WORKERS];
    uint32_t hashed;
} t;

static struct core_time now(void)
{
    return (struct core_time){.mono_ns = t.now_ns, .wall_s = 1700000000 + t.now_ns / 1000000000};
}

static bool hear(void *owner, enum wire_role role, uint16_t index, struct view packet)
{
    (void)owner;
    (void)index;
    uint64_t op;
    struct wire_reply reply;
    switch (wire_peek(packet)) {
    case WIRE_MESSAGE_core_admission:
        assert_true(wire_core_admission_decode(packet, &t.told));
        t.told_times++;
        break;
    case WIRE_MESSAGE_reply:
        assert_true(wire_reply_decode(packet, &reply));
        assert_int_equal(t.answered_ns[reply.request], 0);
        t.answered_ns[reply.request] = t.now_ns;
        t.reply[reply.request] = reply;
        break;
    default:
        memcpy(&op, packet.data + 2, sizeof(op));
        t.op = role == WIRE_STORE ? op : t.op;
        if (role == WIRE_STORE && wire_peek(packet) == WIRE_MESSAGE_store_account_by_name && !t.store_mute) {
            assert_true(t.op_count < JOBS_MAX);
            t.ops[t.op_count++] = op;
        } else if (role == WIRE_HASH) {
            assert_true(t.job_end < JOBS_MAX);
            t.job[t.job_end++] = op;
        }
    }
    return true;
}

#define TELL(role_, name_, ...)                                                                              \
    do {                                                                                                     \
        struct bytes out_;                                                                                   \
        bytes_init(&out_, WIRE_PACKET_MAX);                                                                  \
        assert_true(wire_##name_##_encode(&out_, &(struct wire_##name_){__VA_ARGS__}));                      \
        assert_true(core_packet(t.core, now(), role_, 0, bytes_view(&out_)));                                \
        bytes_release(&out_);                                                                                \
    } while (0)

// Somebody else every time, from somewhere else: nobody is to be slowed as a guesser.
static struct view name_of(uint64_t request)
{
    static char name[32];
    return view_of(name, (size_t)snprintf(name, sizeof(name), "user%llu", (unsigned long long)request));
}

static struct id16 source_of(uint64_t request)
{
    struct id16 source = {{0x20, 1, 0xd, 0xb8}};
    uint32_t number = (uint32_t)request;
    memcpy(source.byte + 4, &number, sizeof(number));
    return source;
}

static uint64_t log_in(void)
{
    uint64_t request = t.next_request++;
    assert_true(request < REQUESTS_MAX);
    t.asked_ns[request] = t.now_ns;
    TELL(WIRE_FRONT, login, .request = request, .source = source_of(request), .username = name_of(request),
         .sealed = VIEW("sealed"));
    return request;
}

static uint64_t sign_up(void)
{
    uint64_t request = t.next_request++;
    t.asked_ns[request] = t.now_ns;
    TELL(WIRE_FRONT, register_account, .request = request, .source = source_of(request),
         .username = name_of(request), .email = VIEW("ada@example.com"), .sealed = VIEW("sealed"));
    return request;
}

static void store_answers(void)
{
    for (uint32_t i = 0; i < t.op_count; i++) {
        TELL(WIRE_STORE, store_reply, .op = t.ops[i], .outcome = WIRE_STORE_NOT_FOUND);
    }
    t.op_count = 0;
}

static void hash_works(void)
{
    for (uint32_t i = 0; i < HASH_WORKERS; i++) {
        if (t.worker_job[i] != 0 && t.worker_end_ns[i] <= t.now_ns) {
            uint64_t job = t.worker_job[i];
            t.worker_job[i] = 0;
            t.hashed++;
            TELL(WIRE_HASH, hash_reply, .job = job, .verdict = WIRE_HASH_WRONG, .hash_us = HASH_MS * 1000);
        }
        if (t.worker_job[i] == 0 && t.job_first < t.job_end) {
            t.worker_job[i] = t.job[t.job_first++];
            t.worker_end_ns[i] = t.now_ns + HASH_MS * MS;
        }
    }
    if (t.job_first == t.job_end) {
        t.job_first = t.job_end = 0;
    }
}

static void step(void)
{
    t.now_ns += MS;
    store_answers();
    hash_works();
    if (t.now_ns / MS % CORE_TICK_MS == 0) {
        core_tick(t.core, now());
    }
}

static void pass(uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        step();
    }
}

static void *map_new(uint64_t size)
{
    void *map = aligned_alloc(4096, size);
    assert_non_null(map);
    memset(map, 0, size);
    return map;
}

static bool allocate(void *context, enum sessions_which which, uint64_t offset, uint64_t size)
{
    (void)context;
    (void)which;
    (void)offset;
    (void)size;
    return true; // all of it is there
}

static int begin(void **state)
{
    (void)state;
    static const struct core_settings settings = {.registration = WIRE_REGISTRATION_OPEN,
                                                  .session_idle_s = 3600,
                                                  .session_max_s = 86400,
                                                  .public_url = "http://test",
                                                  .version = "test"};
    uint64_t sessions_size = sessions_file_size(64);
    uint64_t accounts_size = (accounts_file_size(64) + 4095) & ~4095ull;
    memset(&t, 0, sizeof(t));
    t.now_ns = 1000 * 1000 * MS;
    t.next_request = 1;
    t.sessions_map = map_new(sessions_size);
    t.accounts_map = map_new(accounts_size);
    assert_true(sessions_writer_open(&t.writer, t.sessions_map, sessions_size, t.accounts_map, accounts_size,
                                     allocate, NULL) != SESSIONS_OPEN_FAILED);
    t.core = core_new(&settings, &t.writer, &(struct hash32){{1}}, (struct core_port){.send = hear}, now());
    assert_non_null(t.core);
    core_peer_up(t.core, now(), WIRE_FRONT, 0);
    core_peer_up(t.core, now(), WIRE_STORE, 0);
    core_peer_up(t.core, now(), WIRE_HASH, 0);
    TELL(WIRE_STORE, store_state, .up = 1);
    TELL(WIRE_HASH, hash_state, .workers = HASH_WORKERS, .queue_max = 64);
    pass(100);
    return 0;
}

static int end(void **state)
{
    (void)state;
    core_free(&t.core);
    sessions_writer_release(&t.writer);
    free(t.sessions_map);
    free(t.accounts_map);
    return 0;
}

static void without_its_store_log_ins_are_refused_at_once(void **state)
{
    (void)state;
    TELL(WIRE_STORE, store_state, .up = 0);
    assert_int_equal(t.told.login_refused, 65535);
    assert_int_equal(t.told.sign_up_refused, 65535);
    assert_int_equal(t.told.login_reason, WIRE_STORE_DOWN);
    uint64_t requests[] = {log_in(), sign_up()};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(t.answered_ns[requests[i]], t.now_ns);
        assert_int_equal(t.reply[requests[i]].outcome, WIRE_UNAVAILABLE);
        assert_int_equal(t.reply[requests[i]].reason, WIRE_STORE_DOWN);
        assert_in_range(t.reply[requests[i]].retry_after_s, 1, 2);
    }
    pass(8000);
    assert_in_range(t.told.login_retry_after_s, 3, 4); // the longer it is away, the later
    pass(60000);
    assert_int_equal(t.told.login_retry_after_s, 10);
    TELL(WIRE_STORE, store_state, .up = 1);
    assert_int_equal(t.told.login_refused, 0);
    uint64_t request = log_in();
    pass(100);
    assert_int_equal(t.reply[request].reason, WIRE_WRONG_CREDENTIALS);
}

static void a_store_that_is_started_again_is_waited_for(void **state)
{
    (void)state;
    core_peer_down(t.core, now(), WIRE_STORE, 0);
    t.store_mute = true;
    uint64_t request = log_in();
    pass(300);
    assert_int_equal(t.answered_ns[request], 0);
    assert_int_equal(t.told.login_refused, 0);
    t.store_mute = false;
    core_peer_up(t.core, now(), WIRE_STORE, 0);
    pass(10);
    uint64_t meanwhile = log_in(); // the new one has said nothing of its database yet
    pass(10);
    assert_int_equal(t.answered_ns[meanwhile], 0);
    assert_int_equal(t.told.login_refused, 0);
    TELL(WIRE_STORE, store_state, .up = 1);
    pass(100);
    assert_int_equal(t.reply[request].reason, WIRE_WRONG_CREDENTIALS);
    assert_int_equal(t.reply[meanwhile].reason, WIRE_WRONG_CREDENTIALS);
    core_peer_down(t.core, now(), WIRE_STORE, 0);
    pass(1200); // not for ever
    assert_int_equal(t.told.login_refused, 65535);
    request = log_in();
    assert_int_equal(t.reply[request].reason, WIRE_STORE_DOWN);
}

static void a_store_that_refuses_is_busy_not_down(void **state)
{
    (void)state;
    t.store_mute = true;
    uint64_t request = log_in();
    TELL(WIRE_STORE, store_reply, .op = t.op, .outcome = WIRE_STORE_REFUSED, .retry_after_s = 7);
    assert_int_equal(t.reply[request].outcome, WIRE_UNAVAILABLE);
    assert_int_equal(t.reply[request].reason, WIRE_STORE_BUSY);
    assert_int_equal(t.reply[request].retry_after_s, 7);
}

static void a_storm_is_refused_early_and_the_workers_stay_busy(void **state)
{
    (void)state;
    enum { OFFERED = 500, CAPACITY = 1000 * HASH_WORKERS / HASH_MS };
    uint64_t random = 1;
    uint32_t came = 0, refused = 0, late = 0, most_s = 0;
    pass(1000);
    for (uint32_t ms = 0; ms < 13000; ms++) {
        if (ms == 3000) { // it stands
            t.hashed = t.told_times = 0;
            came = (uint32_t)t.next_request;
        }
        random = random * 6364136223846793005u + 1442695040888963407u;
        bool offered = (random >> 33) % 1000 < OFFERED;
        bool turned_away = offered && (random >> 12 & 0xffff) % 65535 < t.told.login_refused;
        if (offered && !turned_away) {
            log_in();
        }
        step();
    }
    uint32_t from = came;
    came = (uint32_t)t.next_request - came;
    assert_true(t.hashed >= 10 * CAPACITY * 97 / 100);
    assert_true(came < 10 * CAPACITY * 3 / 2);
    assert_true(t.told_times <= 100);
    assert_int_equal(t.told.login_reason, WIRE_HASH_BUSY);
    pass(6000);
    for (uint64_t request = from; request < t.next_request; request++) {
        assert_true(t.answered_ns[request] > 0);
        if (t.reply[request].outcome == WIRE_UNAVAILABLE) {
            refused++;
            late += t.answered_ns[request] - t.asked_ns[request] > 100 * MS;
            most_s = t.reply[request].retry_after_s > most_s ? t.reply[request].retry_after_s : most_s;
        }
    }
    assert_true(late * 10 <
                refused);     // of those that came through; the fronts refuse ten times as many at once
    assert_true(most_s > 10); // ten seconds of ten times the load take a while to be served
    assert_int_equal(t.told.login_refused, 0);
    uint64_t request = log_in();
    pass(100);
    assert_int_equal(t.reply[request].reason, WIRE_WRONG_CREDENTIALS);
}

static void sign_ups_in_a_storm_leave_log_ins_alone(void **state)
{
    (void)state;
    uint64_t log_ins[100];
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < 50; k++) {
            if ((i * 50 + k) * 7919 % 65535 >= t.told.sign_up_refused) {
                sign_up();
            }
            step();
        }
        log_ins[i] = log_in();
    }
    pass(500);
    assert_int_equal(t.told.login_refused, 0);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(t.reply[log_ins[i]].reason, WIRE_WRONG_CREDENTIALS);
        assert_true(t.answered_ns[log_ins[i]] - t.asked_ns[log_ins[i]] < 200 * MS);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(without_its_store_log_ins_are_refused_at_once),
        TEST(a_store_that_is_started_again_is_waited_for),
        TEST(a_store_that_refuses_is_busy_not_down),
        TEST(a_storm_is_refused_early_and_the_workers_stay_busy),
        TEST(sign_ups_in_a_storm_leave_log_ins_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
