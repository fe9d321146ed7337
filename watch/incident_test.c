// SPDX-License-Identifier: ISC
// The book of incidents over driven time: opened, told once, taken up again after a restart, closed, kept in
// files, and the postmortem's parts.
#include "watch/alert.h"
#include "watch/incident_actions.h"
#include "watch/incident_book.h"
#include "watch/incident_files.h"
#include "watch/postmortem.h"
#include "watch/read_json.h"
#include "watch/why_text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define WALL 1795237262000u // 2026-11-21 05:01:02 UTC

static char folder[] = "/tmp/stayd-book-XXXXXX";
static struct incident_book book;
static struct facts *facts;
static struct watched watched;
static struct verdict verdict;
static uint64_t now_ms; // since WALL
static unsigned told_opened, told_closed;
static char told_cause[64];

static struct watched_now now(void)
{
    return (struct watched_now){.mono_ns = (100000 + now_ms) * 1000000, .wall_ms = WALL + now_ms};
}

static void tell(void *context, const char *event, const json_t *incident)
{
    (void)context;
    told_opened += strcmp(event, "incident_opened") == 0;
    told_closed += strcmp(event, "incident_closed") == 0;
    snprintf(told_cause, sizeof(told_cause), "%s", incident_cause(incident));
}

static void book_begin(void)
{
    incident_book_init(&book);
    book.tell = tell;
    snprintf(book.version, sizeof(book.version), "0.1.0");
    incident_book_open(&book, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int set_up(void **unused)
{
    (void)unused;
    snprintf(folder, sizeof(folder), "/tmp/stayd-book-XXXXXX");
    assert_non_null(mkdtemp(folder));
    watched_init(&watched);
    verdict = (struct verdict){0};
    facts = facts_new();
    now_ms = 0;
    told_opened = told_closed = 0;
    book_begin();
    return 0;
}

static void remove_one(void *context, const char *id)
{
    (void)context;
    incident_files_remove(book.folder, id);
}

static int tear_down(void **unused)
{
    (void)unused;
    incident_files_each(book.folder, remove_one, NULL);
    (void)unlinkat(book.folder, "crash-20261121T050101Z-stayd-front-0-42.log", 0);
    incident_book_release(&book);
    facts_free(&facts);
    return rmdir(folder);
}

static void look(uint64_t step_ms)
{
    now_ms += step_ms;
    verdict.at_unix_ms = WALL + now_ms;
    incident_book_look(&book, &(struct incident_view){&verdict, facts, &watched, now()});
}

static void goes_wrong(void)
{
    verdict.open = true;
    verdict.state = VERDICT_INCIDENT;
    verdict.episode++;
    verdict.number++;
    verdict.ended_unix_ms = 0;
    verdict.onset_unix_ms = WALL + now_ms - 400;
    verdict.detected_unix_ms = WALL + now_ms;
    snprintf(verdict.sentence, sizeof(verdict.sentence), "Something is wrong.");
    snprintf(verdict.symptom, sizeof(verdict.symptom), "many requests fail");
}

static void is_named(enum cause cause)
{
    struct verdict_cause *one = &verdict.cause[0];
    verdict.number++;
    verdict.causes = 1;
    verdict.diagnosed_unix_ms = WALL + now_ms;
    *one = (struct verdict_cause){.cause = cause, .share = 0.93, .predicates = 1, .details = 1};
    snprintf(one->sentence, sizeof(one->sentence), "The statement account_by_name takes 840 ms.");
    one->predicate[0] = (struct verdict_predicate){"each takes longer", 840, 12, "ms"};
    one->detail[0].key = "plan_now";
    snprintf(one->detail[0].text, sizeof(one->detail[0].text), "Seq Scan on accounts | ~~~ <b>");
    snprintf(verdict.sentence, sizeof(verdict.sentence), "%s", one->sentence);
    verdict.ruled_outs = 1;
    verdict.ruled_out[0].cause = CAUSE_flood;
    snprintf(verdict.ruled_out[0].because, VERDICT_LINE_SIZE, "8 addresses sent 3 %% of the requests");
    verdict.evidences = verdict.dones = verdict.to_dos = 1;
    snprintf(verdict.evidence[0], VERDICT_LINE_SIZE, "99 %% of log-ins took 2.1 s");
    snprintf(verdict.done[0], VERDICT_LINE_SIZE, "cancelled it 3 times");
    snprintf(verdict.to_do[0].text, VERDICT_LINE_SIZE, "Make the index.");
    snprintf(verdict.to_do[0].command, VERDICT_TEXT_SIZE, "CREATE INDEX a ON b (c)");
}

static void gets_well(void)
{
    verdict.open = false;
    verdict.state = VERDICT_HEALTHY;
    verdict.ended_unix_ms = WALL + now_ms;
    verdict.causes = 0;
}

static json_t *stored(const char *id)
{
    json_t *incident = incident_files_read(book.folder, id);
    assert_non_null(incident);
    return incident;
}

static void opens_tells_and_closes_once(void **unused)
{
    char id[INCIDENT_ID_SIZE];
    (void)unused;
    look(100);
    assert_null(incident_book_current(&book));
    goes_wrong();
    look(100);
    assert_string_equal(incident_book_current(&book), "20261121T050102Z");
    snprintf(id, sizeof(id), "%s", incident_book_current(&book));
    assert_int_equal(told_opened, 0); // it waits for the cause
    is_named(CAUSE_slow_statement);
    look(100);
    assert_int_equal(told_opened, 1);
    assert_string_equal(told_cause, "slow_statement");
    for (int i = 0; i < 50; i++) {
        look(100);
    }
    gets_well();
    look(1000);
    assert_non_null(incident_book_current(&book));
    look(INCIDENT_QUIET_MS);
    assert_null(incident_book_current(&book));
    assert_int_equal(told_opened, 1);
    assert_int_equal(told_closed, 1);
    json_t *incident = stored(id);
    assert_false(incident_is_open(incident));
    assert_int_equal(read_whole(incident, "closed_unix_ms"), verdict.ended_unix_ms);
    assert_string_equal(incident_cause(incident), "slow_statement");
    assert_int_equal(incident_actions_open(incident), 3);
    json_decref(incident);
    look(1000);
    assert_int_equal(told_closed, 1);
}

static void an_unknown_cause_is_told_after_a_while(void **unused)
{
    (void)unused;
    goes_wrong();
    look(100);
    look(INCIDENT_ALERT_MS - 200);
    assert_int_equal(told_opened, 0);
    look(300);
    assert_int_equal(told_opened, 1);
    assert_string_equal(told_cause, "unknown");
}

static void what_comes_back_soon_is_the_same(void **unused)
{
    (void)unused;
    goes_wrong();
    look(100);
    gets_well();
    look(100);
    look(2000);
    goes_wrong();
    look(100);
    gets_well();
    look(100);
    look(INCIDENT_QUIET_MS);
    assert_int_equal(book.entries, 1);
    goes_wrong();
    look(100);
    assert_int_equal(book.entries, 2);
}

static void a_restart_takes_it_up(void **unused)
{
    char id[INCIDENT_ID_SIZE];
    (void)unused;
    goes_wrong();
    look(100);
    is_named(CAUSE_process_crashing);
    look(100);
    snprintf(id, sizeof(id), "%s", incident_book_current(&book));
    incident_book_release(&book);
    book_begin();
    assert_string_equal(incident_book_current(&book), id);
    verdict.episode = 0;
    gets_well();
    verdict.ended_unix_ms = 0;
    look(100);
    goes_wrong(); // the new watch sees it, too
    look(3000);
    assert_string_equal(incident_book_current(&book), id);
    gets_well();
    look(100);
    look(INCIDENT_QUIET_MS);
    assert_int_equal(told_opened, 1);
    assert_int_equal(told_closed, 1);
    json_t *incident = stored(id);
    assert_string_equal(incident_cause(incident), "process_crashing");
    json_decref(incident);
}

static void one_that_ended_while_watch_was_away_is_closed(void **unused)
{
    char id[INCIDENT_ID_SIZE];
    (void)unused;
    goes_wrong();
    look(100);
    snprintf(id, sizeof(id), "%s", incident_book_current(&book));
    incident_book_release(&book);
    book_begin();
    verdict = (struct verdict){0};
    look(100);
    look(INCIDENT_QUIET_MS);
    assert_non_null(incident_book_current(&book));
    look(INCIDENT_RESUME_MS);
    assert_null(incident_book_current(&book));
    assert_int_equal(told_opened, 1);
    assert_int_equal(told_closed, 1);
    json_t *incident = stored(id);
    struct bytes text;
    bytes_init(&text, 65536);
    postmortem_write(&text, incident);
    assert_non_null(memmem(text.data, text.size, "stayd-watch was away", 20));
    bytes_release(&text);
    json_decref(incident);
}

static void say(unsigned kind, uint64_t a, const char *name, const char *text)
{
    struct wire_event event = {.kind = (uint8_t)kind,
                               .mono_ns = now().mono_ns,
                               .role = STATS_ROLE_front,
                               .a = a,
                               .name = view_of_cstr(name),
                               .text = view_of_cstr(text)};
    facts_add(facts, &event, now());
}

static void say_of(unsigned kind, uint64_t a, const char *text, const char *more)
{
    struct wire_event event = {.kind = (uint8_t)kind,
                               .mono_ns = now().mono_ns,
                               .role = STATS_ROLE_core,
                               .a = a,
                               .text = view_of_cstr(text),
                               .more = view_of_cstr(more)};
    facts_add(facts, &event, now());
}

static void the_postmortem_has_all_its_parts(void **unused)
{
    static const char *const parts[] = {
        "# Incident 20261121T050102Z: a slow statement",
        "## Summary",
        "## Impact",
        "| session checks |",
        "## Timeline",
        "stayd-front 0 crashed by SIGSEGV. It was answering a request of class check.",
        "stayd started stayd-front 0 again.",
        "(3 times, until ",
        "## Detection",
        "Noticed 400 ms after",
        "## Trigger and sustaining cause",
        "**Trigger: a slow statement** (93 %",
        "840 ms (bound 12 ms)",
        "Seq Scan on accounts",
        "## Ruled out",
        "8 addresses sent 3 % of the requests",
        "## Automatic actions",
        "cancelled it 3 times",
        "## Resolution",
        "CREATE INDEX a ON b (c)",
        "## Contributing factors",
        "The configuration was reloaded (fronts).",
        "## Action items",
        "| 1 | repair |",
        "## Communication",
        "## Lessons",
        "## Records",
        "crash-20261121T050101Z-stayd-front-0-42.log",
        "**To fill in:**"};
    struct bytes text;
    (void)unused;
    say(WIRE_EVENT_RELOADED, 1, "", "fronts");
    look(500);
    int crash = openat(book.folder, "crash-20261121T050101Z-stayd-front-0-42.log",
                       O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const struct timespec when[2] = {{.tv_sec = WALL / 1000}, {.tv_sec = WALL / 1000}};
    assert_int_equal(futimens(crash, when), 0);
    close(crash);
    say(WIRE_EVENT_PROCESS_DIED, WIRE_EVENT_CRASHED, "check", "stayd-front 0 crashed by SIGSEGV");
    for (int i = 0; i < 3; i++) {
        say(WIRE_EVENT_PROCESS_STARTED, 43, "", "");
    }
    goes_wrong();
    look(100);
    is_named(CAUSE_slow_statement);
    look(100);
    json_t *incident = incident_book_read(&book, view_of_cstr(incident_book_current(&book)));
    bytes_init(&text, 1 << 20);
    postmortem_write(&text, incident);
    json_decref(incident);
    assert_false(text.failed);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (memmem(text.data, text.size, parts[i], strlen(parts[i])) == NULL) {
            fail_msg("\"%s\" is not in\n%.*s", parts[i], (int)text.size, (const char *)text.data);
        }
    }
    bytes_release(&text);
}

// Where a flood comes from stands in its file, and nowhere else.
static void a_flood_names_its_networks(void **unused)
{
    struct stats_page *page = calloc(1, STATS_PAGE_SIZE);
    struct stats_crowd *crowd = &page->crowd[0];
    struct bytes text;
    (void)unused;
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    watched_add(&watched, STATS_ROLE_front, 0, page);
    crowd->total = 300;
    crowd->heaviest[0].hash = 9;
    crowd->heaviest[0].count = 183;
    crowd->heaviest[0].network = 0x047f000000000000;
    crowd->heaviest[1].hash = 7;
    crowd->heaviest[1].count = 5; // an office
    crowd->heaviest[1].network = 0x04c0000200000000;
    say_of(WIRE_EVENT_PENALTY, 4, "a source whose log-ins were wrong too often", "198.51.100.0/24");
    goes_wrong();
    look(100);
    assert_null(json_object_get(book.open, "networks"));
    is_named(CAUSE_flood);
    look(100);
    crowd->total = 50; // its end
    crowd->heaviest[0].count = 20;
    look(100);
    json_t *networks = json_object_get(book.open, "networks");
    assert_int_equal(json_array_size(networks), 1);
    bytes_init(&text, 1 << 20);
    postmortem_write(&text, book.open);
    bytes_append_byte(&text, '\0');
    assert_non_null(strstr((char *)text.data, "- 127.0.0.0/24 sent 61 % of them, 183/s\n\n"));
    assert_non_null(strstr((char *)text.data, "too often (198.51.100.0/24) for 4 s."));
    bytes_release(&text);
    json_t *alert = alert_json("incident_opened", book.open, "");
    char *told = json_dumps(alert, 0), *said = json_dumps(json_object_get(book.open, "verdict"), 0);
    assert_null(strstr(told, "/24"));
    assert_null(strstr(said, "/24"));
    free(told);
    free(said);
    json_decref(alert);
    free(page);
}

static void action_items_are_done_one_by_one(void **unused)
{
    char id[INCIDENT_ID_SIZE];
    (void)unused;
    goes_wrong();
    look(100);
    is_named(CAUSE_lock_held);
    look(100);
    snprintf(id, sizeof(id), "%s", incident_book_current(&book));
    json_t *actions = incident_book_actions(&book);
    assert_int_equal(json_array_size(actions), 2);
    json_decref(actions);
    assert_int_equal(incident_book_done(&book, view_of_cstr(id), 1, WALL), INCIDENT_DONE);
    assert_int_equal(incident_book_done(&book, view_of_cstr(id), 9, WALL), INCIDENT_NOT_FOUND);
    assert_int_equal(incident_book_done(&book, VIEW("20200101T000000Z"), 1, WALL), INCIDENT_NOT_FOUND);
    gets_well();
    look(100);
    look(INCIDENT_QUIET_MS);
    assert_int_equal(incident_book_done(&book, view_of_cstr(id), 2, WALL), INCIDENT_DONE);
    actions = incident_book_actions(&book);
    assert_int_equal(json_array_size(actions), 0);
    json_decref(actions);
}

static void once(bool done)
{
    goes_wrong();
    look(100);
    char id[INCIDENT_ID_SIZE];
    snprintf(id, sizeof(id), "%s", incident_book_current(&book));
    gets_well();
    look(100);
    look(INCIDENT_QUIET_MS);
    for (unsigned i = 1; done && i <= INCIDENT_ACTIONS_MAX; i++) {
        (void)incident_book_done(&book, view_of_cstr(id), i, WALL);
    }
    look(1000);
}

static void the_oldest_that_is_done_makes_room(void **unused)
{
    char first[INCIDENT_ID_SIZE], second[INCIDENT_ID_SIZE];
    (void)unused;
    once(false);
    once(true);
    snprintf(first, sizeof(first), "%s", book.entry[0].id);
    snprintf(second, sizeof(second), "%s", book.entry[1].id);
    while (book.entries < INCIDENT_BOOK_MAX) {
        once(false);
    }
    once(false);
    assert_int_equal(book.entries, INCIDENT_BOOK_MAX);
    assert_string_equal(book.entry[0].id, first);
    assert_string_not_equal(book.entry[1].id, second);
    assert_null(incident_files_read(book.folder, second));
    once(false); // nobody makes room now
    assert_int_equal(book.entries, INCIDENT_BOOK_MAX);
    assert_int_equal(told_closed, INCIDENT_BOOK_MAX + 2);
}

static void the_alert_says_where_to_look(void **unused)
{
    char place[128];
    (void)unused;
    goes_wrong();
    look(100);
    is_named(CAUSE_disk_full);
    look(100);
    alert_place("", "127.0.0.1:9480", place, sizeof(place));
    json_t *object = alert_json("incident_opened", book.open, place);
    assert_string_equal(read_text(object, "link"), "http://127.0.0.1:9480/incidents/20261121T050102Z.md");
    assert_string_equal(read_text(object, "cause"), "disk_full");
    assert_string_equal(read_text(object, "event"), "incident_opened");
    json_decref(object);
    alert_place("https://ops.example.org", "127.0.0.1:9480", place, sizeof(place));
    assert_string_equal(place, "https://ops.example.org");
    alert_place("", "unix:/run/x", place, sizeof(place));
    assert_string_equal(place, "");
}

static void foreign_files_are_passed_over(void **unused)
{
    static const char *const texts[] = {"", "{", "[]", "{\"format\":1}", "{\"format\":1,\"id\":\"../x\"}"};
    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_null(incident_parse(view_of_cstr(texts[i])));
    }
    assert_true(incident_is_id(VIEW("20261121T050102Z")));
    assert_true(incident_is_id(VIEW("20261121T050102Z-2")));
    assert_false(incident_is_id(VIEW("20261121T050102Z-")));
    assert_false(incident_is_id(VIEW("20261121T050102Z/..")));
    assert_false(incident_is_id(VIEW("crash-20261121T05")));
}

static void the_text_says_all(void **unused)
{
    static const char *const parts[] = {"INCIDENT  The statement account_by_name takes 840 ms.\n",
                                        "Cause: a slow statement (93 %",
                                        "each takes longer: 840 ms (bound 12 ms)",
                                        "Evidence",
                                        "What to do now",
                                        "       CREATE INDEX a ON b (c)\n",
                                        "Ruled out",
                                        "Kept as incident X"};
    struct bytes text;
    (void)unused;
    goes_wrong();
    is_named(CAUSE_slow_statement);
    json_t *object = verdict_json(&verdict, "X");
    bytes_init(&text, 65536);
    why_text_write(&text, object, false);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_non_null(memmem(text.data, text.size, parts[i], strlen(parts[i])));
    }
    assert_null(memchr(text.data, '\033', text.size));
    bytes_reset(&text);
    why_text_write(&text, object, true);
    assert_non_null(memchr(text.data, '\033', text.size));
    json_decref(object);
    bytes_release(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_tells_and_closes_once),
        TEST(an_unknown_cause_is_told_after_a_while),
        TEST(what_comes_back_soon_is_the_same),
        TEST(a_restart_takes_it_up),
        TEST(one_that_ended_while_watch_was_away_is_closed),
        TEST(the_postmortem_has_all_its_parts),
        TEST(a_flood_names_its_networks),
        TEST(action_items_are_done_one_by_one),
        TEST(the_oldest_that_is_done_makes_room),
        TEST(the_alert_says_where_to_look),
        TEST(foreign_files_are_passed_over),
        TEST(the_text_says_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
