// SPDX-License-Identifier: ISC
// The book of incidents. Runs in stayd-watch.
// 1. At most one incident is open. It follows the verdict's episode; an episode that begins before it was
//    closed is still the same incident.
// 2. The open incident is the newest entry of the index.
// 3. `tell` is called once for its beginning and once for its end, also when watch was started again between:
//    the document remembers.
#include "watch/incident_book.h"

#include "base/log.h"
#include "watch/incident_files.h"
#include "watch/read_json.h"

#include <errno.h>
#include <unistd.h>

void incident_book_init(struct incident_book *book)
{
    *book = (struct incident_book){.folder = -1};
    impact_init(&book->meter);
}

void incident_book_release(struct incident_book *book)
{
    if (book->folder >= 0) {
        close(book->folder);
    }
    json_decref(book->open);
    incident_book_init(book);
}

// ---- the index ----

void incident_entry_fill(struct incident_entry *entry, const json_t *incident)
{
    snprintf(entry->id, sizeof(entry->id), "%s", incident_id(incident));
    snprintf(entry->cause, sizeof(entry->cause), "%s", incident_cause(incident));
    snprintf(entry->severity, sizeof(entry->severity), "%s", read_text(incident, "severity"));
    snprintf(entry->sentence, sizeof(entry->sentence), "%s", read_text(incident, "sentence"));
    entry->onset_unix_ms = read_whole(incident, "onset_unix_ms");
    entry->closed_unix_ms = incident_is_open(incident) ? 0 : read_whole(incident, "closed_unix_ms");
    entry->actions = (unsigned)json_array_size(json_object_get(incident, "actions"));
    entry->actions_open = incident_actions_open(incident);
}

static void entry_remove(struct incident_book *book, unsigned at)
{
    book->entries--;
    memmove(&book->entry[at], &book->entry[at + 1], (book->entries - at) * sizeof(book->entry[0]));
}

static void entry_add(struct incident_book *book, const json_t *incident)
{
    unsigned at = book->entries;
    while (at > 0 && strcmp(book->entry[at - 1].id, incident_id(incident)) > 0) {
        at--;
    }
    memmove(&book->entry[at + 1], &book->entry[at], (book->entries - at) * sizeof(book->entry[0]));
    incident_entry_fill(&book->entry[at], incident);
    book->entries++;
}

struct incident_entry *incident_book_find(struct incident_book *book, struct view id)
{
    for (unsigned i = 0; i < book->entries; i++) {
        if (view_equal(view_of_cstr(book->entry[i].id), id)) {
            return &book->entry[i];
        }
    }
    return NULL;
}

// True when there is room for one more.
static bool make_room(struct incident_book *book)
{
    for (unsigned i = 0; i < book->entries && book->entries == INCIDENT_BOOK_MAX; i++) {
        const struct incident_entry *entry = &book->entry[i];
        if (entry->closed_unix_ms != 0 && entry->actions_open == 0) {
            incident_files_remove(book->folder, entry->id);
            entry_remove(book, i);
        }
    }
    return book->entries < INCIDENT_BOOK_MAX;
}

static void collect(void *context, const char *id)
{
    struct incident_book *book = context;
    json_t *incident = incident_files_read(book->folder, id);
    if (incident == NULL || !make_room(book)) {
        json_decref(incident);
        return;
    }
    entry_add(book, incident);
    json_decref(incident);
}

// ---- writing ----

static void write_open(struct incident_book *book, uint64_t mono_ms)
{
    book->dirty = false;
    book->written_ms = mono_ms;
    if (!book->filed) {
        return;
    }
    struct incident_entry *entry = incident_book_find(book, view_of_cstr(incident_id(book->open)));
    if (entry != NULL) {
        incident_entry_fill(entry, book->open);
    }
    if (!incident_files_write(book->folder, book->open)) {
        log_event(LOG_WARNING, "incident_not_written", "incidents/%s.json: %s", incident_id(book->open),
                  strerror(errno));
    }
}

