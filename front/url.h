// SPDX-License-Identifier: ISC
// Absolute http and https URLs, strictly: what two programs could read in two ways is not one. Used by
// stayd-front. Owns nothing: views borrow the text. Bounds: URL_SIZE_MAX.
#ifndef FRONT_URL_H
#define FRONT_URL_H

#include "base/bytes.h"

#define URL_SIZE_MAX 4096

struct url {
    bool https;
    struct view authority; // host and port, as written
    struct view host;      // as written, an IPv6 address in its brackets
    uint16_t port;         // that of the scheme when none is written
    struct view path;      // from its '/' on, without query and fragment; may be empty
    struct view rest;      // everything after the authority
};

// scheme://host[:port][/…]; no user, no backslash, no space, no control byte, nothing beyond ASCII.
[[nodiscard]] bool url_parse(struct view text, struct url *url);
// host[:port] alone, as in a Host header; *port is 0 when none is written.
[[nodiscard]] bool url_parse_host(struct view text, struct view *host, uint16_t *port);
// Hosts are equal in any case.
bool url_host_equal(struct view a, struct view b);
// `host` is `domain` or below it.
bool url_host_within(struct view host, struct view domain);
// "localhost", 127.0.0.0/8 or [::1].
bool url_host_is_loopback(struct view host);

#endif
