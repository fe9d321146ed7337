// SPDX-License-Identifier: ISC
// Unit tests of wire/event: two ends of a real channel in one process.
#include "wire/event.h"

#include "base/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct channel watch;
static struct wire_event heard;
static char heard_name[WIRE_EVENT_NAME_MAX + 1], heard_text[WIRE_EVENT_TEXT_MAX + 1];
static unsigned events;

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    (void)channel;
    assert_int_equal(fd, -1);
    assert_true(wire_event_decode(packet, &heard));
    assert_true(view_to_cstr(heard.name, heard_name, sizeof(heard_name)));
    assert_true(view_to_cstr(heard.text, heard_text, sizeof(heard_text)));
    events++;
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    (void)why;
}

static const struct channel_events watch_events = {on_packet, on_end};

static void connect_both(struct channel *teller, enum wire_role self)
{
    int pair[2];
    assert_true(channel_pair(pair));
    event_channel_open(teller, loop, pair[0], self);
    channel_open(&watch, loop, pair[1], WIRE_WATCH, self, &watch_events, NULL, 1024);
    events = 0;
}

static void what_is_said_is_heard(void **state)
{
    struct channel teller = {0};
    (void)state;
    connect_both(&teller, WIRE_STORE);
    EVENT_SAY(&teller, LOCK_HELD, .role = STATS_ROLE_store, .a = 1200, .b = 4711, .name = VIEW("account"),
              .text = VIEW("psql\n\x1b[2Jupdate"));
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(events, 1);
    assert_int_equal(heard.kind, WIRE_EVENT_LOCK_HELD);
    assert_true(heard.mono_ns != 0 && heard.a == 1200 && heard.b == 4711);
    assert_string_equal(heard_name, "account");
    assert_string_equal(heard_text, "psql  [2Jupdate");
    EVENT_SAY(&teller, LOCK_GONE, .mono_ns = 5, .name = VIEW("account"));
    ev_run(loop, EVRUN_NOWAIT);
    assert_true(heard.kind == WIRE_EVENT_LOCK_GONE && heard.mono_ns == 5);
    channel_close(&teller);
    channel_close(&watch);
}

static void what_is_too_long_is_cut(void **state)
{
    char text[3000];
    struct channel teller = {0};
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + WIRE_EVENT_TEXT_MAX - 1, "\xc3\xa4", 2); // a character across the bound
    connect_both(&teller, WIRE_CORE);
    EVENT_SAY(&teller, MISMATCH, .text = view_of(text, sizeof(text)),
              .name = VIEW("0123456789012345678901234567890123456789012345678901234567890123456789"));
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(events, 1);
    assert_int_equal(strlen(heard_text), WIRE_EVENT_TEXT_MAX - 1);
    assert_int_equal(strlen(heard_name), WIRE_EVENT_NAME_MAX);
    channel_close(&teller);
    channel_close(&watch);
}

// Watch that hangs holds up nobody: what its queue does not take is counted and gone.
static void nobody_waits_for_watch(void **state)
{
    static char text[WIRE_EVENT_TEXT_MAX];
    struct channel teller = {0};
    (void)state;
    memset(text, 'y', sizeof(text));
    connect_both(&teller, WIRE_CORE);
    uint64_t dropped = stats_read(stats_here, STATS_messages_dropped);
    for (int i = 0; i < 2000; i++) {
        EVENT_SAY(&teller, PENALTY, .a = 60, .text = view_of(text, sizeof(text)));
    }
    assert_true(stats_read(stats_here, STATS_messages_dropped) > dropped);
    assert_true(teller.queued_bytes <= EVENT_QUEUE_MAX);
    channel_close(&watch);
    EVENT_SAY(&teller, PENALTY, .a = 60); // gone: no harm
    ev_run(loop, EVRUN_NOWAIT);
    assert_false(channel_is_open(&teller));
    EVENT_SAY(&teller, PENALTY, .a = 60);
    EVENT_SAY(NULL, PENALTY, .a = 60);
}

static void a_restarted_watch_gets_a_new_one(void **state)
{
    struct channel teller = {0};
    (void)state;
    connect_both(&teller, WIRE_CORE);
    channel_close(&watch);
    connect_both(&teller, WIRE_CORE); // its end was not noticed yet
    EVENT_SAY(&teller, PENALTY, .a = 60);
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(events, 1);
    channel_close(&teller);
    channel_close(&watch);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < WIRE_EVENT_END; kind++) {
        assert_string_not_equal(event_kind_name(kind), "unknown");
    }
    assert_string_equal(event_kind_name(0), "unknown");
    assert_string_equal(event_kind_name(WIRE_EVENT_END), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_heard),  cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(nobody_waits_for_watch), cmocka_unit_test(a_restarted_watch_gets_a_new_one),
        cmocka_unit_test(every_kind_has_a_name),
    };
    loop = ev_loop_new(EVBACKEND_EPOLL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
