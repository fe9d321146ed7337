// SPDX-License-Identifier: ISC
// The pages for everyone. Runs in stayd-front. After a POST that worked comes a redirect (303), so that
// reloading a page repeats nothing; one that did not work shows its page again, with what was typed.
#include "front/pages_routes.h"

#include "front/early.h"
#include "front/page.h"

#define USERNAME_INPUT_MAX 256
#define EMAIL_INPUT_MAX    512

static void refuse(struct exchange *exchange, unsigned status, const char *type, const char *title,
                   struct view detail)
{
    struct answer_error error = {.status = status, .type = type, .title = title, .detail = detail};
    answer_error(exchange, &error);
}

// `rd` where it may lead; empty otherwise.
static struct view allowed_rd(const struct exchange *exchange, struct view rd, struct view *host)
{
    *host = (struct view){NULL, 0};
    return redirect_allowed(&exchange->settings->redirect, rd, host) ? rd : (struct view){NULL, 0};
}

static struct view destination(struct view rd)
{
    return rd.size > 0 ? rd : VIEW("/account");
}

// ---- assets, root
// ------------------------------------------------------------------------------------------

void page_asset(struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    const struct pages_asset *asset = pages_asset_find(
        view_equal(request->path, VIEW("/favicon.svg")) ? VIEW("/assets/favicon.svg") : request->path);
    if (asset == NULL) {
        refuse(exchange, 404, "not_found", "There is no such page", (struct view){NULL, 0});
        return;
    }
    bool versioned =
        view_starts_with(request->query, VIEW("v=")) && view_equal(view_from(request->query, 2), asset->hash);
    struct view known = http_request_known(request, HTTP_HEADER_IF_NONE_MATCH);
    bool same = known.size == asset->hash.size + 2 && known.data[0] == '"' &&
                view_equal(view_of(known.data + 1, asset->hash.size), asset->hash);
    answer_begin(exchange, same ? 304 : 200);
    answer_header(exchange, VIEW("Content-Type"), asset->content_type);
    answer_header(exchange, VIEW("Cache-Control"),
                  versioned ? VIEW("public, max-age=31536000, immutable") : VIEW("no-cache"));
    answer_header(exchange, VIEW("X-Content-Type-Options"), VIEW("nosniff"));
    answer_header(exchange, VIEW("Cross-Origin-Resource-Policy"), VIEW("same-origin"));
    struct bytes *out = answer_out(exchange);
    bytes_append_view(out, VIEW("ETag: \""));
    bytes_append_view(out, asset->hash);
    bytes_append_view(out, VIEW("\"\r\n"));
    answer_end(exchange, asset->body);
}

void page_root(struct exchange *exchange)
{
    if (asks_setup_open(exchange->front)) {
        answer_redirect(exchange, 303, VIEW("/setup"));
        return;
    }
    bool token = exchange_credentials(exchange)->kind != CREDENTIALS_NONE;
    answer_redirect(exchange, 303, token ? VIEW("/account") : VIEW("/login"));
}

// ---- log-in
// ------------------------------------------------------------------------------------------------

static void show_login(struct exchange *exchange, struct view rd, struct view username, struct view notice,
                       const struct page_trouble *trouble)
{
    struct view host;
    rd = allowed_rd(exchange, rd, &host);
    struct pages_login page = {.rd = rd,
                               .destination = host,
                               .username = username,
                               .notice = notice,
                               .registration_open =
                                   exchange->settings->registration == WIRE_REGISTRATION_OPEN};
    unsigned status = 200;
    if (trouble != NULL) {
        page.error = trouble->text;
        page.error_in = trouble->in;
        status = trouble->status;
        exchange->retry_after_s = trouble->retry_after_s;
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, status, pages_login(&exchange->front->page, &page));
}

// Someone signed in goes on, but only where the session is seen: elsewhere they would be sent back in
// circles.
static bool session_reaches(const struct exchange *exchange, struct view host)
{
    struct view name;
    uint16_t port;
    return host.size == 0 || (url_parse_host(host, &name, &port) &&
                              (url_host_equal(name, exchange->settings->public_url.host) ||
                               url_host_within(name, exchange->settings->cookie_domain)));
}

