// SPDX-License-Identifier: ISC
// Speaks to core over data_dir/run/core.sock: SOCK_SEQPACKET, ctl_hello → ctl_welcome, then request and reply
// by turns. Runs in stayctl. A reply to anything but the request just made is not believed.
#include "cli/client.h"

#include "base/clock.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_PROTOCOL = 1, GREETING_MS = 10000 };

void client_init(struct client *client)
{
    *client = (struct client){.fd = -1, .greeting_ms = GREETING_MS};
}

void client_release(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    free(client->packet);
    client_init(client);
}

// An address holds 107 bytes of path. A longer one is reached through a descriptor of its folder.
static bool address_of(const char *path, struct sockaddr_un *address, int *folder)
{
    const char *name = strrchr(path, '/');
    char parent[4096];
    *folder = -1;
    address->sun_family = AF_UNIX;
    if (strlen(path) < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, strlen(path) + 1);
        return true;
    }
    if (name == NULL || !view_to_cstr(view_of(path, (size_t)(name - path)), parent, sizeof(parent))) {
        errno = ENAMETOOLONG;
        return false;
    }
    *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0) {
        return false;
    }
    int size = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s", *folder, name);
    return size > 0 && (size_t)size < sizeof(address->sun_path);
}

enum client_result client_dial(const char *path, int type, unsigned timeout_ms, int *fd)
{
    struct sockaddr_un address = {0};
    int folder;
    int failed = 0;
    *fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0) {
        return CLIENT_BROKEN;
    }
    if (!address_of(path, &address, &folder) ||
        connect(*fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        failed = errno;
    }
    if (folder >= 0) {
        close(folder);
    }
    switch (failed) {
    case 0:
        return CLIENT_GRANTED;
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return CLIENT_ABSENT;
    case EACCES:
    case EPERM:
        return CLIENT_FORBIDDEN;
    case EAGAIN:
        return CLIENT_SILENT;
    default:
        return CLIENT_BROKEN;
    }
}

static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline_ns) {
            return false;
        }
        int got =
            poll(&(struct pollfd){.fd = fd, .events = events}, 1, (int)((deadline_ns - now) / 1000000u) + 1);
        if (got > 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
    }
}

// One permitted packet from core, in client->packet.
static enum client_result receive(struct client *client, uint64_t deadline_ns, struct view *packet)
{
    int fd = -1;
    if (!wait_for(client->fd, POLLIN, deadline_ns)) {
        return CLIENT_SILENT;
    }
    size_t size = channel_receive_blocking(client->fd, client->packet, WIRE_PACKET_MAX, &fd);
    if (fd >= 0) {
        close(fd); // core has none to give
    }
    *packet = view_of(client->packet, size);
    return size > 0 && fd < 0 && wire_permitted(*packet, WIRE_CORE, WIRE_CTL) ? CLIENT_GRANTED
                                                                              : CLIENT_BROKEN;
}

static uint64_t deadline(uint64_t timeout_ms)
{
    return clock_mono_ns() + timeout_ms * 1000000u;
}

static enum client_result send_packet(struct client *client, struct view packet)
{
    if (!wait_for(client->fd, POLLOUT, deadline(client->greeting_ms))) {
        return CLIENT_SILENT;
    }
    return channel_send_blocking(client->fd, packet, -1) ? CLIENT_GRANTED : CLIENT_BROKEN;
}

static enum client_result greet(struct client *client)
{
    struct bytes hello;
    struct view packet;
    struct wire_ctl_welcome welcome;
    bytes_init(&hello, 64);
    bool encoded = wire_ctl_hello_encode(&hello, &(struct wire_ctl_hello){.protocol = CLIENT_PROTOCOL});
    enum client_result result = encoded ? send_packet(client, bytes_view(&hello)) : CLIENT_BROKEN;
    bytes_release(&hello);
    if (result == CLIENT_GRANTED) {
        result = receive(client, deadline(client->greeting_ms), &packet);
    }
    if (result != CLIENT_GRANTED) {
        return result;
    }
    if (!wire_ctl_welcome_decode(packet, &welcome) || welcome.protocol != CLIENT_PROTOCOL) {
        return CLIENT_BROKEN;
    }
    client->hash_public_key = welcome.hash_public_key;
    return view_to_cstr(welcome.version, client->version, sizeof(client->version)) &&
                   view_to_cstr(welcome.public_url, client->public_url, sizeof(client->public_url))
               ? CLIENT_GRANTED
               : CLIENT_BROKEN;
}

enum client_result client_connect(struct client *client, const char *path)
{
    client->packet = malloc(WIRE_PACKET_MAX);
    if (client->packet == NULL) {
        return CLIENT_BROKEN;
    }
    enum client_result result = client_dial(path, SOCK_SEQPACKET, CLIENT_TIMEOUT_MS, &client->fd);
    return result == CLIENT_GRANTED ? greet(client) : result;
}

size_t client_seal(const struct client *client, struct view password, uint8_t out[static WIRE_SEALED_MAX])
{
    if (password.size > WIRE_PASSWORD_MAX ||
        crypto_box_seal(out, password.data, password.size, client->hash_public_key.byte) != 0) {
        return 0;
    }
    return password.size + crypto_box_SEALBYTES;
}

uint64_t client_next(struct client *client)
{
    if (client->requests == 0) {
        randombytes_buf(&client->requests, sizeof(client->requests));
        client->requests |= 1;
    }
    return client->requests++;
}

enum client_result client_exchange(struct client *client, struct bytes *packet, bool encoded,
                                   uint64_t request, struct wire_reply *reply)
{
    *reply = (struct wire_reply){.outcome = WIRE_REFUSED, .reason = WIRE_BAD_REQUEST};
    if (!encoded) {
        return CLIENT_REFUSED; // a field is longer than any that could be right
    }
    enum client_result result = send_packet(client, bytes_view(packet));
    uint64_t until = deadline(CLIENT_TIMEOUT_MS);
    while (result == CLIENT_GRANTED) {
        struct view answer;
        result = receive(client, until, &answer);
        if (result != CLIENT_GRANTED) {
            break;
        }
        if (!wire_reply_decode(answer, reply)) {
            return CLIENT_BROKEN;
        }
        if (reply->request == request) {
            return reply->outcome == WIRE_GRANTED       ? CLIENT_GRANTED
                   : reply->outcome == WIRE_REFUSED     ? CLIENT_REFUSED
                   : reply->outcome == WIRE_UNAVAILABLE ? CLIENT_UNAVAILABLE
                                                        : CLIENT_BROKEN;
        }
    }
    return result;
}
