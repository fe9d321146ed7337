// SPDX-License-Identifier: ISC
// The pages of administrators: accounts to find, add, invite, change, disable; their sessions to end.
// Runs in stayd-front. A refused change shows its page again: the account's, or the list.
#include "front/pages_admin.h"

#include "front/page.h"

#define ROWS_A_PAGE        25 // core lists no more than 40 at once
#define USERNAME_INPUT_MAX 256
#define TEXT_INPUT_MAX     512
#define GROUPS_INPUT_MAX   1024
#define INVITE_DAYS        7
#define INVITE_DAYS_MAX    90
#define DAY_S              86400
// In ask->flags, beside enum pages_in.
#define ABOUT_INVITE  (1u << 29)
#define USER_DISABLED (1u << 28)
#define ENDS_ALL      (1u << 26)
#define IN_MASK       0xffffu

static void refuse(struct exchange *exchange, unsigned status, const char *type, const char *title)
{
    struct answer_error error = {.status = status, .type = type, .title = title};
    answer_error(exchange, &error);
}

static void answer_refusal(struct ask *ask, const struct wire_reply *reply)
{
    struct answer_error error = answer_error_of(reply);
    answer_error(&ask->exchange, &error);
}

// ---- the list
// ----------------------------------------------------------------------------------------------

