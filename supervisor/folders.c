// SPDX-License-Identifier: ISC
// The data folder. Runs in the supervisor, before anything else is started.
#include "supervisor/folders.h"

#include "supervisor/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct where {
    const char *data_dir;
    char *why;
    size_t why_size;
};

static bool wrong(const struct where *where, const char *name, const char *problem)
{
    const char *slash = name[0] != '\0' ? "/" : "";
    const char *advice = "";
    if (errno == EACCES || errno == EPERM || errno == EROFS) {
        advice = "; give the folder to the user that starts stayd, or set data_dir to one that it may write";
    }
    snprintf(where->why, where->why_size, "data_dir %s%s%s: %s: %s%s", where->data_dir, slash, name, problem,
             strerror(errno), advice);
    return false;
}

// Makes every missing folder on the way.
static bool make_all(const struct where *where)
{
    char path[PATH_MAX];
    if (!view_to_cstr(view_of_cstr(where->data_dir), path, sizeof path)) {
        errno = ENAMETOOLONG;
        return wrong(where, "", "cannot be made");
    }
    for (char *slash = path + 1;; slash++) {
        char end = *slash;
        if (end != '/' && end != '\0') {
            continue;
        }
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return wrong(where, "", "cannot be made");
        }
        if (end == '\0') {
            return true;
        }
        *slash = end;
    }
}

static bool lock_take(struct folders *folders, const struct where *where)
{
    folders->lock = openat(folders->data, "stayd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (folders->lock < 0) {
        return wrong(where, "stayd.lock", "cannot be opened");
    }
    if (flock(folders->lock, LOCK_EX | LOCK_NB) != 0) {
        char pid[32] = "?";
        ssize_t got = pread(folders->lock, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        snprintf(where->why, where->why_size,
                 "another stayd (process %s) works on %s: two on one data folder would destroy it. Stop that "
                 "one, or "
                 "give this one a data_dir of its own",
                 pid, where->data_dir);
        return false;
    }
    char pid[32];
    int size = snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (ftruncate(folders->lock, 0) != 0 || pwrite(folders->lock, pid, (size_t)size, 0) != size) {
        return wrong(where, "stayd.lock", "cannot be written");
    }
    return true;
}

// A folder that changes hands (stayd was started by another user before) takes its files along.
static void give_files(int folder, const struct user *user)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        struct stat status;
        if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
            status.st_nlink == 1) {
            (void)!fchownat(folder, entry->d_name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

// A folder below data_dir, with this mode, given to the role (NULL: stays ours).
static int part_open(const struct folders *folders, const struct where *where, const char *name, mode_t mode,
                     const struct topology_role *role)
{
    struct stat status;
    if (mkdirat(folders->data, name, mode) != 0 && errno != EEXIST) {
        wrong(where, name, "cannot be made");
        return -1;
    }
    int fd = openat(folders->data, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0) {
        wrong(where, name, "cannot be opened");
        return -1;
    }
    struct user user = {0};
    if (role != NULL) {
        user = user_of(role);
    }
    if (user.change && (status.st_uid != user.uid || status.st_gid != user.gid)) {
        if (fchown(fd, user.uid, user.gid) != 0) {
            wrong(where, name, "cannot be given to its user");
            close(fd);
            return -1;
        }
        give_files(fd, &user);
    }
    if ((status.st_mode & 07777) != mode && fchmod(fd, mode) != 0) {
        wrong(where, name, "cannot be protected");
        close(fd);
        return -1;
    }
    if (!user.change && faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        wrong(where, name, "cannot be used");
        close(fd);
        return -1;
    }
    return fd;
}

bool folders_init(struct folders *folders, const char *data_dir, char *why, size_t why_size)
{
    struct where where = {data_dir, why, why_size};
    *folders = (struct folders){-1, -1, -1, -1, -1, -1};
    if (!make_all(&where)) {
        return false;
    }
    folders->data = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folders->data < 0) {
        return wrong(&where, "", "cannot be opened");
    }
    if (faccessat(folders->data, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        return wrong(&where, "", "cannot be written");
    }
    if (!lock_take(folders, &where)) {
        return false;
    }
    folders->run = part_open(folders, &where, "run", 0755, NULL);
    folders->store =
        folders->run < 0 ? -1 : part_open(folders, &where, "store", 0700, topology_role_find(WIRE_STORE));
    folders->keys =
        folders->store < 0 ? -1 : part_open(folders, &where, "keys", 0700, topology_role_find(WIRE_KEY));
    folders->incidents = folders->keys < 0
                             ? -1
                             : part_open(folders, &where, "incidents", 0755, topology_role_find(WIRE_WATCH));
    return folders->incidents >= 0;
}

void folders_release(struct folders *folders)
{
    const int fds[] = {folders->data, folders->run,       folders->store,
                       folders->keys, folders->incidents, folders->lock};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *folders = (struct folders){-1, -1, -1, -1, -1, -1};
}

int folders_of(const struct folders *folders, enum topology_folder folder)
{
    switch (folder) {
    case TOPOLOGY_FOLDER_STORE:
        return folders->store;
    case TOPOLOGY_FOLDER_KEYS:
        return folders->keys;
    case TOPOLOGY_FOLDER_INCIDENTS:
        return folders->incidents;
    case TOPOLOGY_FOLDER_NONE:
        break;
    }
    return -1;
}
