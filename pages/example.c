// SPDX-License-Identifier: ISC
// Example data for every page. Used by tests and the preview only.
#include "pages/example.h"

#define NOW_S 1795214700 // 2026-11-20 22:45 UTC

static const struct pages_frame frame_out = {.form_token = {(const uint8_t *)"2Zb0Tq", 6}};
static const struct pages_frame frame_in = {
    .form_token = {(const uint8_t *)"2Zb0Tq", 6},
    .signed_in_as = {(const uint8_t *)"ada", 3},
    .administrator = true,
};

static bool setup(struct bytes *out)
{
    return pages_setup(out, &(struct pages_setup){.frame = frame_out, .setup_token = VIEW("x7Kc")});
}

static bool login(struct bytes *out)
{
    return pages_login(out, &(struct pages_login){
                                .frame = frame_out,
                                .rd = VIEW("https://wiki.example.com/start?a=1&b=2"),
                                .destination = VIEW("wiki.example.com"),
                                .registration_open = true,
                            });
}

static bool login_error(struct bytes *out)
{
    return pages_login(out, &(struct pages_login){
                                .frame = frame_out,
                                .username = VIEW("ada"),
                                .error = VIEW("That user name and password don't go together. Try again."),
                                .error_in = PAGES_IN_PASSWORD,
                            });
}

static bool login_notice(struct bytes *out)
{
    return pages_login(out, &(struct pages_login){.frame = frame_out, .notice = VIEW("You are logged out.")});
}

static bool register_open(struct bytes *out)
{
    return pages_register(out, &(struct pages_register){.frame = frame_out, .rd = VIEW("/account")});
}

static bool register_error(struct bytes *out)
{
    return pages_register(out, &(struct pages_register){
                                   .frame = frame_out,
                                   .invite_required = true,
                                   .invite = VIEW("Q2mX-81pd"),
                                   .username = VIEW("grace"),
                                   .email = VIEW("grace@example.com"),
                                   .error = VIEW("This password is among the most common ones. "
                                                 "Four unrelated words make a good one."),
                                   .error_in = PAGES_IN_PASSWORD,
                               });
}

#define SESSION(id_, device_, address_, created, seen, current_)                                             \
    {                                                                                                        \
        .id = {(const uint8_t *)id_, sizeof(id_) - 1},                                                       \
        .device = {(const uint8_t *)device_, sizeof(device_) - 1},                                           \
        .address = {(const uint8_t *)address_, sizeof(address_) - 1}, .created_s = NOW_S - created,          \
        .last_seen_s = NOW_S - seen, .current = current_                                                     \
    }

static const struct pages_session sessions[] = {
    SESSION("s1", "Firefox on Linux", "192.0.2.17", 7200, 30, true),
    SESSION("s2", "Safari on iPhone", "2001:db8:4f:1::c0de", 500000, 4000, false),
    SESSION("s3", "Chrome on Windows", "198.51.100.4", 900000, 86400, false),
};

static struct pages_account account_of(void)
{
    return (struct pages_account){
        .frame = frame_in,
        .username = VIEW("ada"),
        .display_name = VIEW("Ada Lovelace"),
        .email = VIEW("ada@example.com"),
        .email_verified = true,
        .groups = VIEW("admins,staff"),
        .sessions = sessions,
        .session_count = 3,
    };
}

static bool account(struct bytes *out)
{
    struct pages_account page = account_of();
    return pages_account(out, &page);
}

static bool account_error(struct bytes *out)
{
    struct pages_account page = account_of();
    page.frame.administrator = false;
    page.session_count = 1;
    page.display_name = page.groups = VIEW("");
    page.email_verified = false;
    page.notice = VIEW("The session has ended.");
    page.error = VIEW("That is not your current password.");
    page.error_in = PAGES_IN_CURRENT;
    return pages_account(out, &page);
}

#define ROW(username_, name_, groups_, disabled_, days)                                                      \
    {                                                                                                        \
        .username = {(const uint8_t *)username_, sizeof(username_) - 1},                                     \
        .display_name = {(const uint8_t *)name_, sizeof(name_) - 1},                                         \
        .email = {(const uint8_t *)username_ "@example.com", sizeof(username_ "@example.com") - 1},          \
        .groups = {(const uint8_t *)groups_, sizeof(groups_) - 1}, .disabled = disabled_,                    \
        .created_s = NOW_S - days * 86400                                                                    \
    }

static const struct pages_admin_row rows[] = {
    ROW("ada", "Ada Lovelace", "admins,staff", false, 300),
    ROW("dorothy", "Dorothy Vaughan", "staff", false, 221),
    ROW("grace", "Grace Hopper", "staff,compilers,on-call", false, 180),
    ROW("katherine.johnson-and-a-long-name", "", "", true, 90),
    ROW("mary", "Mary Jackson", "staff", false, 4),
};

static bool admin(struct bytes *out)
{
    return pages_admin(out, &(struct pages_admin){
                                .frame = frame_in,
                                .accounts = rows,
                                .account_count = sizeof(rows) / sizeof(rows[0]),
                                .after = VIEW("mary"),
                            });
}

static bool admin_error(struct bytes *out)
{
    return pages_admin(out, &(struct pages_admin){
                                .frame = frame_in,
                                .query = VIEW("nobody & co"),
                                .error = VIEW("There is an account with this user name already."),
                                .error_in = PAGES_IN_USERNAME,
                                .add_username = VIEW("ada"),
                                .add_email = VIEW("ada@example.org"),
                                .add_groups = VIEW("staff, on-call"),
                            });
}