void page_login(struct exchange *exchange)
{
    uint8_t room[URL_SIZE_MAX];
    struct view host;
    struct view rd = allowed_rd(exchange, exchange_query(exchange, VIEW("rd"), room), &host);
    switch (exchange_session(exchange)) {
    case EXCHANGE_PARKED:
        return;
    case EXCHANGE_SIGNED_IN:
        if (session_reaches(exchange, host)) {
            answer_redirect(exchange, 303, destination(rd));
            return;
        }
        break;
    case EXCHANGE_UNKNOWN:
    case EXCHANGE_MISSES_SPENT:
        answer_unknown(exchange);
        return;
    case EXCHANGE_ANONYMOUS:
        break;
    }
    struct view notice = page_notice(exchange);
    if (asks_setup_open(exchange->front)) {
        notice = VIEW("No account exists yet. Open the set-up link that stayd printed when it started.");
    }
    show_login(exchange, rd, (struct view){NULL, 0}, notice, NULL);
}

static void on_login(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    if (reply->outcome == WIRE_GRANTED) {
        struct granted granted;
        granted_read(reply->rows, &granted);
        page_answer_grant(exchange, &granted, destination(ask->kept[KEPT_RD]));
        wipe(&granted, sizeof(granted));
        return;
    }
    struct page_trouble trouble = page_trouble_of(reply);
    show_login(exchange, ask->kept[KEPT_RD], ask->kept[KEPT_USERNAME], (struct view){NULL, 0}, &trouble);
}

void page_login_post(struct exchange *exchange)
{
    struct view rd, username, password, host;
    struct sealed sealed;
    const struct page_field fields[] = {
        {.name = "rd", .size_max = URL_SIZE_MAX, .value = &rd},
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "password", .size_max = WIRE_PASSWORD_MAX, .value = &password},
    };
    if (!page_form(exchange, fields, 3)) {
        return;
    }
    struct wire_reply early;
    if (early_refuses_login(exchange, &early)) {
        struct page_trouble trouble = page_trouble_of(&early);
        show_login(exchange, rd, username, (struct view){NULL, 0}, &trouble);
        return;
    }
    if (!page_seal(exchange, password, &sealed)) {
        return;
    }
    change_warn_plain(exchange);
    struct ask *ask = ask_new(exchange, "login", on_login);
    if (ask != NULL) {
        ask->is_change = true;
        ask_keep(ask, KEPT_RD, allowed_rd(exchange, rd, &host));
        ask_keep(ask, KEPT_USERNAME, username);
        ASK_CORE(ask, login, .username = username, .sealed = sealed_view(&sealed),
                 .device = change_device(exchange));
    }
}

static void answer_logged_out(struct exchange *exchange)
{
    answer_begin(exchange, 303);
    answer_session_cookie_clear(exchange);
    bytes_append_view(answer_out(exchange), bytes_view(&exchange->settings->page_headers));
    answer_header(exchange, VIEW("Location"), VIEW("/login?done=logout"));
    answer_end_empty(exchange);
}

static void on_logout(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_UNAVAILABLE) {
        struct answer_error error = answer_error_of(reply);
        answer_error(&ask->exchange, &error);
    } else {
        answer_logged_out(&ask->exchange);
    }
}

void page_logout_post(struct exchange *exchange)
{
    enum exchange_session session = exchange_session(exchange);
    if (session == EXCHANGE_PARKED || !page_form(exchange, NULL, 0)) {
        return;
    }
    if (session == EXCHANGE_ANONYMOUS) {
        answer_logged_out(exchange);
        return;
    }
    if (session != EXCHANGE_SIGNED_IN) {
        answer_unknown(exchange);
        return;
    }
    struct ask *ask = ask_new(exchange, "logout", on_logout);
    if (ask != NULL) {
        ask->is_change = true;
        ASK_CORE(ask, logout, .request = 0);
    }
}

// ---- registration
// ------------------------------------------------------------------------------------------