static size_t read_rows(struct view rows, struct pages_admin_row *out)
{
    struct wire_account_public from;
    size_t count = 0;
    while (count < ROWS_A_PAGE + 1 && wire_account_public_next(&rows, &from)) {
        out[count++] = (struct pages_admin_row){
            .username = from.name,
            .display_name = from.display_name,
            .email = from.email,
            .groups = from.groups,
            .disabled = (from.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0,
            .created_s = (int64_t)from.created,
        };
    }
    return count;
}

static void show_trouble(const struct ask *ask, struct pages_admin *page)
{
    if (ask->flags & ABOUT_INVITE) {
        page->invite_error = ask->kept[KEPT_RD];
        page->invite_groups = ask->kept[KEPT_GROUPS];
        return;
    }
    page->error = ask->kept[KEPT_RD];
    page->error_in = ask->flags & IN_MASK;
    page->add_username = ask->kept[KEPT_USERNAME];
    page->add_display_name = ask->kept[KEPT_DISPLAY_NAME];
    page->add_email = ask->kept[KEPT_EMAIL];
    page->add_groups = ask->kept[KEPT_GROUPS];
}

static void on_list(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    struct pages_admin_row rows[ROWS_A_PAGE + 1]; // the last only tells that there are more
    char token[CREDENTIALS_FORM_TOKEN_SIZE];
    if (reply->outcome != WIRE_GRANTED) {
        answer_refusal(ask, reply);
        return;
    }
    size_t count = read_rows(reply->rows, rows);
    struct pages_admin page = {.frame = page_frame_of(ask, token),
                               .query = ask->kept[KEPT_QUERY],
                               .accounts = rows,
                               .account_count = count};
    if (count > ROWS_A_PAGE) {
        page.account_count = ROWS_A_PAGE;
        page.after = rows[ROWS_A_PAGE - 1].username;
    }
    bool wrong = exchange->status >= 400;
    if (wrong) {
        show_trouble(ask, &page);
    } else {
        page.notice = ask->kept[KEPT_RD];
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, wrong ? exchange->status : 200, pages_admin(&exchange->front->page, &page));
}

static void send_list(struct ask *ask, struct view query, struct view after)
{
    ask->may_repeat = true;
    ASK_CORE(ask, account_list, .query = query, .after = after, .limit = ROWS_A_PAGE + 1);
}

// The list again, with what was wrong. KEPT_RD carries the text, exchange->status the status.
static void list_again(struct ask *before, const struct wire_reply *reply)
{
    struct exchange *exchange = &before->exchange;
    struct page_trouble trouble = page_trouble_of(reply);
    exchange->status = (uint16_t)trouble.status;
    exchange->retry_after_s = trouble.retry_after_s;
    struct ask *ask = ask_new(exchange, "account_list", on_list);
    if (ask != NULL) {
        ask_adopt_kept(ask, before);
        ask_keep(ask, KEPT_RD, trouble.text);
        ask->flags |= trouble.in;
        send_list(ask, (struct view){NULL, 0}, (struct view){NULL, 0});
    }
}

// ---- one account
// -------------------------------------------------------------------------------------------

static void on_user_sessions(struct ask *ask, const struct wire_reply *reply)
{
    static struct page_sessions sessions;
    struct exchange *exchange = &ask->exchange;
    char token[CREDENTIALS_FORM_TOKEN_SIZE];
    uint64_t created = 0;
    if (reply->outcome != WIRE_GRANTED) {
        answer_refusal(ask, reply);
        return;
    }
    page_sessions_read(reply->rows, &sessions);
    (void)view_to_u64(ask->kept[KEPT_INVITE], &created);
    struct pages_admin_user page = {
        .frame = page_frame_of(ask, token),
        .username = ask->kept[KEPT_USERNAME],
        .display_name = ask->kept[KEPT_DISPLAY_NAME],
        .email = ask->kept[KEPT_EMAIL],
        .groups = ask->kept[KEPT_GROUPS],
        .disabled = (ask->flags & USER_DISABLED) != 0,
        .self = view_equal(ask->kept[KEPT_WHO], ask->kept[KEPT_USERNAME]),
        .created_s = (int64_t)created,
        .sessions = sessions.row,
        .session_count = sessions.count,
    };
    bool wrong = exchange->status >= 400;
    if (wrong) {
        page.error = ask->kept[KEPT_RD];
        page.error_in = ask->flags & IN_MASK;
    } else {
        page.notice = ask->kept[KEPT_RD];
    }
    bytes_reset(&exchange->front->page);
    page_answer(exchange, wrong ? exchange->status : 200, pages_admin_user(&exchange->front->page, &page));
}

// The account is known: now its sessions.
static void on_user(struct ask *before, const struct wire_reply *reply)
{
    struct exchange *exchange = &before->exchange;
    struct granted granted;
    struct bytes created;
    granted_read(reply->rows, &granted);
    if (reply->outcome != WIRE_GRANTED || !granted.has_account) {
        answer_refusal(before, reply);
        return;
    }
    struct ask *ask = ask_new(exchange, "account_sessions", on_user_sessions);
    if (ask == NULL) {
        return;
    }
    bytes_init(&created, 32);
    bytes_append_u64(&created, granted.account.created);
    ask->may_repeat = true;
    ask->flags = before->flags | (granted.account.flags & WIRE_ACCOUNT_DISABLED_FLAG ? USER_DISABLED : 0);
    ask_keep(ask, KEPT_WHO, before->kept[KEPT_WHO]);
    ask_keep(ask, KEPT_RD, before->kept[KEPT_RD]);
    ask_keep(ask, KEPT_USERNAME, granted.account.name);
    ask_keep(ask, KEPT_DISPLAY_NAME, granted.account.display_name);
    ask_keep(ask, KEPT_EMAIL, granted.account.email);
    ask_keep(ask, KEPT_GROUPS, granted.account.groups);
    ask_keep(ask, KEPT_INVITE, bytes_view(&created));
    bytes_release(&created);
    ASK_CORE(ask, account_sessions, .username = granted.account.name);
}

static void send_user(struct ask *ask, struct view username)
{
    ask->may_repeat = true;
    ASK_CORE(ask, account_show, .username = username);
}

static void user_again(struct ask *before, const struct wire_reply *reply)
{
    struct exchange *exchange = &before->exchange;
    struct page_trouble trouble = page_trouble_of(reply);
    exchange->status = (uint16_t)trouble.status;
    exchange->retry_after_s = trouble.retry_after_s;
    struct ask *ask = ask_new(exchange, "account_show", on_user);
    if (ask != NULL) {
        ask->flags = (before->flags & PAGE_ADMINISTRATOR) | trouble.in;
        ask_keep(ask, KEPT_WHO, before->kept[KEPT_WHO]);
        ask_keep(ask, KEPT_RD, trouble.text);
        send_user(ask, before->kept[KEPT_USERNAME]);
    }
}

// ---- requests
// ----------------------------------------------------------------------------------------------

void page_admin(struct exchange *exchange)
{
    uint8_t user_room[URL_SIZE_MAX], query_room[URL_SIZE_MAX], after_room[URL_SIZE_MAX];
    if (!page_signed_in(exchange)) {
        return;
    }
    if (!page_is_administrator(&exchange->front->identity)) {
        refuse(exchange, 403, "forbidden", "This page is for administrators");
        return;
    }
    struct view user = view_first(exchange_query(exchange, VIEW("user"), user_room), USERNAME_INPUT_MAX);
    struct view query = view_first(exchange_query(exchange, VIEW("q"), query_room), 256);
    struct view after = view_first(exchange_query(exchange, VIEW("after"), after_room), WIRE_USERNAME_MAX);
    struct view notice = page_notice(exchange);
    struct ask *ask = user.size > 0 ? ask_new(exchange, "account_show", on_user)
                                    : ask_new(exchange, "account_list", on_list);
    if (ask == NULL) {
        return;
    }
    page_keep_frame(ask);
    ask_keep(ask, KEPT_RD, notice);
    ask_keep(ask, KEPT_QUERY, query);
    if (user.size > 0) {
        send_user(ask, user);
    } else {
        send_list(ask, query, after);
    }
}

// 303 to the account's page.
static void answer_user(struct ask *ask, const char *done)
{
    struct bytes location;
    bytes_init(&location, 4 * URL_SIZE_MAX);
    bytes_append_view(&location, VIEW("/admin?user="));
    http_write_query(&location, ask->kept[KEPT_USERNAME]);
    bytes_append_format(&location, "&done=%s", done);
    answer_redirect(&ask->exchange, 303, bytes_view(&location));
    bytes_release(&location);
}

static void on_added(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        answer_user(ask, "added");
    } else {
        list_again(ask, reply);
    }
}

