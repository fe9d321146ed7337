// SPDX-License-Identifier: ISC
// Forms in, pages out. Runs in stayd-front.
#include "front/page.h"

#include "base/log.h"
#include "front/lookup.h"
#include "http/form.h"

static void refuse(struct exchange *exchange, unsigned status, const char *type, const char *title,
                   struct view detail)
{
    struct answer_error error = {.status = status,
                                 .type = type,
                                 .title = title,
                                 .detail = detail,
                                 .retry_after_s = status == 503 ? 1 : 0};
    answer_error(exchange, &error);
}

static const struct page_field *field_of(const struct page_field *fields, size_t count, struct view name)
{
    for (size_t i = 0; i < count; i++) {
        if (view_equal(view_of_cstr(fields[i].name), name)) {
            return &fields[i];
        }
    }
    return NULL;
}

// false: malformed, twice the same, or too long.
static bool decode(struct exchange *exchange, const struct page_field *fields, size_t count,
                   struct view *form_token)
{
    struct http_form form;
    struct view name, value;
    bool seen[PAGE_FIELDS_MAX] = {false};
    http_form_init(&form, view_of(exchange->body, exchange->body_size), exchange->body);
    while (http_form_next(&form, &name, &value)) {
        const struct page_field *field = field_of(fields, count, name);
        if (view_equal(name, VIEW("form_token"))) {
            *form_token = value;
        }
        if (field == NULL) {
            continue;
        }
        if (seen[field - fields] || value.size > field->size_max) {
            return false;
        }
        seen[field - fields] = true;
        *field->value = value;
        if (field->present != NULL) {
            *field->present = true;
        }
    }
    return !form.malformed;
}

bool page_form(struct exchange *exchange, const struct page_field *fields, size_t count)
{
    struct view form_token = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        *fields[i].value = (struct view){NULL, 0};
        if (fields[i].present != NULL) {
            *fields[i].present = false;
        }
    }
    if (!change_has_type(exchange, VIEW("application/x-www-form-urlencoded"))) {
        refuse(exchange, 415, "unsupported_media_type", "This is not a form",
               VIEW("The page expects an ordinary form."));
        return false;
    }
    if (count > PAGE_FIELDS_MAX || !decode(exchange, fields, count, &form_token)) {
        refuse(exchange, 400, "bad_request", "The form can't be read",
               VIEW("A field is malformed, too long, or there twice."));
        return false;
    }
    if (!change_is_own(exchange, form_token)) {
        refuse(exchange, 403, "cross_site", "This form comes from another page",
               VIEW("Nothing was changed. Open the page here, and send the form again."));
        return false;
    }
    return true;
}

static void redirect_to_login(struct exchange *exchange)
{
    struct bytes location;
    bytes_init(&location, 4 * URL_SIZE_MAX);
    bytes_append_view(&location, VIEW("/login"));
    if (exchange->request->method == HTTP_GET && exchange->request->target.size < URL_SIZE_MAX &&
        exchange->request->target.data[0] == '/') {
        bytes_append_view(&location, VIEW("?rd="));
        http_write_query(&location, exchange->request->target);
    }
    answer_redirect(exchange, 303, bytes_view(&location));
    bytes_release(&location);
}

