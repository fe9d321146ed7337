// SPDX-License-Identifier: ISC
// What an answer of a webhook means, and one real exchange over loopback.
#include "alert/webhook.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void statuses(void **unused)
{
    (void)unused;
    assert_int_equal(webhook_status(VIEW("HTTP/1.1 204 No Content\r\n")), 204);
    assert_int_equal(webhook_status(VIEW("HTTP/1.0 500\r\n")), 500);
    assert_int_equal(webhook_status(VIEW("HTTP/2 200 OK\r\n\r\n")), 0);
    assert_int_equal(webhook_status(VIEW("HTTP/1.1 2000 OK\r\n")), 0);
    assert_int_equal(webhook_status(VIEW("HTTP/1.1 20")), 0);
    assert_int_equal(webhook_status(VIEW("")), 0);
    assert_int_equal(webhook_judge(200), WEBHOOK_DELIVERED);
    assert_int_equal(webhook_judge(301), WEBHOOK_REFUSED);
    assert_int_equal(webhook_judge(404), WEBHOOK_REFUSED);
    assert_int_equal(webhook_judge(429), WEBHOOK_AGAIN);
    assert_int_equal(webhook_judge(503), WEBHOOK_AGAIN);
}

static int listener;
static char heard[4096];

static void *serve(void *answer)
{
    int fd = accept(listener, NULL, NULL);
    size_t size = 0;
    while (strstr(heard, "{}") == NULL) {
        ssize_t got = read(fd, heard + size, sizeof(heard) - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        heard[size] = '\0';
    }
    (void)!write(fd, answer, strlen(answer));
    close(fd);
    return NULL;
}

static bool enclosed;
static bool enclose(void)
{
    enclosed = true;
    return true;
}

static enum webhook_result post(const char *answer, char *why)
{
    static struct webhook webhook;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char url[64];
    char said[128];
    pthread_t thread;
    heard[0] = '\0';
    enclosed = false;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hook", ntohs(address.sin_port));
    webhook = (struct webhook){.ca = "", .enclose = enclose};
    assert_null(alert_url_parse(&webhook.url, view_of_cstr(url)));
    if (answer == NULL) { // nobody listens
        enum webhook_result result = webhook_post(&webhook, VIEW("{}"));
        close(listener);
        snprintf(why, WEBHOOK_WHY_MAX, "%s", webhook.why);
        return result;
    }
    snprintf(said, sizeof(said), "%s", answer);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, said), 0);
    enum webhook_result result = webhook_post(&webhook, VIEW("{}"));
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(listener);
    snprintf(why, WEBHOOK_WHY_MAX, "%s", webhook.why);
    return result;
}

static void an_exchange(void **unused)
{
    char why[WEBHOOK_WHY_MAX];
    (void)unused;
    assert_int_equal(post("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", why), WEBHOOK_DELIVERED);
    assert_true(enclosed);
    assert_int_equal(strncmp(heard, "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:", 37), 0);
    assert_non_null(strstr(heard, "\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"));
    assert_int_equal(post("HTTP/1.1 403 Forbidden\r\n\r\n", why), WEBHOOK_REFUSED);
    assert_string_equal(why, "127.0.0.1 answered 403");
    assert_int_equal(post("nonsense", why), WEBHOOK_AGAIN);
    assert_string_equal(why, "127.0.0.1 gave no answer");
    assert_int_equal(post(NULL, why), WEBHOOK_AGAIN);
    assert_non_null(strstr(why, "can't be reached: Connection refused"));
    assert_false(enclosed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statuses), cmocka_unit_test(an_exchange)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
