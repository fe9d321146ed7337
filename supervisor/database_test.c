// SPDX-License-Identifier: ISC
#include "supervisor/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct database database;
static char why[DATABASE_WHY_SIZE];

static void fine(const char *text, const char *url)
{
    if (!database_parse(&database, view_of_cstr(text), why)) {
        print_error("%s: %s\n", text, why);
        fail();
    }
    assert_string_equal(database.url, url);
}

static void bad(const char *text, const char *expected)
{
    if (database_parse(&database, view_of_cstr(text), why) || strstr(why, expected) == NULL) {
        print_error("%s: %s\n", text, why);
        fail();
    }
}

static void what_libpq_takes(void **state)
{
    (void)state;
    fine("sqlite", "sqlite");
    assert_false(database.postgres);
    fine("postgres://stayd@db.example.org/stayd", "postgres://stayd@db.example.org/stayd");
    assert_true(database.postgres && database.away && !database.verified && database.password[0] == '\0');
    fine("postgresql://stayd@127.0.0.1:5433/stayd?sslmode=disable",
         "postgresql://stayd@127.0.0.1:5433/stayd?sslmode=disable");
    assert_true(!database.away && database.clear);
    fine("postgres://stayd@[::1]:5433/stayd", "postgres://stayd@[::1]:5433/stayd");
    assert_false(database.away);
    fine("postgres://stayd@a,b:5433,[fe80::1]/stayd?target_session_attrs=read-write",
         "postgres://stayd@a,b:5433,[fe80::1]/stayd?target_session_attrs=read-write");
    fine("postgres://stayd@%2Frun%2Fpostgresql/stayd", "postgres://stayd@%2Frun%2Fpostgresql/stayd");
    assert_false(database.away);
    fine("postgres:///stayd?host=/run/postgresql&user=stayd",
         "postgres:///stayd?host=/run/postgresql&user=stayd");
    assert_false(database.away);
    fine("postgres://stayd@db/stayd?sslmode=verify-full&sslrootcert=/etc/ssl/my%20ca.pem",
         "postgres://stayd@db/stayd?sslmode=verify-full&sslrootcert=/etc/ssl/my%20ca.pem");
    assert_true(database.verified);
    assert_string_equal(database.ca, "/etc/ssl/my ca.pem");
    fine("postgres://stayd@db/stayd?pooler=transaction", "postgres://stayd@db/stayd?pooler=transaction");
    assert_int_equal(database.pooler, DATABASE_POOLER_TRANSACTION);
}

static void a_password_is_taken_out(void **state)
{
    (void)state;
    fine("postgres://stayd:pa%3Ass%20@db/stayd", "postgres://stayd@db/stayd");
    assert_string_equal(database.password, "pa:ss ");
    fine("postgres://stayd@db/stayd?password=secret&connect_timeout=3",
         "postgres://stayd@db/stayd?connect_timeout=3");
    assert_string_equal(database.password, "secret");
    fine("postgres://stayd@db/stayd?password=secret", "postgres://stayd@db/stayd");
    bad("postgres://stayd:a@db/stayd?password=b", "holds a password twice");
}

// Wherever the mistake is, the message says none of the password.
static void no_message_says_a_password(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "postgres://stayd:s3cr3t/x@db/stayd",
        "postgres://stayd:s3cr3t?x@db/stayd",
        "postgres://stayd:s3cr3t@db:port/stayd",
        "postgres://stayd:s3cr3t@db/stayd?nonsense=1",
        "postgres://stayd:s3cr3t%@db/stayd",
        "postgres://stayd:s3cr3t%00@db/stayd",
        "postgres://stayd:s3cr3t@/stayd",
        "postgres://:s3cr3t@db/stayd",
        "postgres://stayd:s3cr3t@db/",
        "mysql://stayd:s3cr3t@db/stayd",
        "postgres:stayd:s3cr3t@db",
        "postgres://stayd:s3cr3t",
        "postgres://stayd@db/stayd?password=s3cr3t%",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(database_parse(&database, view_of_cstr(texts[i]), why));
        assert_true(why[0] != '\0');
        assert_null(strstr(why, "s3cr"));
    }
}

static void mistakes_say_what_to_do(void **state)
{
    (void)state;
    bad("mysql://x@y/z", "must be sqlite or a URL: postgres://USER@HOST/NAME");
    bad("postgres://db/stayd", "names no user");
    bad("postgres://stayd@db", "names no database");
    bad("postgres://stayd@/stayd", "names no host");
    bad("postgres://stayd@db:0/stayd", "bad port");
    bad("postgres://stayd@db:/stayd", "bad port");
    bad("postgres://stayd@a,,b/stayd", "empty host");
    bad("postgres://stayd@[::g]/stayd", "no IPv6 address");
    bad("postgres://stayd@d_b!/stayd", "bad host name \"d_b!\"");
    bad("postgres://stayd@a,b,c,d,e,f,g,h,i/stayd", "more than 8 hosts");
    bad("postgres://stayd@%40abstract/stayd", "abstract socket");
    bad("postgres://stayd@db/stayd?sslmod=require", "did you mean \"sslmode\"?");
    bad("postgres://stayd@db/stayd?sslmode=on", "it may be one of: disable allow prefer");
    bad("postgres://stayd@db/stayd?sslmode", "without a value");
    bad("postgres://stayd@db/stayd?target_session_attrs=standby", "any read-write primary");
    bad("postgres://stayd@db/stayd?passfile=/x", "use database_password_file");
    bad("postgres://stayd@db/stayd?service=x", "write out what the service stands for");
    bad("postgres://stayd@db/stayd?sslrootcert=ca.pem", "no absolute path");
    bad("postgres://stayd@db/stayd?sslcert=/a", "both are needed");
    bad("postgres://stayd@db/stayd?host=other", "names hosts before the ? and after it");
    bad("postgres://stayd@db/st ayd", "percent-encoded");
}

static void parameters_are_added(void **state)
{
    (void)state;
    fine("postgres://stayd@db/stayd", "postgres://stayd@db/stayd");
    assert_true(database_parameter(&database, "sslrootcert", "/etc/a b&c"));
    assert_true(database_parameter(&database, "sslmode", "verify-full"));
    assert_string_equal(database.url,
                        "postgres://stayd@db/stayd?sslrootcert=/etc/a%20b%26c&sslmode=verify-full");
    char text[DATABASE_URL_SIZE];
    snprintf(text, sizeof text, "%s", database.url);
    fine(text, text);
    assert_string_equal(database.ca, "/etc/a b&c");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(database_parameter(&database, "application_name", text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libpq_takes),           cmocka_unit_test(a_password_is_taken_out),
        cmocka_unit_test(no_message_says_a_password), cmocka_unit_test(mistakes_say_what_to_do),
        cmocka_unit_test(parameters_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
