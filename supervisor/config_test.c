// SPDX-License-Identifier: ISC
#include "supervisor/config.h"

#include "supervisor/config_keys.h"
#include "supervisor/config_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config config;
static struct config_report report;

static bool parse(const char *text)
{
    return config_parse(&config, view_of_cstr(text), "/etc/stayd/stayd.conf", &report);
}

// The report as printed, for comparison.
static const char *printed(void)
{
    static char text[16384];
    text[0] = '\0';
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    config_report_print(&report, "stayd.conf", out);
    fclose(out);
    return text;
}

static void one_error(const char *text, const char *expected)
{
    char line[512];
    snprintf(line, sizeof line, "stayd.conf:%s\n", expected);
    assert_false(parse(text));
    assert_string_equal(printed(), line);
}

static void empty_is_fine(void **state)
{
    (void)state;
    assert_true(parse(""));
    assert_int_equal(report.problems, 0);
    assert_string_equal(config.public_url, "http://127.0.0.1:8080");
    assert_string_equal(config.data_dir, "/var/lib/stayd");
    assert_int_equal(config.listens, 1);
    assert_int_equal(config.listen[0].port, 8080);
    assert_int_equal(config.ops_listen.port, 9480);
    assert_int_equal(config.password_memory_kib, 19 * 1024);
    assert_int_equal(config.password_time, 2);
    assert_int_equal(config.registration, WIRE_REGISTRATION_INVITE);
}

static void everything_is_read(void **state)
{
    (void)state;
    assert_true(parse("# a comment\n"
                      "public_url = https://Login.Example.org/\n"
                      "listen = 0.0.0.0:443\r\n"
                      "listen = [::1]:8443   # v6\n"
                      "listen = unix:/run/stayd/front.sock\n"
                      "tls_certificate = tls/cert.pem\n"
                      "tls_key = /etc/ssl/key.pem\n"
                      "ops_listen = off\n"
                      "data_dir = ../data/\n"
                      "database = \"postgres://stayd@db.example.org/stayd\"\n"
                      "database_password_file = \"pass#word file\"\n"
                      "fronts = 4\n"
                      "registration = closed\n"
                      "session_idle = 12h\n"
                      "session_max = 30d\n"
                      "cookie_domain = example.org\n"
                      "rd_hosts = a.example.org, *.example.net\n"
                      "trusted_proxies = 127.0.0.1 ::1, 10.0.0.0/8\n"
                      "trusted_proxies = unix\n"
                      "client_address_header = X-Real-IP\n"
                      "password_memory = 64MiB\n"
                      "password_time = 3\n"
                      "hash_workers = auto\n"
                      "breached_passwords = lists/one\n"
                      "breached_passwords = /two\n"
                      "connections_max = 100\n"
                      "connections_per_source_max = 10\n"
                      "header_timeout = 500ms\n"
                      "body_timeout = 5s\n"
                      "idle_timeout = 1m\n"
                      "drain_timeout = 0s\n"
                      "sessions_max = 1000000\n"
                      "log_level = debug\n"
                      "log_format = json\n"
                      "[rule]\n"
                      "host = app.example.org\n"
                      "path = /admin\n"
                      "method = GET,HEAD\n"
                      "group = admins\n"
                      "allow = yes\n"
                      "\n"
                      "[rule]\n"
                      "deny\n"));
    assert_non_null(strstr(printed(), "warning: database is on another machine"));
    assert_string_equal(config.public_url, "https://login.example.org");
    assert_int_equal(config.listens, 3);
    assert_true(config.listen[1].v6);
    assert_string_equal(config.listen[2].path, "/run/stayd/front.sock");
    assert_string_equal(config.tls_certificate, "/etc/stayd/tls/cert.pem");
    assert_string_equal(config.tls_key, "/etc/ssl/key.pem");
    assert_int_equal(config.ops_listen.kind, CONFIG_LISTEN_NONE);
    assert_string_equal(config.data_dir, "/etc/stayd/../data");
    assert_string_equal(config.database_password_file, "/etc/stayd/pass#word file");
    assert_int_equal(config.session_idle_s, 12 * 3600);
    assert_string_equal(config.rd_hosts, "a.example.org,*.example.net");
    assert_string_equal(config.trusted_proxies, "127.0.0.1,::1,10.0.0.0/8,unix");
    assert_int_equal(config.password_memory_kib, 64 * 1024);
    assert_int_equal(config.password_lists, 2);
    assert_string_equal(config.breached_passwords[0], "/etc/stayd/lists/one");
    assert_int_equal(config.header_timeout_ms, 500);
    assert_int_equal(config.idle_timeout_ms, 60000);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_int_equal(config.rules, 2);
    assert_string_equal(config.rule[0].method, "GET,HEAD");
    assert_true(config.rule[0].allow && !config.rule[0].deny);
    assert_true(config.rule[1].deny);
}