static void show_register(struct exchange *exchange, struct view rd, struct view invite, struct view username,
                          struct view email, const struct page_trouble *trouble)
{
    struct view host;
    struct pages_register page = {
        .rd = allowed_rd(exchange, rd, &host), .invite = invite, .username = username, .email = email};
    unsigned status = 200;
    page.invite_required =
        exchange->settings->registration == WIRE_REGISTRATION_INVITE && (invite.size == 0 || trouble != NULL);
    if (trouble != NULL) {
        page.error = trouble->text;
        page.error_in = trouble->in;
        status = trouble->status;
        exchange->retry_after_s = trouble->retry_after_s;
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, status, pages_register(&exchange->front->page, &page));
}

static bool registration_is_closed(struct exchange *exchange)
{
    if (exchange->settings->registration != WIRE_REGISTRATION_IS_CLOSED) {
        return false;
    }
    refuse(exchange, 403, "registration_closed", "Registration is closed",
           VIEW("Ask an administrator for an account."));
    return true;
}

void page_register(struct exchange *exchange)
{
    uint8_t rd_room[URL_SIZE_MAX], invite_room[URL_SIZE_MAX];
    if (registration_is_closed(exchange)) {
        return;
    }
    show_register(exchange, exchange_query(exchange, VIEW("rd"), rd_room),
                  view_first(exchange_query(exchange, VIEW("invite"), invite_room), 64),
                  (struct view){NULL, 0}, (struct view){NULL, 0}, NULL);
}

static void on_register(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    if (reply->outcome == WIRE_GRANTED) {
        struct granted granted;
        granted_read(reply->rows, &granted);
        page_answer_grant(exchange, &granted,
                          granted.has_grant ? destination(ask->kept[KEPT_RD]) : VIEW("/login"));
        wipe(&granted, sizeof(granted));
        return;
    }
    struct page_trouble trouble = page_trouble_of(reply);
    show_register(exchange, ask->kept[KEPT_RD], ask->kept[KEPT_INVITE], ask->kept[KEPT_USERNAME],
                  ask->kept[KEPT_EMAIL], &trouble);
}

void page_register_post(struct exchange *exchange)
{
    struct view rd, invite, username, email, password, host;
    struct sealed sealed;
    const struct page_field fields[] = {
        {.name = "rd", .size_max = URL_SIZE_MAX, .value = &rd},
        {.name = "invite", .size_max = 64, .value = &invite},
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "email", .size_max = EMAIL_INPUT_MAX, .value = &email},
        {.name = "password", .size_max = WIRE_PASSWORD_MAX, .value = &password},
    };
    if (registration_is_closed(exchange) || !page_form(exchange, fields, 5)) {
        return;
    }
    struct wire_reply early;
    if (early_refuses_sign_up(exchange, &early)) {
        struct page_trouble trouble = page_trouble_of(&early);
        show_register(exchange, rd, invite, username, email, &trouble);
        return;
    }
    if (!page_seal(exchange, password, &sealed)) {
        return;
    }
    change_warn_plain(exchange);
    struct ask *ask = ask_new(exchange, "register", on_register);
    if (ask != NULL) {
        ask->is_change = true;
        ask_keep(ask, KEPT_RD, allowed_rd(exchange, rd, &host));
        ask_keep(ask, KEPT_INVITE, invite);
        ask_keep(ask, KEPT_USERNAME, username);
        ask_keep(ask, KEPT_EMAIL, email);
        ASK_CORE(ask, register_account, .username = username, .email = email, .sealed = sealed_view(&sealed),
                 .invite = view_trim(invite));
    }
}

// ---- set-up
// ------------------------------------------------------------------------------------------------

static void show_setup(struct exchange *exchange, struct view token, struct view username, struct view email,
                       const struct page_trouble *trouble)
{
    struct pages_setup page = {.setup_token = token, .username = username, .email = email};
    unsigned status = 200;
    if (trouble != NULL) {
        page.error = trouble->text;
        page.error_in = trouble->in;
        status = trouble->status;
        exchange->retry_after_s = trouble->retry_after_s;
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, status, pages_setup(&exchange->front->page, &page));
}

static void on_setup_state(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        show_setup(&ask->exchange, ask->kept[KEPT_INVITE], (struct view){NULL, 0}, (struct view){NULL, 0},
                   NULL);
    } else {
        struct answer_error error = answer_error_of(reply);
        answer_error(&ask->exchange, &error);
    }
}

