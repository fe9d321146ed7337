// SPDX-License-Identifier: ISC
// The JSON that scripts rely on, and the JSON that `user import` takes.
#include "cli/show.h"

#include "cli/account_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void is_json(json_t *object, const char *expected)
{
    char *text = json_dumps(object, JSON_COMPACT);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(object);
}

static const struct wire_account_public alice = {.name = VIEW("alice"),
                                                 .display_name = VIEW("Alice Arnold"),
                                                 .email = VIEW("alice@example.org"),
                                                 .groups = VIEW("staff,admins"),
                                                 .flags = WIRE_ACCOUNT_EMAIL_VERIFIED,
                                                 .has_password = 1,
                                                 .created = 1795215600};

static void an_account_has_this_shape(void **unused)
{
    (void)unused;
    is_json(
        show_account_json(&alice),
        "{\"name\":\"alice\",\"display_name\":\"Alice Arnold\",\"email\":\"alice@example.org\","
        "\"email_verified\":true,\"groups\":[\"staff\",\"admins\"],\"disabled\":false,\"has_password\":true,"
        "\"created_at\":\"2026-11-20T23:00:00Z\",\"last_login_at\":null}");
    struct wire_account_public broken = {.name = VIEW("a\xff"), .flags = WIRE_ACCOUNT_DISABLED_FLAG};
    is_json(show_account_json(&broken),
            "{\"name\":null,\"display_name\":\"\",\"email\":\"\",\"email_verified\":false,\"groups\":[],"
            "\"disabled\":true,\"has_password\":false,\"created_at\":null,\"last_login_at\":null}");
}

static void a_session_has_this_shape(void **unused)
{
    struct wire_session_public session = {.created = 1795215600,
                                          .last_seen = 1795215601,
                                          .expires = 1795215602,
                                          .expires_max = 1795215603,
                                          .agent = VIEW("Firefox")};
    (void)unused;
    memset(session.public_id.byte, 0xab, 16);
    memcpy(session.address.byte, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x07", 16);
    is_json(show_session_json(&session),
            "{\"id\":\"q6urq6urq6urq6urq6urqw\",\"created_at\":\"2026-11-20T23:00:00Z\","
            "\"last_seen_at\":\"2026-11-20T23:00:01Z\",\"expires_at\":\"2026-11-20T23:00:02Z\","
            "\"expires_max_at\":\"2026-11-20T23:00:03Z\",\"address\":\"203.0.113.7\",\"agent\":\"Firefox\"}");
}

static void an_event_has_this_shape(void **unused)
{
    (void)unused;
    is_json(show_audit_json(&(struct wire_audit_row){.id = 7,
                                                     .time = 1795215600,
                                                     .trace = 0xbeef,
                                                     .event = VIEW("login"),
                                                     .username = VIEW("alice"),
                                                     .outcome = VIEW("granted")}),
            "{\"id\":7,\"at\":\"2026-11-20T23:00:00Z\",\"event\":\"login\",\"user\":\"alice\",\"actor\":\"\","
            "\"outcome\":\"granted\",\"source\":null,\"detail\":\"\",\"request_id\":\"000000000000beef\"}");
}

static const char *listed(bool json, unsigned accounts, size_t most)
{
    static char out[4096];
    struct listing listing;
    struct bytes rows;
    FILE *file = fmemopen(out, sizeof(out), "w");
    assert_non_null(file);
    bytes_init(&rows, 4096);
    for (unsigned i = 0; i < accounts; i++) {
        assert_true(wire_account_public_append(&rows, &alice));
    }
    listing_begin(&listing, SHOW_ACCOUNTS, json, file);
    assert_int_equal(listing_rows(&listing, bytes_view(&rows), most), accounts < most ? accounts : most);
    assert_false(listing.broken);
    listing_end(&listing, "Nobody.");
    assert_int_equal(fclose(file), 0);
    bytes_release(&rows);
    return out;
}

static void a_list_is_one_array(void **unused)
{
    json_error_t error;
    (void)unused;
    for (unsigned i = 0; i < 4; i++) {
        json_t *list = json_loads(listed(true, i, SIZE_MAX), 0, &error);
        assert_true(json_is_array(list));
        assert_int_equal(json_array_size(list), i);
        json_decref(list);
    }
    json_t *cut = json_loads(listed(true, 3, 2), 0, &error);
    assert_int_equal(json_array_size(cut), 2);
    json_decref(cut);
    assert_string_equal(listed(false, 0, SIZE_MAX), "Nobody.\n");
    assert_non_null(
        strstr(listed(false, 1, SIZE_MAX), "\nalice  Alice Arnold  alice@example.org  staff,admins  active"));
}

static void foreign_records_are_noticed(void **unused)
{
    struct listing listing;
    struct bytes rows;
    (void)unused;
    bytes_init(&rows, 4096);
    assert_true(wire_account_public_append(&rows, &alice));
    assert_true(wire_status_row_append(&rows, &(struct wire_status_row){.name = VIEW("x")}));
    FILE *file = fopen("/dev/null", "we");
    assert_non_null(file);
    listing_begin(&listing, SHOW_ACCOUNTS, true, file);
    assert_int_equal(listing_rows(&listing, bytes_view(&rows), SIZE_MAX), 1);
    assert_true(listing.broken);
    listing_end(&listing, "");
    fclose(file);
    bytes_release(&rows);
}

static void what_export_writes_import_reads(void **unused)
{
    struct account_json account;
    (void)unused;
    json_t *object = show_account_json(&alice);
    char *text = json_dumps(object, JSON_COMPACT);
    assert_true(account_json_read(&account, view_of_cstr(text)));
    assert_true(view_equal(account.name, alice.name));
    assert_true(view_equal(account.display_name, alice.display_name));
    assert_true(view_equal(account.email, alice.email));
    assert_string_equal(account.groups, "staff,admins");
    assert_false(account.disabled);
    account_json_release(&account);
    free(text);
    json_decref(object);
}

static void import_refuses_what_it_does_not_know(void **unused)
{
    (void)unused;
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        {"{\"email\":\"a@b\"}", "There is no name."},
        {"{\"name\":\"\"}", "There is no name."},
        {"[]", "Not a JSON object: something else."},
        {"{\"name\":7}", "name is not a text."},
        {"{\"name\":\"a\",\"groups\":\"x\"}", "groups is not a list."},
        {"{\"name\":\"a\",\"groups\":[\"x,y\"]}", "groups holds what is not a name."},
        {"{\"name\":\"a\",\"groups\":[7]}", "groups holds what is not a name."},
        {"{\"name\":\"a\",\"disabled\":\"no\"}", "disabled is neither true nor false."},
        {"{\"name\":\"a\",\"role\":\"x\"}", "role is not a field of an account."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct account_json account;
        assert_false(account_json_read(&account, view_of_cstr(rows[i].line)));
        assert_string_equal(account.problem, rows[i].said);
        account_json_release(&account);
    }
    static const char *const broken[] = {"", "{", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":\"\xff\"}",
                                         "{\"name\":\"a\\u0000b\"}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct account_json account;
        assert_false(account_json_read(&account, view_of_cstr(broken[i])));
        account_json_release(&account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_has_this_shape),
        cmocka_unit_test(a_session_has_this_shape),
        cmocka_unit_test(an_event_has_this_shape),
        cmocka_unit_test(a_list_is_one_array),
        cmocka_unit_test(foreign_records_are_noticed),
        cmocka_unit_test(what_export_writes_import_reads),
        cmocka_unit_test(import_refuses_what_it_does_not_know),
    };
    text_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
