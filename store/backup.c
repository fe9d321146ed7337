// SPDX-License-Identifier: ISC
// `stayd-store --backup`: a consistent copy of the database and the keys in one file, while stayd serves.
// 1. OUT is the old file or the whole new one, never a part: it is written under another name, made durable
// and
//    renamed.
// 2. It is readable by its owner only from its first byte on.
#include "store/offline_file.h"

#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STAYD_VERSION
#define STAYD_VERSION "unknown"
#endif

static enum offline_status put_file(sqlite3 *to, int folder, const char *name)
{
    enum offline_status status = OFFLINE_UNAVAILABLE;
    uint8_t *content = malloc(OFFLINE_KEY_MAX);
    sqlite3_stmt *statement = NULL;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat file;
    if (fd < 0 || content == NULL || fstat(fd, &file) != 0) {
        offline_say("keys/%s: %s", name, strerror(errno));
        goto out;
    }
    if (!S_ISREG(file.st_mode) || strstr(name, OFFLINE_ASIDE) != NULL) {
        status = OFFLINE_DONE;
        goto out;
    }
    ssize_t size = read(fd, content, OFFLINE_KEY_MAX);
    if (size < 0 || size != file.st_size) {
        offline_say("keys/%s can't be read, or is too large to be a key", name);
        goto out;
    }
    if (sqlite3_prepare_v2(to, "INSERT INTO " OFFLINE_FILES " VALUES (?, ?)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_blob(statement, 2, size == 0 ? (const void *)"" : content, (int)size,
                          SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_DONE) {
        status = offline_failed("the backup", to);
        goto out;
    }
    status = OFFLINE_DONE;
out:
    (void)sqlite3_finalize(statement);
    if (fd >= 0) {
        close(fd);
    }
    if (content != NULL) {
        wipe(content, OFFLINE_KEY_MAX);
    }
    free(content);
    return status;
}

// The keys lie beside the store's folder. Where there are none yet, the backup says that it has none.
static enum offline_status put_keys(sqlite3 *to, const char *database)
{
    char store[OFFLINE_PATH_MAX], data[OFFLINE_PATH_MAX], keys[OFFLINE_PATH_MAX];
    offline_folder(database, store);
    offline_folder(store, data);
    if (!offline_join(keys, data, "keys")) {
        return OFFLINE_UNAVAILABLE;
    }
    DIR *folder = opendir(keys);
    if (folder == NULL && errno == ENOENT) {
        offline_say("there is no %s: the backup holds no keys", keys);
        return OFFLINE_DONE;
    }
    if (folder == NULL) {
        offline_say("%s: %s", keys, strerror(errno));
        return OFFLINE_UNAVAILABLE;
    }
    enum offline_status status = OFFLINE_DONE;
    const struct dirent *entry;
    while (status == OFFLINE_DONE && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            status = put_file(to, dirfd(folder), entry->d_name);
        }
    }
    closedir(folder);
    return status;
}

static enum offline_status put_label(sqlite3 *to, const char *path)
{
    char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO meta VALUES ('backup_time', %lld),"
                                " ('backup_version', %Q)",
                                (long long)clock_wall_s(), STAYD_VERSION);
    enum offline_status status = sql == NULL ? OFFLINE_UNAVAILABLE : offline_execute(path, to, sql);
    sqlite3_free(sql);
    return status;
}

static enum offline_status write_backup(sqlite3 *from, const char *database, const char *part)
{
    sqlite3 *to = NULL;
    enum offline_status status = OFFLINE_UNAVAILABLE;
    if (!offline_create(part)) {
        return status;
    }
    status = offline_open(part, SQLITE_OPEN_READWRITE, &to);
    if (status == OFFLINE_DONE) {
        status = offline_copy(from, to, "backup");
    }
    if (status == OFFLINE_DONE) { // one file alone: no write-ahead log beside it
        status = offline_execute(part, to, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN");
    }
    status = status == OFFLINE_DONE ? offline_execute(part, to, OFFLINE_FILES_SQL) : status;
    status = status == OFFLINE_DONE ? put_keys(to, database) : status;
    status = status == OFFLINE_DONE ? put_label(to, part) : status;
    status = status == OFFLINE_DONE ? offline_execute(part, to, "COMMIT") : status;
    if (sqlite3_close(to) != SQLITE_OK) {
        status = OFFLINE_UNAVAILABLE;
    }
    return status == OFFLINE_DONE && !offline_sync(part) ? OFFLINE_UNAVAILABLE : status;
}

enum offline_status offline_backup(const char *database, const char *out)
{
    char part[OFFLINE_PATH_MAX], folder[OFFLINE_PATH_MAX];
    sqlite3 *from = NULL;
    int size = snprintf(part, sizeof(part), "%s.part", out);
    if (size < 0 || (size_t)size >= sizeof(part)) {
        offline_say("%s: the path is too long", out);
        return OFFLINE_USAGE;
    }
    // Writable, because reading a write-ahead log takes locks in a file beside it.
    enum offline_status status = offline_open(database, SQLITE_OPEN_READWRITE, &from);
    status = status == OFFLINE_DONE ? offline_schema(database, from) : status;
    status = status == OFFLINE_DONE ? write_backup(from, database, part) : status;
    (void)sqlite3_close(from);
    if (status == OFFLINE_DONE && rename(part, out) != 0) {
        offline_say("%s: %s", out, strerror(errno));
        status = OFFLINE_UNAVAILABLE;
    }
    if (status != OFFLINE_DONE) {
        (void)unlink(part);
        return status;
    }
    offline_folder(out, folder);
    return offline_sync(folder) ? OFFLINE_DONE : OFFLINE_UNAVAILABLE;
}
