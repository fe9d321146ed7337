// SPDX-License-Identifier: ISC
// Weeks in a file: minutes that a test drives, restarts, half-written rows, clocks that step.
#include "watch/history.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/stayd-history-XXXXXX";
static int folder = -1;
static struct watched watched;
static struct stats_page *front;
static struct history history;
static struct watched_now now;
static struct sums sums;
static struct history_row rows[HISTORY_MINUTES];
static unsigned row_count;

static int set_up(void **unused)
{
    unsigned count;
    (void)unused;
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(path));
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    watched_init(&watched);
    front = calloc(1, STATS_PAGE_SIZE);
    front->magic = STATS_MAGIC;
    front->format = STATS_FORMAT;
    watched_add(&watched, STATS_ROLE_front, 0, front);
    now = (struct watched_now){.mono_ns = 1000000000, .wall_ms = 1795215600000u};
    history_init(&history);
    assert_true(history_open(&history, folder, &count));
    assert_int_equal(count, 0);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    history_release(&history);
    unlinkat(folder, ".history", 0);
    close(folder);
    rmdir(path);
    free(front);
    return 0;
}

static void second(unsigned checks)
{
    front->request[STATS_CLASS_check][STATS_ANSWER_2xx] += checks;
    now.mono_ns += 1000000000;
    now.wall_ms += 1000;
    sums_take(&sums, &watched, now.mono_ns);
    history_take(&history, &watched, &sums, &now);
}

static void keep(void *context, const struct history_row *row)
{
    (void)context;
    rows[row_count++] = *row;
}

static unsigned read_all(void)
{
    row_count = 0;
    return history_read(&history, now.wall_ms / 60000, NULL, keep);
}

static void reopen(void)
{
    unsigned count;
    history_release(&history);
    assert_true(history_open(&history, folder, &count));
}

static void a_minute_is_a_row(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 200; i++) {
        second(i < 100 ? 10 : 20);
    }
    assert_int_equal(read_all(), 3);
    assert_int_equal(rows[0].minute, 1795215600000u / 60000);
    assert_int_equal(rows[0].field[HISTORY_seconds], 58); // the first second counts from what was there
    assert_int_equal(rows[1].field[HISTORY_seconds], 60);
    assert_int_equal(rows[1].field[HISTORY_checks], 41 * 10 + 19 * 20);
    assert_int_equal(rows[1].field[HISTORY_checks_peak], 20);
    assert_int_equal(rows[2].field[HISTORY_checks], 60 * 20);
}

static void a_restart_in_a_minute_loses_little(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 30; i++) {
        second(10);
    }
    reopen();
    for (unsigned i = 0; i < 40; i++) {
        second(10);
    }
    reopen();
    assert_int_equal(read_all(), 2);
    assert_int_equal(rows[0].minute + 1, rows[1].minute);
    assert_int_equal(rows[0].field[HISTORY_seconds], 57);
    assert_int_equal(rows[0].field[HISTORY_checks], 570);
    assert_int_equal(rows[0].field[HISTORY_checks_peak], 10);
}

static void five_weeks_and_no_more(void **unused)
{
    struct stat status;
    uint8_t data[HISTORY_ROW_SIZE];
    (void)unused;
    for (unsigned i = 0; i < HISTORY_MINUTES; i++) {
        uint64_t minute = now.wall_ms / 60000 + i;
        history_encode(&(struct history_row){.minute = minute}, data);
        assert_int_equal(
            pwrite(history.fd, data, sizeof(data), (off_t)(minute % HISTORY_MINUTES) * HISTORY_ROW_SIZE),
            HISTORY_ROW_SIZE);
    }
    now.wall_ms += (HISTORY_MINUTES - 1) * 60000ull;
    assert_int_equal(read_all(), HISTORY_MINUTES);
    for (unsigned i = 0; i < 301; i++) {
        second(1);
    }
    assert_int_equal(read_all(), HISTORY_MINUTES - 1); // that under way is not written
    for (unsigned i = 1; i < row_count; i++) {
        assert_int_equal(rows[i].minute, rows[i - 1].minute + 1);
    }
    assert_int_equal(rows[row_count - 1].field[HISTORY_checks], 60);
    assert_int_equal(fstat(history.fd, &status), 0);
    assert_int_equal(status.st_size, HISTORY_MINUTES * HISTORY_ROW_SIZE);
    now.wall_ms += 7ull * 24 * 3600 * 1000; // a week without stayd
    assert_int_equal(read_all(), HISTORY_MINUTES - 1 - 7 * 24 * 60);
}

static void half_a_row_is_none(void **unused)
{
    uint8_t data[HISTORY_ROW_SIZE];
    uint8_t broken[HISTORY_ROW_SIZE];
    struct history_row row = {.minute = 29920260};
    (void)unused;
    row.field[HISTORY_checks] = 77;
    history_encode(&row, data);
    assert_true(history_decode(data, &row));
    assert_int_equal(row.field[HISTORY_checks], 77);
    for (unsigned i = 0; i < HISTORY_ROW_SIZE; i++) {
        memset(broken, 0, sizeof(broken));
        memcpy(broken, data, i);
        assert_false(history_decode(broken, &row));
        memcpy(broken, data, sizeof(broken));
        broken[i] ^= 0x10;
        assert_false(history_decode(broken, &row));
    }
}

static void a_row_in_another_place_is_none(void **unused)
{
    uint8_t data[HISTORY_ROW_SIZE];
    (void)unused;
    second(1);
    now.wall_ms += 60000;
    second(1);
    assert_int_equal(read_all(), 0); // of no second
    second(1);
    now.wall_ms += 60000;
    second(1);
    assert_int_equal(read_all(), 1);
    history_encode(&rows[0], data);
    assert_int_equal(pwrite(history.fd, data, sizeof(data), 5 * HISTORY_ROW_SIZE), HISTORY_ROW_SIZE);
    assert_int_equal(read_all(), 1);
}

static void a_clock_that_steps_back_adds_to_what_is_there(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 130; i++) {
        second(5);
    }
    now.wall_ms -= 60000;
    for (unsigned i = 0; i < 60; i++) {
        second(5);
    }
    reopen();
    unsigned count = read_all();
    uint64_t checks = 0;
    for (unsigned i = 0; i < count; i++) {
        checks += rows[i].field[HISTORY_checks];
        assert_true(i == 0 || rows[i].minute > rows[i - 1].minute);
    }
    assert_int_equal(checks, 5 * 189); // all but the first second's
}

static void what_is_no_file_of_ours_is_left(void **unused)
{
    unsigned count;
    struct history other;
    (void)unused;
    history_init(&other);
    assert_int_equal(unlinkat(folder, ".history", 0), 0);
    assert_int_equal(symlinkat("/dev/null", folder, ".history"), 0);
    assert_false(history_open(&other, folder, &count));
    assert_int_equal(other.fd, -1);
    assert_int_equal(unlinkat(folder, ".history", 0), 0);
    // One that is too large is begun anew.
    int fd = openat(folder, ".history", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)HISTORY_MINUTES * HISTORY_ROW_SIZE + 1), 0);
    close(fd);
    assert_true(history_open(&other, folder, &count));
    assert_int_equal(count, 0);
    history_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_minute_is_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_in_a_minute_loses_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(five_weeks_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_row_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_in_another_place_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_steps_back_adds_to_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_of_ours_is_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
