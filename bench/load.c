// SPDX-License-Identifier: ISC
// The bench's client: keep-alive connections that ask for /auth/check, or log in, and what came of it as one
// JSON object. Used by bench/run; not installed. Bounds: LOAD_CONNECTIONS_MAX connections, one request under
// way on each.
//
// Closed model (no --rate): every connection asks again as soon as it is answered: for CPU per request.
// Open model (--rate R): requests start at their times whether or not others are answered; latency counts
// from the intended start, so a server that stalls is not spared (no coordinated omission).
//
// --log FILE: a line a request, "intended sent ended status" (monotonic nanoseconds; status 0: failed).
// --sources N: logs in from N addresses, told by X-Forwarded-For, so that no limit per source is met.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/stats.h"
#include "bench/tokens.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LOAD_CONNECTIONS_MAX = 4096,
    RESPONSE_MAX = 16384,
    REQUEST_MAX = 4096,
    STATUS_MAX = 600,
    WAITING_MAX = 200000
};

struct connection {
    int fd;
    bool busy;
    uint64_t started_ns; // intended start of the request under way
    uint64_t sent_ns;
    size_t got;
    char response[RESPONSE_MAX];
};

static struct load {
    const char *host, *path, *seed, *password;
    FILE *log;
    uint16_t port;
    uint32_t connections;
    bool login;
    uint64_t sessions, users, sources, requests_max;
    double seconds, rate;
    struct connection *connection;
    uint64_t asked, answered, failed, refused, overdue;
    uint64_t status[STATUS_MAX];
    uint64_t waiting[WAITING_MAX], waiting_first, waiting_count; // intended starts without a connection
    uint64_t random;
    struct stats_times times;
    uint64_t slowest_ns;
    int epoll;
    bool over;
} load = {.host = "127.0.0.1",
          .path = "/auth/check",
          .seed = "bench",
          .password = "",
          .connections = 64,
          .seconds = 5,
          .sessions = 1,
          .users = 1,
          .random = 88172645463325252ull};

static uint64_t next_random(void)
{
    load.random ^= load.random << 13;
    load.random ^= load.random >> 7;
    load.random ^= load.random << 17;
    return load.random;
}

// About 800 bytes, with the headers that a browser sends.
static size_t check_request(char *out)
{
    char token[44];
    bench_token(load.seed, next_random() % load.sessions, token);
    int size = snprintf(
        out, REQUEST_MAX,
        "GET %s HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\n"
        "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n"
        "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
        "Safari/537.36\r\nAccept: "
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\nSec-Fetch-Site: same-origin\r\n"
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
        "Referer: https://app.example.com/projects/42\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCookie: theme=dark; stayd=%.43s\r\n\r\n",
        load.path, token);
    return (size_t)size;
}

static size_t login_request(char *out)
{
    char body[512];
    char name[32];
    char source[64] = "";
    bench_user(next_random() % load.users, name, sizeof(name));
    if (load.sources > 0) {
        uint32_t number = (uint32_t)(next_random() % load.sources);
        snprintf(source, sizeof(source), "X-Forwarded-For: 10.%u.%u.%u\r\n", number >> 16 & 255,
                 number >> 8 & 255, number & 255);
    }
    int body_size =
        snprintf(body, sizeof(body), "{\"username\":\"%s\",\"password\":\"%s\"}", name, load.password);
    int size =
        snprintf(out, REQUEST_MAX,
                 "POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                 "User-Agent: stayd-bench\r\n%sContent-Length: %d\r\n\r\n%s",
                 load.port, source, body_size, body);
    return (size_t)size;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_connection(struct connection *connection)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load.port)};
    if (inet_pton(AF_INET, load.host, &to.sin_addr) != 1) {
        die("the host is not an IPv4 address");
    }
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connection->busy = false;
    connection->got = 0;
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        if (connection->fd >= 0) {
            close(connection->fd);
        }
        connection->fd = -1;
        return;
    }
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        die("epoll");
    }
}

static void note(const struct connection *connection, int status)
{
    if (load.log != NULL) {
        fprintf(load.log, "%llu %llu %llu %d\n", (unsigned long long)connection->started_ns,
                (unsigned long long)connection->sent_ns, (unsigned long long)clock_mono_ns(), status);
    }
}

static void fail(struct connection *connection)
{
    load.failed++;
    connection->busy = false;
    note(connection, 0);
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
}

