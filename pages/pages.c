// SPDX-License-Identifier: ISC
// Binds the typed structs of the pages to their templates. Runs in stayd-front.
// A template can name only what stands in these tables; pages_check holds every template against its table.
#include "pages/pages.h"

#include "pages/built.h"

#define FRAME(type)                                                                                          \
    TEMPLATE_FIELD_AS(type, "form_token", frame.form_token),                                                 \
        TEMPLATE_FIELD_AS(type, "signed_in_as", frame.signed_in_as),                                         \
        TEMPLATE_FIELD_AS(type, "administrator", frame.administrator)

#define ERROR(type)                                                                                          \
    TEMPLATE_FIELD(type, error), TEMPLATE_BIT(type, "error_in_username", error_in, PAGES_IN_USERNAME),       \
        TEMPLATE_BIT(type, "error_in_email", error_in, PAGES_IN_EMAIL),                                      \
        TEMPLATE_BIT(type, "error_in_password", error_in, PAGES_IN_PASSWORD),                                \
        TEMPLATE_BIT(type, "error_in_current", error_in, PAGES_IN_CURRENT),                                  \
        TEMPLATE_BIT(type, "error_in_invite", error_in, PAGES_IN_INVITE),                                    \
        TEMPLATE_BIT(type, "error_in_groups", error_in, PAGES_IN_GROUPS),                                    \
        TEMPLATE_BIT(type, "error_in_display_name", error_in, PAGES_IN_DISPLAY_NAME)

#define BACK(type)                                                                                           \
    TEMPLATE_BIT(type, "back_login", back, PAGES_BACK_LOGIN),                                                \
        TEMPLATE_BIT(type, "back_account", back, PAGES_BACK_ACCOUNT),                                        \
        TEMPLATE_BIT(type, "back_admin", back, PAGES_BACK_ADMIN)

static const struct template_field setup_fields[] = {
    FRAME(struct pages_setup),
    ERROR(struct pages_setup),
    TEMPLATE_FIELD(struct pages_setup, setup_token),
    TEMPLATE_FIELD(struct pages_setup, username),
    TEMPLATE_FIELD(struct pages_setup, email),
};
static const struct template_type setup_type = TEMPLATE_TYPE(struct pages_setup, setup_fields);

static const struct template_field login_fields[] = {
    FRAME(struct pages_login),
    ERROR(struct pages_login),
    TEMPLATE_FIELD(struct pages_login, rd),
    TEMPLATE_FIELD(struct pages_login, destination),
    TEMPLATE_FIELD(struct pages_login, username),
    TEMPLATE_FIELD(struct pages_login, notice),
    TEMPLATE_FIELD(struct pages_login, registration_open),
};
static const struct template_type login_type = TEMPLATE_TYPE(struct pages_login, login_fields);

static const struct template_field register_fields[] = {
    FRAME(struct pages_register),
    ERROR(struct pages_register),
    TEMPLATE_FIELD(struct pages_register, rd),
    TEMPLATE_FIELD(struct pages_register, invite),
    TEMPLATE_FIELD(struct pages_register, invite_required),
    TEMPLATE_FIELD(struct pages_register, username),
    TEMPLATE_FIELD(struct pages_register, email),
};
static const struct template_type register_type = TEMPLATE_TYPE(struct pages_register, register_fields);

static const struct template_field session_fields[] = {
    TEMPLATE_FIELD(struct pages_session, id),          TEMPLATE_FIELD(struct pages_session, device),
    TEMPLATE_FIELD(struct pages_session, address),     TEMPLATE_FIELD(struct pages_session, created_s),
    TEMPLATE_FIELD(struct pages_session, last_seen_s), TEMPLATE_FIELD(struct pages_session, current),
};
static const struct template_type session_type = TEMPLATE_TYPE(struct pages_session, session_fields);

