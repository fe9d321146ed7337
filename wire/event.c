// SPDX-License-Identifier: ISC
// Events for stayd-watch. Runs in the supervisor, core and store; the names in watch.
#include "wire/event.h"

#include "base/clock.h"
#include "base/stats.h"

#include <unistd.h>

static const char *const kind_names[WIRE_EVENT_END] = {
    [WIRE_EVENT_PROCESS_STARTED] = "process_started",
    [WIRE_EVENT_PROCESS_DIED] = "process_died",
    [WIRE_EVENT_PROCESS_HUNG] = "process_hung",
    [WIRE_EVENT_RELOADED] = "reloaded",
    [WIRE_EVENT_STARTED] = "started",
    [WIRE_EVENT_CONFIG_CHANGED] = "config_changed",
    [WIRE_EVENT_PENALTY] = "penalty",
    [WIRE_EVENT_DATABASE_DOWN] = "database_down",
    [WIRE_EVENT_DATABASE_UP] = "database_up",
    [WIRE_EVENT_DATABASE_MOVED] = "database_moved",
    [WIRE_EVENT_STATEMENT_SLOW] = "statement_slow",
    [WIRE_EVENT_STATEMENT_PLAN] = "statement_plan",
    [WIRE_EVENT_STATEMENT_CANCELLED] = "statement_cancelled",
    [WIRE_EVENT_LOCK_HELD] = "lock_held",
    [WIRE_EVENT_LOCK_GONE] = "lock_gone",
    [WIRE_EVENT_DISK_FULL] = "disk_full",
    [WIRE_EVENT_JOURNAL] = "journal",
    [WIRE_EVENT_SHARE_SHRUNK] = "share_shrunk",
    [WIRE_EVENT_SHARE_RESTORED] = "share_restored",
    [WIRE_EVENT_MISMATCH] = "mismatch",
    [WIRE_EVENT_PROGRAM_BUSY] = "program_busy",
};

const char *event_kind_name(unsigned kind)
{
    return kind < WIRE_EVENT_END && kind_names[kind] != NULL ? kind_names[kind] : "unknown";
}

static bool refuse_packet(struct channel *channel, struct view packet, int fd)
{
    (void)channel;
    (void)packet;
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

// The supervisor brings the next one.
static void forget(struct channel *channel, const char *why)
{
    (void)channel;
    (void)why;
}

static const struct channel_events told_only = {refuse_packet, forget};

void event_channel_open(struct channel *to_watch, struct ev_loop *loop, int fd, enum wire_role self)
{
    if (to_watch->loop != NULL) {
        channel_close(to_watch);
    }
    channel_open(to_watch, loop, fd, self, WIRE_WATCH, &told_only, NULL, EVENT_QUEUE_MAX);
}

// Cut where a character of UTF-8 ends, without anything that could steer a terminal.
static struct view tidy(struct view text, char *room, size_t size_max)
{
    size_t size = text.size < size_max ? text.size : size_max;
    while (size < text.size && size > 0 && (text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text.data[i];
        room[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    return view_of(room, size);
}

bool event_encode(struct bytes *out, const struct wire_event *event)
{
    char name[WIRE_EVENT_NAME_MAX], text[WIRE_EVENT_TEXT_MAX], more[WIRE_EVENT_MORE_MAX];
    struct wire_event sent = *event;
    sent.name = tidy(event->name, name, sizeof(name));
    sent.text = tidy(event->text, text, sizeof(text));
    sent.more = tidy(event->more, more, sizeof(more));
    return wire_event_encode(out, &sent);
}

void event_send(struct channel *to_watch, const struct wire_event *event)
{
    struct bytes packet;
    if (to_watch == NULL || to_watch->loop == NULL || !channel_is_open(to_watch)) {
        return;
    }
    struct wire_event sent = *event;
    sent.mono_ns = event->mono_ns != 0 ? event->mono_ns : clock_mono_ns();
    bytes_init(&packet, WIRE_PACKET_MAX);
    if (!event_encode(&packet, &sent) || !channel_send(to_watch, bytes_view(&packet))) {
        stats_count(STATS_messages_dropped);
    }
    bytes_release(&packet);
}
