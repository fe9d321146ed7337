// SPDX-License-Identifier: ISC
// Unit tests of front/address.
#include "front/address.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct networks trusted;

static int begin(void **state)
{
    (void)state;
    return networks_parse(VIEW("10.0.0.0/8, 192.0.2.1,2001:db8::/33"), &trusted) ? 0 : -1;
}

static const char *client(const char *peer_text, const char *first, const char *second)
{
    static char text[46];
    struct peer peer = {.unix_socket = strcmp(peer_text, "unix") == 0};
    struct view lines[2] = {view_of_cstr(first), view_of_cstr(second)};
    if (!peer.unix_socket) {
        assert_true(address_parse(view_of_cstr(peer_text), &peer.address));
    } else {
        assert_true(address_parse(VIEW("127.0.0.1"), &peer.address));
    }
    log_address_text(address_of_client(&trusted, &peer, lines,
                                       first == NULL    ? 0
                                       : second == NULL ? 1
                                                        : 2),
                     text);
    return text;
}

static void strangers_are_not_believed(void **state)
{
    (void)state;
    assert_string_equal(client("203.0.113.1", "198.51.100.1", NULL), "203.0.113.1");
    assert_string_equal(client("unix", "198.51.100.1", NULL), "127.0.0.1");
    trusted.unix_socket = true;
    assert_string_equal(client("unix", "198.51.100.1", NULL), "198.51.100.1");
}

static void the_rightmost_untrusted_counts(void **state)
{
    (void)state;
    assert_string_equal(client("10.1.1.1", NULL, NULL), "10.1.1.1");
    assert_string_equal(client("10.1.1.1", "198.51.100.1", NULL), "198.51.100.1");
    assert_string_equal(client("10.1.1.1", "1.1.1.1, 198.51.100.1", NULL), "198.51.100.1");
    assert_string_equal(client("10.1.1.1", "1.1.1.1, 198.51.100.1,10.2.2.2", "192.0.2.1"), "198.51.100.1");
    assert_string_equal(client("10.1.1.1", "10.3.3.3, 10.2.2.2", NULL), "10.3.3.3");
    assert_string_equal(client("10.1.1.1", "198.51.100.1:4711", NULL), "198.51.100.1");
    assert_string_equal(client("2001:db8::1", "[2001:db9::7]:80", NULL), "2001:db9::7");
    assert_string_equal(client("10.1.1.1", "2001:db9::7", NULL), "2001:db9::7");
}

static void what_is_no_address_ends_the_walk(void **state)
{
    (void)state;
    assert_string_equal(client("10.1.1.1", "198.51.100.1, unknown", NULL), "10.1.1.1");
    assert_string_equal(client("10.1.1.1", "198.51.100.1, ,10.2.2.2", NULL), "10.2.2.2");
    assert_string_equal(client("10.1.1.1", "", NULL), "10.1.1.1");
    assert_string_equal(client("10.1.1.1", "1.2.3.4.5", NULL), "10.1.1.1");
    assert_string_equal(client("10.1.1.1", "1.2.3.4:99999", NULL), "10.1.1.1");
}

static void networks_are_strict(void **state)
{
    (void)state;
    struct networks networks;
    struct id16 address;
    assert_true(networks_parse(VIEW("0.0.0.0/0"), &networks));
    assert_true(address_parse(VIEW("8.8.8.8"), &address));
    assert_true(networks_hold(&networks, address));
    assert_true(address_parse(VIEW("2001:db8::1"), &address));
    assert_false(networks_hold(&networks, address));
    assert_true(networks_parse(VIEW("10.64.0.0/10"), &networks));
    assert_true(address_parse(VIEW("10.127.255.255"), &address));
    assert_true(networks_hold(&networks, address));
    assert_true(address_parse(VIEW("10.128.0.0"), &address));
    assert_false(networks_hold(&networks, address));
    assert_false(networks_parse(VIEW("10.0.0.0/33"), &networks));
    assert_false(networks_parse(VIEW("10.0.0/8"), &networks));
    assert_false(networks_parse(VIEW("10.0.0.0/"), &networks));
    assert_false(networks_parse(VIEW("host"), &networks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(strangers_are_not_believed, begin),
        cmocka_unit_test_setup(the_rightmost_untrusted_counts, begin),
        cmocka_unit_test_setup(what_is_no_address_ends_the_walk, begin),
        cmocka_unit_test(networks_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
