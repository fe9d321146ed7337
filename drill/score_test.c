// SPDX-License-Identifier: ISC
// Who counts as affected, delayed or waiting, and when all is well again; from lines of a raw log.
#include "drill/score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

static struct score score;
static struct score_class people;
static struct score_answers answers;

static void take(const char *line)
{
    assert_true(score_line(&score, view_of_cstr(line)));
}

static int begin(void **unused)
{
    (void)unused;
    score_init(&score);
    take("# begin_mono_ns=123456 seed=7");
    take("arrival,class,due_us,tries,took_us,outcome,status,retry_after_s");
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    score_release(&score);
    return 0;
}

static void each_person_is_counted_once(void **unused)
{
    (void)unused;
    take("0,login,1000000,0,40000,ok,200,");
    take("1,login,1100000,0,2000,refused,503,2");
    take("1,login,3300000,1,40000,ok,200,");
    take("2,login,1200000,0,3000,failed,0,");
    take("2,login,2200000,1,40000,ok,200,");
    take("3,login,1300000,0,1500000,late,200,");
    take("4,login,1400000,0,2000,refused,503,9");
    take("5,check,1500000,0,900,wrong,200,");
    assert_int_equal(score.begin_mono_ns, 123456);
    score_people(&score, STORM_login, 1, 2, &people);
    assert_int_equal(people.offered, 5);
    assert_int_equal(people.well, 1);
    assert_int_equal(people.delayed, 1);
    assert_int_equal(people.waiting, 1); // the run ends before it is told to come again
    assert_int_equal(people.affected, 2);
    assert_int_equal(people.failed, 1);
    assert_true(score_percent(&people) > 39.9 && score_percent(&people) < 40.1);
    score_people(&score, STORM_check, 0, 10, &people);
    assert_int_equal(people.wrong, 1);
    assert_int_equal(people.affected, 1);
    score_people(&score, STORM_login, 5, 9, &people);
    assert_int_equal(people.offered, 0);
    assert_true(score_percent(&people) == 0);
}

static void who_is_refused_to_the_end_is_affected(void **unused)
{
    (void)unused;
    take("0,login,1000000,0,2000,refused,503,1");
    take("1,login,9000000,0,40000,ok,200,");
    score_people(&score, STORM_login, 0, 2, &people);
    assert_int_equal(people.affected, 1);
    assert_int_equal(people.waiting, 0);
}

static void answers_count_when_they_come(void **unused)
{
    (void)unused;
    take("0,login,1000000,0,40000,ok,200,");
    take("1,login,1000000,0,90000,refused,503,1");
    take("2,login,1900000,0,200000,ok,200,");
    score_answers(&score, STORM_login, 1, 2, &answers);
    assert_int_equal(answers.ok, 1);
    assert_int_equal(answers.refused, 1);
    assert_true(answers.refused_p99_ms > 89 && answers.refused_p99_ms < 92);
}

static void well_is_when_nothing_fails_any_more(void **unused)
{
    (void)unused;
    char line[96];
    for (int i = 0; i < 100; i++) {
        bool bad = i < 10; // for half a second
        snprintf(line, sizeof(line), "%d,check,%d,0,1000,%s,%d,", i, i * 50000, bad ? "failed" : "ok",
                 bad ? 0 : 200);
        take(line);
    }
    double after_s = score_well_after(&score, STORM_check, 0, 4);
    assert_true(after_s > 0.40 && after_s < 0.60);
    // An attempt begun before the cause ended says nothing of what came after.
    assert_true(score_well_after(&score, STORM_check, 0.5, 4) == 0);
    assert_true(score_well_after(&score, STORM_login, 0, 4) == 0);
}

static void nonsense_is_refused(void **unused)
{
    (void)unused;
    assert_false(score_line(&score, VIEW("x")));
    assert_false(score_line(&score, VIEW("1,login,1,0,1,splendid,200,")));
    assert_false(score_line(&score, VIEW("1,nobody,1,0,1,ok,200,")));
    assert_false(score_line(&score, VIEW("99999999,login,1,0,1,ok,200,")));
    assert_false(score_line(&score, VIEW("1,login,-1,0,1,ok,200,")));
    assert_true(score_line(&score, VIEW("")));
}

static void a_log_that_grows_is_read_by_whole_lines(void **unused)
{
    (void)unused;
    FILE *out = tmpfile();
    FILE *in = fdopen(dup(fileno(out)), "r");
    assert_non_null(in);
    assert_int_equal(pwrite(fileno(out), "0,check,0,0,9,ok,200,\n1,che", 27, 0), 27);
    rewind(in);
    assert_true(score_read(&score, in));
    assert_int_equal(score.arrivals, 1);
    assert_int_equal(pwrite(fileno(out), "ck,0,0,9,ok,200,\n", 17, 27), 17);
    assert_true(score_read(&score, in));
    assert_int_equal(score.arrivals, 2);
    fclose(in);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_person_is_counted_once, begin, end),
        cmocka_unit_test_setup_teardown(who_is_refused_to_the_end_is_affected, begin, end),
        cmocka_unit_test_setup_teardown(answers_count_when_they_come, begin, end),
        cmocka_unit_test_setup_teardown(well_is_when_nothing_fails_any_more, begin, end),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_log_that_grows_is_read_by_whole_lines, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
