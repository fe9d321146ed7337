// SPDX-License-Identifier: ISC
// The incidents of this stayd: the one that goes on, and the files of those that are over. Used by
// stayd-watch. Owns: the open incident, an index of the files, a descriptor of their folder. Bounds:
// INCIDENT_BOOK_MAX incidents with two files each (ID.json, ID.md), INCIDENT_FILE_MAX bytes a file. The
// oldest closed one without open action items makes room; when there is none, a new incident goes on without
// files, which the log says.
//
// Files are written beside and renamed, so that a reader sees the old or the new one, never half of one. They
// are not synced: an incident may be that the disk hangs.
#ifndef WATCH_INCIDENT_BOOK_H
#define WATCH_INCIDENT_BOOK_H

#include "watch/incident.h"

enum {
    INCIDENT_BOOK_MAX = 200,
    INCIDENT_FILE_MAX = 512 << 10,
    INCIDENT_WRITE_MS = 3000,   // how often an open one's figures are written
    INCIDENT_ALERT_MS = 3000,   // an alert waits so long for the cause
    INCIDENT_RESUME_MS = 20000, // a restarted watch gives an open one so long to be seen again
};

struct incident_entry {
    char id[INCIDENT_ID_SIZE];
    char cause[32];
    char severity[16];
    char sentence[VERDICT_LINE_SIZE];
    uint64_t onset_unix_ms, closed_unix_ms; // closed 0: open
    unsigned actions, actions_open;
};

struct incident_book {
    int folder; // -1: none
    char version[65];
    struct incident_entry entry[INCIDENT_BOOK_MAX]; // by id, the oldest first
    unsigned entries;
    json_t *open; // NULL: none
    bool filed;   // the open one has files
    bool dirty;
    uint64_t episode;                                  // of the verdict that the open one follows
    uint64_t facts_seen;                               // by number
    uint64_t seen_mono_ms, quiet_since_ms, written_ms; // monotonic; quiet 0: something is wrong
    struct impact_meter meter;
    // An alert: "incident_opened" or "incident_closed", with the document. Called once for each.
    void (*tell)(void *context, const char *event, const json_t *incident);
    void *context;
};

void incident_book_init(struct incident_book *book);
void incident_book_release(struct incident_book *book);
// Takes over fd. Reads the index, and takes up the incident that was open.
void incident_book_open(struct incident_book *book, int fd);

// What an incident is made of, ten times a second.
struct incident_view {
    const struct verdict *verdict;
    const struct facts *facts;
    const struct watched *watched;
    struct watched_now now;
};
void incident_book_look(struct incident_book *book, const struct incident_view *view);

// The id of the incident that goes on; NULL: none.
const char *incident_book_current(const struct incident_book *book);
// {"incidents":[{id, state, severity, cause, sentence, onset_unix_ms, closed_unix_ms, actions,
// actions_open}]}, the newest first.
json_t *incident_book_list(const struct incident_book *book);
// {"actions":[{incident, number, kind, text, cause, onset_unix_ms}]}: all that are not done.
json_t *incident_book_actions(const struct incident_book *book);
// The whole document; NULL when there is none of that id. The caller's.
json_t *incident_book_read(const struct incident_book *book, struct view id);
enum incident_done { INCIDENT_DONE, INCIDENT_NOT_FOUND, INCIDENT_NOT_WRITTEN };
enum incident_done incident_book_done(struct incident_book *book, struct view id, unsigned number,
                                      uint64_t now_unix_ms);

// For the files of the book alone.
struct incident_entry *incident_book_find(struct incident_book *book, struct view id);
void incident_entry_fill(struct incident_entry *entry, const json_t *incident);

// Parses a document that was read from a file; NULL when it is none.
json_t *incident_parse(struct view text);

#endif
