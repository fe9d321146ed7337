// SPDX-License-Identifier: ISC
// The JSON API. Runs in stayd-front.
// A handler reads the request, seals what is secret, and asks core; `on_…` turns core's answer into HTTP.
#include "front/api.h"

#include "base/log.h"
#include "front/change.h"
#include "front/early.h"
#include "front/json.h"

#include <time.h>

#define USERNAME_INPUT_MAX 256
#define EMAIL_INPUT_MAX    512

static void refuse(struct exchange *exchange, unsigned status, const char *type, const char *title,
                   struct view detail)
{
    struct answer_error error = {.status = status, .type = type, .title = title, .detail = detail};
    answer_error(exchange, &error);
}

// Cross-site requests are refused before anything of them is looked at.
static bool admit(struct exchange *exchange)
{
    if (change_is_own(exchange, (struct view){NULL, 0})) {
        return true;
    }
    refuse(exchange, 403, "cross_site", "This request comes from another site's page",
           VIEW("A request with a cookie needs an Origin equal to public_url."));
    return false;
}

static bool read_body(struct exchange *exchange, struct json_document *document,
                      const struct json_field *fields, size_t count)
{
    if (!change_has_type(exchange, VIEW("application/json"))) {
        refuse(exchange, 415, "unsupported_media_type", "The body must be application/json",
               (struct view){NULL, 0});
        return false;
    }
    if (exchange->body_size > JSON_SIZE_MAX) {
        refuse(exchange, 413, "too_large", "The body is too large", (struct view){NULL, 0});
        return false;
    }
    if (!json_read(document, view_of(exchange->body, exchange->body_size), fields, count)) {
        refuse(exchange, 400, "bad_request", "The request makes no sense", view_of_cstr(document->problem));
        return false;
    }
    return true;
}

// An unknown token is found out here, under the limits of look-ups, and not by what was asked for. May park.
static bool has_session(struct exchange *exchange)
{
    switch (exchange_session(exchange)) {
    case EXCHANGE_SIGNED_IN:
        return true;
    case EXCHANGE_ANONYMOUS:
        refuse(exchange, 401, "not_signed_in", "You are not logged in", (struct view){NULL, 0});
        return false;
    case EXCHANGE_PARKED:
        return false;
    case EXCHANGE_UNKNOWN:
    case EXCHANGE_MISSES_SPENT:
        break;
    }
    answer_unknown(exchange);
    return false;
}

static bool seal(struct exchange *exchange, struct view password, struct sealed *sealed)
{
    if (change_seal(exchange->settings, password, sealed)) {
        return true;
    }
    struct answer_error error = {.status = 503,
                                 .type = "hash_down",
                                 .title = "Passwords can't be checked just now",
                                 .retry_after_s = 1};
    answer_error(exchange, &error);
    return false;
}

// ---- JSON of what core says
// --------------------------------------------------------------------------------

static void put_name(struct bytes *out, const char *name)
{
    bytes_append_byte(out, '"');
    bytes_append(out, name, strlen(name));
    bytes_append_view(out, VIEW("\":"));
}

static void put_text(struct bytes *out, const char *name, struct view value)
{
    put_name(out, name);
    http_write_json_string(out, value);
    bytes_append_byte(out, ',');
}

static void put_flag(struct bytes *out, const char *name, bool value)
{
    put_name(out, name);
    bytes_append_view(out, value ? VIEW("true,") : VIEW("false,"));
}

// RFC 3339; null for never.
static void put_time(struct bytes *out, const char *name, uint64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm tm;
    char text[32];
    put_name(out, name);
    if (seconds == 0 || gmtime_r(&when, &tm) == NULL ||
        strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\",", &tm) == 0) {
        bytes_append_view(out, VIEW("null,"));
    } else {
        bytes_append(out, text, strlen(text));
    }
}

// Takes the last comma back.
static void end_object(struct bytes *out, uint8_t close)
{
    if (out->size > 0 && out->data[out->size - 1] == ',') {
        out->size--;
    }
    bytes_append_byte(out, close);
}

