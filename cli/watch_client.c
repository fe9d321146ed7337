// SPDX-License-Identifier: ISC
// One request to stayd-watch, with "Connection: close": the answer is all that comes until the end. Runs in
// stayctl.
#include "cli/watch_client.h"

#include "base/clock.h"
#include "cli/text.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void watch_answer_init(struct watch_answer *answer)
{
    *answer = (struct watch_answer){0};
    bytes_init(&answer->all, WATCH_ANSWER_MAX);
}

void watch_answer_release(struct watch_answer *answer)
{
    bytes_release(&answer->all);
}

// The value of Content-Length in a head; false when there is none that can be read.
static bool content_length(struct view head, uint64_t *size)
{
    static const struct view name = VIEW("Content-Length:");
    while (head.size > 0) {
        struct view line = view_cut(&head, '\n');
        if (view_equal_nocase(view_first(line, name.size), name)) {
            struct view value = view_from(line, name.size);
            value.size -= value.size > 0 && value.data[value.size - 1] == '\r';
            return view_to_u64(view_trim(value), size);
        }
    }
    return false;
}

bool watch_answer_parse(struct view all, unsigned *status, struct view *body)
{
    uint64_t number;
    uint64_t size;
    const uint8_t *end = all.size == 0 ? NULL : memmem(all.data, all.size, "\r\n\r\n", 4);
    if (end == NULL || !view_starts_with(all, VIEW("HTTP/1.1 "))) {
        return false;
    }
    struct view head = view_first(all, (size_t)(end - all.data) + 2);
    *body = view_from(all, head.size + 2);
    if (!view_to_u64(view_first(view_from(head, 9), 3), &number) || number < 200 || number > 599 ||
        !content_length(head, &size) || size != body->size) {
        return false;
    }
    *status = (unsigned)number;
    return true;
}

static int left_ms(uint64_t until_ns)
{
    uint64_t now = clock_mono_ns();
    return now >= until_ns ? 0 : (int)((until_ns - now) / 1000000u) + 1;
}

static bool say(int fd, const char *method, const char *path)
{
    char head[1024];
    int size = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: stayd\r\nConnection: close\r\n%s\r\n",
                        method, path, strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    return size > 0 && (size_t)size < sizeof(head) && send(fd, head, (size_t)size, MSG_NOSIGNAL) == size;
}

static enum client_result hear(int fd, uint64_t until_ns, struct watch_answer *answer)
{
    for (;;) {
        int ready = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, left_ms(until_ns));
        if (ready == 0) {
            return CLIENT_SILENT;
        }
        uint8_t *to = bytes_reserve(&answer->all, 16384);
        ssize_t got = ready < 0 || to == NULL ? -1 : recv(fd, to, 16384, 0);
        if (got < 0 && (to == NULL || errno != EINTR)) {
            return CLIENT_BROKEN;
        }
        answer->all.size += got > 0 ? (size_t)got : 0;
        if (got == 0) {
            return watch_answer_parse(bytes_view(&answer->all), &answer->status, &answer->body)
                       ? CLIENT_GRANTED
                       : CLIENT_BROKEN;
        }
    }
}

enum client_result watch_ask(const struct cli_config *config, const char *method, const char *path,
                             unsigned timeout_ms, struct watch_answer *answer)
{
    char socket_path[CLI_PATH_MAX + 16];
    int fd;
    snprintf(socket_path, sizeof(socket_path), "%s/run/watch.sock", config->data_dir);
    bytes_reset(&answer->all);
    enum client_result result = client_dial(socket_path, SOCK_STREAM, timeout_ms, &fd);
    if (result == CLIENT_GRANTED) {
        result = say(fd, method, path) ? hear(fd, clock_mono_ns() + timeout_ms * 1000000ull, answer)
                                       : CLIENT_BROKEN;
    }
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

void watch_explain(enum client_result result, const struct cli_config *config, char *text, size_t size)
{
    const char *why = result == CLIENT_ABSENT
                          ? "nobody listens there; stayd is not running, or it is being started again"
                      : result == CLIENT_FORBIDDEN
                          ? "the socket is not for you; run stayctl as root or as the user that stayd runs as"
                      : result == CLIENT_SILENT ? "no answer in time; it is hung or stopped"
                                                : "the connection ended early";
    snprintf(text, size, "stayd-watch does not answer on %s/run/watch.sock: %s.", config->data_dir, why);
}

// What an error of watch says: its title, and the detail after it.
static void say_problem(const struct watch_answer *answer)
{
    json_t *problem = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    const char *title = json_string_value(json_object_get(problem, "title"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    fputs("stayctl: ", stderr);
    text_print(stderr, title == NULL ? VIEW("stayd-watch refused this.") : view_of_cstr(title), 0);
    fputs(detail == NULL ? "" : " ", stderr);
    text_print(stderr, view_of_cstr(detail), 0);
    fputc('\n', stderr);
    json_decref(problem);
}

int cli_watch(struct cli *cli, const char *method, const char *path, struct watch_answer *answer)
{
    char text[CLI_PATH_MAX + 256];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = watch_ask(&cli->config, method, path, WATCH_TIMEOUT_MS, answer);
    if (result != CLIENT_GRANTED) {
        watch_explain(result, &cli->config, text, sizeof(text));
        cli_say("%s", text);
        return result == CLIENT_FORBIDDEN ? CLI_REFUSED : CLI_UNAVAILABLE;
    }
    if (answer->status != 200) {
        say_problem(answer);
        return answer->status == 503 ? CLI_UNAVAILABLE : CLI_REFUSED;
    }
    return CLI_DONE;
}
