// SPDX-License-Identifier: ISC
// Writes answers. Runs in stayd-front.
// 1. An answer is written whole behind those before it, or not at all: `begun` is where it started.
// 2. Nothing that a client sent gets into a header without the check of http_write_header.
#include "front/answer.h"

#include "front/connection.h"
#include "pages/pages.h"

#include <assert.h>

#define YEAR_S 31536000

static size_t begun; // where the answer under way starts in front->out; one thread, one answer at a time

struct bytes *answer_out(struct exchange *exchange)
{
    return &exchange->front->out;
}

void answer_begin(struct exchange *exchange, unsigned status)
{
    struct bytes *out = answer_out(exchange);
    begun = out->size;
    exchange->status = (uint16_t)status;
    http_write_status(out, status);
    bytes_append_view(out, VIEW("Date: "));
    bytes_append(out, exchange->front->date.text, HTTP_DATE_SIZE);
    bytes_append_view(out, VIEW("\r\n"));
    if (exchange->https && exchange->settings->secure) {
        bytes_append_view(out, VIEW("Strict-Transport-Security: max-age=31536000\r\n"));
    }
    if (exchange->trace != 0) {
        bytes_append_format(out, "X-Request-Id: %016llx\r\n", (unsigned long long)exchange->trace);
    }
    if (status == 401) {
        bytes_append_view(out, VIEW("WWW-Authenticate: Bearer realm=\"stayd\"\r\n"));
    }
}

void answer_header(struct exchange *exchange, struct view name, struct view value)
{
    http_write_header(answer_out(exchange), name, value);
}

void answer_header_u64(struct exchange *exchange, struct view name, uint64_t value)
{
    http_write_header_u64(answer_out(exchange), name, value);
}

static void fall_back(struct exchange *exchange)
{
    struct bytes *out = answer_out(exchange);
    out->size = begun;
    out->failed = false;
    exchange->keep_alive = false;
    exchange->status = 500;
    http_write_status(out, 500);
    http_write_end(out, 0, exchange->minor, false);
}

void answer_end(struct exchange *exchange, struct view body)
{
    struct bytes *out = answer_out(exchange);
    assert(!exchange->answered);
    if (exchange->front->draining) {
        exchange->keep_alive = false;
    }
    if (exchange->status == 204) { // RFC 9110 section 8.6: it has no length
        bytes_append_view(out, !exchange->keep_alive  ? VIEW("Connection: close\r\n\r\n")
                               : exchange->minor == 0 ? VIEW("Connection: keep-alive\r\n\r\n")
                                                      : VIEW("\r\n"));
    } else {
        http_write_end(out, body.size, exchange->minor, exchange->keep_alive);
    }
    if (!exchange->head_only && exchange->status != 304) {
        bytes_append_view(out, body);
    }
    if (out->failed) {
        fall_back(exchange);
    }
    exchange->answered = true;
    stats_request(exchange->class, exchange->status);
}

void answer_json(struct exchange *exchange, unsigned status, struct view body)
{
    answer_begin(exchange, status);
    bytes_append_view(answer_out(exchange),
                      VIEW("Content-Type: application/json\r\nCache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"));
    answer_end(exchange, body);
}

static void cookie_begin(struct exchange *exchange, struct view name)
{
    struct bytes *out = answer_out(exchange);
    bytes_append_view(out, VIEW("Set-Cookie: "));
    bytes_append_view(out, name);
    bytes_append_byte(out, '=');
}

static void cookie_end(struct exchange *exchange, uint64_t max_age_s, bool shared, struct view same_site)
{
    struct bytes *out = answer_out(exchange);
    bytes_append_view(out, VIEW("; Path=/; Max-Age="));
    bytes_append_u64(out, max_age_s);
    if (shared && exchange->settings->cookie_domain.size > 0) {
        bytes_append_view(out, VIEW("; Domain="));
        bytes_append_view(out, exchange->settings->cookie_domain);
    }
    bytes_append_view(out, VIEW("; HttpOnly; SameSite="));
    bytes_append_view(out, same_site);
    if (exchange->settings->secure) {
        bytes_append_view(out, VIEW("; Secure"));
    }
    bytes_append_view(out, VIEW("\r\n"));
}

