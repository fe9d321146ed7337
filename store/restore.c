// SPDX-License-Identifier: ISC
// `stayd-store --restore`: puts a backup in place of the database and the keys of a data folder.
// 1. Nothing is touched before the backup was found whole and the folder was found unused (its lock is held
// until
//    the end, so that no stayd starts meanwhile).
// 2. Everything new is complete and durable under other names before anything old is moved.
// 3. What was there is kept beside it under a dated name, never deleted.
#include "store/offline_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct restore {
    char store[OFFLINE_PATH_MAX], keys[OFFLINE_PATH_MAX];
    char suffix[48]; // of what is kept
    sqlite3 *from;
    const char *file;
    unsigned key_count;
};

// ---- the folder ------------------------------------------------------------------------------------------

// A descriptor that holds the lock, or -1 with *status set.
static int take_lock(const char *data_dir, enum offline_status *status)
{
    char path[OFFLINE_PATH_MAX];
    *status = OFFLINE_UNAVAILABLE;
    if (!offline_join(path, data_dir, "stayd.lock")) {
        return -1;
    }
    if (mkdir(data_dir, 0755) != 0 && errno != EEXIST) {
        offline_say("%s: %s", data_dir, strerror(errno));
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        offline_say("%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            offline_say("stayd is running on %s: stop it first", data_dir);
            *status = OFFLINE_REFUSED;
        } else {
            offline_say("%s: %s", path, strerror(errno));
        }
        close(fd);
        return -1;
    }
    return fd;
}

