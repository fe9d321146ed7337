// SPDX-License-Identifier: ISC
// stayd-watch: sees every process's figures and shows them on the ops listener. On nobody's path: a request
// is served the same while watch is away.
#include "base/clock.h"
#include "base/log.h"
#include "watch/alert.h"
#include "watch/caches.h"
#include "watch/diagnosis.h"
#include "watch/server.h"
#include "wire/child.h"
#include "wire/event.h"

#include <fcntl.h>
#include <unistd.h>

static struct watch_process {
    struct watched watched;
    struct incidents incidents;
    struct ops ops;
    struct server server;
    struct caches caches;
    struct series *series;
    struct facts *facts;
    struct detect *detect;
    struct diagnosis *diagnosis;
    struct incident_book book;
    char ops_url[513], listener[129];
    struct channel core, store; // heard, never answered
    ev_timer sample, look, tick;
} process;

static void on_sample(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    struct watched_now now = watched_now();
    saturation_sample(&process.ops.saturation, &process.watched);
    top_take(&process.ops.top, &process.watched, &now);
    history_take(&process.ops.history, &process.watched, top_sums(&process.ops.top), &now);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    caches_look(&process.caches, &process.watched, clock_mono_ns() / 1000000, caches_say);
}

// ---- why ----

// The whole of it, ten times a second: nothing here waits for anybody.
static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct watch_process *self = &process;
    (void)loop;
    (void)timer;
    (void)revents;
    struct watched_now now = watched_now();
    series_take(self->series, &self->watched, now);
    detect_look(self->detect, self->series, self->facts);
    self->ops.verdict = diagnosis_look(self->diagnosis, self->series, self->facts, detect_seen(self->detect));
    incident_book_look(&self->book, &(struct incident_view){.verdict = self->ops.verdict,
                                                            .facts = self->facts,
                                                            .watched = &self->watched,
                                                            .now = now});
}

// To the supervisor, who has it sent: there is no network here.
static void tell(void *context, const char *event, const json_t *incident)
{
    const struct watch_process *self = context;
    char place[700];
    struct bytes body;
    const char *sentence = json_string_value(json_object_get(incident, "sentence"));
    alert_place(self->ops_url, self->listener, place, sizeof(place));
    bytes_init(&body, 12288);
    json_t *object = alert_json(event, incident, place);
    json_write(&body, object);
    json_decref(object);
    if (body.failed || !CHANNEL_SAY(child_control(), alert, .event = view_of_cstr(event),
                                    .incident = view_of_cstr(incident_id(incident)),
                                    .sentence = view_of_cstr(sentence), .body = bytes_view(&body))) {
        log_event(LOG_WARNING, "alert_dropped", "%s of %s could not be handed over", event,
                  incident_id(incident));
    }
    bytes_release(&body);
}

static bool why_begin(struct watch_process *self)
{
    self->series = series_new();
    self->facts = self->facts != NULL ? self->facts : facts_new();
    self->detect = detect_new();
    self->diagnosis = diagnosis_new();
    if (self->series == NULL || self->facts == NULL || self->detect == NULL || self->diagnosis == NULL) {
        log_event(LOG_ERROR, "start_failed", "not enough memory");
        return false;
    }
    self->ops.series = self->series;
    self->ops.book = &self->book;
    self->book.tell = tell;
    self->book.context = self;
    ev_timer_init(&self->tick, on_tick, SERIES_SAMPLE_MS / 1000.0, SERIES_SAMPLE_MS / 1000.0);
    ev_timer_start(child_loop(), &self->tick);
    return true;
}

// ---- events ----

static void on_told(void *context, const struct wire_event *event)
{
    struct watch_process *self = context;
    stats_count(STATS_events);
    self->facts = self->facts != NULL ? self->facts : facts_new();
    if (self->facts != NULL) {
        facts_add(self->facts, event, watched_now());
    }
    if (ev_is_active(&self->tick)) { // looked at now, not at the next tick
        ev_feed_event(child_loop(), &self->tick, EV_TIMER);
    }
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct wire_event event;
    (void)channel;
    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (!wire_event_decode(packet, &event)) {
        return false;
    }
    on_told(&process, &event);
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    if (why != channel_peer_gone) {
        log_event(LOG_WARNING, "channel_ended", "peer %u: %s", (unsigned)channel->peer, why);
    }
}

static const struct channel_events teller_events = {on_packet, on_end};

static bool take_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    struct watch_process *self = context;
    struct channel *teller = role == WIRE_CORE ? &self->core : &self->store;
    (void)index;
    if (role != WIRE_CORE && role != WIRE_STORE) {
        close(fd);
        return true;
    }
    if (teller->loop != NULL) {
        channel_close(teller);
    }
    channel_open(teller, child_loop(), fd, WIRE_WATCH, role, &teller_events, NULL, EVENT_QUEUE_MAX);
    return true;
}