void page_admin_add_post(struct exchange *exchange)
{
    struct view username, display_name, email, groups, password;
    struct sealed sealed = {.size = 0};
    const struct page_field fields[] = {
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "display_name", .size_max = TEXT_INPUT_MAX, .value = &display_name},
        {.name = "email", .size_max = TEXT_INPUT_MAX, .value = &email},
        {.name = "groups", .size_max = GROUPS_INPUT_MAX, .value = &groups},
        {.name = "password", .size_max = WIRE_PASSWORD_MAX, .value = &password},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 5) ||
        (password.size > 0 && !page_seal(exchange, password, &sealed))) {
        return;
    }
    struct ask *ask = ask_new(exchange, "account_add", on_added);
    if (ask != NULL) {
        ask->is_change = true;
        page_keep_frame(ask);
        ask_keep(ask, KEPT_USERNAME, username);
        ask_keep(ask, KEPT_DISPLAY_NAME, display_name);
        ask_keep(ask, KEPT_EMAIL, email);
        ask_keep(ask, KEPT_GROUPS, groups);
        ASK_CORE(ask, account_add, .username = username, .display_name = display_name, .email = email,
                 .groups = groups, .sealed = sealed_view(&sealed));
    }
}

static void on_set(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED) {
        answer_user(ask, "saved");
    } else {
        user_again(ask, reply);
    }
}

void page_admin_set_post(struct exchange *exchange)
{
    struct view username, display_name, email, groups, disabled;
    bool has_name, has_email, has_groups, has_disabled;
    const struct page_field fields[] = {
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "display_name", .size_max = TEXT_INPUT_MAX, .value = &display_name, .present = &has_name},
        {.name = "email", .size_max = TEXT_INPUT_MAX, .value = &email, .present = &has_email},
        {.name = "groups", .size_max = GROUPS_INPUT_MAX, .value = &groups, .present = &has_groups},
        {.name = "disabled", .size_max = 1, .value = &disabled, .present = &has_disabled},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 5)) {
        return;
    }
    if (has_disabled && !view_equal(disabled, VIEW("0")) && !view_equal(disabled, VIEW("1"))) {
        refuse(exchange, 400, "bad_request", "The form can't be read");
        return;
    }
    unsigned set = (has_name ? WIRE_SET_DISPLAY_NAME : 0u) | (has_email ? WIRE_SET_EMAIL : 0u) |
                   (has_groups ? WIRE_SET_GROUPS : 0u) | (has_disabled ? WIRE_SET_DISABLED : 0u);
    struct ask *ask = ask_new(exchange, "account_set", on_set);
    if (ask != NULL) {
        ask->is_change = true;
        page_keep_frame(ask);
        ask_keep(ask, KEPT_USERNAME, username);
        ASK_CORE(ask, account_set, .username = username, .fields = (uint8_t)set, .display_name = display_name,
                 .email = email, .groups = groups, .disabled = view_equal(disabled, VIEW("1")));
    }
}