void page_setup(struct exchange *exchange)
{
    uint8_t room[URL_SIZE_MAX];
    struct view token = exchange_query(exchange, VIEW("token"), room);
    if (token.size == 0 || token.size > 64) {
        refuse(exchange, 403, "bad_setup_token", "This needs the set-up link",
               VIEW("stayd prints it when it starts without any account. It works once."));
        return;
    }
    struct ask *ask = ask_new(exchange, "setup_state", on_setup_state);
    if (ask != NULL) {
        ask->may_repeat = true;
        ask_keep(ask, KEPT_INVITE, token);
        ASK_CORE(ask, setup_state, .token = token);
    }
}

static void on_setup(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    struct answer_error error = answer_error_of(reply);
    if (reply->outcome == WIRE_GRANTED) {
        struct granted granted;
        granted_read(reply->rows, &granted);
        page_answer_grant(exchange, &granted, granted.has_grant ? VIEW("/account") : VIEW("/login"));
        wipe(&granted, sizeof(granted));
    } else if (reply->reason == WIRE_BAD_SETUP_TOKEN) {
        answer_error(exchange, &error);
    } else {
        struct page_trouble trouble = page_trouble_of(reply);
        show_setup(exchange, ask->kept[KEPT_INVITE], ask->kept[KEPT_USERNAME], ask->kept[KEPT_EMAIL],
                   &trouble);
    }
}

void page_setup_post(struct exchange *exchange)
{
    struct view token, username, email, password;
    struct sealed sealed;
    const struct page_field fields[] = {
        {.name = "setup_token", .size_max = 64, .value = &token},
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "email", .size_max = EMAIL_INPUT_MAX, .value = &email},
        {.name = "password", .size_max = WIRE_PASSWORD_MAX, .value = &password},
    };
    if (!page_form(exchange, fields, 4) || !page_seal(exchange, password, &sealed)) {
        return;
    }
    change_warn_plain(exchange);
    struct ask *ask = ask_new(exchange, "setup", on_setup);
    if (ask != NULL) {
        ask->is_change = true;
        ask_keep(ask, KEPT_INVITE, token);
        ask_keep(ask, KEPT_USERNAME, username);
        ask_keep(ask, KEPT_EMAIL, email);
        ASK_CORE(ask, setup, .token = token, .username = username, .email = email,
                 .sealed = sealed_view(&sealed));
    }
}

// ---- one's own account
// -------------------------------------------------------------------------------------

#define EMAIL_VERIFIED (1u << 30) // in ask->flags, beside enum pages_in

// Lists the sessions for the account page; `before` is the ask whose refusal the page is to show.
static void ask_account(struct exchange *exchange, struct view notice, const struct page_trouble *trouble,
                        struct ask *before);

static void on_account(struct ask *ask, const struct wire_reply *reply)
{
    static struct page_sessions sessions;
    struct exchange *exchange = &ask->exchange;
    char token[CREDENTIALS_FORM_TOKEN_SIZE];
    if (reply->outcome != WIRE_GRANTED) {
        struct answer_error error = answer_error_of(reply);
        answer_error(exchange, &error);
        return;
    }
    page_sessions_read(reply->rows, &sessions);
    struct pages_account page = {
        .frame = page_frame_of(ask, token),
        .username = ask->kept[KEPT_WHO],
        .display_name = ask->kept[KEPT_DISPLAY_NAME],
        .email = ask->kept[KEPT_EMAIL],
        .email_verified = (ask->flags & EMAIL_VERIFIED) != 0,
        .groups = ask->kept[KEPT_GROUPS],
        .sessions = sessions.row,
        .session_count = sessions.count,
    };
    bool wrong = exchange->status >= 400;
    if (wrong) {
        page.error = ask->kept[KEPT_QUERY];
        page.error_in = ask->flags & 0xffff;
    } else {
        page.notice = ask->kept[KEPT_QUERY];
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, wrong ? exchange->status : 200, pages_account(&exchange->front->page, &page));
}

