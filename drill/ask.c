// SPDX-License-Identifier: ISC
// A GET, see ask.h. Runs in stayctl drill. The connection is for one request ("Connection: close"), so that
// the body ends where the connection does.
#include "drill/ask.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const struct ask *ask)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {
        .sin_family = AF_INET, .sin_port = htons(ask->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool local = ask->socket != NULL;
    if (local && !view_to_cstr(view_of_cstr(ask->socket), path.sun_path, sizeof(path.sun_path))) {
        return -1;
    }
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct sockaddr *address = local ? (const struct sockaddr *)&path : (const struct sockaddr *)&port;
    if (fd >= 0 && connect(fd, address, local ? sizeof(path) : sizeof(port)) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool wait_for(int fd, short events, uint64_t end_ns)
{
    uint64_t now_ns = clock_mono_ns();
    struct pollfd one = {.fd = fd, .events = events};
    return now_ns < end_ns && poll(&one, 1, (int)((end_ns - now_ns + 999999) / 1000000)) == 1;
}

static size_t receive(int fd, uint64_t end_ns, char *out, size_t size)
{
    size_t got = 0;
    while (got + 1 < size && wait_for(fd, POLLIN, end_ns)) {
        ssize_t more = recv(fd, out + got, size - 1 - got, 0);
        if (more == 0) {
            return got;
        }
        if (more < 0 && errno != EAGAIN && errno != EINTR) {
            return 0;
        }
        got += more > 0 ? (size_t)more : 0;
    }
    return 0; // too long, or too late
}

unsigned ask_get(const struct ask *ask, char *out, size_t size)
{
    char request[1024];
    uint64_t end_ns = clock_mono_ns() + ask->timeout_ms * 1000000;
    int request_size = snprintf(request, sizeof(request),
                                "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%sConnection: close\r\n\r\n",
                                ask->path, (unsigned)ask->port, ask->headers == NULL ? "" : ask->headers);
    int fd = connect_to(ask);
    size_t got = 0;
    if (fd >= 0 && wait_for(fd, POLLOUT, end_ns) &&
        send(fd, request, (size_t)request_size, MSG_NOSIGNAL) == request_size) {
        got = receive(fd, end_ns, out, size);
    }
    if (fd >= 0) {
        close(fd);
    }
    out[got] = '\0';
    char *body = strstr(out, "\r\n\r\n");
    uint64_t status = 0;
    if (body == NULL || got < 13 || memcmp(out, "HTTP/1.1 ", 9) != 0 ||
        !view_to_u64(view_of(out + 9, 3), &status)) {
        out[0] = '\0';
        return 0;
    }
    memmove(out, body + 4, got - (size_t)(body + 4 - out) + 1);
    return (unsigned)status;
}
