// SPDX-License-Identifier: ISC
// Files of incidents. Runs in stayd-watch, inside its folder. What is read back may have been changed by
// anyone who may write there: it is checked like any other input.
#include "watch/incident_files.h"

#include "watch/incident_book.h"
#include "watch/postmortem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STAMP_SIZE = 16 }; // 20261121T050102Z

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool incident_is_id(struct view id)
{
    if (id.size < STAMP_SIZE || id.size >= INCIDENT_ID_SIZE || id.data[8] != 'T' || id.data[15] != 'Z') {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        bool fixed = i == 8 || i == 15;
        bool dash = i == STAMP_SIZE && id.size > STAMP_SIZE + 1 && id.data[i] == '-';
        if (!fixed && !dash && !is_digit(id.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_there(int folder, const char *id)
{
    char name[INCIDENT_ID_SIZE + 8];
    struct stat status;
    snprintf(name, sizeof(name), "%s.json", id);
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool incident_files_id(int folder, uint64_t unix_ms, char id[static INCIDENT_ID_SIZE])
{
    char stamp[STAMP_SIZE + 1];
    struct tm parts;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts) != STAMP_SIZE) {
        return false;
    }
    snprintf(id, INCIDENT_ID_SIZE, "%s", stamp);
    for (unsigned i = 2; i < 100 && folder >= 0 && is_there(folder, id); i++) {
        snprintf(id, INCIDENT_ID_SIZE, "%s-%u", stamp, i);
    }
    return folder < 0 || !is_there(folder, id);
}

static bool put(int folder, const char *id, const char *ending, const struct bytes *text)
{
    char name[INCIDENT_ID_SIZE + 8];
    static const char fresh[] = ".incident-fresh";
    snprintf(name, sizeof(name), "%s.%s", id, ending);
    int fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    bool whole = !text->failed && write(fd, text->data, text->size) == (ssize_t)text->size;
    int error = whole ? 0 : errno == 0 ? ENOSPC : errno;
    close(fd);
    if (whole && renameat(folder, fresh, folder, name) == 0) {
        return true;
    }
    (void)unlinkat(folder, fresh, 0);
    errno = error != 0 ? error : errno;
    return false;
}

bool incident_files_write(int folder, const json_t *incident)
{
    struct bytes text;
    bytes_init(&text, INCIDENT_FILE_MAX);
    errno = 0;
    json_write(&text, incident);
    bool written = put(folder, incident_id(incident), "json", &text);
    bytes_reset(&text);
    if (written) {
        postmortem_write(&text, incident);
        written = put(folder, incident_id(incident), "md", &text);
    }
    bytes_release(&text);
    return written;
}

json_t *incident_parse(struct view text)
{
    json_t *document = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (document != NULL && incident_is_one(document) &&
        incident_is_id(view_of_cstr(incident_id(document)))) {
        return document;
    }
    json_decref(document);
    return NULL;
}

json_t *incident_files_read(int folder, const char *id)
{
    char name[INCIDENT_ID_SIZE + 8];
    struct stat status;
    json_t *document = NULL;
    snprintf(name, sizeof(name), "%s.json", id);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        status.st_size <= INCIDENT_FILE_MAX) {
        size_t size = (size_t)status.st_size;
        char *text = malloc(size);
        ssize_t got = text == NULL ? -1 : read(fd, text, size);
        document = got == (ssize_t)size ? incident_parse(view_of(text, size)) : NULL;
        free(text);
    }
    close(fd);
    // A copied file must not stand for another.
    if (document != NULL && strcmp(incident_id(document), id) != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

void incident_files_remove(int folder, const char *id)
{
    char name[INCIDENT_ID_SIZE + 8];
    snprintf(name, sizeof(name), "%s.md", id);
    (void)unlinkat(folder, name, 0);
    snprintf(name, sizeof(name), "%s.json", id);
    (void)unlinkat(folder, name, 0);
}

static DIR *list_open(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0) {
        close(fd);
    }
    return list;
}

void incident_files_each(int folder, void (*each)(void *context, const char *id), void *context)
{
    const struct dirent *entry;
    DIR *list = list_open(folder);
    while (list != NULL && (entry = readdir(list)) != NULL) {
        struct view name = view_of_cstr(entry->d_name);
        char id[INCIDENT_ID_SIZE];
        if (name.size > 5 && view_equal(view_from(name, name.size - 5), VIEW(".json")) &&
            incident_is_id(view_first(name, name.size - 5)) &&
            view_to_cstr(view_first(name, name.size - 5), id, sizeof(id))) {
            each(context, id);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

void incident_files_link_crashes(int folder, json_t *incident, uint64_t from_unix_ms, uint64_t to_unix_ms)
{
    const struct dirent *entry;
    DIR *list = folder < 0 ? NULL : list_open(folder);
    while (list != NULL && (entry = readdir(list)) != NULL) {
        struct stat status;
        if (view_starts_with(view_of_cstr(entry->d_name), VIEW("crash-")) &&
            fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)) {
            uint64_t at = (uint64_t)status.st_mtime * 1000;
            if (at + 1000 >= from_unix_ms && at <= to_unix_ms) {
                incident_link(incident, entry->d_name);
            }
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}
