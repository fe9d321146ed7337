// SPDX-License-Identifier: ISC
// Who is at the other end: the peer's address, and the client's behind trusted proxies. Used by stayd-front.
// Owns nothing. Bounds: NETWORKS_MAX networks, ADDRESS_HOPS_MAX hops. Addresses are IPv6, v4 mapped into v6.
#ifndef FRONT_ADDRESS_H
#define FRONT_ADDRESS_H

#include "base/bytes.h"
#include "http/parse.h"

#include <sys/socket.h>

#define NETWORKS_MAX     64
#define ADDRESS_HOPS_MAX 32

struct networks {
    struct {
        struct id16 base;
        uint8_t bits; // of 128
    } network[NETWORKS_MAX];
    size_t count;
    bool unix_socket; // "unix": whoever comes through the Unix socket
};

struct peer {
    struct id16 address; // 127.0.0.1 for the Unix socket: it is on this host
    bool unix_socket;
};

// Addresses and CIDRs, and "unix", joined by commas. false: one of them is neither.
[[nodiscard]] bool networks_parse(struct view text, struct networks *networks);
bool networks_hold(const struct networks *networks, struct id16 address);
bool peer_is_trusted(const struct networks *networks, const struct peer *peer);
struct peer peer_of(const struct sockaddr_storage *address);

// An address as in X-Forwarded-For: v4, v6, [v6], each perhaps with a port.
[[nodiscard]] bool address_parse(struct view text, struct id16 *address);

// The client's address: the peer's own, or, from a trusted peer, the rightmost one in the header's lines
// (in the order they came) that is not trusted itself; the leftmost when all are. Anything that is no
// address ends the walk, and the hop that said it counts.
struct id16 address_of_client(const struct networks *networks, const struct peer *peer,
                              const struct view *lines, size_t line_count);
// The same, reading the header `name` of a request.
struct id16 address_of_request(const struct networks *networks, const struct peer *peer, struct view name,
                               const struct http_request *request);

#endif
