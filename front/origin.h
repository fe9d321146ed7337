// SPDX-License-Identifier: ISC
// Whose page sent this request? The answer to cross-site request forgery. Used by stayd-front. Owns nothing.
#ifndef FRONT_ORIGIN_H
#define FRONT_ORIGIN_H

#include "front/url.h"
#include "http/parse.h"

enum origin_verdict {
    ORIGIN_OWN,     // a page of public_url
    ORIGIN_FOREIGN, // another site's page, or one that may not be named ("null"), or two that disagree
    ORIGIN_UNSAID,  // the client does not say: no browser, or an old one
};

// `origin` and `fetch_site` are header values, data NULL when absent. On loopback, localhost and 127.0.0.1
// count as one.
enum origin_verdict origin_judge(const struct url *public_url, struct view origin, struct view fetch_site);
enum origin_verdict origin_of(const struct url *public_url, const struct http_request *request);

#endif
