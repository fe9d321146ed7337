// SPDX-License-Identifier: ISC
// Answers a proxy's question about a request (DESIGN.md, "Public face"). Runs in stayd-front.
// 1. 200 only for a session that the tables, or core, vouch for now; with access rules, only where one
// allows.
// 2. What is asked for is read from a trusted proxy only, and each part from one header that came once.
// 3. An outage is 503, never 401: nobody is thrown out because stayd is short of something.
#include "front/forward_auth.h"

#include "base/clock.h"
#include "front/answer.h"
#include "front/rules.h"
#include "http/octets.h"

struct original {
    bool known; // the proxy said it, in full, once
    bool https;
    struct view authority;
    struct rules_target target;
    struct view uri; // path and query
};

// A header that came exactly once; false otherwise.
static bool once(const struct http_request *request, enum http_known known, struct view *value)
{
    *value = http_request_known(request, known);
    return value->data != NULL && !http_request_repeated(request, known);
}

// Methods are in capitals, and rules compare them so; an application that reads "post" as POST must not get
// it past them.
static bool is_method(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool small = text.data[i] >= 'a' && text.data[i] <= 'z';
        if (small || !http_octet_is(text.data[i], HTTP_OCTET_TOKEN)) {
            return false;
        }
    }
    return text.size > 0 && text.size <= 32;
}

// Without the query; what follows a '#' never reaches a server, so that there is none.
static bool split_uri(struct view uri, struct view *path)
{
    *path = view_first(uri, view_index(uri, '?'));
    return path->size > 0 && path->data[0] == '/' && view_index(*path, '#') == path->size;
}

static void read_forwarded(const struct exchange *exchange, struct original *original)
{
    const struct http_request *request = exchange->request;
    struct view proto;
    uint16_t port;
    *original = (struct original){0};
    original->known =
        exchange->trusted && once(request, HTTP_HEADER_X_FORWARDED_METHOD, &original->target.method) &&
        once(request, HTTP_HEADER_X_FORWARDED_HOST, &original->authority) &&
        once(request, HTTP_HEADER_X_FORWARDED_URI, &original->uri) &&
        once(request, HTTP_HEADER_X_FORWARDED_PROTO, &proto) && is_method(original->target.method) &&
        url_parse_host(original->authority, &original->target.host, &port) &&
        split_uri(original->uri, &original->target.path);
    if (original->known) {
        original->https = view_equal_nocase(proto, VIEW("https"));
        original->known = original->https || view_equal_nocase(proto, VIEW("http"));
    }
}

static void read_original(const struct exchange *exchange, struct original *original)
{
    const struct http_request *request = exchange->request;
    struct view text;
    *original = (struct original){0};
    if (!exchange->trusted || !once(request, HTTP_HEADER_X_ORIGINAL_METHOD, &original->target.method) ||
        !once(request, HTTP_HEADER_X_ORIGINAL_URL, &text) || !is_method(original->target.method)) {
        return;
    }
    original->https = view_equal_nocase(view_first(text, 8), VIEW("https://"));
    if (!original->https && !view_equal_nocase(view_first(text, 7), VIEW("http://"))) {
        return;
    }
    struct view after = view_from(text, original->https ? 8 : 7);
    size_t slash = view_index(after, '/');
    uint16_t port;
    original->authority = view_first(after, slash);
    original->uri = view_from(after, slash);
    original->known = url_parse_host(original->authority, &original->target.host, &port) &&
                      split_uri(original->uri, &original->target.path);
}

static void check_headers(struct exchange *exchange)
{
    bytes_append_view(answer_out(exchange),
                      VIEW("Cache-Control: no-store\r\nVary: Cookie, Authorization\r\n"));
}

static bool is_header_text(struct view value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte < 0x20 || byte > 0x7e || byte == '%') {
            return false;
        }
    }
    return value.size == 0 || (value.data[0] != ' ' && value.data[value.size - 1] != ' ');
}

static uint8_t *put(uint8_t *to, struct view value)
{
    return value.size == 0 ? to : (uint8_t *)mempcpy(to, value.data, value.size);
}

// The four of them, always. Nearly all are plain, and then it is one copy.
static void identity_headers(struct exchange *exchange)
{
    struct bytes *out = answer_out(exchange);
    const struct sessions_identity *who = &exchange->front->identity;
    static const struct view names[] = {VIEW("Remote-User: "), VIEW("\r\nRemote-Name: "),
                                        VIEW("\r\nRemote-Email: "), VIEW("\r\nRemote-Groups: ")};
    bool told = (who->account_flags & ACCOUNT_EMAIL_VERIFIED) != 0;
    struct view values[] = {who->name, who->display_name, told ? who->email : VIEW(""), who->groups};
    bool plain = true;
    size_t size = 2;
    for (size_t i = 0; i < 4; i++) {
        plain = plain && is_header_text(values[i]);
        size += names[i].size + values[i].size;
    }
    if (!plain) {
        http_write_header_escaped(out, VIEW("Remote-User"), values[0]);
        http_write_header_escaped(out, VIEW("Remote-Name"), values[1]);
        http_write_header_escaped(out, VIEW("Remote-Email"), values[2]);
        http_write_header_escaped(out, VIEW("Remote-Groups"), values[3]);
        return;
    }
    uint8_t *to = bytes_reserve(out, size);
    if (to != NULL) {
        for (size_t i = 0; i < 4; i++) {
            to = put(put(to, names[i]), values[i]);
        }
        (void)put(to, VIEW("\r\n"));
        out->size += size;
    }
}

