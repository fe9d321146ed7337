// SPDX-License-Identifier: ISC
// Alerts on their way out. Runs in the supervisor.
#include "supervisor/alert.h"

#include "supervisor/supervisor.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_REFUSED = 2, DESCRIPTORS_ALERT = 64 };

static const char *const way_names[] = {"webhook", "command"};

uint32_t alert_pause_ms(unsigned tries)
{
    uint32_t pause = ALERT_PAUSE_FIRST_MS;
    for (unsigned i = 1; i < tries && pause < ALERT_PAUSE_LONGEST_MS; i++) {
        pause *= 2;
    }
    return pause < ALERT_PAUSE_LONGEST_MS ? pause : ALERT_PAUSE_LONGEST_MS;
}

static bool is_configured(const struct alert_lane *lane)
{
    const struct config *config = lane->supervisor->config;
    return (lane->way == ALERT_WEBHOOK ? config->alert_webhook : config->alert_command)[0] != '\0';
}

static void say(const struct alert_lane *lane, enum log_level level, const char *event, const char *message)
{
    struct log_line line;
    struct wire_alert alert = {0};
    (void)!wire_alert_decode(bytes_view(&lane->waiting[0]), &alert);
    log_begin(&line, level, event);
    log_text(&line, "way", way_names[lane->way]);
    log_view(&line, "alert", alert.event);
    log_view(&line, "incident", alert.incident);
    log_u64(&line, "tries", lane->tries);
    if (message != NULL) {
        log_text(&line, "message", message);
    }
    log_end(&line);
}

static void oldest_done(struct alert_lane *lane)
{
    bytes_release(&lane->waiting[0]);
    lane->count--;
    memmove(&lane->waiting[0], &lane->waiting[1], lane->count * sizeof lane->waiting[0]);
    lane->tries = 0;
}

static bool order_encode(const struct alert_lane *lane, struct bytes *order)
{
    const struct config *config = lane->supervisor->config;
    struct wire_alert alert;
    if (!wire_alert_decode(bytes_view(&lane->waiting[0]), &alert)) {
        return false;
    }
    struct wire_alert_order row = {.event = alert.event,
                                   .incident = alert.incident,
                                   .sentence = alert.sentence,
                                   .body = alert.body,
                                   .limit_ms = ALERT_LIMIT_MS};
    if (lane->way == ALERT_WEBHOOK) {
        row.webhook = view_of_cstr(config->alert_webhook);
        row.ca = view_of_cstr(config->alert_webhook_ca);
    } else {
        row.command = view_of_cstr(config->alert_command);
    }
    return wire_alert_order_append(order, &row);
}

// The order lies in the socket before the process is there to read it.
static int spawn_with(const struct alert_lane *lane, struct view order)
{
    const struct supervisor *supervisor = lane->supervisor;
    int pair[2];
    if (!channel_pair(pair)) {
        return -1;
    }
    struct spawn_order child = {.role = &topology_alert,
                                .control = pair[1],
                                .folder = -1,
                                .descriptors_max = DESCRIPTORS_ALERT,
                                .log_level = supervisor->config->log_level,
                                .log_format = supervisor->config->log_format};
    int pid = channel_send_blocking(pair[0], order, -1) ? spawn_child(&supervisor->spawn, &child) : -1;
    close(pair[0]);
    close(pair[1]);
    return pid;
}

static void timer_begin(struct alert_lane *lane, uint32_t delay_ms)
{
    ev_timer_set(&lane->timer, delay_ms / 1000.0, 0);
    ev_timer_start(lane->supervisor->loop, &lane->timer);
}

static void next(struct alert_lane *lane)
{
    struct bytes order;
    while (lane->count > 0 && !is_configured(lane)) {
        oldest_done(lane);
    }
    if (lane->count == 0 || lane->pid > 0 || ev_is_active(&lane->timer)) {
        return;
    }
    bytes_init(&order, WIRE_PACKET_MAX);
    lane->tries++;
    int pid = order_encode(lane, &order) ? spawn_with(lane, bytes_view(&order)) : -1;
    bytes_release(&order);
    if (pid < 0) {
        timer_begin(lane, alert_pause_ms(lane->tries));
        return;
    }
    lane->pid = pid;
    ev_child_set(&lane->child, pid, 0);
    ev_child_start(lane->supervisor->loop, &lane->child);
    timer_begin(lane, ALERT_LIMIT_MS + ALERT_GRACE_MS);
}

static void on_child(struct ev_loop *loop, ev_child *watcher, int revents)
{
    struct alert_lane *lane = watcher->data;
    int status = watcher->rstatus;
    (void)revents;
    ev_child_stop(loop, watcher);
    ev_timer_stop(loop, &lane->timer);
    lane->pid = 0;
    bool told = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) == STATUS_REFUSED;
    if (told) {
        say(lane, LOG_INFO, "alert_delivered", NULL);
        oldest_done(lane);
    } else if (refused || lane->tries >= ALERT_TRIES_MAX) {
        say(lane, LOG_ERROR, "alert_given_up", refused ? "it would be refused again" : "tried too often");
        oldest_done(lane);
    } else {
        if (WIFSIGNALED(status)) {
            say(lane, LOG_WARNING, "alert_not_delivered", "no answer in time");
        }
        timer_begin(lane, alert_pause_ms(lane->tries));
    }
    next(lane);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct alert_lane *lane = timer->data;
    (void)loop;
    (void)revents;
    if (lane->pid > 0) {
        kill(lane->pid, SIGKILL);
    } else {
        next(lane);
    }
}

static void lane_init(struct alert_lane *lane, struct supervisor *supervisor, enum alert_way way)
{
    lane->supervisor = supervisor;
    lane->way = way;
    ev_child_init(&lane->child, on_child, 0, 0);
    ev_timer_init(&lane->timer, on_timer, 0, 0);
    lane->child.data = lane->timer.data = lane;
}

static void lane_take(struct alert_lane *lane, struct view packet)
{
    if (!is_configured(lane)) {
        return;
    }
    if (lane->count == ALERT_QUEUE_MAX) {
        say(lane, LOG_ERROR, "alert_dropped", "too many wait behind this one");
        return;
    }
    struct bytes *copy = &lane->waiting[lane->count];
    bytes_init(copy, WIRE_PACKET_MAX);
    if (bytes_append_view(copy, packet)) {
        lane->count++;
    } else {
        bytes_release(copy);
    }
    next(lane);
}

void alerts_take(struct supervisor *supervisor, struct view packet)
{
    for (unsigned i = 0; i < ALERT_WAYS; i++) {
        struct alert_lane *lane = &supervisor->alert[i];
        if (lane->supervisor == NULL) {
            lane_init(lane, supervisor, (enum alert_way)i);
        }
        lane_take(lane, packet);
    }
}

void alerts_reload(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < ALERT_WAYS; i++) {
        struct alert_lane *lane = &supervisor->alert[i];
        if (lane->supervisor == NULL || lane->count == 0) {
            continue;
        }
        lane->tries = 0;
        if (lane->pid == 0) {
            ev_timer_stop(supervisor->loop, &lane->timer);
            next(lane);
        }
    }
}

void alerts_release(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < ALERT_WAYS; i++) {
        struct alert_lane *lane = &supervisor->alert[i];
        if (lane->pid > 0) {
            kill(lane->pid, SIGKILL);
        }
        for (unsigned j = 0; j < lane->count; j++) {
            bytes_release(&lane->waiting[j]);
        }
        lane->count = 0;
    }
}
