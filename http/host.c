// SPDX-License-Identifier: ISC
// Host and port. Runs in stayd-front and stayd-watch.
#include "http/host.h"

#include <arpa/inet.h>

#include "http/octets.h"

#define HOST_SIZE_MAX 255

static bool ip6_is_valid(struct view text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    return memchr(text.data, '\0', text.size) == NULL && view_to_cstr(text, copy, sizeof(copy)) &&
           inet_pton(AF_INET6, copy, &address) == 1;
}

// Narrower than RFC 3986 section 3.2.2: sub-delims and escapes have no place in a name that DNS or a
// certificate can carry, and an escaped host is a second spelling for rules to miss.
bool http_host_is_valid(struct view value)
{
    size_t end = 0;
    if (value.size > 0 && value.data[0] == '[') {
        end = view_index(value, ']') + 1;
        if (end > value.size || !ip6_is_valid(view_of(value.data + 1, end - 2))) {
            return false;
        }
    } else {
        while (end < value.size && http_octet_is(value.data[end], HTTP_OCTET_HOST)) {
            end++;
        }
    }
    if (end == 0 || end > HOST_SIZE_MAX) {
        return false;
    }
    if (end == value.size) {
        return true;
    }
    uint64_t port = 0;
    return value.data[end] == ':' && value.size - end <= 6 && view_to_u64(view_from(value, end + 1), &port) &&
           port <= 65535;
}

struct view http_host_name(struct view value)
{
    bool bracketed = value.size > 0 && value.data[0] == '[';
    struct view name = view_first(value, bracketed ? view_index(value, ']') + 1 : view_index(value, ':'));
    bool dot = name.size > 1 && name.data[name.size - 1] == '.';
    return view_first(name, name.size - dot);
}
