// SPDX-License-Identifier: ISC
// Early refusal over socket pairs, with a core that the test plays.
#include "front/early.h"

#include "front/testing/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

static void core_says(uint16_t login, uint16_t sign_up, enum wire_reason reason, uint32_t retry_after_s)
{
    struct bytes packet;
    bytes_init(&packet, 64);
    wire_core_admission_encode(&packet,
                               &(struct wire_core_admission){.login_refused = login,
                                                             .login_reason = (uint8_t)reason,
                                                             .login_retry_after_s = retry_after_s,
                                                             .sign_up_refused = sign_up,
                                                             .sign_up_reason = (uint8_t)reason,
                                                             .sign_up_retry_after_s = retry_after_s});
    assert_true(channel_send_blocking(rig.core, bytes_view(&packet), -1));
    bytes_release(&packet);
    rig_turn(&rig);
}

// Not even JSON: what is refused is not read.
#define API(path)                                                                                            \
    "POST /api/v1/" path " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "        \
    "5\r\n\r\nwhat?"

static void what_core_cannot_take_is_refused_before_it_is_read(void **state)
{
    (void)state;
    struct view packet;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 400 ");
    core_says(65535, 0, WIRE_HASH_BUSY, 1);
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 503 ");
    rig_has(rig.heard, "Retry-After: ");
    rig_has(rig.heard, "application/problem+json");
    rig_has(rig.heard, "\"type\":\"urn:stayd:problem:hash_busy\"");
    rig_has(rig_ask(&rig, client, API("register")), "HTTP/1.1 400 ");
    core_says(0, 65535, WIRE_STORE_DOWN, 4);
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 400 ");
    rig_has(rig_ask(&rig, client, API("register")), "HTTP/1.1 503 ");
    rig_has(rig.heard, "\"type\":\"urn:stayd:problem:store_down\"");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    core_says(0, 0, WIRE_REASON_NONE, 0);
    rig_has(rig_ask(&rig, client, API("register")), "HTTP/1.1 400 ");
    close(client);
}

// What comes is counted before it is refused, once each.
static void what_comes_is_counted(void **state)
{
    (void)state;
    uint64_t logins = stats_read(stats_here, STATS_logins_arrived);
    uint64_t sign_ups = stats_read(stats_here, STATS_registrations_arrived);
    uint64_t changes = stats_read(stats_here, STATS_changes_arrived);
    rig_core_connect(&rig);
    core_says(65535, 65535, WIRE_HASH_BUSY, 1);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 503 ");
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 503 ");
    rig_has(rig_ask(&rig, client, API("register")), "HTTP/1.1 503 ");
    rig_has(rig_ask(&rig, client, API("password")), "HTTP/1.1 ");
    rig_has(rig_ask(&rig, client, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    rig_has(rig_ask(&rig, client, "GET /auth/check HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 401 ");
    assert_int_equal(stats_read(stats_here, STATS_logins_arrived), logins + 2);
    assert_int_equal(stats_read(stats_here, STATS_registrations_arrived), sign_ups + 1);
    assert_int_equal(stats_read(stats_here, STATS_changes_arrived), changes + 1);
    assert_int_equal(crowd_distinct(&rig.front.crowd), 1);
    rig_pass(&rig, 2000);
    crowd_tick(&rig.front.crowd, front_mono_s(&rig.front));
    assert_int_equal(stats_read(stats_here, STATS_sources_distinct), 1);
    assert_int_equal(crowd_distinct(&rig.front.crowd), 0); // another second began
    close(client);
}

static void another_sites_page_learns_nothing(void **state)
{
    (void)state;
    rig_core_connect(&rig);
    core_says(65535, 65535, WIRE_HASH_BUSY, 1);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client,
                    "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Type: "
                    "application/json\r\nContent-Length: 2\r\n\r\n{}"),
            "HTTP/1.1 403 ");
    close(client);
}

static unsigned retry_after(const char *heard)
{
    const char *at = strstr(heard, "Retry-After: ");
    assert_non_null(at);
    return (unsigned)strtoul(at + 13, NULL, 10);
}

static void a_share_is_refused_and_told_to_come_at_different_times(void **state)
{
    (void)state;
    int refused = 0, early = 0, late = 0;
    rig_core_connect(&rig);
    core_says(65535 * 3 / 4, 0, WIRE_HASH_BUSY, 10);
    int client = rig_connect(&rig);
    for (int i = 0; i < 400; i++) {
        rig_ask(&rig, client, API("login"));
        if (rig_count(rig.heard, "HTTP/1.1 503 ") > 0) {
            unsigned seconds = retry_after(rig.heard);
            assert_in_range(seconds, 10, 15);
            early += seconds <= 12;
            late += seconds > 12;
            refused++;
        }
    }
    assert_in_range(refused, 250, 350);
    assert_true(early > refused / 4 && late > refused / 4);
    close(client);
}

#define FORM(path, size, body)                                                                               \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"               \
    "Content-Length: " #size "\r\n\r\n" body

static void the_page_keeps_what_was_typed_but_the_password(void **state)
{
    (void)state;
    struct view packet;
    rig_core_connect(&rig);
    core_says(65535, 65535, WIRE_HASH_BUSY, 2);
    int client = rig_connect(&rig);
    rig_ask(&rig, client, FORM("/login", 37, "username=ada&password=secret&rd=/apps"));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    rig_has(rig.heard, "Retry-After: ");
    rig_has(rig.heard, "value=\"ada\"");
    rig_has(rig.heard, "Very many people are logging in just now");
    rig_has_not(rig.heard, "secret");
    rig_ask(&rig, client, FORM("/register", 44, "username=eve&email=eve@b.example&password=no"));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    rig_has(rig.heard, "value=\"eve\"");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    close(client);
}

static void it_ends_with_its_core_and_leaves_checks_alone(void **state)
{
    (void)state;
    char token[44];
    char text[256];
    rig_core_connect(&rig);
    core_says(65535, 65535, WIRE_HASH_BUSY, 2);
    rig_session(&rig, 1, "ada", "staff", token);
    int client = rig_connect(&rig);
    snprintf(text, sizeof(text), "GET /auth/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n",
             token);
    rig_has(rig_ask(&rig, client, text), "HTTP/1.1 200 ");
    rig_has(rig_ask(&rig, client, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 503 ");
    rig_core_disconnect(&rig);
    rig_has(rig_ask(&rig, client, API("login")), "HTTP/1.1 400 "); // read: it would wait for the next core
    close(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_core_cannot_take_is_refused_before_it_is_read),
        TEST(what_comes_is_counted),
        TEST(another_sites_page_learns_nothing),
        TEST(a_share_is_refused_and_told_to_come_at_different_times),
        TEST(the_page_keeps_what_was_typed_but_the_password),
        TEST(it_ends_with_its_core_and_leaves_checks_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
