// SPDX-License-Identifier: ISC
// The address of a webhook, taken apart. Used by stayd-alert, and by the supervisor to check the
// configuration. Pure; owns nothing but plain values. Bounds: the sizes of the fields.
#ifndef ALERT_URL_H
#define ALERT_URL_H

#include "base/bytes.h"

enum { ALERT_URL_MAX = 1024 };

struct alert_url {
    bool tls;
    char host[256]; // a name, or an address without brackets
    char port[6];
    char authority[272];            // as it stands in Host
    char target[ALERT_URL_MAX + 1]; // path and query
};

// https://host[:port][/path[?query]], or http. NULL, or what is wrong, to be put after the key's name.
const char *alert_url_parse(struct alert_url *url, struct view text);
// Plain http to another machine: everyone on the way reads it.
[[nodiscard]] bool alert_url_in_the_clear(const struct alert_url *url);

#endif