void answer_session_cookie(struct exchange *exchange, const struct hash32 *token, uint64_t expires)
{
    char text[CREDENTIALS_TOKEN_SIZE];
    uint64_t now = front_wall_s(exchange->front);
    base64url_encode(token->byte, sizeof(token->byte), text);
    cookie_begin(exchange, exchange->settings->cookie_name);
    bytes_append(answer_out(exchange), text, sizeof(text));
    cookie_end(exchange, expires > now ? expires - now : 0, true, VIEW("Lax"));
    wipe(text, sizeof(text));
}

void answer_session_cookie_clear(struct exchange *exchange)
{
    cookie_begin(exchange, exchange->settings->cookie_name);
    cookie_end(exchange, 0, true, VIEW("Lax"));
}

static bool is_cookie_value(struct view value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == ',' || byte == ';' || byte == '\\') {
            return false;
        }
    }
    return value.size > 0;
}

void answer_device_cookie(struct exchange *exchange, struct view value)
{
    if (is_cookie_value(value)) {
        cookie_begin(exchange, exchange->settings->device_cookie_name);
        bytes_append_view(answer_out(exchange), value);
        cookie_end(exchange, YEAR_S, false, VIEW("Strict"));
    }
}

static void error_page(struct exchange *exchange, const struct answer_error *error)
{
    char id[17];
    struct bytes *page = &exchange->front->page;
    uint64_t trace = __builtin_bswap64(exchange->trace);
    hex_encode(&trace, 8, id);
    bool known = error->status == 429 || error->status == 500 || error->status == 503;
    struct pages_error data = {
        .status = error->status,
        .title = known ? (struct view){NULL, 0} : view_of_cstr(error->title),
        .text = error->detail,
        .request_id = exchange->trace == 0 ? (struct view){NULL, 0} : view_of(id, 16),
        .retry_after_s = error->retry_after_s,
        .back = error->status == 401 ? PAGES_BACK_LOGIN : PAGES_BACK_ACCOUNT,
    };
    bytes_reset(page);
    if (!pages_error(page, &data)) {
        answer_out(exchange)->failed = true;
    }
    bytes_append_view(answer_out(exchange), bytes_view(&exchange->settings->page_headers));
    answer_header(exchange, VIEW("Content-Type"), VIEW("text/html; charset=utf-8"));
    answer_end(exchange, bytes_view(page));
}

static void error_problem(struct exchange *exchange, const struct answer_error *error)
{
    char type[96];
    int size = snprintf(type, sizeof(type), "urn:stayd:problem:%s", error->type);
    struct bytes *page = &exchange->front->page;
    bytes_reset(page);
    http_write_problem(page, &(struct http_problem){.type = view_of(type, (size_t)size),
                                                    .title = view_of_cstr(error->title),
                                                    .status = error->status,
                                                    .detail = error->detail,
                                                    .retry_after_s = error->retry_after_s});
    answer_out(exchange)->failed |= page->failed;
    bytes_append_view(answer_out(exchange),
                      VIEW("Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"));
    answer_end(exchange, bytes_view(page));
}

void answer_error(struct exchange *exchange, const struct answer_error *error)
{
    exchange_trace(exchange);
    answer_begin(exchange, error->status);
    if (error->retry_after_s > 0) {
        answer_header_u64(exchange, VIEW("Retry-After"), error->retry_after_s);
    }
    if (exchange->route->style == ROUTE_PAGE) {
        error_page(exchange, error);
    } else {
        error_problem(exchange, error);
    }
}

