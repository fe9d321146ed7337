// SPDX-License-Identifier: ISC
// One slice of the configuration, made ready for use. Used by stayd-front. Owns a copy of the slice (all
// views point into it) and the TLS context. Counted: a request that waits for core keeps the settings it
// began with while a reload puts new ones in place.
#ifndef FRONT_SETTINGS_H
#define FRONT_SETTINGS_H

#include "front/address.h"
#include "front/redirect.h"
#include "front/rules.h"
#include "front/tls.h"
#include "http/parse.h"
#include "wire/messages.h"

struct settings {
    unsigned references;
    struct bytes slice;
    struct url public_url;
    struct view public_origin; // "https://host[:port]"
    struct view cookie_domain;
    struct view client_address_header;
    struct view cookie_name;
    struct view device_cookie_name;
    bool secure; // cookies only over https
    struct networks trusted;
    struct redirect_policy redirect;
    enum wire_registration registration;
    struct hash32 hash_public_key;
    struct id16 crowd_key;
    uint32_t connections_max, connections_per_source_max;
    uint32_t header_timeout_ms, body_timeout_ms, idle_timeout_ms;
    struct http_limits limits;
    bool has_rules;
    size_t rule_count;
    struct rule rules[RULES_MAX];
    struct bytes page_headers; // fixed headers of every page
    struct tls_context *tls;   // NULL: none
};

// NULL, with a text for the log, when the slice makes no sense. One reference is the caller's.
struct settings *settings_new(const struct wire_front_config *config, const char **error);
const struct settings *settings_hold(const struct settings *settings);
void settings_drop(const struct settings *settings);

#endif
