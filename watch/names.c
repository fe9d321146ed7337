// SPDX-License-Identifier: ISC
// Is this one of our names? Runs in stayd-watch, on bytes from whoever can reach the ops listener.
#include "watch/names.h"

#include "http/host.h"

#include <arpa/inet.h>

bool names_take(struct names *names, struct view list)
{
    return view_to_cstr(list, names->list, sizeof(names->list));
}

// A name below `domain`.
static bool is_within(struct view host, struct view domain)
{
    return host.size > domain.size && host.data[host.size - domain.size - 1] == '.' &&
           view_equal_nocase(view_from(host, host.size - domain.size), domain);
}

static bool is_address(struct view host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    return host.data[0] == '[' ||
           (view_to_cstr(host, text, sizeof(text)) && inet_pton(AF_INET, text, &address) == 1);
}

bool names_have(const struct names *names, struct view host)
{
    host = http_host_name(host);
    if (host.size == 0) {
        return true; // HTTP/1.0, as no browser speaks it
    }
    if (is_address(host) || view_equal_nocase(host, VIEW("localhost")) ||
        is_within(host, VIEW("localhost"))) {
        return true;
    }
    struct view rest = view_of_cstr(names->list);
    while (rest.size > 0) {
        struct view one = view_cut(&rest, ',');
        bool below = view_starts_with(one, VIEW("*."));
        if (below ? is_within(host, view_from(one, 2)) : view_equal_nocase(host, one)) {
            return true;
        }
    }
    return false;
}
