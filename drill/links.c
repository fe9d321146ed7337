// SPDX-License-Identifier: ISC
// Non-blocking connections under one epoll, edge-triggered. Runs in stayctl storm.
// Invariants: 1. a link is in the idle lists exactly when it is IDLE, in the free list exactly when FREE;
// 2. `busy` counts the states between; 3. done is called once for each request that was started.
// A keep-alive connection that the server closed is noticed before it is used: nothing is sent twice, so that
// no failure is hidden.
#include "drill/links.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint32_t number_of(const struct links *links, const struct link *link)
{
    return (uint32_t)(link - links->link);
}

// ---- lists

static void put_idle(struct links *links, struct link *link)
{
    uint32_t number = number_of(links, link);
    uint32_t *first = &links->source_first[link->source];
    link->state = LINK_IDLE;
    link->before = links->idle_last;
    link->next = LINK_NONE;
    *(links->idle_last == LINK_NONE ? &links->idle_first : &links->link[links->idle_last].next) = number;
    links->idle_last = number;
    link->peer_before = LINK_NONE;
    link->peer_next = *first;
    if (*first != LINK_NONE) {
        links->link[*first].peer_before = number;
    }
    *first = number;
}

static void take_idle(struct links *links, struct link *link)
{
    struct link *all = links->link;
    *(link->before == LINK_NONE ? &links->idle_first : &all[link->before].next) = link->next;
    *(link->next == LINK_NONE ? &links->idle_last : &all[link->next].before) = link->before;
    *(link->peer_before == LINK_NONE ? &links->source_first[link->source]
                                     : &all[link->peer_before].peer_next) = link->peer_next;
    if (link->peer_next != LINK_NONE) {
        all[link->peer_next].peer_before = link->peer_before;
    }
}

static void close_link(struct links *links, struct link *link)
{
    if (link->state == LINK_IDLE) {
        take_idle(links, link);
    } else {
        links->busy--;
    }
    SSL_free(link->tls);
    link->tls = NULL;
    close(link->fd);
    link->fd = -1;
    link->state = LINK_FREE;
    link->peer_next = links->free_first;
    links->free_first = number_of(links, link);
    links->open--;
}

static void finish(struct links *links, struct link *link, enum link_end end)
{
    links->done(links->owner, link->request, end, end == LINK_ANSWERED ? &link->answer : NULL);
    if (end == LINK_ANSWERED && !link->answer.close) {
        links->busy--;
        put_idle(links, link);
    } else {
        close_link(links, link);
    }
}

// ---- bytes

// What a transfer came to: bytes (at least 1), or why not.
enum { MOVED_LATER = 0, MOVED_END = -1, MOVED_FAILED = -2 };

static ssize_t tls_result(SSL *tls, int code)
{
    switch (SSL_get_error(tls, code)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return MOVED_LATER;
    case SSL_ERROR_ZERO_RETURN:
        return MOVED_END;
    default:
        return MOVED_FAILED;
    }
}

static ssize_t plain_result(ssize_t moved)
{
    if (moved > 0) {
        return moved;
    }
    if (moved == 0) {
        return MOVED_END;
    }
    return errno == EAGAIN || errno == EINTR ? MOVED_LATER : MOVED_FAILED;
}

static ssize_t receive(struct link *link, uint8_t *room, int size)
{
    if (link->tls == NULL) {
        return plain_result(recv(link->fd, room, (size_t)size, MSG_DONTWAIT));
    }
    int got = SSL_read(link->tls, room, size);
    return got > 0 ? got : tls_result(link->tls, got);
}

static ssize_t transmit(struct link *link)
{
    int size = link->out_size - link->out_sent;
    if (link->tls == NULL) {
        return plain_result(
            send(link->fd, link->out + link->out_sent, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT));
    }
    int sent = SSL_write(link->tls, link->out + link->out_sent, size);
    return sent > 0 ? sent : tls_result(link->tls, sent);
}

// ---- states

