// SPDX-License-Identifier: ISC
// What the book of incidents says to those who ask. Runs in stayd-watch.
#include "watch/incident_book.h"
#include "watch/incident_files.h"
#include "watch/read_json.h"

const char *incident_book_current(const struct incident_book *book)
{
    return book->open == NULL ? NULL : incident_id(book->open);
}

static json_t *entry_json(const struct incident_entry *entry)
{
    bool open = entry->closed_unix_ms == 0;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:i, s:i}", "id", entry->id, "state",
                     open ? "open" : "closed", "severity", entry->severity, "cause", entry->cause, "sentence",
                     entry->sentence, "onset", iso_json(entry->onset_unix_ms), "closed",
                     iso_json(entry->closed_unix_ms), "onset_unix_ms", (json_int_t)entry->onset_unix_ms,
                     "closed_unix_ms", open ? json_null() : json_integer((json_int_t)entry->closed_unix_ms),
                     "actions", (int)entry->actions, "actions_open", (int)entry->actions_open);
}

json_t *incident_book_list(const struct incident_book *book)
{
    json_t *list = json_array();
    for (unsigned i = book->entries; i > 0; i--) {
        json_array_append_new(list, entry_json(&book->entry[i - 1]));
    }
    return list;
}

json_t *incident_book_read(const struct incident_book *book, struct view id)
{
    char text[INCIDENT_ID_SIZE];
    if (!incident_is_id(id) || !view_to_cstr(id, text, sizeof(text))) {
        return NULL;
    }
    if (book->open != NULL && strcmp(incident_id(book->open), text) == 0) {
        return json_incref(book->open);
    }
    return book->folder < 0 ? NULL : incident_files_read(book->folder, text);
}

static void append_actions(json_t *list, json_t *incident)
{
    json_t *actions = read_list(incident, "actions");
    size_t at;
    const json_t *one;
    json_array_foreach(actions, at, one)
    {
        if (!json_is_integer(json_object_get(one, "done_unix_ms"))) {
            json_array_append_new(
                list, json_pack("{s:s, s:I, s:s, s:s, s:s, s:o}", "incident", incident_id(incident), "number",
                                (json_int_t)read_whole(one, "number"), "kind", read_text(one, "kind"), "text",
                                read_text(one, "text"), "cause", incident_cause(incident), "onset",
                                iso_json(read_whole(incident, "onset_unix_ms"))));
        }
    }
}

json_t *incident_book_actions(const struct incident_book *book)
{
    json_t *list = json_array();
    for (unsigned i = book->entries; i > 0; i--) {
        const struct incident_entry *entry = &book->entry[i - 1];
        json_t *incident =
            entry->actions_open == 0 ? NULL : incident_book_read(book, view_of_cstr(entry->id));
        append_actions(list, incident);
        json_decref(incident);
    }
    return list;
}

enum incident_done incident_book_done(struct incident_book *book, struct view id, unsigned number,
                                      uint64_t now_unix_ms)
{
    json_t *incident = incident_book_read(book, id);
    struct incident_entry *entry = incident_book_find(book, id);
    enum incident_done done = INCIDENT_NOT_FOUND;
    if (incident != NULL && entry != NULL && incident_action_done(incident, number, now_unix_ms)) {
        done = incident_files_write(book->folder, incident) ? INCIDENT_DONE : INCIDENT_NOT_WRITTEN;
    }
    if (done == INCIDENT_DONE) {
        incident_entry_fill(entry, incident);
    }
    json_decref(incident);
    return done;
}
