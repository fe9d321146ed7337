// SPDX-License-Identifier: ISC
// Lists and reads what lies in the incident folder beside incidents: crash records. Runs in stayd-watch.
// A name is letters, digits, '-', '_' and '.', and does not begin with '.': it can't lead out of the folder.
#include "watch/incidents.h"

#include "watch/html.h"
#include "watch/incident_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct record {
    time_t time;
    uint64_t size;
    char name[INCIDENTS_NAME_MAX + 1];
};

void incidents_init(struct incidents *incidents)
{
    incidents->folder = -1;
}

void incidents_release(struct incidents *incidents)
{
    if (incidents->folder >= 0) {
        close(incidents->folder);
    }
    incidents_init(incidents);
}

void incidents_open(struct incidents *incidents, int fd)
{
    incidents_release(incidents);
    incidents->folder = fd;
}

static bool is_record_name(struct view name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '-' && c != '_' && c != '.'))) {
            return false;
        }
    }
    return name.size > 0 && name.size <= INCIDENTS_NAME_MAX;
}

// Incidents are listed by the book.
static bool is_incident(struct view name)
{
    return incident_is_id(view_first(name, view_index(name, '.')));
}

static int newest_first(const void *a, const void *b)
{
    const struct record *left = a;
    const struct record *right = b;
    if (left->time != right->time) {
        return left->time > right->time ? -1 : 1;
    }
    return strcmp(right->name, left->name);
}

// Returns how many were found; an own descriptor, so that each listing starts at the beginning.
static size_t collect(const struct incidents *incidents, struct record *records)
{
    size_t count = 0;
    struct dirent *entry;
    struct stat status;
    int fd = openat(incidents->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    while (count < INCIDENTS_LISTED_MAX && (entry = readdir(folder)) != NULL) {
        struct record *record = &records[count];
        if (is_record_name(view_of_cstr(entry->d_name)) && !is_incident(view_of_cstr(entry->d_name)) &&
            fstatat(incidents->folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) &&
            view_to_cstr(view_of_cstr(entry->d_name), record->name, sizeof(record->name))) {
            record->time = status.st_mtime;
            record->size = (uint64_t)status.st_size;
            count++;
        }
    }
    closedir(folder);
    return count;
}

static void write_record(struct bytes *out, const struct record *record)
{
    struct tm parts;
    char text[32] = "";
    if (gmtime_r(&record->time, &parts) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    }
    bytes_append_format(out, "<tr><td>%s</td><td><a href=\"/incidents/%s\">%s</a></td><td class=\"n\">", text,
                        record->name, record->name);
    html_size(out, record->size);
    bytes_append_view(out, VIEW("</td></tr>\n"));
}

// All records, newest first: the caller frees them.
static struct record *records_all(const struct incidents *incidents, size_t *count)
{
    struct record *records = incidents->folder < 0 ? NULL : calloc(INCIDENTS_LISTED_MAX, sizeof(*records));
    *count = records == NULL ? 0 : collect(incidents, records);
    if (*count > 0) {
        qsort(records, *count, sizeof(*records), newest_first);
    }
    return records;
}

json_t *incidents_json(const struct incidents *incidents)
{
    size_t count;
    struct record *records = records_all(incidents, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char text[ISO_SIZE];
        iso_time((uint64_t)records[i].time * 1000, text);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", records[i].name, "at", text, "bytes",
                                              (json_int_t)records[i].size));
    }
    free(records);
    return list;
}

void incidents_list(const struct incidents *incidents, struct bytes *out)
{
    size_t count;
    struct record *records = records_all(incidents, &count);
    if (count == 0) {
        bytes_append_view(out, VIEW("<p>Nothing has been recorded.</p>\n"));
    } else {
        bytes_append_view(out, VIEW("<div class=\"wide\"><table>\n<tr><th>Time (UTC)</th><th>Record</th>"
                                    "<th class=\"n\">Size</th></tr>\n"));
        for (size_t i = 0; i < count; i++) {
            write_record(out, &records[i]);
        }
        bytes_append_view(out, VIEW("</table></div>\n"));
    }
    free(records);
}

bool incidents_read(const struct incidents *incidents, struct view name, struct bytes *out)
{
    char path[INCIDENTS_NAME_MAX + 1];
    struct stat status;
    bool fine = false;
    if (incidents->folder < 0 || !is_record_name(name) || !view_to_cstr(name, path, sizeof(path))) {
        return false;
    }
    int fd = openat(incidents->folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= INCIDENTS_FILE_MAX) {
        size_t size = (size_t)status.st_size;
        uint8_t *to = size == 0 ? NULL : bytes_reserve(out, size);
        ssize_t got = to == NULL ? 0 : read(fd, to, size);
        fine = got >= 0 && (size == 0 || to != NULL);
        out->size += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return fine;
}

struct view incidents_type(struct view name)
{
    static const struct view json = VIEW(".json");
    return name.size > json.size && view_equal(view_from(name, name.size - json.size), json)
               ? VIEW("application/json")
               : VIEW("text/plain; charset=utf-8");
}
