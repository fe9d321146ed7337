// SPDX-License-Identifier: ISC
// Access rules: may this account do that, there? Used by stayd-front for forward-auth. Owns nothing: rules
// are borrowed (see settings). Bounds: RULES_MAX rules, RULES_PATH_MAX bytes of path.
#ifndef FRONT_RULES_H
#define FRONT_RULES_H

#include "base/bytes.h"

#define RULES_MAX      128
#define RULES_PATH_MAX 8192

struct rule {
    struct view host;   // empty: any; "*.example.com": its sub-domains
    struct view path;   // a prefix that ends at a segment; empty: any
    struct view method; // joined by commas; empty: any
    struct view group;  // joined by commas: a member of one of them; empty: anyone signed in
    bool allow;
};

// What is asked for: as the proxy says it.
struct rules_target {
    struct view method;
    struct view host; // without its port
    struct view path; // as sent, without the query
};

// The first rule whose host, path, method and group all fit decides; none: no. `groups` are joined by
// commas. A path that servers read in different ways is judged in each of them, and refused where they
// differ; one that is an attempt at this (an escaped slash, dot segments, escapes within escapes) always.
[[nodiscard]] bool rules_allow(const struct rule *rules, size_t count, const struct rules_target *target,
                               struct view groups);

// The readings of a path, for the judge and its test. `room` has RULES_PATH_MAX bytes a reading.
enum rules_reading {
    RULES_AS_SENT,  // escapes decoded
    RULES_MERGED,   // runs of slashes made one
    RULES_UNMARKED, // also without ";parameters", and only up to an escaped "?" or "#"
    RULES_READINGS
};
struct rules_path {
    uint8_t room[RULES_READINGS][RULES_PATH_MAX];
    struct view reading[RULES_READINGS];
};
[[nodiscard]] bool rules_path_read(struct view path, struct rules_path *out);

#endif
