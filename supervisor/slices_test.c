// SPDX-License-Identifier: ISC
#include "supervisor/slices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct wire_front_config front_slice(const struct slices *slices, uint16_t index, struct bytes *packet)
{
    struct wire_front_config front;
    bytes_init(packet, WIRE_PACKET_MAX);
    assert_true(slices_encode(slices, WIRE_FRONT, index, packet));
    assert_true(wire_front_config_decode(bytes_view(packet), &front));
    return front;
}

// What one front counts of a source, watch finds again at another, or at the one started in its place; after
// a restart of stayd nobody can tell.
static void fronts_hash_sources_alike(void **state)
{
    static struct config config;
    static const struct slices_files files;
    struct slices_keys keys, others;
    struct bytes packet[2];
    (void)state;
    config_defaults(&config);
    assert_true(slices_keys_init(&keys));
    assert_true(slices_keys_init(&others));
    const struct slices slices = {
        .config = &config, .keys = &keys, .files = &files, .fronts = 2, .version = ""};
    struct wire_front_config first = front_slice(&slices, 0, &packet[0]);
    struct wire_front_config second = front_slice(&slices, 1, &packet[1]);
    assert_int_equal(first.index, 0);
    assert_int_equal(second.index, 1);
    assert_memory_equal(first.crowd_key.byte, second.crowd_key.byte, 16);
    assert_memory_not_equal(first.crowd_key.byte, others.crowd_key.byte, 16);
    bytes_release(&packet[0]);
    bytes_release(&packet[1]);
    slices_keys_release(&keys);
    slices_keys_release(&others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_hash_sources_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
