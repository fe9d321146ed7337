// SPDX-License-Identifier: ISC
// Listening sockets. Runs in the supervisor, before rights are dropped anywhere.
#include "supervisor/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 4096, CONTROL_BACKLOG = 16 };

static bool tcp_bind(int fd, const struct config_listen *at)
{
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Connections inherit it, which spares a call for each.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (at->v6) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
        memcpy(&address.sin6_addr, at->address, 16);
        return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
               bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(at->port)};
    memcpy(&address.sin_addr, at->address, 4);
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

// A socket file that nobody listens on was left by a stayd that was killed.
static bool unix_clear(const struct sockaddr_un *address, int type)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return true;
    }
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive =
        fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    if (alive) {
        errno = EADDRINUSE;
        return false;
    }
    return unlink(address->sun_path) == 0;
}

static bool unix_bind(int fd, const char *path, int type, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!view_to_cstr(view_of_cstr(path), address.sun_path, sizeof address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (!unix_clear(&address, type)) {
        return false;
    }
    mode_t before = umask(0177); // nobody gets in between bind and chmod
    bool bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    int saved = errno;
    umask(before);
    errno = saved;
    return bound && chmod(path, mode) == 0;
}

static void listener_why(const struct config_listen *at, char *why, size_t size)
{
    int error = errno;
    if (error == EADDRINUSE && at->kind == CONFIG_LISTEN_TCP) {
        snprintf(why, size, "listen %s: the address is in use; see by whom: ss -ltnp 'sport = :%u'", at->text,
                 at->port);
    } else if (error == EADDRINUSE) {
        snprintf(why, size, "listen %s: another process listens there; see which: ss -lxp | grep %s",
                 at->text, at->path);
    } else if (error == EACCES && at->kind == CONFIG_LISTEN_TCP && at->port < 1024) {
        snprintf(why, size, "listen %s: ports below 1024 need root (or CAP_NET_BIND_SERVICE)", at->text);
    } else if (error == EADDRNOTAVAIL) {
        snprintf(why, size, "listen %s: no interface of this machine has this address", at->text);
    } else {
        snprintf(why, size, "listen %s: %s", at->text, strerror(error));
    }
}

bool listener_init(struct listener *listener, const struct config_listen *at, char *why, size_t why_size)
{
    bool tcp = at->kind == CONFIG_LISTEN_TCP;
    int domain = !tcp ? AF_UNIX : at->v6 ? AF_INET6 : AF_INET;
    *listener = (struct listener){.fd = -1, .at = *at};
    int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound = fd >= 0 && (tcp ? tcp_bind(fd, at) : unix_bind(fd, at->path, SOCK_STREAM, 0660));
    if (!bound || listen(fd, LISTENER_BACKLOG) != 0) {
        listener_why(at, why, why_size);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    listener->fd = fd;
    return true;
}

void listener_release(struct listener *listener)
{
    if (listener->fd < 0) {
        return;
    }
    close(listener->fd);
    listener->fd = -1;
    if (listener->at.kind == CONFIG_LISTEN_UNIX) {
        unlink(listener->at.path);
    }
}

int listener_control(int run, const char *name, int type, char *why, size_t why_size)
{
    // By descriptor, so that a long data_dir does not meet the 107 bytes of a socket's path.
    char path[96];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", run, name);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !unix_bind(fd, path, type, 0600) || listen(fd, CONTROL_BACKLOG) != 0) {
        snprintf(why, why_size, "the control socket run/%s: %s", name, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}
