// SPDX-License-Identifier: ISC
// The life of a front: begin, tick, reload, drain. Runs in stayd-front.
#include "front/front.h"

#include "base/stats.h"
#include "front/arrivals.h"
#include "front/ask.h"
#include "front/connection.h"
#include "front/early.h"
#include "front/listener.h"
#include "front/lookup.h"
#include "pages/pages.h"

#include <sodium.h>

// A page that was large gives its memory back.
#define PAGE_KEEP_BYTES 65536

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct front *front = timer->data;
    wheel_tick(&front->wheel, connection_expire);
    asks_tick(front);
    early_tick(front);
    crowd_tick(&front->crowd, front_mono_s(front));
    listeners_tick(front);
    if (front->page.capacity > PAGE_KEEP_BYTES) {
        bytes_release(&front->page);
    }
    if (front->out.capacity > PAGE_KEEP_BYTES) {
        bytes_release(&front->out);
    }
}

bool front_init(struct front *front, struct ev_loop *loop, const struct settings *settings)
{
    *front = (struct front){.loop = loop, .settings = settings};
    randombytes_buf(&front->trace_seed, sizeof(front->trace_seed));
    wheel_init(&front->wheel);
    crowd_init(&front->crowd, settings->crowd_key);
    bytes_init(&front->out, FRONT_OUT_MAX);
    bytes_init(&front->page, PAGES_SIZE_MAX);
    if (!sources_init(&front->sources, front->trace_seed) || !asks_init(front) || !lookups_init(front) ||
        !arrivals_init(front)) {
        front_release(front);
        return false;
    }
    http_date_update(&front->date, front_wall_s(front));
    ev_timer_init(&front->tick, on_tick, WHEEL_TICK_MS / 1000.0, WHEEL_TICK_MS / 1000.0);
    front->tick.data = front;
    ev_timer_start(loop, &front->tick);
    return true;
}

void front_release(struct front *front)
{
    ev_timer_stop(front->loop, &front->tick);
    front->on_idle = NULL;
    listeners_remove_all(front);
    connections_close_all(front);
    asks_release(front);
    lookups_release(front);
    arrivals_release(front);
    sources_release(&front->sources);
    bytes_release(&front->out);
    bytes_release(&front->page);
    settings_drop(front->settings);
    front->settings = NULL;
}

void front_use_settings(struct front *front, const struct settings *settings)
{
    const struct settings *before = front->settings;
    front->settings = settings;
    settings_drop(before);
}

void front_drain(struct front *front)
{
    front->draining = true;
    listeners_remove_all(front);
    connections_drain(front);
    if (front->connection_count == 0 && front->on_idle != NULL) {
        front->on_idle(front);
    }
}

uint64_t front_trace(struct front *front)
{
    uint64_t mixed = front->trace_seed + ++front->traces * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return mixed == 0 ? 1 : mixed;
}