static bool make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        offline_say("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

// A new file belongs to whom its folder belongs. By descriptor: the folder is that user's, who must not get
// anything else by putting a link there.
static bool give_to_owner(const char *path, const char *folder, mode_t mode)
{
    struct stat owner, file;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool fits = fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1 &&
                stat(folder, &owner) == 0;
    bool given =
        fits && fchmod(fd, mode) == 0 && (geteuid() != 0 || fchown(fd, owner.st_uid, owner.st_gid) == 0);
    if (!given) {
        offline_say("%s: %s", path, fd >= 0 && !fits ? "is not the file that was made" : strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return given;
}

static bool move(const char *folder, const char *from_name, const char *to_name)
{
    char from[OFFLINE_PATH_MAX], to[OFFLINE_PATH_MAX];
    if (!offline_join(from, folder, from_name) || !offline_join(to, folder, to_name)) {
        return false;
    }
    if (rename(from, to) != 0 && errno != ENOENT) {
        offline_say("%s: %s", from, strerror(errno));
        return false;
    }
    return true;
}

// ---- the backup ------------------------------------------------------------------------------------------

static enum offline_status check_backup(struct restore *restore)
{
    enum offline_status status = offline_open(restore->file, SQLITE_OPEN_READONLY, &restore->from);
    status = status == OFFLINE_DONE ? offline_schema(restore->file, restore->from) : status;
    if (status == OFFLINE_DONE) {
        offline_say("checking %s", restore->file);
        status = offline_integrity(restore->file, restore->from);
    }
    return status;
}

static bool is_key_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= 64 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

// ---- new files, under other names ------------------------------------------------------------------------

static enum offline_status write_database(struct restore *restore)
{
    char path[OFFLINE_PATH_MAX];
    sqlite3 *to = NULL;
    if (!offline_join(path, restore->store, "stayd.db.new") || !offline_create(path)) {
        return OFFLINE_UNAVAILABLE;
    }
    enum offline_status status = offline_open(path, SQLITE_OPEN_READWRITE, &to);
    status = status == OFFLINE_DONE ? offline_copy(restore->from, to, "restore") : status;
    // The keys go to their own folder and leave no trace here.
    status = status == OFFLINE_DONE
                 ? offline_execute(path, to,
                                   "PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON;"
                                   "DROP TABLE IF EXISTS " OFFLINE_FILES ";"
                                   "DELETE FROM meta WHERE name GLOB 'backup_*'")
                 : status;
    if (sqlite3_close(to) != SQLITE_OK) {
        status = OFFLINE_UNAVAILABLE;
    }
    if (status == OFFLINE_DONE && (!give_to_owner(path, restore->store, 0600) || !offline_sync(path))) {
        status = OFFLINE_UNAVAILABLE;
    }
    return status;
}

static bool write_key(const struct restore *restore, const char *name, struct view content)
{
    char temporary[96], path[OFFLINE_PATH_MAX];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", name);
    if (!offline_join(path, restore->keys, temporary) || !offline_create(path)) {
        return false;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool written =
        fd >= 0 && write(fd, content.data, content.size) == (ssize_t)content.size && fsync(fd) == 0;
    if (!written) {
        offline_say("%s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return written && give_to_owner(path, restore->keys, 0600);
}

static bool place_key(const struct restore *restore, const char *name, struct view content)
{
    char temporary[96], kept[160];
    (void)content;
    (void)snprintf(temporary, sizeof(temporary), "%s.new", name);
    (void)snprintf(kept, sizeof(kept), "%s%s", name, restore->suffix);
    return move(restore->keys, name, kept) && move(restore->keys, temporary, name);
}

static enum offline_status each_key(struct restore *restore,
                                    bool (*act)(const struct restore *, const char *, struct view))
{
    sqlite3_stmt *statement = NULL;
    enum offline_status status = OFFLINE_DONE;
    restore->key_count = 0;
    if (!offline_has_table(restore->from, OFFLINE_FILES)) {
        return status;
    }
    if (sqlite3_prepare_v2(restore->from, "SELECT name, content FROM " OFFLINE_FILES, -1, &statement, NULL) !=
        SQLITE_OK) {
        return offline_failed(restore->file, restore->from);
    }
    while (status == OFFLINE_DONE && sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        struct view content =
            view_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
        if (name == NULL || !is_key_name(name)) {
            offline_say("%s holds a key with an impossible name", restore->file);
            status = OFFLINE_REFUSED;
        } else if (!act(restore, name, content)) {
            status = OFFLINE_UNAVAILABLE;
        }
        restore->key_count++;
    }
    if (sqlite3_finalize(statement) != SQLITE_OK && status == OFFLINE_DONE) {
        status = offline_failed(restore->file, restore->from);
    }
    return status;
}

// ---- in place --------------------------------------------------------------------------------------------

// The old log goes along with the old database, under a name that SQLite finds.
static bool place_database(const struct restore *restore)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char name[32], kept[96];
        (void)snprintf(name, sizeof(name), "stayd.db%s", parts[i]);
        (void)snprintf(kept, sizeof(kept), "stayd.db%s%s", restore->suffix, parts[i]);
        if (!move(restore->store, name, kept)) {
            return false;
        }
    }
    return move(restore->store, "stayd.db.new", "stayd.db");
}

static enum offline_status put_in_place(struct restore *restore)
{
    if (!offline_sync(restore->store) || !offline_sync(restore->keys) || !place_database(restore)) {
        return OFFLINE_UNAVAILABLE;
    }
    enum offline_status status = each_key(restore, place_key);
    if (status == OFFLINE_DONE && (!offline_sync(restore->store) || !offline_sync(restore->keys))) {
        status = OFFLINE_UNAVAILABLE;
    }
    return status;
}

enum offline_status offline_restore(const char *file, const char *data_dir)
{
    struct restore restore = {.file = file};
    struct tm utc;
    time_t now = time(NULL);
    (void)strftime(restore.suffix, sizeof(restore.suffix), OFFLINE_ASIDE "%Y%m%dT%H%M%SZ",
                   gmtime_r(&now, &utc));
    enum offline_status status = check_backup(&restore);
    int lock = -1;
    if (status == OFFLINE_DONE) {
        lock = take_lock(data_dir, &status);
    }
    if (lock >= 0) {
        bool fine = offline_join(restore.store, data_dir, "store") &&
                    offline_join(restore.keys, data_dir, "keys") && make_folder(restore.store) &&
                    make_folder(restore.keys);
        status = fine ? write_database(&restore) : OFFLINE_UNAVAILABLE;
        status = status == OFFLINE_DONE ? each_key(&restore, write_key) : status;
        status = status == OFFLINE_DONE ? put_in_place(&restore) : status;
        close(lock);
    }
    (void)sqlite3_close(restore.from);
    if (status == OFFLINE_DONE) {
        offline_say("restored; what was there is kept with the suffix %s", restore.suffix);
        if (restore.key_count == 0) {
            offline_say("%s holds no keys: those of %s stay as they are", file, data_dir);
        }
    }
    return status;
}
