// SPDX-License-Identifier: ISC
// The pages that people see: data in, HTML out. Used by stayd-front. No I/O, no state: everything is compiled
// in. Owns nothing: every view is borrowed for the call. Bounds: the caller's `out` (a page is at most a few
// KiB plus a few hundred bytes a row; PAGES_SIZE_MAX holds any page whose lists keep to PAGES_ROWS_MAX).
//
// Every value is escaped; callers pass plain text. Times are unix seconds, 0 for "never".
// Every function appends one whole page to `out`; false when it did not fit, and then nothing of `out` may be
// sent.
//
// The forms (all POST, application/x-www-form-urlencoded, each with form_token):
//   /login                      rd, username, password
//   /logout
//   /register                   rd, invite, username, email, password
//   /setup                      setup_token, username, email, password
//   /account/password           current, new, username (for password managers; to be ignored)
//   /account/sessions/end       id, or others=1
//   /admin/users/add            username, display_name, email, groups, password
//   /admin/users/set            username, and display_name, email, groups, or disabled=1 (0)
//   /admin/users/invite         groups, days
//   /admin/users/sessions/end   username, and id or all=1
// and the links: /login?rd=, /register?rd=, /account, /admin, /admin?q=, /admin?q=&after=, /admin?user=
//
// The Content-Security-Policy they are made for:
//   default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' (and the hosts `rd` may lead to,
//   since Chromium applies it to the redirect too); frame-ancestors 'none'; base-uri 'none'
// Referrer-Policy must not be no-referrer: browsers would then send "Origin: null" with the forms.
#ifndef PAGES_PAGES_H
#define PAGES_PAGES_H

#include "base/bytes.h"

#define PAGES_SIZE_MAX (512 * 1024)
#define PAGES_ROWS_MAX 200

// Who is looking. All empty when nobody is logged in.
struct pages_frame {
    struct view form_token;
    struct view signed_in_as; // user name
    bool administrator;       // shows the way to /admin
};

// The field an error is about: it is marked and gets the focus. More than one may be set.
enum pages_in {
    PAGES_IN_NONE = 0,
    PAGES_IN_USERNAME = 1,
    PAGES_IN_EMAIL = 2,
    PAGES_IN_PASSWORD = 4, // on the account page: the new one
    PAGES_IN_CURRENT = 8,
    PAGES_IN_INVITE = 16,
    PAGES_IN_GROUPS = 32,
    PAGES_IN_DISPLAY_NAME = 64,
};

struct pages_setup {
    struct pages_frame frame;
    struct view setup_token;
    struct view username; // as typed before
    struct view email;
    struct view error; // one sentence; empty for none
    uint32_t error_in;
};

struct pages_login {
    struct pages_frame frame;
    struct view rd;          // where to go after, already judged safe; may be empty
    struct view destination; // its host, shown as "to continue to …"; may be empty
    struct view username;
    struct view notice; // "You are logged out."; may be empty
    struct view error;
    uint32_t error_in;
    bool registration_open; // shows the link to /register
};

struct pages_register {
    struct pages_frame frame;
    struct view rd;
    struct view invite;   // from the link: carried in a hidden field
    bool invite_required; // with no invite from the link: a field to type it
    struct view username;
    struct view email;
    struct view error;
    uint32_t error_in;
};

struct pages_session {
    struct view id;      // the public id
    struct view device;  // "Firefox on Linux"; may be empty
    struct view address; // may be empty
    int64_t created_s;
    int64_t last_seen_s;
    bool current; // the one this page is asked with
};

struct pages_account {
    struct pages_frame frame;
    struct view username;
    struct view display_name;
    struct view email;
    bool email_verified;
    struct view groups; // between commas
    const struct pages_session *sessions;
    size_t session_count;
    struct view notice;
    struct view error; // about the password form
    uint32_t error_in;
};

struct pages_admin_row {
    struct view username;
    struct view display_name;
    struct view email;
    struct view groups;
    bool disabled;
    int64_t created_s;
};

struct pages_admin {
    struct pages_frame frame;
    struct view query; // what was searched for
    const struct pages_admin_row *accounts;
    size_t account_count;
    struct view after; // the cursor of the next page; empty when there is none
    struct view notice;
    struct view error; // about the form to add an account, whose values follow
    uint32_t error_in;
    struct view add_username;
    struct view add_display_name;
    struct view add_email;
    struct view add_groups;
    struct view invite_error; // about the form to invite
    struct view invite_groups;
    struct view invite_days; // as typed before; empty: 7
};

struct pages_admin_user {
    struct pages_frame frame;
    struct view username;
    struct view display_name;
    struct view email;
    struct view groups;
    bool disabled;
    bool self; // one's own account: it can't be disabled here
    int64_t created_s;
    const struct pages_session *sessions;
    size_t session_count;
    struct view notice;
    struct view error;
    uint32_t error_in;
};

// Where the button of a message leads.
enum pages_back {
    PAGES_BACK_NONE = 0,
    PAGES_BACK_LOGIN = 1,
    PAGES_BACK_ACCOUNT = 2,
    PAGES_BACK_ADMIN = 4,
};

struct pages_message {
    struct pages_frame frame;
    struct view title;
    struct view text;
    struct view link; // an address to copy, such as that of an invitation; shown as text, may be empty
    int64_t link_expires_s;
    uint32_t back; // one of enum pages_back
};

struct pages_error {
    struct pages_frame frame;
    uint64_t status;        // 400, 401, 403, 404, 405, 413, 429, 500, 503, or any other
    struct view title;      // empty: that of the status
    struct view text;       // what to do; empty: that of the status
    struct view request_id; // may be empty
    uint64_t retry_after_s; // 0 for none
    uint32_t back;
};

[[nodiscard]] bool pages_setup(struct bytes *out, const struct pages_setup *page);
[[nodiscard]] bool pages_login(struct bytes *out, const struct pages_login *page);
[[nodiscard]] bool pages_register(struct bytes *out, const struct pages_register *page);
[[nodiscard]] bool pages_account(struct bytes *out, const struct pages_account *page);
[[nodiscard]] bool pages_admin(struct bytes *out, const struct pages_admin *page);
[[nodiscard]] bool pages_admin_user(struct bytes *out, const struct pages_admin_user *page);
[[nodiscard]] bool pages_message(struct bytes *out, const struct pages_message *page);
[[nodiscard]] bool pages_error(struct bytes *out, const struct pages_error *page);

// A file that the pages refer to. Pages ask for path?v=hash, which may be cached for ever; without or with
// another v it may not.
struct pages_asset {
    struct view path; // "/assets/stayd.css"
    struct view content_type;
    struct view hash; // 16 hexadecimal digits, of the content
    struct view body;
};

// NULL when there is none. `path` is without the query. /favicon.ico finds the SVG icon.
const struct pages_asset *pages_asset_find(struct view path);

// A short text for a session list out of a User-Agent header: "Firefox on Linux"; "Unknown device" when
// nothing is recognised. The view is of constants or of the caller's `room`.
#define PAGES_DEVICE_SIZE_MAX 64
struct view pages_device(struct view user_agent, char room[PAGES_DEVICE_SIZE_MAX]);

#endif