// ---- the life of a child ----

static bool take_config(void *context, struct view packet, bool again)
{
    struct watch_process *self = context;
    struct wire_watch_config config;
    (void)again;
    if (!wire_watch_config_decode(packet, &config)) {
        return false;
    }
    self->watched.fronts = config.fronts;
    (void)view_to_cstr(config.version, self->book.version, sizeof(self->book.version));
    return names_take(&self->ops.names, config.ops_hosts) &&
           view_to_cstr(config.ops_url, self->ops_url, sizeof(self->ops_url)) &&
           view_to_cstr(config.version, self->watched.version, sizeof(self->watched.version));
}

static void open_history(struct watch_process *self, int folder)
{
    unsigned rows = 0;
    if (history_open(&self->ops.history, folder, &rows)) {
        log_event(LOG_INFO, "history_opened", "%u minutes of the last five weeks", rows);
    } else {
        log_event(LOG_WARNING, "history_not_kept",
                  "incidents/.history can't be opened: \"stayctl review\" will "
                  "know nothing of the past");
    }
}

static bool take_memory(void *context, const struct wire_memory *memory, int fd)
{
    struct watch_process *self = context;
    if (self->server.loop == NULL) {
        server_init(&self->server, child_loop(), &self->ops);
    }
    if (memory->kind == WIRE_MEMORY_LISTENER) {
        return view_to_cstr(memory->name, self->listener, sizeof(self->listener)) &&
               server_listen(&self->server, fd, memory->name, OPS_DOOR_LISTENER);
    }
    if (memory->kind == WIRE_MEMORY_DIRECTORY) {
        incidents_open(&self->incidents, fd);
        open_history(self, fd);
        incident_book_open(&self->book, fcntl(fd, F_DUPFD_CLOEXEC, 0));
        return true;
    }
    if (memory->kind == WIRE_MEMORY_CONTROL) {
        return server_listen(&self->server, fd, VIEW("run/watch.sock"), OPS_DOOR_CONTROL);
    }
    if (!watched_map(&self->watched, memory, fd)) {
        log_event(LOG_WARNING, "memory_refused", "kind %u of owner %u could not be mapped", memory->kind,
                  memory->owner);
    }
    return true;
}

static void lose_memory(void *context, const struct wire_memory_gone *gone)
{
    struct watch_process *self = context;
    if (gone->kind == WIRE_MEMORY_LISTENER && self->server.loop != NULL) {
        server_unlisten(&self->server, gone->name);
    }
}

static bool run(void *context)
{
    struct watch_process *self = context;
    watched_add(&self->watched, STATS_ROLE_watch, child_index(), stats_here);
    static_assert(SATURATION_SAMPLE_MS == TOP_STEP_S * 1000);
    ev_timer_init(&self->sample, on_sample, SATURATION_SAMPLE_MS / 1000.0, SATURATION_SAMPLE_MS / 1000.0);
    ev_timer_start(child_loop(), &self->sample);
    ev_timer_init(&self->look, on_look, CACHES_LOOK_MS / 1000.0, CACHES_LOOK_MS / 1000.0);
    ev_timer_start(child_loop(), &self->look);
    return why_begin(self);
}

static void drain(void *context, uint32_t deadline_ms)
{
    struct watch_process *self = context;
    (void)deadline_ms;
    history_release(&self->ops.history);
    if (self->server.loop != NULL) {
        server_release(&self->server);
    }
    child_drained();
}

int main(int argc, char **argv)
{
    // The working folder is data_dir/incidents.
    static const struct child_role role = {
        .role = WIRE_WATCH,
        .stats = STATS_ROLE_watch,
        .profile = SANDBOX_WATCH,
        .options = {.dir = {{".", SANDBOX_READ | SANDBOX_WRITE}}, .dirs = 1, .descriptors_max = 256},
        .config_number = WIRE_MESSAGE_watch_config,
        .config = take_config,
        .memory = take_memory,
        .memory_gone = lose_memory,
        .peer = take_peer,
        .event = on_told,
        .run = run,
        .drain = drain,
    };
    watched_init(&process.watched);
    incidents_init(&process.incidents);
    incident_book_init(&process.book);
    ops_init(&process.ops, &process.watched, &process.incidents);
    int status = child_main(&role, &process, argc, argv);
    ops_release(&process.ops);
    incident_book_release(&process.book);
    diagnosis_free(&process.diagnosis);
    detect_free(&process.detect);
    facts_free(&process.facts);
    series_free(&process.series);
    return status;
}