// A client that was late itself may not have seen yet that the other side closed an idle connection.
static void close_if_over(struct connection *connection)
{
    char byte;
    ssize_t got = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close(connection->fd);
        connection->fd = -1;
    }
}

static void ask(struct connection *connection, uint64_t started_ns)
{
    char request[REQUEST_MAX];
    if (connection->fd >= 0 && load.rate > 0) {
        close_if_over(connection);
    }
    if (connection->fd < 0) {
        open_connection(connection);
    }
    size_t size = load.login ? login_request(request) : check_request(request);
    connection->busy = true;
    connection->got = 0;
    connection->started_ns = started_ns;
    connection->sent_ns = clock_mono_ns();
    load.asked++;
    if (connection->fd < 0 || send(connection->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        fail(connection);
    }
}

// The status once the whole response is there, 0 before, -1 when it is none.
static int complete(const struct connection *connection)
{
    struct view text = view_of(connection->response, connection->got);
    const char *end = memmem(text.data, text.size, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - connection->response) + 4;
    const char *field = memmem(text.data, head, "Content-Length: ", 16);
    uint64_t length = 0;
    uint64_t status = 0;
    if (field != NULL) {
        struct view rest = view_from(text, (size_t)(field - connection->response) + 16);
        if (!view_to_u64(view_cut(&rest, '\r'), &length)) {
            return -1;
        }
    }
    if (!view_starts_with(text, VIEW("HTTP/1.1 ")) ||
        !view_to_u64(view_first(view_from(text, 9), 3), &status) || status >= STATUS_MAX) {
        return -1;
    }
    return connection->got >= head + length ? (int)status : 0;
}

static void finish(struct connection *connection, int status)
{
    uint64_t took = clock_mono_ns() - connection->started_ns;
    if (status < 0) {
        fail(connection);
        return;
    }
    connection->busy = false;
    note(connection, status);
    load.answered++;
    load.status[status]++;
    load.times.bucket[stats_bucket(took)]++;
    load.slowest_ns = took > load.slowest_ns ? took : load.slowest_ns;
}

static void on_readable(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->response + connection->got, RESPONSE_MAX - connection->got,
                       MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        if (connection->busy) {
            fail(connection);
            return;
        }
        close(connection->fd);
        connection->fd = -1;
        return;
    }
    connection->got += (size_t)got;
    int status = complete(connection);
    if (status != 0) {
        finish(connection, status);
    }
}

static bool may_ask(uint64_t now, uint64_t end)
{
    return now < end && (load.requests_max == 0 || load.asked < load.requests_max);
}

// Open model: those whose time has come wait for a free connection.
static uint64_t schedule(uint64_t now, uint64_t next, uint64_t interval)
{
    for (; next <= now; next += interval) {
        if (load.waiting_count == WAITING_MAX) {
            load.overdue++;
            continue;
        }
        load.waiting[(load.waiting_first + load.waiting_count++) % WAITING_MAX] = next;
    }
    return next;
}

static void start_some(uint64_t now, uint64_t end)
{
    for (uint32_t i = 0; i < load.connections; i++) {
        struct connection *connection = &load.connection[i];
        if (connection->busy) {
            continue;
        }
        if (load.rate > 0) {
            if (load.waiting_count == 0) {
                return;
            }
            uint64_t started = load.waiting[load.waiting_first];
            load.waiting_first = (load.waiting_first + 1) % WAITING_MAX;
            load.waiting_count--;
            ask(connection, started);
        } else if (may_ask(now, end)) {
            ask(connection, now);
        }
    }
}

static bool any_busy(void)
{
    for (uint32_t i = 0; i < load.connections; i++) {
        if (load.connection[i].busy) {
            return true;
        }
    }
    return false;
}

