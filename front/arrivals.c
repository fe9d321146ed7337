// SPDX-License-Identifier: ISC
// Serves what arrived in a turn of the loop together. Runs in stayd-front, on bytes from anyone.
// 1. Whatever is received in a turn is served before the loop waits again.
// 2. Looking ahead changes nothing but what is in the processor's caches: a request is parsed as it would be
//    later, and its session is asked for again when it is handled.
// 3. A connection has at most one arrival, and an arrival at most one connection: who closes tells.
#include "front/arrivals.h"

#include <assert.h>
#include <stdlib.h>

struct arrivals {
    ev_check check;
    unsigned count;
    size_t used;
    struct arrival arrival[ARRIVALS_MAX];
    uint8_t inbox[ARRIVALS_BYTES];
};

// Parses all of them, and asks for the memory of their sessions.
static void look_ahead(struct front *front)
{
    struct arrivals *arrivals = front->arrivals;
    struct id16 selectors[ARRIVALS_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < arrivals->count; i++) {
        struct arrival *arrival = &arrivals->arrival[i];
        if (arrival->connection == NULL) {
            continue;
        }
        stats_flight_begin(STATS_CLASS_malformed, &arrival->connection->peer.address);
        if (intake_advance(&arrival->intake, arrival->data, &arrival->size, &front->settings->limits) ==
                INTAKE_READY &&
            credentials_glance(&arrival->intake.request, front->settings->cookie_name, &selectors[count])) {
            count++;
        }
    }
    stats_flight_end();
    if (front->has_tables) {
        sessions_prefetch_all(&front->tables, selectors, count);
    }
}

static void serve_all(struct front *front)
{
    struct arrivals *arrivals = front->arrivals;
    if (arrivals->count > 1) { // one by itself has nothing to overlap with
        look_ahead(front);
    }
    for (unsigned i = 0; i < arrivals->count; i++) {
        struct arrival *arrival = &arrivals->arrival[i];
        struct connection *connection = arrival->connection;
        if (connection != NULL) {
            connection->arrival = NULL;
            connection_serve(connection, &arrival->intake, arrival->data, arrival->size);
        }
    }
    arrivals->count = 0;
    arrivals->used = 0;
}

// After all that the turn brought: libev calls the lowest priority last.
static void on_check(struct ev_loop *loop, ev_check *check, int revents)
{
    (void)loop;
    (void)revents;
    serve_all(check->data);
}

bool arrivals_init(struct front *front)
{
    struct arrivals *arrivals = malloc(sizeof(*arrivals));
    if (arrivals == NULL) {
        return false;
    }
    arrivals->count = 0;
    arrivals->used = 0;
    ev_check_init(&arrivals->check, on_check);
    ev_set_priority(&arrivals->check, EV_MINPRI);
    arrivals->check.data = front;
    ev_check_start(front->loop, &arrivals->check);
    front->arrivals = arrivals;
    return true;
}

void arrivals_release(struct front *front)
{
    struct arrivals *arrivals = front->arrivals;
    if (arrivals != NULL) {
        ev_check_stop(front->loop, &arrivals->check);
        wipe(arrivals->inbox, sizeof(arrivals->inbox));
        free(arrivals);
        front->arrivals = NULL;
    }
}

uint8_t *arrivals_room(struct front *front, size_t *size)
{
    struct arrivals *arrivals = front->arrivals;
    if (arrivals->count == ARRIVALS_MAX || ARRIVALS_BYTES - arrivals->used < ARRIVALS_LEAST_ROOM) {
        serve_all(front);
    }
    *size = ARRIVALS_BYTES - arrivals->used;
    return arrivals->inbox + arrivals->used;
}

void arrivals_add(struct connection *connection, size_t size)
{
    struct arrivals *arrivals = connection->front->arrivals;
    assert(connection->arrival == NULL && arrivals->count < ARRIVALS_MAX);
    assert(size > 0 && size <= ARRIVALS_BYTES - arrivals->used);
    struct arrival *arrival = &arrivals->arrival[arrivals->count++];
    arrival->connection = connection;
    arrival->data = arrivals->inbox + arrivals->used;
    arrival->size = size;
    intake_reset(&arrival->intake);
    connection->arrival = arrival;
    arrivals->used += size;
}

void arrivals_forget(struct connection *connection)
{
    struct arrival *arrival = connection->arrival;
    if (arrival != NULL) {
        wipe(arrival->data, arrival->size);
        arrival->connection = NULL;
        connection->arrival = NULL;
    }
}
