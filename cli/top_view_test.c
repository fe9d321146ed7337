// SPDX-License-Identifier: ISC
// The screen of stayctl top: it fits, whatever its size and whatever stayd says.
#include "cli/top_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct bytes out;
static json_t *top;

static const char example[] =
    "{\"unix_ms\":1795215600000,\"version\":\"0.1.0\",\"ready\":true,"
    "\"verdict\":{\"state\":\"incident\",\"sentence\":\"account_by_name takes 240 ms instead of 0.4 ms since "
    "05:10:07: its index is gone, and that is what makes log-ins wait.\",\"to_do\":[{\"text\":\"make it\","
    "\"command\":\"CREATE INDEX CONCURRENTLY a ON accounts (name)\"}]},"
    "\"classes\":{\"check\":{\"per_second\":1234.5,\"ok_per_second\":1230,\"refused_per_second\":0,"
    "\"failed_per_second\":4.5,\"p50_ms\":0.085,\"p99_ms\":0.24},\"login\":{\"per_second\":null}},"
    "\"stages\":[{\"stage\":\"accept\",\"mean_ms\":0.01,\"share\":0.01},{\"stage\":\"hash\",\"mean_ms\":31.2,"
    "\"share\":0.84},{\"stage\":\"gate_wait\",\"mean_ms\":3.1,\"share\":0.15}],"
    "\"resources\":[{\"resource\":\"processors\",\"full\":0.61},{\"resource\":\"hash_workers\",\"full\":0.95}"
    "],"
    "\"hash\":{\"workers\":2,\"busy\":2,\"queued\":7,\"per_second\":61,\"mean_ms\":32},"
    "\"pool\":{\"open\":4,\"busy\":1},\"gate\":{\"waiting\":3},"
    "\"database\":{\"available\":true,\"queued\":0,\"statements\":[{\"operation\":\"session_grant\","
    "\"per_second\":12,\"mean_ms\":0.3,\"wait_ms\":0,\"share\":0.7}]},"
    "\"sessions\":{\"live\":1234,\"memory_bytes\":1048576},"
    "\"processes\":[{\"process\":\"stayd\",\"index\":0,\"state\":\"up\",\"uptime_s\":90000},"
    "{\"process\":\"stayd-front\",\"index\":0,\"state\":\"up\",\"processor\":0.12,\"memory_bytes\":9000000},"
    "{\"process\":\"stayd-front\",\"index\":1,\"state\":\"silent\",\"restarts\":2},"
    "{\"process\":\"stayd-core\",\"index\":0,\"state\":\"up\"}],"
    "\"history\":{\"checks\":[0,1,2,null,4,8],\"logins\":[]}}";

static int set_up(void **unused)
{
    (void)unused;
    bytes_init(&out, 1 << 20);
    top = json_loads(example, 0, NULL);
    assert_non_null(top);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    json_decref(top);
    bytes_release(&out);
    return 0;
}

static const char *draw(const struct top_view *view)
{
    bytes_reset(&out);
    top_view_draw(view, top, &out);
    assert_true(bytes_append_byte(&out, '\0'));
    return (const char *)out.data;
}

// The longest line's columns and the number of lines; escapes take no room.
static void measure(const char *text, unsigned *columns, unsigned *lines)
{
    unsigned here = 0;
    *columns = 0;
    *lines = 1;
    for (; *text != '\0'; text++) {
        if (*text == '\033') {
            text += strcspn(text, "mKHJ");
        } else if (*text == '\n') {
            ++*lines;
            here = 0;
        } else if (*text != '\r' && ((uint8_t)*text & 0xc0) != 0x80) {
            here++;
            *columns = here > *columns ? here : *columns;
        }
    }
}

static void it_fits_every_terminal(void **unused)
{
    (void)unused;
    for (unsigned columns = TOP_VIEW_COLUMNS_MIN; columns <= TOP_VIEW_COLUMNS_MAX; columns += 7) {
        for (unsigned rows = 1; rows < 60; rows += 3) {
            unsigned wide;
            unsigned high;
            measure(draw(&(struct top_view){.columns = columns,
                                            .rows = rows,
                                            .colour = true,
                                            .utf8 = true,
                                            .live = true,
                                            .note = "q quits"}),
                    &wide, &high);
            assert_in_range(wide, 1, columns);
            assert_in_range(high, 1, rows);
        }
    }
}

static void a_small_terminal_shows_what_matters(void **unused)
{
    (void)unused;
    const char *text =
        draw(&(struct top_view){.columns = 80, .rows = 24, .utf8 = true, .live = true, .note = "q quits"});
    static const char *const parts[] = {"incident",
                                        "account_by_name takes 240 ms",
                                        "do: CREATE INDEX",
                                        "check",
                                        "1234",
                                        "85 µs",
                                        "hash ",
                                        "84%",
                                        "hash workers",
                                        "95%",
                                        "database",
                                        "front 1",
                                        "silent",
                                        "x2",
                                        "q quits",
                                        "1d1h"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("%s is not in\n%s", parts[i], text);
        }
    }
}

static void without_colours_there_are_no_escapes(void **unused)
{
    (void)unused;
    const char *text = draw(&(struct top_view){.columns = 100, .utf8 = true});
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\r'));
    assert_null(strstr(text, " \n"));
    assert_non_null(strstr(text, "session_grant"));
    text = draw(&(struct top_view){.columns = 100, .colour = true, .utf8 = true});
    assert_non_null(strstr(text, "\033[0;1;31m"));
    text = draw(&(struct top_view){.columns = 100});
    for (const char *c = text; *c != '\0'; c++) {
        assert_true((uint8_t)*c < 0x80);
    }
}

static void text_of_others_steers_nothing(void **unused)
{
    (void)unused;
    json_object_set_new(json_object_get(top, "verdict"), "sentence",
                        json_string("a\033[2Jb\xc2\x9b"
                                    "31mc\nd \xc3\xa9"));
    const char *text = draw(&(struct top_view){.columns = 80, .utf8 = true});
    assert_non_null(strstr(text, "a?[2Jb?31mc?d é"));
}

static void what_is_missing_is_a_dash(void **unused)
{
    (void)unused;
    json_decref(top);
    top = json_loads(
        "{\"classes\":7,\"stages\":{},\"processes\":[3,null],\"history\":{\"checks\":{}},\"verdict\":[]}", 0,
        NULL);
    assert_non_null(
        strstr(draw(&(struct top_view){.columns = 80, .rows = 24, .live = true, .note = "x"}), "not ready"));
    assert_non_null(draw(&(struct top_view){.columns = 80}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_fits_every_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_terminal_shows_what_matters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_colours_there_are_no_escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_of_others_steers_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_a_dash, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