static void names_are_joined(void **state)
{
    (void)state;
    assert_true(parse("ops_hosts = stayd, a.example.net\nops_hosts = *.monitoring.example.net\n"));
    assert_string_equal(config.ops_hosts, "stayd,a.example.net,*.monitoring.example.net");
    one_error("ops_hosts = http://stayd\n",
              "1: error: ops_hosts must be host names joined by commas, not \"http://stayd\"");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    one_error("\npublic_ulr = http://a\n",
              "2: error: unknown key \"public_ulr\"; did you mean \"public_url\"?");
    one_error("colour = blue\n", "1: error: unknown key \"colour\"");
    one_error("[rule]\nallow\nhsot = a\n",
              "3: error: unknown key \"hsot\" in [rule]; did you mean \"host\"?");
    one_error("[rules]\nhost = a\n", "1: error: unknown section [rules]; the only one is [rule]");
}

static void bad_values_say_why(void **state)
{
    (void)state;
    one_error("fronts = many", "1: error: fronts must be a whole number, not \"many\"");
    one_error("fronts = 0", "1: error: fronts is out of range, not \"0\"");
    one_error("session_idle = 30",
              "1: error: session_idle must be a time like 500ms, 30s, 15m, 12h or 30d, not \"30\"");
    one_error("password_memory = 19MB",
              "1: error: password_memory must be a size like 64KiB, 19MiB or 1GiB, not \"19MB\"");
    one_error("registration = yes", "1: error: registration must be open, invite or closed, not \"yes\"");
    one_error("public_url = example.org",
              "1: error: public_url must begin with https:// or http://, not \"example.org\"");
    one_error("public_url = http://example.org/auth",
              "1: error: public_url must end after the host: stayd has its own host name and no path, not "
              "\"http://example.org/auth\"");
    one_error("trusted_proxies = proxy.example.org", "1: error: trusted_proxies must be addresses, networks "
                                                     "like 10.0.0.0/8, or unix, joined by commas, not "
                                                     "\"proxy.example.org\"");
    one_error("fronts = 1\nfronts = 2\n", "2: error: fronts was set already in line 1");
    one_error("fronts\n", "1: error: a line must be \"key = value\", [rule] or a comment");
    one_error("database = \"sqlite\n", "1: error: the quotes do not fit together");
}

static void keys_that_contradict_each_other(void **state)
{
    (void)state;
    one_error("public_url = https://login.example.org\ntrusted_proxies = ::1\ncookie_domain = example.com\n",
              " error: cookie_domain example.com does not cover login.example.org, the host of public_url: "
              "browsers "
              "would drop the cookie");
    one_error("[rule]\nhost = a\n", "1: error: this rule has neither allow nor deny");
    one_error("[rule]\nallow\ndeny\n", "1: error: this rule has both allow and deny");
    one_error("session_idle = 31d", " error: session_idle is longer than session_max: it would never count");
    one_error("public_url = https://a\ntrusted_proxies = ::1\ntls_key = /k\n",
              " error: tls_key is set and tls_certificate is not: TLS needs both");
    assert_true(parse("public_url = https://a.example.org\n"));
    assert_string_equal(printed(),
                        "stayd.conf: warning: public_url is https, but there is neither tls_certificate nor "
                        "trusted_proxies: who ends TLS?\n");
}

static void databases(void **state)
{
    (void)state;
    assert_true(parse("\ndatabase = postgres://stayd:secret@127.0.0.1/stayd"));
    assert_string_equal(printed(),
                        "stayd.conf:2: warning: database holds a password, which everyone knows who may "
                        "read this file: put it into a file of its own and name that in "
                        "database_password_file\n");
    assert_string_equal(config.database.url, "postgres://stayd@127.0.0.1/stayd");
    assert_string_equal(config.database.password, "secret");
    config_wipe(&config);
    assert_string_equal(config.database.password, "");
    one_error("database = mysql://x:y@z",
              "1: error: database must be sqlite or a URL: postgres://USER@HOST/NAME");
    assert_false(parse("database = postgres://stayd:secret@127.0.0.1/stayd\ndatabase_password_file = /p\n"));
    assert_non_null(
        strstr(printed(), "error: database holds a password, and database_password_file is set too"));
    one_error(
        "database = postgres://stayd@127.0.0.1/stayd?sslmode=verify-full",
        " error: database verifies the server (sslmode), but against what? Set database_ca, for instance to "
        "/etc/ssl/certs/ca-certificates.crt");
    one_error("database = postgres://s@127.0.0.1/s?sslrootcert=/a\ndatabase_ca = /b\n",
              " error: database has sslrootcert, and database_ca is set too: keep one of them");
    one_error("database = postgres://s@127.0.0.1/s?pooler=session\ndatabase_pooler = transaction\n",
              " error: database has pooler=session, and database_pooler says otherwise");
    one_error(
        "database = postgres://s@127.0.0.1/s\ndatabase_connections_min = 9\ndatabase_connections_max = 8\n",
        " error: database_connections_min is larger than database_connections_max");
    one_error("database_pooler = on\n",
              "1: error: database_pooler must be auto, none or transaction, not \"on\"");
    assert_true(parse("database = postgres://s@db/s\n"));
    assert_non_null(
        strstr(printed(), "warning: database is on another machine, and the server is not verified: "));
    assert_true(parse("database_connections_max = 8\n"));
    assert_non_null(strstr(printed(), "but sqlite is no server"));
}

