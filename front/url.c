// SPDX-License-Identifier: ISC
// Splits absolute URLs (RFC 3986, http and https only). Runs in stayd-front, on bytes from anyone.
#include "front/url.h"

#include "http/host.h"

static bool is_plain(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '\\') {
            return false;
        }
    }
    return true;
}

bool url_parse_host(struct view text, struct view *host, uint16_t *port)
{
    if (!http_host_is_valid(text)) {
        return false;
    }
    size_t host_end = text.data[0] == '[' ? view_index(text, ']') + 1 : view_index(text, ':');
    uint64_t number = 0;
    if (host_end < text.size) {
        if (!view_to_u64(view_from(text, host_end + 1), &number) || number == 0 || number > 65535) {
            return false;
        }
    }
    *host = view_first(text, host_end);
    *port = (uint16_t)number;
    return host->size > 0;
}

static size_t index_of_any(struct view text, const char *stops)
{
    size_t at = 0;
    while (at < text.size && strchr(stops, text.data[at]) == NULL) {
        at++;
    }
    return at;
}

bool url_parse(struct view text, struct url *url)
{
    if (text.size > URL_SIZE_MAX || !is_plain(text)) {
        return false;
    }
    bool https = view_equal_nocase(view_first(text, 8), VIEW("https://"));
    if (!https && !view_equal_nocase(view_first(text, 7), VIEW("http://"))) {
        return false;
    }
    struct view after = view_from(text, https ? 8 : 7);
    size_t end = index_of_any(after, "/?#");
    *url = (struct url){.https = https, .authority = view_first(after, end), .rest = view_from(after, end)};
    url->path = view_first(url->rest, index_of_any(url->rest, "?#"));
    if (!url_parse_host(url->authority, &url->host, &url->port)) {
        return false;
    }
    if (url->port == 0) {
        url->port = https ? 443 : 80;
    }
    return true;
}

bool url_host_equal(struct view a, struct view b)
{
    return view_equal_nocase(a, b);
}

bool url_host_within(struct view host, struct view domain)
{
    if (domain.size == 0 || host.size < domain.size) {
        return false;
    }
    size_t above = host.size - domain.size;
    return view_equal_nocase(view_from(host, above), domain) && (above == 0 || host.data[above - 1] == '.');
}

bool url_host_is_loopback(struct view host)
{
    struct view rest = host;
    if (view_equal_nocase(host, VIEW("localhost")) || view_equal(host, VIEW("[::1]"))) {
        return true;
    }
    for (int part = 0; part < 4; part++) {
        uint64_t number;
        struct view digits = view_cut(&rest, '.');
        if (digits.size > 3 || !view_to_u64(digits, &number) || number > 255 ||
            (part == 0 && number != 127)) {
            return false;
        }
    }
    return rest.size == 0 && host.data[host.size - 1] != '.';
}