static void answer_valid(struct exchange *exchange)
{
    stats_count(STATS_checks_valid);
    answer_begin(exchange, 200);
    check_headers(exchange);
    identity_headers(exchange);
    answer_end_empty(exchange);
}

static void answer_plain(struct exchange *exchange, unsigned status, uint32_t retry_after_s)
{
    answer_begin(exchange, status);
    check_headers(exchange);
    if (retry_after_s > 0) {
        answer_header_u64(exchange, VIEW("Retry-After"), retry_after_s);
    }
    answer_end_empty(exchange);
}

static void answer_denied(struct exchange *exchange)
{
    stats_count(STATS_checks_denied);
    answer_plain(exchange, 403, 0);
}

// The log-in page's address, which leads back to where the person wanted to go, where that is allowed.
static void write_login(const struct exchange *exchange, const struct original *original, struct bytes *out)
{
    struct bytes url;
    struct view host;
    bytes_append_view(out, exchange->settings->public_origin);
    bytes_append_view(out, VIEW("/login"));
    if (!original->known) {
        return;
    }
    bytes_init(&url, URL_SIZE_MAX);
    bytes_append_view(&url, original->https ? VIEW("https://") : VIEW("http://"));
    bytes_append_view(&url, original->authority);
    bytes_append_view(&url, original->uri);
    if (!url.failed && redirect_allowed(&exchange->settings->redirect, bytes_view(&url), &host)) {
        bytes_append_view(out, VIEW("?rd="));
        http_write_query(out, bytes_view(&url));
    }
    bytes_release(&url);
}

static void answer_login(struct exchange *exchange, const struct original *original, unsigned status,
                         struct view header)
{
    struct bytes location;
    bytes_init(&location, 4 * URL_SIZE_MAX);
    write_login(exchange, original, &location);
    answer_begin(exchange, status);
    check_headers(exchange);
    answer_header(exchange, header, bytes_view(&location));
    answer_out(exchange)->failed |= location.failed;
    answer_end_empty(exchange);
    bytes_release(&location);
}

static bool wants_redirect(const struct exchange *exchange)
{
    uint8_t room[URL_SIZE_MAX];
    return exchange->request->query.size > 0 &&
           view_equal(exchange_query(exchange, VIEW("mode"), room), VIEW("redirect"));
}

// What differs between the two addresses of the check.
struct dialect {
    void (*read)(const struct exchange *, struct original *);
    bool login_told; // in a header of the 401, for a proxy that can't pass a redirect on
};

static void answer_anonymous(struct exchange *exchange, const struct dialect *dialect)
{
    struct original original;
    stats_count(STATS_checks_invalid);
    if (dialect->login_told) {
        dialect->read(exchange, &original);
        answer_login(exchange, &original, 401, VIEW("X-Stayd-Login"));
    } else if (wants_redirect(exchange)) {
        dialect->read(exchange, &original);
        answer_login(exchange, &original, 302, VIEW("Location"));
    } else {
        answer_plain(exchange, 401, 0);
    }
}

static bool is_allowed(const struct exchange *exchange, const struct original *original)
{
    const struct settings *settings = exchange->settings;
    return !settings->has_rules || rules_allow(settings->rules, settings->rule_count, &original->target,
                                               exchange->front->identity.groups);
}

static void judge(struct exchange *exchange, const struct dialect *dialect)
{
    struct original original = {.known = false};
    if (exchange->settings->has_rules) {
        dialect->read(exchange, &original);
        if (!original.known) {
            answer_denied(exchange);
            return;
        }
    }
    switch (exchange_session(exchange)) {
    case EXCHANGE_SIGNED_IN:
        if (is_allowed(exchange, &original)) {
            answer_valid(exchange);
        } else {
            answer_denied(exchange);
        }
        return;
    case EXCHANGE_ANONYMOUS:
        answer_anonymous(exchange, dialect);
        return;
    case EXCHANGE_PARKED:
        return;
    case EXCHANGE_UNKNOWN:
    case EXCHANGE_MISSES_SPENT:
        stats_count(STATS_checks_unknown);
        answer_plain(exchange, 503, 1);
        return;
    }
}

// Every so many checks one is timed: two clocks for each would show in the figures they make.
#define TIMED_EVERY 64

static void sampled(struct exchange *exchange, const struct dialect *dialect)
{
    static unsigned count;
    if (!STATS_ON || ++count % TIMED_EVERY != 0) {
        judge(exchange, dialect);
        return;
    }
    uint64_t began = clock_mono_ns();
    judge(exchange, dialect);
    if (exchange->answered) {
        stats_time(STATS_TIME_check, clock_mono_ns() - began);
    }
}

void forward_auth_check(struct exchange *exchange)
{
    static const struct dialect forwarded = {.read = read_forwarded};
    sampled(exchange, &forwarded);
}

void forward_auth_check_nginx(struct exchange *exchange)
{
    static const struct dialect nginx = {.read = read_original, .login_told = true};
    sampled(exchange, &nginx);
}