static void put_groups(struct bytes *out, struct view groups)
{
    put_name(out, "groups");
    bytes_append_byte(out, '[');
    while (groups.size > 0) {
        struct view one = view_trim(view_cut(&groups, ','));
        if (one.size > 0) {
            http_write_json_string(out, one);
            bytes_append_byte(out, ',');
        }
    }
    end_object(out, ']');
    bytes_append_byte(out, ',');
}

static void put_user(struct bytes *out, const struct wire_account_public *account)
{
    put_name(out, "user");
    bytes_append_byte(out, '{');
    put_text(out, "username", account->name);
    put_text(out, "name", account->display_name);
    put_text(out, "email", account->email);
    put_flag(out, "email_verified", (account->flags & WIRE_ACCOUNT_EMAIL_VERIFIED) != 0);
    put_groups(out, account->groups);
    end_object(out, '}');
    bytes_append_byte(out, ',');
}

static void put_id(struct bytes *out, const struct id16 *id)
{
    char text[CHANGE_ID_SIZE];
    put_text(out, "id", change_id_text(id, text));
}

static void put_session(struct bytes *out, const struct wire_session_public *session)
{
    char address[46];
    log_address_text(session->address, address);
    bytes_append_byte(out, '{');
    put_id(out, &session->public_id);
    put_time(out, "created_at", session->created);
    put_time(out, "last_seen_at", session->last_seen);
    put_time(out, "expires_at", session->expires);
    put_time(out, "expires_max_at", session->expires_max);
    put_text(out, "address", view_of_cstr(address));
    put_text(out, "agent", session->agent);
    put_flag(out, "current", session->current != 0);
    end_object(out, '}');
}

// ---- answers
// -----------------------------------------------------------------------------------------------

static void answer_refusal(struct ask *ask, const struct wire_reply *reply)
{
    struct answer_error error = answer_error_of(reply);
    answer_error(&ask->exchange, &error);
}

// {"user":…,"session":…} and the cookie, or the token in the body.
static void answer_grant(struct ask *ask, const struct wire_reply *reply, unsigned status)
{
    struct exchange *exchange = &ask->exchange;
    struct bytes *body = &exchange->front->page;
    struct granted granted;
    granted_read(reply->rows, &granted);
    bytes_reset(body);
    bytes_append_byte(body, '{');
    if (granted.has_account) {
        put_user(body, &granted.account);
    }
    if (granted.has_grant) {
        put_name(body, "session");
        bytes_append_byte(body, '{');
        put_id(body, &granted.grant.public_id);
        put_time(body, "expires_at", granted.grant.expires);
        put_time(body, "expires_max_at", granted.grant.expires_max);
        end_object(body, '}');
        bytes_append_byte(body, ',');
    }
    if (granted.has_grant && ask->wants_token) {
        char token[CREDENTIALS_TOKEN_SIZE];
        base64url_encode(granted.grant.token.byte, sizeof(granted.grant.token.byte), token);
        put_text(body, "token", view_of(token, sizeof(token)));
        wipe(token, sizeof(token));
    }
    end_object(body, '}');
    answer_begin(exchange, status);
    if (granted.has_grant && !ask->wants_token) {
        answer_session_cookie(exchange, &granted.grant.token, granted.grant.expires_max);
    }
    if (granted.has_grant) {
        answer_device_cookie(exchange, granted.grant.device);
    }
    bytes_append_view(answer_out(exchange),
                      VIEW("Content-Type: application/json\r\nCache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"));
    answer_out(exchange)->failed |= body->failed;
    answer_end(exchange, bytes_view(body));
    if (body->data != NULL) {
        wipe(body->data, body->capacity);
    }
    wipe(&granted, sizeof(granted));
}

static void on_granted(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        answer_grant(ask, reply, 200);
    } else {
        answer_refusal(ask, reply);
    }
}

static void on_registered(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        answer_grant(ask, reply, 201);
    } else {
        answer_refusal(ask, reply);
    }
}