static void say(struct incident_book *book, const char *event)
{
    struct log_line line;
    bool opened = strcmp(event, "incident_opened") == 0;
    log_begin(&line, opened ? LOG_ERROR : LOG_WARNING, event);
    log_text(&line, "incident", incident_id(book->open));
    log_text(&line, "severity", read_text(book->open, "severity"));
    log_text(&line, "cause", incident_cause(book->open));
    log_text(&line, "message", read_text(book->open, "sentence"));
    log_end(&line);
}

// Once for each event: what was told stands in the document before it is told.
static void alert(struct incident_book *book, const char *event, const struct watched_now *now)
{
    json_t *told = json_object_get(book->open, "alerts");
    if (told == NULL) {
        told = json_object();
        json_object_set_new(book->open, "alerts", told);
    }
    if (json_object_get(told, event) != NULL) {
        return;
    }
    json_object_set_new(told, event, iso_json(now->wall_ms));
    incident_tell(book->open, now->wall_ms, "alert",
                  strcmp(event, "incident_opened") == 0 ? "The alert was sent."
                                                        : "The end was told to those who were alerted.");
    write_open(book, now->mono_ns / 1000000);
    say(book, event);
    if (book->tell != NULL) {
        book->tell(book->context, event, book->open);
    }
}

// ---- the open one ----

void incident_book_open(struct incident_book *book, int fd)
{
    if (book->folder >= 0) {
        close(book->folder);
    }
    book->folder = fd;
    book->entries = 0;
    incident_files_each(fd, collect, book);
    for (unsigned i = book->entries; i > 0 && book->open == NULL; i--) {
        if (book->entry[i - 1].closed_unix_ms == 0) {
            book->open = incident_files_read(fd, book->entry[i - 1].id);
            book->filed = book->open != NULL;
        }
    }
}

static void take_up(struct incident_book *book, uint64_t mono_ms)
{
    struct impact before;
    incident_get_impact(book->open, &before);
    impact_begin(&book->meter, mono_ms, &before);
    book->seen_mono_ms = mono_ms;
    book->quiet_since_ms = mono_ms;
}

static void begin(struct incident_book *book, const struct incident_view *view)
{
    char id[INCIDENT_ID_SIZE];
    uint64_t mono_ms = view->now.mono_ns / 1000000;
    uint64_t onset = view->verdict->onset_unix_ms;
    uint64_t ago = onset > 0 && view->now.wall_ms > onset ? view->now.wall_ms - onset : 0;
    if (!incident_files_id(book->folder, view->now.wall_ms, id)) {
        return;
    }
    book->open = incident_new(id, view->verdict, view->now.wall_ms, book->version);
    if (book->open == NULL) {
        return;
    }
    stats_count(STATS_incidents);
    book->filed = book->folder >= 0 && make_room(book);
    if (book->filed) {
        entry_add(book, book->open);
    } else {
        log_event(LOG_WARNING, "incident_not_written",
                  "incidents/ holds %d incidents with open action items: mark those that are done "
                  "(stayctl incident done ID N)",
                  INCIDENT_BOOK_MAX);
    }
    book->episode = view->verdict->episode;
    book->seen_mono_ms = mono_ms;
    book->quiet_since_ms = 0;
    impact_begin(&book->meter, mono_ms > ago ? mono_ms - ago : 0, NULL);
}

// Facts that came since the last look and belong to this incident: its onset's, or later.
static void tell_facts(struct incident_book *book, const struct facts *facts)
{
    enum { BEFORE_MS = 3000 };
    char line[1024];
    const char *kind;
    uint64_t onset = read_whole(book->open, "onset_unix_ms");
    uint64_t count = facts_count(facts);
    uint64_t first = count > FACTS_MAX ? count - FACTS_MAX + 1 : 1;
    first = book->facts_seen + 1 > first ? book->facts_seen + 1 : first;
    for (uint64_t number = first; number <= count; number++) {
        const struct fact *fact = facts_get(facts, number);
        if (fact != NULL && fact->wall_ms + BEFORE_MS >= onset &&
            incident_fact_line(fact, line, sizeof(line), &kind)) {
            incident_tell(book->open, fact->wall_ms, kind, line);
            book->dirty = true;
        }
    }
    book->facts_seen = count;
}

