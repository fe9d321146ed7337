// SPDX-License-Identifier: ISC
// Judges Origin and Sec-Fetch-Site (RFC 6454, W3C Fetch Metadata). Runs in stayd-front.
// Origin decides when it is there. Sec-Fetch-Site is asked only in its absence, and only "same-origin" helps:
// "none" (typed, bookmarked) never comes with a form.
#include "front/origin.h"

static bool is_public(const struct url *public_url, struct view origin)
{
    struct url url;
    if (!url_parse(origin, &url) || url.rest.size > 0 || url.https != public_url->https ||
        url.port != public_url->port) {
        return false;
    }
    return url_host_equal(url.host, public_url->host) ||
           (url_host_is_loopback(url.host) && url_host_is_loopback(public_url->host));
}

enum origin_verdict origin_judge(const struct url *public_url, struct view origin, struct view fetch_site)
{
    if (origin.data != NULL) {
        return is_public(public_url, origin) ? ORIGIN_OWN : ORIGIN_FOREIGN;
    }
    if (fetch_site.data != NULL) {
        return view_equal(fetch_site, VIEW("same-origin")) ? ORIGIN_OWN : ORIGIN_FOREIGN;
    }
    return ORIGIN_UNSAID;
}

enum origin_verdict origin_of(const struct url *public_url, const struct http_request *request)
{
    if (http_request_repeated(request, HTTP_HEADER_ORIGIN) ||
        http_request_repeated(request, HTTP_HEADER_SEC_FETCH_SITE)) {
        return ORIGIN_FOREIGN;
    }
    return origin_judge(public_url, http_request_known(request, HTTP_HEADER_ORIGIN),
                        http_request_known(request, HTTP_HEADER_SEC_FETCH_SITE));
}