static void run(void)
{
    uint64_t begin = clock_mono_ns(), end = begin + (uint64_t)(load.seconds * 1e9), next = begin;
    uint64_t interval = load.rate > 0 ? (uint64_t)(1e9 / load.rate) : 1;
    struct epoll_event events[256];
    for (;;) {
        uint64_t now = clock_mono_ns();
        if (load.rate > 0 && now < end) {
            next = schedule(now, next, interval);
        }
        start_some(now, end);
        if (!may_ask(now, end) && load.waiting_count == 0 && !any_busy()) {
            break;
        }
        if (now > end + 20000000000ull) {
            break; // what is not answered by now never will be
        }
        uint64_t until = load.rate > 0 && now < end && next > now ? next - now : 1000000000;
        struct timespec wait = {.tv_sec = (time_t)(until / 1000000000),
                                .tv_nsec = (long)(until % 1000000000)};
        int count = epoll_pwait2(load.epoll, events, 256, &wait, NULL);
        for (int i = 0; i < count; i++) {
            on_readable(events[i].data.ptr);
            struct connection *connection = events[i].data.ptr;
            if (load.rate <= 0 && !connection->busy && may_ask(now, end)) {
                ask(connection, clock_mono_ns());
            }
        }
    }
    for (uint32_t i = 0; i < load.connections; i++) {
        if (load.connection[i].busy) {
            fail(&load.connection[i]);
        }
    }
    double took = (double)(clock_mono_ns() - begin) / 1e9;
    printf("{\"asked\":%llu,\"answered\":%llu,\"failed\":%llu,\"overdue\":%llu,\"seconds\":%.3f,\"per_"
           "second\":%.1f,",
           (unsigned long long)load.asked, (unsigned long long)load.answered, (unsigned long long)load.failed,
           (unsigned long long)(load.overdue + load.waiting_count), took, (double)load.answered / took);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"status\":{",
           (double)stats_quantile_ns(&load.times, 0.5) / 1e3,
           (double)stats_quantile_ns(&load.times, 0.99) / 1e3,
           (double)stats_quantile_ns(&load.times, 0.999) / 1e3, (double)load.slowest_ns / 1e3);
    const char *comma = "";
    for (int i = 0; i < STATUS_MAX; i++) {
        if (load.status[i] > 0) {
            printf("%s\"%d\":%llu", comma, i, (unsigned long long)load.status[i]);
            comma = ",";
        }
    }
    printf("}}\n");
}

static void usage(void)
{
    fprintf(stderr,
            "usage: load --port P [--mode check|login] [--connections N] [--seconds S] [--requests N] "
            "[--rate R]\n"
            "            [--seed TEXT] [--sessions N] [--users N] [--password P] [--path /auth/check]\n"
            "            [--sources N] [--log FILE]\n"
            "       load [--seed TEXT] --token N    prints a token\n");
    exit(2);
}

static void take_option(const char *name, const char *value)
{
    uint64_t number = 0;
    bool is_number = view_to_u64(view_of_cstr(value), &number);
    if (strcmp(name, "--mode") == 0) {
        load.login = strcmp(value, "login") == 0;
    } else if (strcmp(name, "--path") == 0) {
        load.path = value;
    } else if (strcmp(name, "--seed") == 0) {
        load.seed = value;
    } else if (strcmp(name, "--password") == 0) {
        load.password = value;
    } else if (strcmp(name, "--token") == 0 && is_number) {
        char token[44];
        bench_token(load.seed, number, token);
        puts(token);
        exit(0);
    } else if (strcmp(name, "--log") == 0) {
        load.log = fopen(value, "we");
        if (load.log == NULL) {
            die(value);
        }
    } else if (strcmp(name, "--seconds") == 0) {
        load.seconds = strtod(value, NULL);
    } else if (strcmp(name, "--rate") == 0) {
        load.rate = strtod(value, NULL);
    } else if (!is_number) {
        usage();
    } else if (strcmp(name, "--port") == 0) {
        load.port = (uint16_t)number;
    } else if (strcmp(name, "--connections") == 0 && number >= 1 && number <= LOAD_CONNECTIONS_MAX) {
        load.connections = (uint32_t)number;
    } else if (strcmp(name, "--requests") == 0) {
        load.requests_max = number;
    } else if (strcmp(name, "--sessions") == 0 && number >= 1) {
        load.sessions = number;
    } else if (strcmp(name, "--sources") == 0) {
        load.sources = number;
    } else if (strcmp(name, "--users") == 0 && number >= 1) {
        load.users = number;
    } else {
        usage();
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        take_option(argv[i], argv[i + 1]);
    }
    if (load.port == 0 || sodium_init() < 0) {
        usage();
    }
    load.random += clock_mono_ns();
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connection = calloc(load.connections, sizeof(*load.connection));
    if (load.epoll < 0 || load.connection == NULL) {
        die("no memory");
    }
    for (uint32_t i = 0; i < load.connections; i++) {
        load.connection[i].fd = -1;
        open_connection(&load.connection[i]);
    }
    run();
    return load.log == NULL || fclose(load.log) == 0 ? 0 : 1;
}