static void a_database_with_everything(void **state)
{
    (void)state;
    assert_true(parse("database = postgres://stayd@db.example.org/stayd\n"
                      "database_password_file = password\n"
                      "database_ca = tls/ca.pem\n"
                      "database_connections_min = 2\n"
                      "database_connections_max = 8\n"
                      "database_pooler = transaction\n"));
    assert_string_equal(printed(), "");
    assert_string_equal(config.database.url,
                        "postgres://stayd@db.example.org/stayd?sslrootcert=/etc/stayd/tls/ca.pem"
                        "&sslmode=verify-full&pooler=transaction");
    assert_int_equal(config.database_connections_min, 2);
    assert_int_equal(config.database_connections_max, 8);
    assert_int_equal(config.database_pooler, DATABASE_POOLER_TRANSACTION);
}

static void all_errors_are_told(void **state)
{
    (void)state;
    assert_false(parse("fornts = 1\nlisten = nowhere\nsession_max = 5\n"));
    assert_int_equal(report.errors, 3);
    assert_non_null(
        strstr(printed(), "stayd.conf:1: error: unknown key \"fornts\"; did you mean \"fronts\"?"));
    assert_non_null(strstr(printed(), "stayd.conf:2: error: listen must be host:port"));
    assert_non_null(strstr(printed(), "stayd.conf:3: error: session_max must be a time"));
}

static void bounds_hold(void **state)
{
    (void)state;
    struct bytes text;
    bytes_init(&text, 1 << 20);
    for (int i = 0; i < CONFIG_RULES_MAX + 1; i++) {
        bytes_append_format(&text, "[rule]\nallow\n");
    }
    for (int i = 0; i < 2 * CONFIG_PROBLEMS_MAX; i++) {
        bytes_append_format(&text, "nonsense%d = 1\n", i);
    }
    assert_false(config_parse(&config, bytes_view(&text), "f", &report));
    assert_int_equal(config.rules, CONFIG_RULES_MAX);
    bytes_reset(&text);
    for (int i = 0; i < CONFIG_LISTENS_MAX + 1; i++) {
        bytes_append_format(&text, "listen = 127.0.0.1:%d\n", 1000 + i);
    }
    assert_false(config_parse(&config, bytes_view(&text), "f", &report));
    assert_int_equal(config.listens, CONFIG_LISTENS_MAX);
    bytes_release(&text);
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(config_distance(VIEW("listen"), VIEW("listen")), 0);
    assert_int_equal(config_distance(VIEW("lsten"), VIEW("listen")), 1);
    assert_int_equal(config_distance(VIEW("kitten"), VIEW("sitting")), 3);
    assert_int_equal(config_distance(VIEW(""), VIEW("abc")), 3);
}

static void changes_are_named(void **state)
{
    static struct config before;
    static const struct {
        const char *text, *names;
    } rows[] = {
        {"", ""},
        {"session_idle = 1h\nregistration = open\n", "registration, session_idle"},
        {"listen = 127.0.0.1:8080\n", ""},
        {"listen = 127.0.0.1:8081\nops_listen = off\n", "listen, ops_listen"},
        {"trusted_proxies = 10.0.0.1\nsessions_max = 5000\n", "trusted_proxies, sessions_max"},
        {"breached_passwords = /etc/list\ndatabase = postgres://a@h/d\n", "database, breached_passwords"},
        {"[rule]\nhost = a.example\nallow = yes\n", "rule"},
    };
    char names[512];
    (void)state;
    assert_true(parse(""));
    before = config;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)parse(rows[i].text);
        config_changed(&before, &config, names, sizeof names);
        assert_string_equal(names, rows[i].names);
    }
    char few[12]; // cut, not written past
    config_changed(&before, &config, few, sizeof few);
    assert_string_equal(few, "rule");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_fine),       cmocka_unit_test(everything_is_read),
        cmocka_unit_test(names_are_joined),    cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(bad_values_say_why),  cmocka_unit_test(keys_that_contradict_each_other),
        cmocka_unit_test(databases),           cmocka_unit_test(a_database_with_everything),
        cmocka_unit_test(all_errors_are_told), cmocka_unit_test(bounds_hold),
        cmocka_unit_test(distances),           cmocka_unit_test(changes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