static void on_invited(struct ask *ask, const struct wire_reply *reply)
{
    struct exchange *exchange = &ask->exchange;
    struct granted granted;
    char token[CREDENTIALS_FORM_TOKEN_SIZE];
    struct bytes link;
    granted_read(reply->rows, &granted);
    if (reply->outcome != WIRE_GRANTED || !granted.has_invite) {
        list_again(ask, reply);
        return;
    }
    bytes_init(&link, URL_SIZE_MAX);
    bytes_append_view(&link, exchange->settings->public_origin);
    bytes_append_view(&link, VIEW("/register?invite="));
    http_write_query(&link, granted.invite.token);
    struct pages_message page = {.frame = page_frame_of(ask, token),
                                 .title = VIEW("Invitation"),
                                 .text =
                                     VIEW("Send this link to the person you invite. It is not shown again."),
                                 .link = bytes_view(&link),
                                 .link_expires_s = (int64_t)granted.invite.expires,
                                 .back = PAGES_BACK_ADMIN};
    bytes_reset(&exchange->front->page);
    page_answer(exchange, 200, pages_message(&exchange->front->page, &page));
    bytes_release(&link);
}

void page_admin_invite_post(struct exchange *exchange)
{
    struct view groups, days_text;
    uint64_t days = INVITE_DAYS;
    const struct page_field fields[] = {
        {.name = "groups", .size_max = GROUPS_INPUT_MAX, .value = &groups},
        {.name = "days", .size_max = 4, .value = &days_text},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 2)) {
        return;
    }
    if (days_text.size > 0 && (!view_to_u64(days_text, &days) || days == 0 || days > INVITE_DAYS_MAX)) {
        refuse(exchange, 400, "bad_request", "An invitation is good for 1 to 90 days");
        return;
    }
    struct ask *ask = ask_new(exchange, "account_invite", on_invited);
    if (ask != NULL) {
        ask->is_change = true;
        page_keep_frame(ask);
        ask->flags |= ABOUT_INVITE;
        ask_keep(ask, KEPT_GROUPS, groups);
        ASK_CORE(ask, account_invite, .groups = groups, .valid_s = (uint32_t)(days * DAY_S));
    }
}

static void on_sessions_ended(struct ask *ask, const struct wire_reply *reply)
{
    if (reply->outcome == WIRE_GRANTED || reply->reason == WIRE_NOT_FOUND) {
        answer_user(ask, ask->flags & ENDS_ALL ? "sessions" : "ended");
    } else {
        user_again(ask, reply);
    }
}

void page_admin_sessions_end_post(struct exchange *exchange)
{
    struct view username, id_text, all_text;
    struct id16 id;
    const struct page_field fields[] = {
        {.name = "username", .size_max = USERNAME_INPUT_MAX, .value = &username},
        {.name = "id", .size_max = CHANGE_ID_SIZE, .value = &id_text},
        {.name = "all", .size_max = 1, .value = &all_text},
    };
    if (!page_signed_in(exchange) || !page_form(exchange, fields, 3)) {
        return;
    }
    bool all = view_equal(all_text, VIEW("1"));
    if (!all && !change_id_parse(id_text, &id)) {
        refuse(exchange, 404, "not_found", "There is no such session");
        return;
    }
    struct ask *ask = ask_new(exchange, all ? "account_sessions_end" : "any_session_end", on_sessions_ended);
    if (ask == NULL) {
        return;
    }
    ask->is_change = true;
    page_keep_frame(ask);
    ask_keep(ask, KEPT_USERNAME, username);
    ask->flags |= all ? ENDS_ALL : 0;
    if (all) {
        ASK_CORE(ask, account_sessions_end, .username = username);
    } else {
        ASK_CORE(ask, any_session_end, .public_id = id);
    }
}
