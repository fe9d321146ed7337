// SPDX-License-Identifier: ISC
// Telling stayd-watch what happened, as it happens (enum wire_event_kind says what). Used by the supervisor,
// core and store. Owns nothing. Bounds: the message's; longer text is cut. Never waited for: without a
// channel nothing is sent, and what a full queue does not take is dropped and counted (messages_dropped).
// Never in an event: names, addresses or secrets of users.
#ifndef WIRE_EVENT_H
#define WIRE_EVENT_H

#include "wire/channel.h"

enum { EVENT_QUEUE_MAX = 256 * 1024 }; // of a channel to watch, bytes

// A channel to watch, in place of an older one; takes over fd. It is told and never heard: a packet from
// there ends it. The caller's from a zeroed struct on; channel_close.
void event_channel_open(struct channel *to_watch, struct ev_loop *loop, int fd, enum wire_role self);

// Appends the packet of `event`: texts cut to their bounds, with spaces in place of control characters. Pure:
// the time is the caller's. False without memory.
[[nodiscard]] bool event_encode(struct bytes *out, const struct wire_event *event);
// Of now, where the event has no time. NULL, one that was never opened or is closed: nothing.
void event_send(struct channel *to_watch, const struct wire_event *event);

// EVENT_SAY(channel, PROCESS_HUNG, .role = ..., .a = ...)
#define EVENT_SAY(channel_, kind_, ...)                                                                      \
    event_send((channel_), &(struct wire_event){.kind = WIRE_EVENT_##kind_, __VA_ARGS__})

// "process_died"; "unknown" for a number it does not know.
const char *event_kind_name(unsigned kind);

#endif
