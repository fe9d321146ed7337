// SPDX-License-Identifier: ISC
// Unit tests of wire/messages.
#include "wire/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_message_survives_the_way(void **state)
{
    (void)state;
    struct wire_login in = {.request = 0x0102030405060708,
                            .via = WIRE_VIA_API,
                            .agent = VIEW("Firefox"),
                            .username = VIEW("ada"),
                            .sealed = VIEW("\x00\x01\x02")};
    in.source.byte[15] = 7;
    struct wire_login out;
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    assert_true(wire_login_encode(&packet, &in));
    assert_int_equal(wire_peek(bytes_view(&packet)), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(bytes_view(&packet), &out));
    assert_true(out.request == in.request && out.source.byte[15] == 7);
    assert_true(view_equal(out.username, in.username) && view_equal(out.sealed, in.sealed));
    for (size_t size = 0; size < packet.size; size++) { // every shorter one is refused
        assert_false(wire_login_decode(view_first(bytes_view(&packet), size), &out));
    }
    bytes_append_byte(&packet, 0);
    assert_false(wire_login_decode(bytes_view(&packet), &out)); // and a longer one
    bytes_release(&packet);
}

static void bounds_are_kept(void **state)
{
    (void)state;
    static const uint8_t big[4096];
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    assert_false(wire_login_encode(&packet, &(struct wire_login){.username = view_of(big, 257)}));
    bytes_release(&packet);
}

static void the_table_says_who_may_talk(void **state)
{
    (void)state;
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    assert_true(wire_key_mac_encode(&packet, &(struct wire_key_mac){.job = 1}));
    assert_true(wire_permitted(bytes_view(&packet), WIRE_CORE, WIRE_KEY));
    assert_false(wire_permitted(bytes_view(&packet), WIRE_FRONT, WIRE_KEY));
    assert_false(wire_permitted(VIEW("\xff\xff"), WIRE_CORE, WIRE_KEY));
    bytes_release(&packet);
}

static void records_follow_each_other(void **state)
{
    (void)state;
    struct bytes rows;
    bytes_init(&rows, 4096);
    assert_true(wire_status_row_append(&rows, &(struct wire_status_row){VIEW("a"), VIEW("1")}));
    assert_true(wire_invite_append(&rows, &(struct wire_invite){.token = VIEW("t"), .expires = 9}));
    struct view rest = bytes_view(&rows);
    struct wire_status_row status;
    struct wire_invite invite;
    assert_false(wire_invite_next(&rest, &invite));
    assert_true(wire_status_row_next(&rest, &status));
    assert_int_equal(wire_record_peek(rest), WIRE_RECORD_invite);
    assert_true(wire_invite_next(&rest, &invite) && invite.expires == 9);
    assert_int_equal(rest.size, 0);
    bytes_release(&rows);
}

static void every_reason_has_a_name(void **state)
{
    (void)state;
    for (int reason = 0; reason < WIRE_REASON_END; reason++) {
        assert_non_null(wire_reason_name((enum wire_reason)reason));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_survives_the_way),  cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(the_table_says_who_may_talk), cmocka_unit_test(records_follow_each_other),
        cmocka_unit_test(every_reason_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
