// SPDX-License-Identifier: ISC
// A copy of the "unix" VFS whose xFullPathname does not resolve. Runs in stayd-store.
#include "store/vfs.h"

#include "base/fault.h"
#include "store/syncs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

static sqlite3_vfs shim;

static int path_as_it_stands(sqlite3_vfs *vfs, const char *path, int size_max, char *out)
{
    (void)vfs;
    size_t size = strlen(path);
    if (size >= (size_t)size_max) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, path, size + 1);
    return SQLITE_OK;
}

// A quota or a limit on file sizes is a full disk to SQLite too: rolled back and said as such, not as a disk
// that fails.
static ssize_t settle(ssize_t written)
{
    if (written < 0 && (errno == EDQUOT || errno == EFBIG)) {
        errno = ENOSPC;
    }
    return written;
}

// A drill's disk has no room, not even for what replaces something.
static bool has_room(void)
{
    if (FAULT("disk_full")) {
        errno = ENOSPC;
        return false;
    }
    return true;
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset)
{
    return has_room() ? settle(pwrite(fd, data, size, offset)) : -1;
}

static ssize_t write_on(int fd, const void *data, size_t size)
{
    return has_room() ? settle(write(fd, data, size)) : -1;
}

// SQLite syncs by a method of the file, which is no system call of the table above. The database and its log
// have different methods: the log needs no locks.
struct counted {
    sqlite3_io_methods methods; // first: what a file points to
    const sqlite3_io_methods *plain;
};
static struct counted counted[4];
static unsigned counted_kinds;
static pthread_mutex_t counted_lock = PTHREAD_MUTEX_INITIALIZER; // logs are opened by any thread

static int counted_sync(sqlite3_file *file, int flags)
{
    const struct counted *kind = (const struct counted *)file->pMethods;
    uint64_t begun_ns = clock_mono_ns();
    int result = kind->plain->xSync(file, flags);
    if (FAULT_VALUE("disk_slow_ms") > 0) {
        fault_wait(FAULT_VALUE("disk_slow_ms"));
    }
    syncs_count(begun_ns);
    return result;
}

// NULL: there are more than are known of.
static const struct counted *counted_of(const sqlite3_io_methods *plain)
{
    unsigned at = 0;
    (void)pthread_mutex_lock(&counted_lock);
    while (at < counted_kinds && counted[at].plain != plain) {
        at++;
    }
    bool room = at < sizeof(counted) / sizeof(counted[0]);
    if (room && at == counted_kinds) {
        counted[at] = (struct counted){*plain, plain};
        counted[at].methods.xSync = counted_sync;
        counted_kinds++;
    }
    (void)pthread_mutex_unlock(&counted_lock);
    return room ? &counted[at] : NULL;
}

static int (*plain_open)(sqlite3_vfs *, sqlite3_filename, sqlite3_file *, int, int *);

static int counted_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                        int *flags_out)
{
    int result = plain_open(vfs, name, file, flags, flags_out);
    const struct counted *kind =
        result == SQLITE_OK && file->pMethods != NULL ? counted_of(file->pMethods) : NULL;
    if (kind != NULL) {
        file->pMethods = &kind->methods;
    }
    return result;
}

static void set_calls(sqlite3_vfs *vfs)
{
    static_assert(sizeof(off_t) == 8, "pwrite and pwrite64 are one");
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_at);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_at);
    (void)vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)write_on);
}

const char *store_vfs(void)
{
    if (shim.zName == NULL) {
        sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
        if (unix_vfs == NULL) {
            return NULL;
        }
        set_calls(unix_vfs);
        shim = *unix_vfs;
        shim.pNext = NULL;
        shim.zName = "stayd-as-it-stands";
        shim.xFullPathname = path_as_it_stands;
        plain_open = shim.xOpen;
        shim.xOpen = counted_open;
        if (sqlite3_vfs_register(&shim, 0) != SQLITE_OK) {
            shim.zName = NULL;
        }
    }
    return shim.zName;
}