static bool admin_user(struct bytes *out)
{
    return pages_admin_user(out, &(struct pages_admin_user){
                                     .frame = frame_in,
                                     .username = VIEW("grace"),
                                     .display_name = VIEW("Grace Hopper"),
                                     .email = VIEW("grace@example.com"),
                                     .groups = VIEW("staff,compilers"),
                                     .created_s = NOW_S - 180 * 86400,
                                     .sessions = sessions + 1,
                                     .session_count = 2,
                                     .notice = VIEW("Saved."),
                                 });
}

static bool admin_user_disabled(struct bytes *out)
{
    return pages_admin_user(
        out, &(struct pages_admin_user){
                 .frame = frame_in,
                 .username = VIEW("mary"),
                 .disabled = true,
                 .created_s = NOW_S,
                 .error = VIEW("A group name has letters, digits, dot, hyphen and underscore."),
                 .error_in = PAGES_IN_GROUPS,
                 .groups = VIEW("st aff"),
             });
}

static bool admin_user_self(struct bytes *out)
{
    return pages_admin_user(
        out, &(struct pages_admin_user){
                 .frame = frame_in, .username = VIEW("ada"), .self = true, .created_s = NOW_S});
}

static bool message_invited(struct bytes *out)
{
    return pages_message(
        out, &(struct pages_message){
                 .frame = frame_in,
                 .title = VIEW("Invitation made"),
                 .text = VIEW("Copy this link now and send it to the person: it is not shown again."),
                 .link = VIEW("https://auth.example.com/register?invite=mC0V6w5y0Jr2vQd8aXb1TzKkq3uNf7hP"),
                 .link_expires_s = NOW_S + 7 * 86400,
                 .back = PAGES_BACK_ADMIN,
             });
}

static bool message_password(struct bytes *out)
{
    return pages_message(out, &(struct pages_message){
                                  .frame = frame_in,
                                  .title = VIEW("Password changed"),
                                  .text = VIEW("Your other sessions have ended. This one goes on."),
                                  .back = PAGES_BACK_ACCOUNT,
                              });
}

static bool error_of(struct bytes *out, uint64_t status, uint64_t retry_after_s, uint32_t back)
{
    return pages_error(out, &(struct pages_error){
                                .frame = frame_out,
                                .status = status,
                                .request_id = VIEW("b7d0c1e2-54"),
                                .retry_after_s = retry_after_s,
                                .back = back,
                            });
}

#define ERROR_EXAMPLE(status, retry_after_s, back)                                                           \
    static bool error_##status(struct bytes *out)                                                            \
    {                                                                                                        \
        return error_of(out, status, retry_after_s, back);                                                   \
    }
ERROR_EXAMPLE(400, 0, PAGES_BACK_NONE)
ERROR_EXAMPLE(401, 0, PAGES_BACK_LOGIN)
ERROR_EXAMPLE(403, 0, PAGES_BACK_ACCOUNT)
ERROR_EXAMPLE(404, 0, PAGES_BACK_ACCOUNT)
ERROR_EXAMPLE(405, 0, PAGES_BACK_NONE)
ERROR_EXAMPLE(413, 0, PAGES_BACK_NONE)
ERROR_EXAMPLE(418, 0, PAGES_BACK_NONE)
ERROR_EXAMPLE(429, 30, PAGES_BACK_LOGIN)
ERROR_EXAMPLE(500, 0, PAGES_BACK_NONE)
ERROR_EXAMPLE(503, 5, PAGES_BACK_NONE)

const struct example examples[] = {
    {"setup", setup},
    {"login", login},
    {"login_error", login_error},
    {"login_notice", login_notice},
    {"register", register_open},
    {"register_error", register_error},
    {"account", account},
    {"account_error", account_error},
    {"admin", admin},
    {"admin_error", admin_error},
    {"admin_user", admin_user},
    {"admin_user_disabled", admin_user_disabled},
    {"admin_user_self", admin_user_self},
    {"message_invited", message_invited},
    {"message_password", message_password},
    {"error_400", error_400},
    {"error_401", error_401},
    {"error_403", error_403},
    {"error_404", error_404},
    {"error_405", error_405},
    {"error_413", error_413},
    {"error_418", error_418},
    {"error_429", error_429},
    {"error_500", error_500},
    {"error_503", error_503},
};
const size_t example_count = sizeof(examples) / sizeof(examples[0]);

static bool render_small(struct bytes *out, const struct pages_frame *frame, struct view v, uint32_t bits)
{
    bool flag = (bits & 1) != 0;
    struct pages_setup set_up = {*frame, v, v, v, v, bits};
    struct pages_login log_in = {*frame, v, v, v, v, v, bits, flag};
    struct pages_register sign_up = {*frame, v, v, flag, v, v, v, bits};
    struct pages_message message = {*frame, v, v, v, bits, bits};
    struct pages_error error = {*frame, bits, v, v, v, bits, bits};
    return pages_setup(out, &set_up) && pages_login(out, &log_in) && pages_register(out, &sign_up) &&
           pages_message(out, &message) && pages_error(out, &error);
}

bool example_render_all(struct bytes *out, struct view v, uint32_t bits)
{
    bool flag = (bits & 1) != 0;
    struct pages_frame frame = {v, v, flag};
    struct pages_session session = {v, v, v, bits, bits, flag};
    struct pages_admin_row row = {v, v, v, v, flag, bits};
    struct pages_account mine = {frame, v, v, v, flag, v, &session, 1, v, v, bits};
    struct pages_admin all = {frame, v, &row, 1, v, v, v, bits, v, v, v, v, v, v, v};
    struct pages_admin_user one = {frame, v, v, v, v, flag, flag, bits, &session, 1, v, v, bits};
    return render_small(out, &frame, v, bits) && pages_account(out, &mine) && pages_admin(out, &all) &&
           pages_admin_user(out, &one);
}
