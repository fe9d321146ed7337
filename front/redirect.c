// SPDX-License-Identifier: ISC
// Judges `rd`, so that a link to the log-in page is no open redirect. Runs in stayd-front, on bytes from
// anyone. Browsers repair what they read ("\" becomes "/", tabs vanish), so anything that could be repaired
// is refused (WHATWG URL, "basic URL parser").
#include "front/redirect.h"

static bool is_local(struct view rd)
{
    if (rd.size == 0 || rd.size > URL_SIZE_MAX || rd.data[0] != '/') {
        return false;
    }
    if (rd.size > 1 && rd.data[1] == '/') {
        return false;
    }
    for (size_t i = 0; i < rd.size; i++) {
        if (rd.data[i] <= 0x20 || rd.data[i] >= 0x7f || rd.data[i] == '\\') {
            return false;
        }
    }
    return true;
}

static bool host_allowed(const struct redirect_policy *policy, struct view host)
{
    if (url_host_equal(host, policy->host) || url_host_within(host, policy->cookie_domain)) {
        return true;
    }
    if (url_host_is_loopback(host) && url_host_is_loopback(policy->host)) {
        return true;
    }
    struct view rest = policy->hosts;
    while (rest.size > 0) {
        struct view one = view_trim(view_cut(&rest, ','));
        if (view_starts_with(one, VIEW("*.")) && url_host_within(host, view_from(one, 2))) {
            return true;
        }
        if (one.size > 0 && url_host_equal(host, one)) {
            return true;
        }
    }
    return false;
}

bool redirect_allowed(const struct redirect_policy *policy, struct view rd, struct view *host)
{
    struct url url;
    *host = (struct view){NULL, 0};
    if (is_local(rd)) {
        return true;
    }
    if (!url_parse(rd, &url) || (policy->https && !url.https) || !host_allowed(policy, url.host)) {
        return false;
    }
    *host = url.authority;
    return true;
}
