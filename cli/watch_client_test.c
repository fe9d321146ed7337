// SPDX-License-Identifier: ISC
// The conversation with stayd-watch: what is an answer, and what is said when there is none.
#include "cli/watch_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static void only_whole_answers_are_answers(void **unused)
{
    static const struct {
        const char *text;
        unsigned status; // 0: none
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
        {"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi", 0, ""},
        {"HTTP/1.1 200 OK\r\n\r\nhi", 0, ""},
        {"HTTP/1.1 20x OK\r\nContent-Length: 2\r\n\r\nhi", 0, ""},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, ""},
        {"", 0, ""},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned status = 0;
        struct view body = {0};
        bool fine = watch_answer_parse(view_of_cstr(rows[i].text), &status, &body);
        assert_int_equal(fine, rows[i].status != 0);
        assert_true(!fine || (status == rows[i].status && view_equal(body, view_of_cstr(rows[i].body))));
    }
}

struct fake {
    int fd;
    const char *answer; // NULL: says nothing
};

static void *serve(void *context)
{
    const struct fake *fake = context;
    char head[512];
    int fd = accept(fake->fd, NULL, NULL);
    if (fake->answer != NULL) {
        (void)!read(fd, head, sizeof(head));
        (void)!write(fd, fake->answer, strlen(fake->answer));
    } else {
        (void)!read(fd, head, sizeof(head)); // the request
        (void)!read(fd, head, sizeof(head)); // its end: who asked has given up
    }
    close(fd);
    return NULL;
}

static enum client_result ask(const char *said, struct watch_answer *answer)
{
    static struct cli_config config;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/stayd-watch-XXXXXX";
    char run[64];
    pthread_t thread;
    struct fake fake = {.answer = said};
    assert_non_null(mkdtemp(folder));
    snprintf(config.data_dir, sizeof(config.data_dir), "%s", folder);
    assert_int_equal(watch_ask(&config, "GET", "/", 200, answer), CLIENT_ABSENT);
    snprintf(run, sizeof(run), "%s/run", folder);
    assert_int_equal(mkdir(run, 0700), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/watch.sock", run);
    fake.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake.fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake.fd, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &fake), 0);
    enum client_result result = watch_ask(&config, "GET", "/", 200, answer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fake.fd);
    unlink(address.sun_path);
    rmdir(run);
    rmdir(folder);
    return result;
}

static void each_end_is_told_apart(void **unused)
{
    struct watch_answer answer;
    static struct cli_config config = {.data_dir = "/d"};
    char text[512];
    (void)unused;
    watch_answer_init(&answer);
    assert_int_equal(ask("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", &answer), CLIENT_GRANTED);
    assert_true(view_equal(answer.body, VIEW("hi")));
    assert_int_equal(ask("HTTP/1.1 200 OK\r\nContent-Le", &answer), CLIENT_BROKEN);
    assert_int_equal(ask(NULL, &answer), CLIENT_SILENT);
    watch_explain(CLIENT_SILENT, &config, text, sizeof(text));
    assert_string_equal(text,
                        "stayd-watch does not answer on /d/run/watch.sock: no answer in time; it is hung "
                        "or stopped.");
    watch_answer_release(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_whole_answers_are_answers),
        cmocka_unit_test(each_end_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