// What each reason of core is to a client.
static const struct {
    enum wire_reason reason;
    uint16_t status;
    const char *title;
} reasons[] = {
    {WIRE_WRONG_CREDENTIALS, 401, "The user name and password don't go together"},
    {WIRE_THROTTLED, 429, "Too many failed attempts; wait a little"},
    {WIRE_ACCOUNT_DISABLED, 403, "This account is disabled"},
    {WIRE_WEAK_PASSWORD, 400, "This password can't be used"},
    {WIRE_NAME_TAKEN, 409, "There is an account with this user name already"},
    {WIRE_BAD_NAME, 400,
     "User names are 1 to 64 lower-case letters, digits, '.', '_' or '-', a letter or digit first"},
    {WIRE_BAD_EMAIL, 400, "This is not an e-mail address"},
    {WIRE_BAD_DISPLAY_NAME, 400, "This name can't be used"},
    {WIRE_BAD_GROUPS, 400, "These groups can't be used"},
    {WIRE_REGISTRATION_CLOSED, 403, "Registration is closed"},
    {WIRE_BAD_INVITE, 403, "This invitation is not valid any more"},
    {WIRE_NOT_SIGNED_IN, 401, "You are not logged in"},
    {WIRE_FORBIDDEN, 403, "This account may not do that"},
    {WIRE_NOT_FOUND, 404, "There is no such thing"},
    {WIRE_BAD_SETUP_TOKEN, 403, "This set-up link is wrong, or was used already"},
    {WIRE_BAD_REQUEST, 400, "The request makes no sense"},
    {WIRE_LAST_ADMINISTRATOR, 409, "This would leave no administrator"},
    {WIRE_STORE_DOWN, 503, "The database can't be reached; nothing was changed"},
    {WIRE_STORE_FULL, 503, "The disk is full; nothing was changed"},
    {WIRE_STORE_BUSY, 503, "The database has too much to do just now; nothing was changed"},
    {WIRE_HASH_BUSY, 503, "Too many log-ins at once"},
    {WIRE_HASH_DOWN, 503, "Passwords can't be checked just now"},
    {WIRE_KEY_DOWN, 503, "Keys can't be used just now"},
    {WIRE_BUSY, 503, "Too many requests at once"},
    {WIRE_STARTING, 503, "stayd is starting"},
    {WIRE_DRAINING, 503, "stayd is stopping"},
};

struct answer_error answer_error_of(const struct wire_reply *reply)
{
    struct answer_error error = {.status = reply->outcome == WIRE_UNAVAILABLE ? 503 : 403,
                                 .type = wire_reason_name((enum wire_reason)reply->reason),
                                 .title = "This can't be done now",
                                 .detail = reply->detail,
                                 .retry_after_s = reply->retry_after_s};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].reason == (enum wire_reason)reply->reason) {
            error.status = reasons[i].status;
            error.title = reasons[i].title;
        }
    }
    if ((error.status == 503 || error.status == 429) && error.retry_after_s == 0) {
        error.retry_after_s = 1;
    }
    return error;
}

void answer_unknown(struct exchange *exchange)
{
    struct answer_error error = {.status = 503,
                                 .type = "unavailable",
                                 .title = "stayd can't tell who you are just now",
                                 .retry_after_s = 1};
    answer_error(exchange, &error);
}

void answer_method_not_allowed(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    struct view methods = route->get != NULL && route->post != NULL     ? VIEW("GET, HEAD, POST")
                          : route->get != NULL && route->delete != NULL ? VIEW("GET, HEAD, DELETE")
                          : route->get != NULL                          ? VIEW("GET, HEAD")
                          : route->post != NULL                         ? VIEW("POST")
                                                                        : VIEW("DELETE");
    struct answer_error error = {
        .status = 405, .type = "method_not_allowed", .title = "This address doesn't know that method"};
    exchange_trace(exchange);
    answer_begin(exchange, 405);
    answer_header(exchange, VIEW("Allow"), methods);
    if (route->style == ROUTE_PAGE) {
        error_page(exchange, &error);
    } else {
        error_problem(exchange, &error);
    }
}

void answer_redirect(struct exchange *exchange, unsigned status, struct view location)
{
    answer_begin(exchange, status);
    bytes_append_view(answer_out(exchange), bytes_view(&exchange->settings->page_headers));
    answer_header(exchange, VIEW("Location"), location);
    answer_end_empty(exchange);
}