static void keep_identity(struct ask *ask)
{
    const struct sessions_identity *identity = &ask->exchange.front->identity;
    page_keep_frame(ask);
    ask_keep(ask, KEPT_DISPLAY_NAME, identity->display_name);
    ask_keep(ask, KEPT_EMAIL, identity->email);
    ask_keep(ask, KEPT_GROUPS, identity->groups);
    if (identity->account_flags & ACCOUNT_EMAIL_VERIFIED) {
        ask->flags |= EMAIL_VERIFIED;
    }
}

static void ask_account(struct exchange *exchange, struct view notice, const struct page_trouble *trouble,
                        struct ask *before)
{
    exchange->status = trouble == NULL ? 0 : (uint16_t)trouble->status;
    exchange->retry_after_s = trouble == NULL ? 0 : trouble->retry_after_s;
    struct ask *ask = ask_new(exchange, "session_list", on_account);
    if (ask == NULL) {
        return;
    }
    ask->may_repeat = true;
    if (before == NULL) {
        keep_identity(ask);
    } else {
        ask_adopt_kept(ask, before);
    }
    ask_keep(ask, KEPT_QUERY, trouble == NULL ? notice : trouble->text);
    ask->flags |= trouble == NULL ? 0 : trouble->in;
    ASK_CORE(ask, session_list, .request = 0);
}

void page_account(struct exchange *exchange)
{
    if (page_signed_in(exchange)) {
        ask_account(exchange, page_notice(exchange), NULL, NULL);
    }
}

static void on_password(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    if (reply->outcome == WIRE_GRANTED) {
        struct granted granted;
        granted_read(reply->rows, &granted);
        page_answer_grant(exchange, &granted, VIEW("/account?done=password"));
        wipe(&granted, sizeof(granted));
        return;
    }
    struct page_trouble trouble = page_trouble_of(reply);
    if (reply->reason == WIRE_WRONG_CREDENTIALS) {
        trouble.in = PAGES_IN_CURRENT;
        trouble.text = VIEW("That is not your current password.");
    }
    ask_account(exchange, (struct view){NULL, 0}, &trouble, ask);
}

void page_account_password_post(struct exchange *exchange)
{
    struct view current, new;
    struct sealed sealed_current, sealed_new;
    const struct page_field fields[] = {
        {.name = "current", .size_max = WIRE_PASSWORD_MAX, .value = &current},
        {.name = "new", .size_max = WIRE_PASSWORD_MAX, .value = &new},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 2) ||
        !page_seal(exchange, current, &sealed_current) || !page_seal(exchange, new, &sealed_new)) {
        return;
    }
    struct ask *ask = ask_new(exchange, "password_change", on_password);
    if (ask != NULL) {
        ask->is_change = true;
        keep_identity(ask);
        ASK_CORE(ask, password_change, .sealed_current = sealed_view(&sealed_current),
                 .sealed_new = sealed_view(&sealed_new));
    }
}

static void on_ended(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED || reply->reason == WIRE_NOT_FOUND) {
        answer_redirect(&ask->exchange, 303,
                        ask->flags != 0 ? VIEW("/account?done=others") : VIEW("/account?done=ended"));
    } else {
        struct answer_error error = answer_error_of(reply);
        answer_error(&ask->exchange, &error);
    }
}

void page_account_sessions_end_post(struct exchange *exchange)
{
    struct view id_text, others;
    struct id16 id;
    const struct page_field fields[] = {
        {.name = "id", .size_max = CHANGE_ID_SIZE, .value = &id_text},
        {.name = "others", .size_max = 1, .value = &others},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 2)) {
        return;
    }
    bool all = view_equal(others, VIEW("1"));
    if (!all && !change_id_parse(id_text, &id)) {
        refuse(exchange, 404, "not_found", "There is no such session", (struct view){NULL, 0});
        return;
    }
    struct ask *ask = ask_new(exchange, all ? "session_end_others" : "session_end", on_ended);
    if (ask == NULL) {
        return;
    }
    ask->is_change = true;
    ask->flags = all ? 1 : 0;
    if (all) {
        ASK_CORE(ask, session_end_others, .request = 0);
    } else {
        ASK_CORE(ask, session_end, .public_id = id);
    }
}
