// SPDX-License-Identifier: ISC
// Databases and small files by path, for the offline tools of stayd-store.
#include "store/offline_file.h"

#include "base/clock.h"
#include "store/sqlite_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_PAGES 1024

void offline_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

enum offline_status offline_failed(const char *path, sqlite3 *database)
{
    int code = sqlite3_errcode(database) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        offline_say("%s is damaged or not a database (%s)", path, sqlite3_errmsg(database));
        return OFFLINE_REFUSED;
    }
    int cause = sqlite3_system_errno(database);
    offline_say("%s: %s%s%s", path, sqlite3_errmsg(database), cause != 0 ? ": " : "",
                cause != 0 ? strerror(cause) : "");
    return OFFLINE_UNAVAILABLE;
}

enum offline_status offline_open(const char *path, int flags, sqlite3 **database)
{
    struct stat file;
    *database = NULL;
    if (stat(path, &file) != 0) {
        offline_say("%s: %s", path, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? OFFLINE_REFUSED : OFFLINE_UNAVAILABLE;
    }
    if (!S_ISREG(file.st_mode)) {
        offline_say("%s is not a file", path);
        return OFFLINE_REFUSED;
    }
    if (sqlite3_open_v2(path, database, flags, NULL) != SQLITE_OK) {
        return offline_failed(path, *database);
    }
    (void)sqlite3_busy_timeout(*database, 5000);
    return OFFLINE_DONE;
}

enum offline_status offline_schema(const char *path, sqlite3 *database)
{
    int64_t version = 0;
    switch (sqlite_schema_check(database, &version)) {
    case SCHEMA_CURRENT:
        if (version > 0) {
            return OFFLINE_DONE;
        }
        offline_say("%s is empty", path);
        return OFFLINE_REFUSED;
    case SCHEMA_NEWER:
        offline_say("%s was written by a newer stayd (schema %lld, this one knows %d)", path,
                    (long long)version, SCHEMA_VERSION);
        return OFFLINE_REFUSED;
    case SCHEMA_FOREIGN:
        offline_say("%s is not a database of stayd", path);
        return OFFLINE_REFUSED;
    case SCHEMA_FAILED:
    default:
        return offline_failed(path, database);
    }
}

enum offline_status offline_execute(const char *path, sqlite3 *database, const char *sql)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK ? OFFLINE_DONE
                                                                      : offline_failed(path, database);
}

enum offline_status offline_integrity(const char *path, sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    bool sound = false;
    int code = sqlite3_prepare_v2(database, "PRAGMA integrity_check(3)", -1, &statement, NULL);
    while (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        sound = line != NULL && strcmp(line, "ok") == 0;
        if (!sound) {
            offline_say("%s is damaged: %s", path, line == NULL ? "?" : line);
            break;
        }
    }
    if (sqlite3_finalize(statement) != SQLITE_OK || code != SQLITE_OK) {
        return offline_failed(path, database);
    }
    if (!sound) {
        return OFFLINE_REFUSED;
    }
    statement = NULL;
    code = sqlite3_prepare_v2(database, "PRAGMA foreign_key_check", -1, &statement, NULL);
    bool orphan = code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    (void)sqlite3_finalize(statement);
    if (orphan) {
        offline_say("%s is damaged: a session without its account", path);
    }
    return orphan ? OFFLINE_REFUSED : code == SQLITE_OK ? OFFLINE_DONE : offline_failed(path, database);
}

static void say_progress(sqlite3_backup *backup, const char *what, uint64_t *said_ns)
{
    uint64_t now = clock_mono_ns();
    int whole = sqlite3_backup_pagecount(backup);
    if (now - *said_ns > 1000000000u && whole > 0) {
        *said_ns = now;
        offline_say("%s: %d %%", what, (int)(100LL * (whole - sqlite3_backup_remaining(backup)) / whole));
    }
}

// A read transaction on `from` holds the moment: without it every change by the server would begin the copy
// anew.
enum offline_status offline_copy(sqlite3 *from, sqlite3 *to, const char *what)
{
    uint64_t said_ns = clock_mono_ns();
    if (sqlite3_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
        return offline_failed(what, from);
    }
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) {
        return offline_failed(what, to);
    }
    int code;
    do {
        code = sqlite3_backup_step(backup, STEP_PAGES);
        say_progress(backup, what, &said_ns);
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            (void)sqlite3_sleep(50);
        }
    } while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
    (void)sqlite3_backup_finish(backup);
    (void)sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_DONE) {
        offline_say("%s: %s", what, sqlite3_errstr(code));
        return (code & 0xff) == SQLITE_CORRUPT ? OFFLINE_REFUSED : OFFLINE_UNAVAILABLE;
    }
    return OFFLINE_DONE;
}

bool offline_has_table(sqlite3 *database, const char *name)
{
    return sqlite3_table_column_metadata(database, "main", name, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

bool offline_create(const char *path)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        offline_say("%s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

bool offline_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (!done) {
        offline_say("%s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

void offline_folder(const char *path, char out[static OFFLINE_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    (void)snprintf(out, OFFLINE_PATH_MAX, "%.*s", (int)size, slash == NULL ? "." : path);
}

bool offline_join(char out[static OFFLINE_PATH_MAX], const char *folder, const char *name)
{
    int size = snprintf(out, OFFLINE_PATH_MAX, "%s/%s", folder, name);
    if (size < 0 || size >= OFFLINE_PATH_MAX) {
        offline_say("%s/%s: the path is too long", folder, name);
        return false;
    }
    return true;
}
