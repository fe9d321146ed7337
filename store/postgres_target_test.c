// SPDX-License-Identifier: ISC
// postgres:// URLs taken apart, and failures sorted by their codes.
#include "store/postgres_failure.h"
#include "store/postgres_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void several_hosts_and_what_libpq_knows(void **state)
{
    (void)state;
    struct postgres_target target;
    char why[TARGET_WHY_MAX] = "";
    assert_true(postgres_target_init(
        &target,
        VIEW("postgres://stayd@db1,db2:6432/logins?sslmode=verify-full&pooler=transaction&connect_timeout=3"),
        VIEW("secret"), why));
    assert_int_equal(target.hosts, 2);
    assert_string_equal(target.host[0].name, "db1");
    assert_string_equal(target.host[0].port, "5432");
    assert_string_equal(target.host[1].name, "db2");
    assert_string_equal(target.host[1].port, "6432");
    assert_true(target.pooler);
    assert_string_equal(postgres_target_get(&target, "user"), "stayd");
    assert_string_equal(postgres_target_get(&target, "dbname"), "logins");
    assert_string_equal(postgres_target_get(&target, "sslmode"), "verify-full");
    assert_string_equal(postgres_target_get(&target, "connect_timeout"), "3");
    assert_string_equal(postgres_target_get(&target, "password"), "secret");
    assert_null(postgres_target_get(&target, "pooler"));
    postgres_target_unset(&target, "password");
    assert_null(postgres_target_get(&target, "password"));
    postgres_target_release(&target);
}

static void a_socket_and_an_address(void **state)
{
    (void)state;
    struct postgres_target target;
    char why[TARGET_WHY_MAX] = "";
    assert_true(
        postgres_target_init(&target, VIEW("postgresql:///logins?host=/run/postgresql"), VIEW(""), why));
    assert_string_equal(target.host[0].name, "/run/postgresql");
    postgres_target_release(&target);
    assert_true(postgres_target_init(&target, VIEW("postgres://u@[2001:db8::1]:5433/d"), VIEW(""), why));
    assert_string_equal(target.host[0].name, "2001:db8::1");
    assert_string_equal(target.host[0].port, "5433");
    postgres_target_release(&target);
}

static void what_is_wrong_is_said_without_the_secret(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "postgres://u:hunter2@db/d?nonsense=1",
        "postgres://u:hunter2@[db/d",
        "postgres://u@db/d?pooler=statement",
        "postgres://u@db/d?target_session_attrs=standby",
        "postgres:///d",
        "postgres://u@a,b,c,d,e,f,g,h,i/d",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct postgres_target target;
        char why[TARGET_WHY_MAX] = "";
        assert_false(postgres_target_init(&target, view_of_cstr(wrong[i]), VIEW(""), why));
        assert_true(why[0] != '\0');
        assert_null(strstr(why, "hunter2"));
    }
}

static void failures_are_sorted_by_what_is_to_be_done(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum postgres_failure failure;
    } codes[] = {
        {"40P01", POSTGRES_FAILED_RACE},   {"57014", POSTGRES_FAILED_LATE},
        {"25006", POSTGRES_FAILED_MOVED},  {"53300", POSTGRES_FAILED_CROWDED},
        {"53100", POSTGRES_FAILED_SPACE},  {"53200", POSTGRES_FAILED_MEMORY},
        {"57P01", POSTGRES_FAILED_LOST},   {"42501", POSTGRES_FAILED_RIGHTS},
        {"42P01", POSTGRES_FAILED_SCHEMA}, {"42703", POSTGRES_FAILED_SCHEMA},
        {"26000", POSTGRES_FAILED_POOLER}, {"28P01", POSTGRES_FAILED_PASSWORD},
        {"22003", POSTGRES_FAILED_VALUE},  {"", POSTGRES_FAILED_LOST},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_int_equal(postgres_failure_of(codes[i].sqlstate), codes[i].failure);
    }
    assert_int_equal(
        postgres_failure_of_connect("connection to server at \"::1\", port 5432 failed: FATAL:  28P01: "
                                    "password authentication failed for user \"stayd\""),
        POSTGRES_FAILED_PASSWORD);
    assert_int_equal(
        postgres_failure_of_connect("connection to server failed: FATAL:  53300: sorry, too many clients"),
        POSTGRES_FAILED_CROWDED);
    assert_int_equal(postgres_failure_of_connect("connection to server failed: session is read-only"),
                     POSTGRES_FAILED_MOVED);
    assert_int_equal(postgres_failure_of_connect("FATAL:  08P01: unsupported startup parameter: options"),
                     POSTGRES_FAILED_POOLER);
    assert_int_equal(postgres_failure_of_connect("root certificate file \"x\" does not exist"),
                     POSTGRES_FAILED_TLS);
    assert_int_equal(postgres_failure_of_connect("connection to server at \"127.0.0.1\", port 54321 failed: "
                                                 "Connection refused"),
                     POSTGRES_FAILED_LOST);
    assert_int_equal(postgres_failure_outcome(POSTGRES_FAILED_SPACE), WIRE_STORE_NO_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_hosts_and_what_libpq_knows),
        cmocka_unit_test(a_socket_and_an_address),
        cmocka_unit_test(what_is_wrong_is_said_without_the_secret),
        cmocka_unit_test(failures_are_sorted_by_what_is_to_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
