// SPDX-License-Identifier: ISC
// Loading and making the data key, in stayd-key, once at its start.
// Made under another name, synced, then moved to its own name without replacing anything, and the folder
// synced: after a crash at any point there is either a whole key or none.
#include "keeper/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME KEY_FILE_NAME ".new"

const char *key_file_result_text(enum key_file_result result)
{
    static const char *const text[] = {
        [KEY_FILE_LOADED] = "the data key was loaded",
        [KEY_FILE_CREATED] = "a new data key was made",
        [KEY_FILE_UNREADABLE] = KEY_FILE_NAME " can't be read",
        [KEY_FILE_NOT_A_FILE] = KEY_FILE_NAME " is not a plain file; put the real one back",
        [KEY_FILE_WRONG_OWNER] =
            KEY_FILE_NAME " belongs to another user; give it to the one that stayd-key runs as",
        [KEY_FILE_TOO_OPEN] = KEY_FILE_NAME " can be read or written by others; chmod 600 it",
        [KEY_FILE_WRONG_SIZE] =
            KEY_FILE_NAME " is damaged: not 32 bytes; restore it from a backup, or remove it to start "
                          "with a new key (devices are then unknown again)",
        [KEY_FILE_CAN_NOT_MAKE] = "there is no " KEY_FILE_NAME " and none can be written",
    };
    return text[result];
}

// Everything there is, so that a longer file is noticed too. errno is kept.
static bool read_exactly(int fd, uint8_t *out, size_t size, bool *whole)
{
    size_t have = 0;
    uint8_t more;
    *whole = false;
    while (have < size) {
        ssize_t got = read(fd, out + have, size - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            return true;
        }
        have += (size_t)got;
    }
    *whole = read(fd, &more, 1) == 0;
    return true;
}

static enum key_file_result check(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return KEY_FILE_UNREADABLE;
    }
    if (!S_ISREG(status.st_mode)) {
        return KEY_FILE_NOT_A_FILE;
    }
    if (status.st_uid != geteuid()) {
        return KEY_FILE_WRONG_OWNER;
    }
    return (status.st_mode & 077) == 0 ? KEY_FILE_LOADED : KEY_FILE_TOO_OPEN;
}

static enum key_file_result load(int fd, uint8_t key[KEY_SIZE])
{
    bool whole = false;
    enum key_file_result result = check(fd);
    if (result == KEY_FILE_LOADED && !read_exactly(fd, key, KEY_SIZE, &whole)) {
        result = KEY_FILE_UNREADABLE;
    } else if (result == KEY_FILE_LOADED && !whole) {
        result = KEY_FILE_WRONG_SIZE;
    }
    if (result != KEY_FILE_LOADED) {
        wipe(key, KEY_SIZE);
    }
    return result;
}

static bool sync_folder(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return synced;
}

static bool write_new(const uint8_t key[KEY_SIZE])
{
    if (unlink(NEW_NAME) != 0 && errno != ENOENT) { // left by a crash
        return false;
    }
    int fd = open(NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    ssize_t written = write(fd, key, KEY_SIZE);
    if (written >= 0 && written != KEY_SIZE) {
        errno = ENOSPC;
    }
    bool kept = written == KEY_SIZE && fsync(fd) == 0;
    return close(fd) == 0 && kept;
}

// A file system that can't promise not to replace gets a plain rename: the folder is ours and locked by the
// supervisor.
static bool move_into_place(void)
{
    if (renameat2(AT_FDCWD, NEW_NAME, AT_FDCWD, KEY_FILE_NAME, RENAME_NOREPLACE) == 0) {
        return true;
    }
    return (errno == EINVAL || errno == ENOSYS) && rename(NEW_NAME, KEY_FILE_NAME) == 0;
}

static enum key_file_result make(uint8_t key[KEY_SIZE])
{
    randombytes_buf(key, KEY_SIZE);
    if (write_new(key) && move_into_place() && sync_folder()) {
        return KEY_FILE_CREATED;
    }
    int why = errno;
    (void)unlink(NEW_NAME);
    errno = why;
    wipe(key, KEY_SIZE);
    return KEY_FILE_CAN_NOT_MAKE;
}

enum key_file_result key_file_load(uint8_t key[KEY_SIZE])
{
    // Not blocking on a pipe that somebody put there.
    int fd = open(KEY_FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return make(key);
    }
    if (fd < 0) {
        return errno == ELOOP ? KEY_FILE_NOT_A_FILE : KEY_FILE_UNREADABLE;
    }
    enum key_file_result result = load(fd, key);
    close(fd);
    return result;
}
