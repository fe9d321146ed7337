// SPDX-License-Identifier: ISC
// Host and port as they stand in a Host header or a URL. Used by stayd-front and stayd-watch. Owns nothing.
#ifndef HTTP_HOST_H
#define HTTP_HOST_H

#include "base/bytes.h"

// A name, an IPv4 address or an [IPv6 address], with or without a port (RFC 9110 section 7.2). No user, no
// escapes, no empty port; at most 255 bytes of host.
[[nodiscard]] bool http_host_is_valid(struct view value);
// The host of a valid value, without its port and without the dot of the root at its end. Brackets stay.
struct view http_host_name(struct view value);

#endif
