// SPDX-License-Identifier: ISC
// Client addresses behind trusted proxies. Runs in stayd-front, on bytes from anyone.
// 1. What an untrusted peer says about addresses is never read.
// 2. Of a list, only what trusted hops have appended is believed: it is read from the right.
#include "front/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool parse_bare(struct view text, struct id16 *address)
{
    char name[INET6_ADDRSTRLEN];
    if (text.size == 0 || memchr(text.data, 0, text.size) != NULL ||
        !view_to_cstr(text, name, sizeof(name))) {
        return false;
    }
    if (view_index(text, ':') < text.size) {
        return inet_pton(AF_INET6, name, address->byte) == 1;
    }
    memcpy(address->byte, mapped, sizeof(mapped));
    return inet_pton(AF_INET, name, address->byte + 12) == 1;
}

static bool is_port(struct view text)
{
    uint64_t port;
    return view_to_u64(text, &port) && port <= 65535;
}

bool address_parse(struct view text, struct id16 *address)
{
    if (text.size > 0 && text.data[0] == '[') {
        size_t end = view_index(text, ']');
        struct view after = view_from(text, end + 1);
        if (end == text.size || (after.size > 0 && (after.data[0] != ':' || !is_port(view_from(after, 1))))) {
            return false;
        }
        struct view inner = view_from(view_first(text, end), 1);
        return view_index(inner, ':') < inner.size && parse_bare(inner, address);
    }
    size_t colon = view_index(text, ':');
    bool one_colon =
        colon < text.size && view_index(view_from(text, colon + 1), ':') == text.size - colon - 1;
    if (one_colon) {
        return is_port(view_from(text, colon + 1)) && parse_bare(view_first(text, colon), address);
    }
    return parse_bare(text, address);
}

static bool parse_network(struct view text, struct networks *networks)
{
    struct id16 base;
    uint64_t bits;
    struct view rest = text;
    struct view host = view_cut(&rest, '/');
    if (networks->count == NETWORKS_MAX || !parse_bare(host, &base)) {
        return false;
    }
    bool v4 = view_index(host, ':') == host.size;
    if (host.size == text.size) {
        bits = 128;
    } else if (!view_to_u64(rest, &bits) || bits > (v4 ? 32 : 128)) {
        return false;
    } else {
        bits += v4 ? 96 : 0;
    }
    networks->network[networks->count].base = base;
    networks->network[networks->count++].bits = (uint8_t)bits;
    return true;
}

bool networks_parse(struct view text, struct networks *networks)
{
    *networks = (struct networks){0};
    while (text.size > 0) {
        struct view one = view_trim(view_cut(&text, ','));
        if (view_equal(one, VIEW("unix"))) {
            networks->unix_socket = true;
        } else if (one.size > 0 && !parse_network(one, networks)) {
            return false;
        }
    }
    return true;
}

bool networks_hold(const struct networks *networks, struct id16 address)
{
    for (size_t i = 0; i < networks->count; i++) {
        size_t whole = networks->network[i].bits / 8;
        unsigned part = networks->network[i].bits % 8;
        const uint8_t *base = networks->network[i].base.byte;
        if (memcmp(base, address.byte, whole) != 0) {
            continue;
        }
        if (part == 0 || ((base[whole] ^ address.byte[whole]) >> (8 - part)) == 0) {
            return true;
        }
    }
    return false;
}

bool peer_is_trusted(const struct networks *networks, const struct peer *peer)
{
    return peer->unix_socket ? networks->unix_socket : networks_hold(networks, peer->address);
}

struct peer peer_of(const struct sockaddr_storage *address)
{
    struct peer peer = {.unix_socket = false};
    memcpy(peer.address.byte, mapped, sizeof(mapped));
    if (address->ss_family == AF_INET) {
        memcpy(peer.address.byte + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        memcpy(peer.address.byte, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    } else {
        peer.unix_socket = true;
        memcpy(peer.address.byte + 12, (const uint8_t[]){127, 0, 0, 1}, 4);
    }
    return peer;
}

// Takes the last element off the end of *line; false when there is none left.
static bool take_last(struct view *line, struct view *element)
{
    if (line->data == NULL) {
        return false;
    }
    size_t start = line->size;
    while (start > 0 && line->data[start - 1] != ',') {
        start--;
    }
    *element = view_trim(view_of(line->data + start, line->size - start));
    *line = start == 0 ? (struct view){NULL, 0} : view_first(*line, start - 1);
    return true;
}

struct id16 address_of_client(const struct networks *networks, const struct peer *peer,
                              const struct view *lines, size_t line_count)
{
    struct id16 hop = peer->address;
    size_t hops = 0;
    if (!peer_is_trusted(networks, peer)) {
        return hop;
    }
    for (size_t i = line_count; i > 0; i--) {
        struct view line = lines[i - 1];
        struct view element;
        while (take_last(&line, &element)) {
            struct id16 address;
            if (++hops > ADDRESS_HOPS_MAX || !address_parse(element, &address)) {
                return hop;
            }
            hop = address;
            if (!networks_hold(networks, address)) {
                return hop;
            }
        }
    }
    return hop;
}

struct id16 address_of_request(const struct networks *networks, const struct peer *peer, struct view name,
                               const struct http_request *request)
{
    struct view lines[ADDRESS_HOPS_MAX];
    size_t count = 0;
    if (!peer_is_trusted(networks, peer)) {
        return peer->address;
    }
    enum http_known known = http_known_of(name);
    if (known != HTTP_HEADER_KNOWN_COUNT && !http_request_repeated(request, known)) {
        lines[0] = http_request_known(request, known);
        return address_of_client(networks, peer, lines, lines[0].data == NULL ? 0 : 1);
    }
    for (size_t i = 0; i < request->header_count && count < ADDRESS_HOPS_MAX; i++) {
        if (view_equal_nocase(request->headers[i].name, name)) {
            lines[count++] = request->headers[i].value;
        }
    }
    return address_of_client(networks, peer, lines, count);
}
