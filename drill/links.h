// SPDX-License-Identifier: ISC
// Connections to the target: bounded, kept alive and used again by requests from the same address, one
// request under way on each. Used by stayctl storm. Owns the sockets and one epoll. Bounds: LINKS_MAX
// connections, LINK_SOURCES_MAX source addresses, requests of LINK_REQUEST_MAX bytes.
//
//   FREE → CONNECTING → (HANDSHAKING →) SENDING → RECEIVING → IDLE → SENDING …
//   any → FREE: answered with "close", ended, expired, or idle and displaced by another source
#ifndef DRILL_LINKS_H
#define DRILL_LINKS_H

#include "drill/answer.h"
#include "drill/target.h"

#include <openssl/ssl.h>

enum { LINKS_MAX = 16384, LINK_SOURCES_MAX = 1 << 20, LINK_REQUEST_MAX = 4096 };
#define LINK_NONE UINT32_MAX

enum link_state { LINK_FREE, LINK_CONNECTING, LINK_HANDSHAKING, LINK_SENDING, LINK_RECEIVING, LINK_IDLE };

enum link_end {
    LINK_ANSWERED,
    LINK_NOT_CONNECTED,
    LINK_ENDED, // before the answer was whole
    LINK_MALFORMED,
    LINK_EXPIRED,
};

struct link {
    enum link_state state;
    int fd;
    SSL *tls;
    uint32_t source;
    uint32_t request;                // the owner's number of what is under way
    uint64_t deadline_ns;            // of what is under way
    uint32_t before, next;           // idle: among all that are, longest idle first
    uint32_t peer_before, peer_next; // idle: of the same source; free: peer_next is the next free
    uint16_t out_size, out_sent;
    uint8_t out[LINK_REQUEST_MAX];
    struct answer answer;
};

// A request is over; `answer` is only there when it was answered, and only until this returns. No link may be
// started from here.
typedef void (*link_done)(void *owner, uint32_t request, enum link_end end, const struct answer *answer);

struct links {
    const struct target *target;
    SSL_CTX *tls;
    struct link *link;
    uint32_t count, sources, first_source; // the first one's place among the addresses
    uint32_t free_first, idle_first, idle_last;
    uint32_t *source_first; // idle links by source
    uint32_t busy, open;
    uint64_t opened;
    int epoll;
    void *owner;
    link_done done;
};

[[nodiscard]] bool links_init(struct links *links, const struct target *target, uint32_t count,
                              uint32_t sources, void *owner, link_done done);
void links_release(struct links *links);

enum link_start {
    LINK_STARTED,
    LINK_FULL,       // all are at work: try again later
    LINK_IMPOSSIBLE, // this machine gives no connection (addresses, descriptors)
};
// Sends a request from a source, by `write` which fills at most LINK_REQUEST_MAX bytes and returns the size.
typedef size_t (*link_write)(void *owner, uint32_t request, char *out);
enum link_start links_start(struct links *links, uint32_t request, uint32_t source, uint64_t deadline_ns,
                            link_write write);
// Waits at most so long for answers, and hands them out.
void links_poll(struct links *links, uint64_t wait_ns);
// Ends what is past its deadline.
void links_expire(struct links *links, uint64_t now_ns);

#endif