static void measure(struct incident_book *book, const struct incident_view *view)
{
    uint64_t mono_ms = view->now.mono_ns / 1000000;
    uint64_t onset = read_whole(book->open, "onset_unix_ms");
    uint64_t until =
        book->quiet_since_ms == 0 ? view->now.wall_ms : view->now.wall_ms - (mono_ms - book->quiet_since_ms);
    incident_set_impact(book->open, &book->meter.sum, until > onset ? until - onset : 0);
}

static void end(struct incident_book *book, const struct incident_view *view)
{
    uint64_t mono_ms = view->now.mono_ns / 1000000;
    uint64_t ended = view->verdict->ended_unix_ms;
    bool followed = view->verdict->episode == book->episode && ended != 0;
    uint64_t quiet = view->now.wall_ms - (mono_ms - book->quiet_since_ms);
    impact_end(&book->meter);
    measure(book, view);
    incident_files_link_crashes(book->folder, book->open, read_whole(book->open, "onset_unix_ms"),
                                view->now.wall_ms);
    incident_close(book->open, followed ? ended : quiet,
                   followed ? "Nothing is wrong any more."
                            : "Nothing is wrong any more; when exactly it ended is not known, because "
                              "stayd-watch was away.");
    alert(book, "incident_opened", &view->now);
    alert(book, "incident_closed", &view->now);
    write_open(book, mono_ms);
    json_decref(book->open);
    book->open = NULL;
}

// While a flood is what it is.
static void tell_networks(struct incident_book *book, const struct incident_view *view)
{
    static struct crowds crowds;
    bool flood = false;
    for (unsigned i = 0; i < view->verdict->causes; i++) {
        flood = flood || view->verdict->cause[i].cause == CAUSE_flood;
    }
    if (flood && view->verdict->open) {
        crowds_take(&crowds, view->watched);
        book->dirty = incident_learn_networks(book->open, &crowds) || book->dirty;
    }
}

static void go_on(struct incident_book *book, const struct incident_view *view)
{
    uint64_t mono_ms = view->now.mono_ns / 1000000;
    const struct verdict *verdict = view->verdict;
    if (!verdict->open) {
        book->quiet_since_ms = book->quiet_since_ms == 0 ? mono_ms : book->quiet_since_ms;
        uint64_t wait = book->episode == 0 ? INCIDENT_RESUME_MS : INCIDENT_QUIET_MS;
        if (mono_ms - book->quiet_since_ms >= wait) {
            end(book, view);
        }
        return;
    }
    if (book->episode != verdict->episode) {
        incident_tell(book->open, view->now.wall_ms, "note",
                      book->episode == 0 ? "stayd-watch was started again; it goes on." : "It came back.");
        book->episode = verdict->episode;
    }
    book->quiet_since_ms = 0;
    if (incident_learn(book->open, verdict)) {
        incident_files_link_crashes(book->folder, book->open, read_whole(book->open, "onset_unix_ms"),
                                    view->now.wall_ms);
        book->dirty = true;
    }
}

void incident_book_look(struct incident_book *book, const struct incident_view *view)
{
    uint64_t mono_ms = view->now.mono_ns / 1000000;
    impact_look(&book->meter, view->watched, mono_ms);
    if (book->open != NULL && !book->meter.running) {
        take_up(book, mono_ms);
    }
    if (book->open == NULL && view->verdict->open) {
        begin(book, view);
    }
    if (book->open == NULL) {
        return;
    }
    tell_facts(book, view->facts);
    go_on(book, view);
    if (book->open == NULL) {
        return;
    }
    tell_networks(book, view);
    measure(book, view);
    if (read_whole(book->open, "diagnosed_unix_ms") > 0 ||
        mono_ms - book->seen_mono_ms >= INCIDENT_ALERT_MS) {
        alert(book, "incident_opened", &view->now);
    }
    if (book->dirty || mono_ms - book->written_ms >= INCIDENT_WRITE_MS) {
        write_open(book, mono_ms);
    }
}