static void answer_done(struct exchange *exchange, bool clear_cookie)
{
    exchange_trace(exchange);
    answer_begin(exchange, 204);
    answer_header(exchange, VIEW("Cache-Control"), VIEW("no-store"));
    if (clear_cookie) {
        answer_session_cookie_clear(exchange);
    }
    answer_end_empty(exchange);
}

static void on_done(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        answer_done(&ask->exchange, false);
    } else {
        answer_refusal(ask, reply);
    }
}

static void on_logged_out(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_UNAVAILABLE) {
        answer_refusal(ask, reply);
    } else {
        answer_done(&ask->exchange, ask->exchange.credentials.cookie_sent);
    }
}

static void on_shown(struct ask *ask, const struct wire_reply *reply)
{
    struct granted granted;
    struct bytes *body = &ask->exchange.front->page;
    granted_read(reply->rows, &granted);
    if (reply->outcome != WIRE_GRANTED || !granted.has_account || !granted.has_session) {
        answer_refusal(ask, reply);
        return;
    }
    bytes_reset(body);
    bytes_append_byte(body, '{');
    put_user(body, &granted.account);
    put_name(body, "session");
    put_session(body, &granted.session);
    bytes_append_byte(body, '}');
    answer_out(&ask->exchange)->failed |= body->failed;
    answer_json(&ask->exchange, 200, bytes_view(body));
}

static void on_listed(struct ask *ask, const struct wire_reply *reply)
{
    struct view rows = reply->rows;
    struct wire_session_public session;
    struct wire_account_public account;
    struct bytes *body = &ask->exchange.front->page;
    if (reply->outcome != WIRE_GRANTED) {
        answer_refusal(ask, reply);
        return;
    }
    bytes_reset(body);
    bytes_append_view(body, VIEW("{\"sessions\":["));
    while (rows.size > 0) {
        if (wire_session_public_next(&rows, &session)) {
            put_session(body, &session);
            bytes_append_byte(body, ',');
        } else if (!wire_account_public_next(&rows, &account)) {
            break;
        }
    }
    end_object(body, ']');
    bytes_append_byte(body, '}');
    answer_out(&ask->exchange)->failed |= body->failed;
    answer_json(&ask->exchange, 200, bytes_view(body));
}

// ---- requests
// ----------------------------------------------------------------------------------------------

static void answer_early(struct exchange *exchange, const struct wire_reply *reply)
{
    struct answer_error error = answer_error_of(reply);
    answer_error(exchange, &error);
}

void api_login(struct exchange *exchange)
{
    struct wire_reply early;
    struct view username, password;
    bool token;
    struct sealed sealed;
    struct json_document document;
    const struct json_field fields[] = {
        {.name = "username", .required = true, .size_max = USERNAME_INPUT_MAX, .text = &username},
        {.name = "password", .required = true, .size_max = WIRE_PASSWORD_MAX, .text = &password},
        {.name = "token", .flag = &token},
    };
    if (!admit(exchange)) {
        return;
    }
    if (early_refuses_login(exchange, &early)) {
        answer_early(exchange, &early);
        return;
    }
    if (!read_body(exchange, &document, fields, 3)) {
        return;
    }
    change_warn_plain(exchange);
    if (token) {
        exchange->credentials.kind = CREDENTIALS_NONE; // a new session beside the browser's
    }
    struct ask *ask = seal(exchange, password, &sealed) ? ask_new(exchange, "login", on_granted) : NULL;
    if (ask != NULL) {
        ask->is_change = true;
        ask->wants_token = token;
        ask_keep(ask, KEPT_USERNAME, username);
        ASK_CORE(ask, login, .username = username, .sealed = sealed_view(&sealed),
                 .device = change_device(exchange));
    }
    json_release(&document);
}

void api_logout(struct exchange *exchange)
{
    if (!admit(exchange)) {
        return;
    }
    struct ask *ask;
    switch (exchange_session(exchange)) {
    case EXCHANGE_SIGNED_IN:
        ask = ask_new(exchange, "logout", on_logged_out);
        if (ask != NULL) {
            ask->is_change = true;
            ASK_CORE(ask, logout, .request = 0);
        }
        return;
    case EXCHANGE_ANONYMOUS:
        answer_done(exchange, exchange->credentials.cookie_sent);
        return;
    case EXCHANGE_PARKED:
        return;
    case EXCHANGE_UNKNOWN:
    case EXCHANGE_MISSES_SPENT:
        break;
    }
    answer_unknown(exchange);
}