static void receive_some(struct links *links, struct link *link)
{
    uint8_t room[8192];
    while (link->state == LINK_RECEIVING) {
        ssize_t got = receive(link, room, sizeof(room));
        if (got == MOVED_LATER) {
            return;
        }
        enum answer_state state = got > 0            ? answer_take(&link->answer, view_of(room, (size_t)got))
                                  : got == MOVED_END ? answer_end(&link->answer)
                                                     : ANSWER_BAD;
        if (state != ANSWER_MORE) {
            finish(links, link,
                   state == ANSWER_WHOLE ? LINK_ANSWERED
                   : got > 0             ? LINK_MALFORMED
                                         : LINK_ENDED);
        }
    }
}

static void send_some(struct links *links, struct link *link)
{
    while (link->out_sent < link->out_size) {
        ssize_t sent = transmit(link);
        if (sent == MOVED_LATER) {
            return;
        }
        if (sent < 0) {
            finish(links, link, LINK_ENDED);
            return;
        }
        link->out_sent = (uint16_t)(link->out_sent + sent);
    }
    link->state = LINK_RECEIVING;
}

static void shake_hands(struct links *links, struct link *link)
{
    int code = SSL_connect(link->tls);
    if (code == 1) {
        link->state = LINK_SENDING;
        send_some(links, link);
    } else if (tls_result(link->tls, code) != MOVED_LATER) {
        finish(links, link, LINK_NOT_CONNECTED);
    }
}

static void connected(struct links *links, struct link *link)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        finish(links, link, LINK_NOT_CONNECTED);
    } else if (link->tls != NULL) {
        link->state = LINK_HANDSHAKING;
        shake_hands(links, link);
    } else {
        link->state = LINK_SENDING;
        send_some(links, link);
    }
}

// An idle connection has nothing to say but that it ends; TLS may send tickets.
static bool is_over(struct link *link)
{
    uint8_t byte;
    return receive(link, &byte, 1) != MOVED_LATER;
}

static void on_event(struct links *links, struct link *link, uint32_t events)
{
    if (link->state == LINK_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        connected(links, link);
    } else if (link->state == LINK_HANDSHAKING) {
        shake_hands(links, link);
    } else if (link->state == LINK_SENDING) {
        send_some(links, link);
    }
    if (link->state == LINK_RECEIVING) {
        receive_some(links, link);
    } else if (link->state == LINK_IDLE && (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0 &&
               is_over(link)) {
        close_link(links, link);
    }
}

// ---- opening

static bool bind_source(const struct links *links, int fd, uint32_t source)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1;
    if ((links->sources <= 1 && links->first_source == 0) || links->target->address.ss_family != AF_INET) {
        return true;
    }
    // From 127.16.0.1 on, leaving out the last byte's 0 and 255.
    source += links->first_source;
    from.sin_addr.s_addr = htonl(0x7f100000u + source / 254 * 256 + source % 254 + 1);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    return bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0;
}

static bool start_tls(struct links *links, struct link *link)
{
    link->tls = SSL_new(links->tls);
    return link->tls != NULL && SSL_set_fd(link->tls, link->fd) == 1 &&
           SSL_set_tlsext_host_name(link->tls, links->target->host) == 1;
}

static bool open_socket(struct links *links, struct link *link, uint32_t source)
{
    const struct target *target = links->target;
    int one = 1;
    link->fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0) {
        return false;
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = link};
    if (bind_source(links, link->fd, source) && (links->tls == NULL || start_tls(links, link)) &&
        (connect(link->fd, (const struct sockaddr *)&target->address, target->address_size) == 0 ||
         errno == EINPROGRESS) &&
        epoll_ctl(links->epoll, EPOLL_CTL_ADD, link->fd, &event) == 0) {
        return true;
    }
    SSL_free(link->tls);
    link->tls = NULL;
    close(link->fd);
    link->fd = -1;
    return false;
}

// A link of the source that is idle and stands, or NULL.
static struct link *reuse(struct links *links, uint32_t source)
{
    while (links->source_first[source] != LINK_NONE) {
        struct link *link = &links->link[links->source_first[source]];
        if (!is_over(link)) {
            take_idle(links, link);
            links->busy++;
            return link;
        }
        close_link(links, link);
    }
    return NULL;
}