static const struct template_field account_fields[] = {
    FRAME(struct pages_account),
    ERROR(struct pages_account),
    TEMPLATE_FIELD(struct pages_account, username),
    TEMPLATE_FIELD(struct pages_account, display_name),
    TEMPLATE_FIELD(struct pages_account, email),
    TEMPLATE_FIELD(struct pages_account, email_verified),
    TEMPLATE_WORDS(struct pages_account, groups),
    TEMPLATE_LIST(struct pages_account, sessions, session_count, &session_type),
    TEMPLATE_MANY(struct pages_account, "sessions_many", session_count),
    TEMPLATE_FIELD(struct pages_account, notice),
};
static const struct template_type account_type = TEMPLATE_TYPE(struct pages_account, account_fields);

static const struct template_field admin_row_fields[] = {
    TEMPLATE_FIELD(struct pages_admin_row, username), TEMPLATE_FIELD(struct pages_admin_row, display_name),
    TEMPLATE_FIELD(struct pages_admin_row, email),    TEMPLATE_WORDS(struct pages_admin_row, groups),
    TEMPLATE_FIELD(struct pages_admin_row, disabled), TEMPLATE_FIELD(struct pages_admin_row, created_s),
};
static const struct template_type admin_row_type = TEMPLATE_TYPE(struct pages_admin_row, admin_row_fields);

static const struct template_field admin_fields[] = {
    FRAME(struct pages_admin),
    ERROR(struct pages_admin),
    TEMPLATE_FIELD(struct pages_admin, query),
    TEMPLATE_LIST(struct pages_admin, accounts, account_count, &admin_row_type),
    TEMPLATE_ANY(struct pages_admin, "accounts_any", account_count),
    TEMPLATE_FIELD(struct pages_admin, after),
    TEMPLATE_FIELD(struct pages_admin, notice),
    TEMPLATE_FIELD(struct pages_admin, add_username),
    TEMPLATE_FIELD(struct pages_admin, add_display_name),
    TEMPLATE_FIELD(struct pages_admin, add_email),
    TEMPLATE_FIELD(struct pages_admin, add_groups),
    TEMPLATE_FIELD(struct pages_admin, invite_error),
    TEMPLATE_FIELD(struct pages_admin, invite_days),
    TEMPLATE_FIELD(struct pages_admin, invite_groups),
};
static const struct template_type admin_type = TEMPLATE_TYPE(struct pages_admin, admin_fields);

static const struct template_field admin_user_fields[] = {
    FRAME(struct pages_admin_user),
    ERROR(struct pages_admin_user),
    TEMPLATE_FIELD(struct pages_admin_user, username),
    TEMPLATE_FIELD(struct pages_admin_user, display_name),
    TEMPLATE_FIELD(struct pages_admin_user, email),
    TEMPLATE_WORDS(struct pages_admin_user, groups),
    TEMPLATE_FIELD(struct pages_admin_user, disabled),
    TEMPLATE_FIELD(struct pages_admin_user, self),
    TEMPLATE_FIELD(struct pages_admin_user, created_s),
    TEMPLATE_LIST(struct pages_admin_user, sessions, session_count, &session_type),
    TEMPLATE_ANY(struct pages_admin_user, "sessions_any", session_count),
    TEMPLATE_FIELD(struct pages_admin_user, notice),
};
static const struct template_type admin_user_type = TEMPLATE_TYPE(struct pages_admin_user, admin_user_fields);

static const struct template_field message_fields[] = {
    FRAME(struct pages_message),
    BACK(struct pages_message),
    TEMPLATE_FIELD(struct pages_message, title),
    TEMPLATE_FIELD(struct pages_message, text),
    TEMPLATE_FIELD(struct pages_message, link),
    TEMPLATE_FIELD(struct pages_message, link_expires_s),
};
static const struct template_type message_type = TEMPLATE_TYPE(struct pages_message, message_fields);

static const struct template_field error_fields[] = {
    FRAME(struct pages_error),
    BACK(struct pages_error),
    TEMPLATE_FIELD(struct pages_error, status),
    TEMPLATE_FIELD(struct pages_error, title),
    TEMPLATE_FIELD(struct pages_error, text),
    TEMPLATE_FIELD(struct pages_error, request_id),
    TEMPLATE_FIELD(struct pages_error, retry_after_s),
};
static const struct template_type error_type = TEMPLATE_TYPE(struct pages_error, error_fields);