void api_session_show(struct exchange *exchange)
{
    struct ask *ask = has_session(exchange) ? ask_new(exchange, "session_show", on_shown) : NULL;
    if (ask != NULL) {
        ask->may_repeat = true;
        ASK_CORE(ask, session_show, .request = 0);
    }
}

void api_session_list(struct exchange *exchange)
{
    struct ask *ask = has_session(exchange) ? ask_new(exchange, "session_list", on_listed) : NULL;
    if (ask != NULL) {
        ask->may_repeat = true;
        ASK_CORE(ask, session_list, .request = 0);
    }
}

void api_session_end(struct exchange *exchange)
{
    struct id16 id;
    if (!admit(exchange) || !has_session(exchange)) {
        return;
    }
    if (!change_id_parse(exchange_below(exchange), &id)) {
        refuse(exchange, 404, "not_found", "There is no such session", (struct view){NULL, 0});
        return;
    }
    struct ask *ask = ask_new(exchange, "session_end", on_done);
    if (ask != NULL) {
        ask->is_change = true;
        ASK_CORE(ask, session_end, .public_id = id);
    }
}

void api_session_end_others(struct exchange *exchange)
{
    struct ask *ask =
        admit(exchange) && has_session(exchange) ? ask_new(exchange, "session_end_others", on_done) : NULL;
    if (ask != NULL) {
        ask->is_change = true;
        ASK_CORE(ask, session_end_others, .request = 0);
    }
}

void api_register(struct exchange *exchange)
{
    struct wire_reply early;
    struct view username, email, password, invite;
    struct sealed sealed;
    struct json_document document;
    const struct json_field fields[] = {
        {.name = "username", .required = true, .size_max = USERNAME_INPUT_MAX, .text = &username},
        {.name = "email", .required = true, .size_max = EMAIL_INPUT_MAX, .text = &email},
        {.name = "password", .required = true, .size_max = WIRE_PASSWORD_MAX, .text = &password},
        {.name = "invite", .size_max = 64, .text = &invite},
    };
    if (!admit(exchange)) {
        return;
    }
    if (early_refuses_sign_up(exchange, &early)) {
        answer_early(exchange, &early);
        return;
    }
    if (!read_body(exchange, &document, fields, 4)) {
        return;
    }
    change_warn_plain(exchange);
    struct ask *ask = seal(exchange, password, &sealed) ? ask_new(exchange, "register", on_registered) : NULL;
    if (ask != NULL) {
        ask->is_change = true;
        ask_keep(ask, KEPT_USERNAME, username);
        ASK_CORE(ask, register_account, .username = username, .email = email, .sealed = sealed_view(&sealed),
                 .invite = invite);
    }
    json_release(&document);
}

void api_password(struct exchange *exchange)
{
    struct view current, new;
    struct sealed sealed_current, sealed_new;
    struct json_document document;
    const struct json_field fields[] = {
        {.name = "current", .required = true, .size_max = WIRE_PASSWORD_MAX, .text = &current},
        {.name = "new", .required = true, .size_max = WIRE_PASSWORD_MAX, .text = &new},
    };
    if (!admit(exchange) || !has_session(exchange) || !read_body(exchange, &document, fields, 2)) {
        return;
    }
    bool sealed = seal(exchange, current, &sealed_current) && seal(exchange, new, &sealed_new);
    struct ask *ask = sealed ? ask_new(exchange, "password_change", on_granted) : NULL;
    if (ask != NULL) {
        ask->is_change = true;
        ask->wants_token = exchange->credentials.kind == CREDENTIALS_BEARER;
        ASK_CORE(ask, password_change, .sealed_current = sealed_view(&sealed_current),
                 .sealed_new = sealed_view(&sealed_new));
    }
    json_release(&document);
}