// A new one; when all places are taken, one that is idle makes way.
static struct link *open_link(struct links *links, uint32_t source)
{
    if (links->free_first == LINK_NONE) {
        assert(links->idle_first != LINK_NONE);
        close_link(links, &links->link[links->idle_first]);
    }
    struct link *link = &links->link[links->free_first];
    if (!open_socket(links, link, source)) {
        return NULL;
    }
    links->free_first = link->peer_next;
    link->source = source;
    link->state = LINK_CONNECTING;
    links->busy++;
    links->open++;
    links->opened++;
    return link;
}

enum link_start links_start(struct links *links, uint32_t request, uint32_t source, uint64_t deadline_ns,
                            link_write write)
{
    source = links->sources > 0 ? source % links->sources : 0;
    if (links->busy == links->count) {
        return LINK_FULL;
    }
    struct link *link = reuse(links, source);
    bool fresh = link == NULL;
    if (fresh && (link = open_link(links, source)) == NULL) {
        return LINK_IMPOSSIBLE;
    }
    link->request = request;
    link->deadline_ns = deadline_ns;
    link->out_size = (uint16_t)write(links->owner, request, (char *)link->out);
    link->out_sent = 0;
    answer_init(&link->answer);
    if (!fresh) {
        link->state = LINK_SENDING;
        send_some(links, link);
    }
    return LINK_STARTED;
}

void links_poll(struct links *links, uint64_t wait_ns)
{
    struct epoll_event events[256];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                            .tv_nsec = (long)(wait_ns % 1000000000u)};
    int count = epoll_pwait2(links->epoll, events, 256, &wait, NULL);
    for (int i = 0; i < count; i++) {
        on_event(links, events[i].data.ptr, events[i].events);
    }
}

void links_expire(struct links *links, uint64_t now_ns)
{
    for (uint32_t i = 0; i < links->count; i++) {
        struct link *link = &links->link[i];
        if (link->state != LINK_FREE && link->state != LINK_IDLE && link->deadline_ns <= now_ns) {
            finish(links, link, LINK_EXPIRED);
        }
    }
}

// ---- life

static bool init_tls(struct links *links)
{
    links->tls = SSL_CTX_new(TLS_client_method());
    if (links->tls == NULL || SSL_CTX_set_min_proto_version(links->tls, TLS1_2_VERSION) != 1) {
        return false;
    }
    // The server is one's own, often with a certificate made for a test: who it is is not in question.
    SSL_CTX_set_verify(links->tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(links->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}

bool links_init(struct links *links, const struct target *target, uint32_t count, uint32_t sources,
                void *owner, link_done done)
{
    assert(count > 0 && count <= LINKS_MAX && sources <= LINK_SOURCES_MAX);
    *links = (struct links){.target = target,
                            .count = count,
                            .sources = sources > 0 ? sources : 1,
                            .idle_first = LINK_NONE,
                            .idle_last = LINK_NONE,
                            .free_first = LINK_NONE,
                            .owner = owner,
                            .done = done};
    links->epoll = epoll_create1(EPOLL_CLOEXEC);
    links->link = calloc(count, sizeof(*links->link));
    links->source_first = malloc(links->sources * sizeof(*links->source_first));
    if (links->epoll < 0 || links->link == NULL || links->source_first == NULL ||
        (target->tls && !init_tls(links))) {
        return false;
    }
    memset(links->source_first, 0xff, links->sources * sizeof(*links->source_first));
    for (uint32_t i = count; i-- > 0;) {
        links->link[i].fd = -1;
        links->link[i].peer_next = links->free_first;
        links->free_first = i;
    }
    return true;
}

void links_release(struct links *links)
{
    for (uint32_t i = 0; links->link != NULL && i < links->count; i++) {
        if (links->link[i].state != LINK_FREE) {
            close_link(links, &links->link[i]);
        }
    }
    if (links->link != NULL) {
        wipe(links->link, links->count * sizeof(*links->link));
    }
    if (links->epoll >= 0) {
        close(links->epoll);
    }
    SSL_CTX_free(links->tls);
    free(links->link);
    free(links->source_first);
    *links = (struct links){.epoll = -1};
}
