// SPDX-License-Identifier: ISC
// The fault proxy, see proxy.h. One thread, poll(2): a drill has a handful of connections.
//
//   client ──read──▶ pieces, each with the time it is due ──write──▶ server, and the same the other way
//
// Invariants: 1. pieces leave in the order they came; 2. a side is read only while there is room for a piece;
// 3. an end is passed on after the last piece, later if that is asked for.
#include "drill/proxy.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000ull

struct piece {
    uint64_t due_ns;
    uint32_t size, sent;
    uint8_t byte[PROXY_PIECE];
};

struct way {
    struct toxic_flow flow;
    struct piece piece[PROXY_PIECES];
    unsigned first, count;
    bool ended, told;
    uint64_t end_due_ns;
};

struct pair {
    int fd[2]; // client, server; -1: free
    uint64_t begun_ns;
    struct way way[2]; // [0]: from the client
};

struct proxy {
    struct toxics *toxics;
    int listener;
    uint16_t port, target_port;
    uint64_t random, reset_since_ns, timeout_since_ns;
    unsigned open;
    struct pair *pair[PROXY_PAIRS_MAX];
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

struct proxy *proxy_new(uint16_t target_port, struct toxics *toxics, uint64_t seed)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    if (proxy == NULL) {
        return NULL;
    }
    *proxy = (struct proxy){.toxics = toxics, .target_port = target_port, .random = seed};
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (const struct sockaddr *)&address, size) != 0 ||
        listen(proxy->listener, 128) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0) {
        proxy_free(&proxy);
        return NULL;
    }
    proxy->port = ntohs(address.sin_port);
    return proxy;
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

unsigned proxy_open(const struct proxy *proxy)
{
    return proxy->open;
}

void proxy_retarget(struct proxy *proxy, uint16_t target_port)
{
    proxy->target_port = target_port;
}

static void close_fd(int fd, bool reset)
{
    if (fd >= 0) {
        if (reset) {
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                             sizeof(struct linger));
        }
        close(fd);
    }
}

static void close_pair(struct proxy *proxy, unsigned number, bool reset)
{
    struct pair *pair = proxy->pair[number];
    close_fd(pair->fd[0], reset);
    close_fd(pair->fd[1], reset);
    free(pair);
    proxy->pair[number] = NULL;
    proxy->open--;
}

void proxy_free(struct proxy **proxy)
{
    if (*proxy == NULL) {
        return;
    }
    for (unsigned i = 0; i < PROXY_PAIRS_MAX; i++) {
        if ((*proxy)->pair[i] != NULL) {
            close_pair(*proxy, i, false);
        }
    }
    close_fd((*proxy)->listener, false);
    free(*proxy);
    *proxy = NULL;
}

// ---- new connections

