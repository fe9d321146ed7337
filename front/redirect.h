// SPDX-License-Identifier: ISC
// Where a log-in may lead: judges `rd`. Used by stayd-front. Owns nothing. Bounds: URL_SIZE_MAX.
#ifndef FRONT_REDIRECT_H
#define FRONT_REDIRECT_H

#include "front/url.h"

struct redirect_policy {
    bool https;                // of public_url: then nothing leads down to http
    struct view host;          // of public_url
    struct view cookie_domain; // its hosts are allowed; may be empty
    struct view hosts;         // more of them, joined by commas; may be empty
};

// `rd` is a local path ("/account"), or an absolute URL whose host is allowed. Any port of an allowed host
// is: cookies do not tell ports apart either. *host is the URL's host and port, empty for a local path.
[[nodiscard]] bool redirect_allowed(const struct redirect_policy *policy, struct view rd, struct view *host);

#endif