bool pages_setup(struct bytes *out, const struct pages_setup *page)
{
    return template_render(out, &pages_template_setup, &setup_type, page);
}

bool pages_login(struct bytes *out, const struct pages_login *page)
{
    return template_render(out, &pages_template_login, &login_type, page);
}

bool pages_register(struct bytes *out, const struct pages_register *page)
{
    return template_render(out, &pages_template_register, &register_type, page);
}

bool pages_account(struct bytes *out, const struct pages_account *page)
{
    return template_render(out, &pages_template_account, &account_type, page);
}

bool pages_admin(struct bytes *out, const struct pages_admin *page)
{
    return template_render(out, &pages_template_admin, &admin_type, page);
}

bool pages_admin_user(struct bytes *out, const struct pages_admin_user *page)
{
    return template_render(out, &pages_template_admin_user, &admin_user_type, page);
}

bool pages_message(struct bytes *out, const struct pages_message *page)
{
    return template_render(out, &pages_template_message, &message_type, page);
}

struct advice {
    uint64_t status; // 0 is for any other
    struct view title;
    struct view text;
};

#define ADVICE(status, title, text)                                                                          \
    {                                                                                                        \
        status, {(const uint8_t *)title, sizeof(title) - 1},                                                 \
        {                                                                                                    \
            (const uint8_t *)text, sizeof(text) - 1                                                          \
        }                                                                                                    \
    }

static const struct advice advices[] = {
    ADVICE(400, "That request made no sense",
           "Something in it was missing or malformed. Go back and try once more."),
    ADVICE(401, "Please log in", "This page is only for people who are logged in."),
    ADVICE(403, "Not for this account",
           "Your account has no access here. If it should, ask whoever runs this service. "
           "If you came from a form, go back, reload the page and send it again."),
    ADVICE(404, "Nothing here", "There is no page at this address. Check it for a slip."),
    ADVICE(405, "Not like this", "This address exists, but it does not take that kind of request."),
    ADVICE(413, "Too large", "What was sent is larger than this page accepts. Shorten it and try again."),
    ADVICE(429, "One moment", "There were too many tries from here. Nothing is locked; just wait a little."),
    ADVICE(500, "Our mistake",
           "Something went wrong on this side. You are still logged in if you were before."),
    ADVICE(503, "Back in a moment",
           "The service is short of something right now. You are still logged in if you were before."),
    ADVICE(0, "That did not work", "Go back and try once more."),
};

static const struct advice *advice_for(uint64_t status)
{
    const struct advice *advice = advices;
    while (advice->status != status && advice->status != 0) {
        advice++;
    }
    return advice;
}

bool pages_error(struct bytes *out, const struct pages_error *page)
{
    const struct advice *advice = advice_for(page->status);
    struct pages_error filled = *page;
    if (filled.title.size == 0) {
        filled.title = advice->title;
    }
    if (filled.text.size == 0) {
        filled.text = advice->text;
    }
    return template_render(out, &pages_template_error, &error_type, &filled);
}

const struct pages_asset *pages_asset_find(struct view path)
{
    if (view_equal(path, VIEW("/favicon.ico"))) {
        path = VIEW("/assets/favicon.svg");
    }
    for (size_t i = 0; i < pages_asset_count; i++) {
        if (view_equal(pages_assets[i].path, path)) {
            return &pages_assets[i];
        }
    }
    return NULL;
}

bool pages_check(void)
{
    return template_check(&pages_template_setup, &setup_type) &&
           template_check(&pages_template_login, &login_type) &&
           template_check(&pages_template_register, &register_type) &&
           template_check(&pages_template_account, &account_type) &&
           template_check(&pages_template_admin, &admin_type) &&
           template_check(&pages_template_admin_user, &admin_user_type) &&
           template_check(&pages_template_message, &message_type) &&
           template_check(&pages_template_error, &error_type);
}