static int connect_target(const struct proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->target_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void take_connection(struct proxy *proxy, int client)
{
    unsigned number = 0;
    while (number < PROXY_PAIRS_MAX && proxy->pair[number] != NULL) {
        number++;
    }
    struct pair *pair = number == PROXY_PAIRS_MAX || atomic_load(&proxy->toxics->refuse) != 0
                            ? NULL
                            : calloc(1, sizeof(*pair));
    int server = pair == NULL ? -1 : connect_target(proxy);
    if (server < 0) {
        free(pair);
        close_fd(client, true);
        return;
    }
    int yes = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    pair->fd[0] = client;
    pair->fd[1] = server;
    pair->begun_ns = clock_mono_ns();
    proxy->pair[number] = pair;
    proxy->open++;
}

static void take_connections(struct proxy *proxy)
{
    int client;
    while ((client = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        take_connection(proxy, client);
    }
}

// ---- carrying

static bool can_read(const struct way *way)
{
    return !way->ended && way->count < PROXY_PIECES;
}

// False: the connection broke.
static bool read_piece(struct proxy *proxy, struct way *way, int from, uint64_t now_ns)
{
    struct piece *piece = &way->piece[(way->first + way->count) % PROXY_PIECES];
    ssize_t got = recv(from, piece->byte, sizeof(piece->byte), 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (got == 0) {
        way->ended = true;
        way->end_due_ns = now_ns + atomic_load(&proxy->toxics->slow_close_ms) * MS;
        return true;
    }
    piece->size = (uint32_t)got;
    piece->sent = 0;
    piece->due_ns = toxics_due(proxy->toxics, &way->flow, now_ns, piece->size, &proxy->random);
    way->count++;
    return true;
}

static bool write_due(const struct proxy *proxy, struct way *way, int to, uint64_t now_ns)
{
    while (way->count > 0 && way->piece[way->first].due_ns <= now_ns && !toxics_hold(proxy->toxics)) {
        struct piece *piece = &way->piece[way->first];
        ssize_t sent = send(to, piece->byte + piece->sent, piece->size - piece->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        }
        piece->sent += (uint32_t)sent;
        if (piece->sent == piece->size) {
            way->first = (way->first + 1) % PROXY_PIECES;
            way->count--;
        }
    }
    if (way->ended && !way->told && way->count == 0 && way->end_due_ns <= now_ns &&
        !toxics_hold(proxy->toxics)) {
        way->told = true;
        (void)shutdown(to, SHUT_WR);
    }
    return true;
}

// So long after what began later: the connection, or the toxic.
static bool is_over(uint32_t after_ms, uint64_t since_ns, uint64_t begun_ns, uint64_t now_ns)
{
    return after_ms > 0 && now_ns >= (since_ns > begun_ns ? since_ns : begun_ns) + after_ms * MS;
}

static void carry(struct proxy *proxy, unsigned number, uint64_t now_ns)
{
    struct pair *pair = proxy->pair[number];
    bool alive = true;
    for (unsigned i = 0; i < 2 && alive; i++) {
        while (alive && can_read(&pair->way[i])) {
            unsigned before = pair->way[i].count;
            alive = read_piece(proxy, &pair->way[i], pair->fd[i], now_ns);
            if (pair->way[i].count == before) {
                break;
            }
        }
        alive = alive && write_due(proxy, &pair->way[i], pair->fd[1 - i], now_ns);
    }
    bool reset =
        is_over(atomic_load(&proxy->toxics->reset_ms), proxy->reset_since_ns, pair->begun_ns, now_ns);
    bool timed_out =
        is_over(atomic_load(&proxy->toxics->timeout_ms), proxy->timeout_since_ns, pair->begun_ns, now_ns);
    if (!alive || reset || timed_out || (pair->way[0].told && pair->way[1].told)) {
        close_pair(proxy, number, !alive || reset);
    }
}

static void note_since(uint32_t value, uint64_t *since_ns, uint64_t now_ns)
{
    *since_ns = value == 0 ? 0 : *since_ns == 0 ? now_ns : *since_ns;
}

// ---- the round

static uint64_t next_due(const struct proxy *proxy)
{
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < PROXY_PAIRS_MAX; i++) {
        for (unsigned j = 0; proxy->pair[i] != NULL && j < 2; j++) {
            const struct way *way = &proxy->pair[i]->way[j];
            uint64_t due_ns = way->count > 0             ? way->piece[way->first].due_ns
                              : way->ended && !way->told ? way->end_due_ns
                                                         : UINT64_MAX;
            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
    }
    return next_ns;
}

static unsigned poll_list(const struct proxy *proxy, uint64_t now_ns, struct pollfd *list)
{
    unsigned count = 0;
    list[count++] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (unsigned i = 0; i < PROXY_PAIRS_MAX; i++) {
        for (unsigned j = 0; proxy->pair[i] != NULL && j < 2; j++) {
            const struct way *out = &proxy->pair[i]->way[1 - j];
            bool due =
                out->count > 0 && out->piece[out->first].due_ns <= now_ns && !toxics_hold(proxy->toxics);
            short events = (short)((can_read(&proxy->pair[i]->way[j]) ? POLLIN : 0) | (due ? POLLOUT : 0));
            if (events != 0) {
                list[count++] = (struct pollfd){.fd = proxy->pair[i]->fd[j], .events = events};
            }
        }
    }
    return count;
}

void proxy_turn(struct proxy *proxy, unsigned wait_ms)
{
    struct pollfd list[1 + 2 * PROXY_PAIRS_MAX];
    uint64_t now_ns = clock_mono_ns();
    uint64_t next_ns = next_due(proxy);
    uint64_t wait_ns = next_ns <= now_ns ? 0 : next_ns - now_ns;
    // What is held back is due long since: it does not keep the loop turning.
    wait_ns = toxics_hold(proxy->toxics) || wait_ns > wait_ms * MS ? wait_ms * MS : wait_ns;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
                            .tv_nsec = (long)(wait_ns % 1000000000)};
    (void)ppoll(list, poll_list(proxy, now_ns, list), &wait, NULL);
    now_ns = clock_mono_ns();
    note_since(atomic_load(&proxy->toxics->reset_ms), &proxy->reset_since_ns, now_ns);
    note_since(atomic_load(&proxy->toxics->timeout_ms), &proxy->timeout_since_ns, now_ns);
    take_connections(proxy);
    for (unsigned i = 0; i < PROXY_PAIRS_MAX; i++) {
        if (proxy->pair[i] != NULL) {
            carry(proxy, i, now_ns);
        }
    }
}