bool page_signed_in(struct exchange *exchange)
{
    switch (exchange_session(exchange)) {
    case EXCHANGE_SIGNED_IN:
        return true;
    case EXCHANGE_ANONYMOUS:
        redirect_to_login(exchange);
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

bool page_is_administrator(const struct sessions_identity *identity)
{
    struct view rest = identity->groups;
    while (rest.size > 0) {
        if (view_equal(view_trim(view_cut(&rest, ',')), VIEW(WIRE_ADMIN_GROUP))) {
            return true;
        }
    }
    return (identity->account_flags & ACCOUNT_ADMIN) != 0;
}

void page_keep_frame(struct ask *ask)
{
    const struct sessions_identity *identity = &ask->exchange.front->identity;
    ask_keep(ask, KEPT_WHO, identity->name);
    if (page_is_administrator(identity)) {
        ask->flags |= PAGE_ADMINISTRATOR;
    }
}

struct pages_frame page_frame_of(const struct ask *ask, char room[static CREDENTIALS_FORM_TOKEN_SIZE])
{
    struct pages_frame frame = {.signed_in_as = ask->kept[KEPT_WHO],
                                .administrator = (ask->flags & PAGE_ADMINISTRATOR) != 0};
    if (ask->exchange.credentials.kind != CREDENTIALS_NONE) {
        credentials_form_token(&ask->exchange.credentials, room);
        frame.form_token = view_of(room, CREDENTIALS_FORM_TOKEN_SIZE);
    }
    return frame;
}

void page_answer(struct exchange *exchange, unsigned status, bool fine)
{
    answer_begin(exchange, status);
    bytes_append_view(answer_out(exchange), bytes_view(&exchange->settings->page_headers));
    answer_header(exchange, VIEW("Content-Type"), VIEW("text/html; charset=utf-8"));
    if (exchange->retry_after_s > 0) {
        answer_header_u64(exchange, VIEW("Retry-After"), exchange->retry_after_s);
    }
    answer_out(exchange)->failed |= !fine;
    answer_end(exchange, bytes_view(&exchange->front->page));
}

void page_answer_grant(struct exchange *exchange, const struct granted *granted, struct view location)
{
    answer_begin(exchange, 303);
    if (granted->has_grant) {
        answer_session_cookie(exchange, &granted->grant.token, granted->grant.expires_max);
        answer_device_cookie(exchange, granted->grant.device);
    }
    bytes_append_view(answer_out(exchange), bytes_view(&exchange->settings->page_headers));
    answer_header(exchange, VIEW("Location"), location);
    answer_end_empty(exchange);
}

static const struct {
    enum wire_reason reason;
    enum pages_in in;
    const char *text; // NULL: the title of the error
} troubles[] = {
    {WIRE_WRONG_CREDENTIALS, PAGES_IN_PASSWORD, "That user name and password don't go together. Try again."},
    {WIRE_THROTTLED, PAGES_IN_PASSWORD, "Too many failed attempts. Wait a little, then try again."},
    {WIRE_ACCOUNT_DISABLED, PAGES_IN_USERNAME, "This account is disabled. Ask an administrator."},
    {WIRE_WEAK_PASSWORD, PAGES_IN_PASSWORD, "This password can't be used. Choose another one."},
    {WIRE_NAME_TAKEN, PAGES_IN_USERNAME, "There is an account with this user name already."},
    {WIRE_BAD_NAME, PAGES_IN_USERNAME,
     "User names are 1 to 64 lower-case letters, digits, dots, hyphens or underscores, a letter or digit "
     "first."},
    {WIRE_BAD_EMAIL, PAGES_IN_EMAIL, "This is not an e-mail address."},
    {WIRE_BAD_DISPLAY_NAME, PAGES_IN_DISPLAY_NAME, "This name can't be used."},
    {WIRE_BAD_GROUPS, PAGES_IN_GROUPS, "Groups are words between commas."},
    {WIRE_BAD_INVITE, PAGES_IN_INVITE, "This invitation is not valid any more."},
    {WIRE_LAST_ADMINISTRATOR, PAGES_IN_GROUPS, "This would leave no administrator."},
    {WIRE_HASH_BUSY, PAGES_IN_NONE, "Very many people are logging in just now. Try again in a moment."},
    {WIRE_STORE_DOWN, PAGES_IN_NONE, "The database can't be reached. Nothing was changed; try again soon."},
    {WIRE_STORE_BUSY, PAGES_IN_NONE,
     "stayd has very much to do just now. Nothing was changed; try again in a moment."},
    {WIRE_STORE_FULL, PAGES_IN_NONE, "The disk is full. Nothing was changed."},
};

struct page_trouble page_trouble_of(const struct wire_reply *reply)
{
    struct answer_error error = answer_error_of(reply);
    struct page_trouble trouble = {
        .status = error.status, .text = view_of_cstr(error.title), .retry_after_s = error.retry_after_s};
    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
        if (troubles[i].reason == (enum wire_reason)reply->reason) {
            trouble.text = view_of_cstr(troubles[i].text);
            trouble.in = troubles[i].in;
        }
    }
    if (reply->detail.size > 0) {
        trouble.text = reply->detail;
    }
    return trouble;
}

bool page_seal(struct exchange *exchange, struct view password, struct sealed *sealed)
{
    if (change_seal(exchange->settings, password, sealed)) {
        return true;
    }
    refuse(exchange, 503, "hash_down", "Passwords can't be checked just now", (struct view){NULL, 0});
    return false;
}

void page_sessions_read(struct view rows, struct page_sessions *sessions)
{
    struct wire_session_public from;
    struct wire_account_public account;
    sessions->count = 0;
    while (rows.size > 0 && sessions->count < PAGES_ROWS_MAX) {
        if (!wire_session_public_next(&rows, &from)) {
            if (!wire_account_public_next(&rows, &account)) {
                return;
            }
            continue;
        }
        size_t at = sessions->count++;
        log_address_text(from.address, sessions->address[at]);
        sessions->row[at] = (struct pages_session){
            .id = change_id_text(&from.public_id, sessions->id[at]),
            .device = pages_device(from.agent, sessions->device[at]),
            .address = view_of_cstr(sessions->address[at]),
            .created_s = (int64_t)from.created,
            .last_seen_s = (int64_t)from.last_seen,
            .current = from.current != 0,
        };
    }
}

static const struct {
    const char *word;
    const char *text;
} notices[] = {
    {"logout", "You are logged out."},
    {"password", "Your password is changed. Your other sessions have ended."},
    {"ended", "The session has ended."},
    {"others", "Your other sessions have ended."},
    {"sessions", "All sessions of this account have ended."},
    {"added", "The account is there."},
    {"saved", "Saved."},
};

struct view page_notice(const struct exchange *exchange)
{
    uint8_t room[URL_SIZE_MAX];
    struct view word = exchange_query(exchange, VIEW("done"), room);
    for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
        if (view_equal(word, view_of_cstr(notices[i].word))) {
            return view_of_cstr(notices[i].text);
        }
    }
    return (struct view){NULL, 0};
}
