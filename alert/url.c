// SPDX-License-Identifier: ISC
// Addresses of webhooks (RFC 3986, as much of it as they need). Runs in stayd-alert and in the supervisor.
#include "alert/url.h"

static bool is_printable(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

// "host", "host:8443", "[::1]:8443".
static bool take_authority(struct alert_url *url, struct view authority)
{
    uint64_t number;
    struct view host = authority;
    struct view port = VIEW("");
    bool bracketed = authority.size > 0 && authority.data[0] == '[';
    size_t end = bracketed ? view_index(authority, ']') : view_index(authority, ':');
    if (bracketed && end == authority.size) {
        return false;
    }
    if (bracketed) {
        host = view_from(view_first(authority, end), 1);
        end++;
    } else {
        host = view_first(authority, end);
    }
    if (end < authority.size) {
        port = view_from(authority, end + 1);
        if (authority.data[end] != ':' || !view_to_u64(port, &number) || number == 0 || number > UINT16_MAX) {
            return false;
        }
    } else {
        port = url->tls ? VIEW("443") : VIEW("80");
    }
    return host.size > 0 && view_to_cstr(host, url->host, sizeof(url->host)) &&
           view_to_cstr(port, url->port, sizeof(url->port)) &&
           view_to_cstr(authority, url->authority, sizeof(url->authority));
}

const char *alert_url_parse(struct alert_url *url, struct view text)
{
    *url = (struct alert_url){.tls = view_starts_with(text, VIEW("https://"))};
    if (!url->tls && !view_starts_with(text, VIEW("http://"))) {
        return "must begin with https:// (or http://)";
    }
    if (!is_printable(text) || view_index(text, '#') != text.size) {
        return "must be a URL of printable characters, without a fragment";
    }
    struct view rest = view_from(text, url->tls ? 8 : 7);
    size_t slash = view_index(rest, '/');
    size_t query = view_index(rest, '?');
    struct view target = view_from(rest, slash < query ? slash : query);
    struct view authority = view_first(rest, rest.size - target.size);
    if (view_index(authority, '@') != authority.size) {
        return "must not hold a user or password: services that need one have it in the path";
    }
    if (!take_authority(url, authority)) {
        return "has no host and port that make sense";
    }
    const char *before = target.size > 0 && target.data[0] == '/' ? "" : "/";
    int used = snprintf(url->target, sizeof(url->target), "%s%.*s", before, (int)target.size,
                        target.size > 0 ? (const char *)target.data : "");
    return used < 0 || (size_t)used >= sizeof(url->target) ? "is too long" : NULL;
}

bool alert_url_in_the_clear(const struct alert_url *url)
{
    bool here = strcmp(url->host, "localhost") == 0 || strcmp(url->host, "::1") == 0 ||
                strncmp(url->host, "127.", 4) == 0;
    return !url->tls && !here;
}
