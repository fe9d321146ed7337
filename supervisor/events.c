// SPDX-License-Identifier: ISC
// Events of the supervisor. Runs in the supervisor.
// An event is said to a watch once in its life: what came before it was told to go is said then, in order.
#include "supervisor/events.h"

#include "base/clock.h"
#include "supervisor/supervisor.h"

static struct process *listener(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        if (process->role->role == WIRE_WATCH && process_alive(process) && process->hears) {
            return process;
        }
    }
    return NULL;
}

static void keep_text(struct view *from, char *room, size_t size)
{
    size_t used = from->size < size - 1 ? from->size : size - 1;
    if (used > 0) {
        memcpy(room, from->data, used);
    }
    room[used] = '\0';
    *from = view_of(room, used);
}

void events_pass(struct supervisor *supervisor, const struct wire_event *event)
{
    struct process *watch = listener(supervisor);
    if (watch != NULL) {
        event_send(&watch->control, event);
    }
}

void events_say(struct supervisor *supervisor, const struct wire_event *event)
{
    struct events *events = &supervisor->events;
    struct events_kept *kept = &events->kept[events->count++ % EVENTS_KEPT_MAX];
    kept->event = *event;
    kept->event.mono_ns = clock_mono_ns();
    kept->event.more = VIEW("");
    keep_text(&kept->event.name, kept->name, sizeof kept->name);
    keep_text(&kept->event.text, kept->text, sizeof kept->text);
    events_pass(supervisor, &kept->event);
}

void events_again(struct process *watch)
{
    const struct events *events = &watch->supervisor->events;
    uint64_t first = events->count > EVENTS_KEPT_MAX ? events->count - EVENTS_KEPT_MAX : 0;
    for (uint64_t i = first; i < events->count; i++) {
        event_send(&watch->control, &events->kept[i % EVENTS_KEPT_MAX].event);
    }
    watch->hears = true;
}
