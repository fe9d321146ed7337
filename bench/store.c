// SPDX-License-Identifier: ISC
// The bench's core: starts the real stayd-store and asks it, so many operations at once, and says what came
// of it as one JSON object. Used by bench/run-db; not installed.
//
//   --mode grants     session_grant for the seeded accounts: each is durable when it is answered
//   --mode reads      account_by_name of the seeded accounts: one prepared point read each
//   --mode fdatasync  no stayd-store: one page written and fdatasync'ed in the folder, again and again
//
// It speaks through a channel of wire/channel.h on a loop, as stayd-core does: an answer that came is
// followed by the next question, and what is asked in one turn of the loop goes out together. CPU is that of
// the stayd-store process (its CLOCK_PROCESS_CPUTIME_ID), user and system, all threads.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/stats.h"
#include "bench/tokens.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTSTANDING_MAX = 4096, PAGE = 4096, SESSION_S = 86400, QUEUE_BYTES = 8 << 20 };

static struct bench {
    const char *store, *folder, *database, *mode, *seed;
    uint64_t outstanding, users, connections;
    double seconds;
    pid_t pid;
    int control;
    struct ev_loop *loop;
    struct channel core;
    uint64_t end_ns, under_way;
    bool up;
    uint8_t buffer[WIRE_PACKET_MAX];
    uint64_t sent_ns[OUTSTANDING_MAX];
    uint64_t done, refused, random;
    struct stats_times times;
} bench = {.folder = ".",
           .database = "sqlite",
           .mode = "reads",
           .seed = "bench",
           .outstanding = 64,
           .users = 1,
           .seconds = 3,
           .random = 88172645463325252ull};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, strerror(errno));
    if (bench.pid > 0) {
        kill(bench.pid, SIGKILL);
    }
    exit(1);
}

#define SAY(name_, fd_, ...)                                                                                 \
    do {                                                                                                     \
        struct bytes say_;                                                                                   \
        bytes_init(&say_, WIRE_PACKET_MAX);                                                                  \
        if (!wire_##name_##_encode(&say_, &(struct wire_##name_){__VA_ARGS__}) ||                            \
            !channel_send_blocking(bench.control, bytes_view(&say_), (fd_))) {                               \
            die(#name_);                                                                                     \
        }                                                                                                    \
        bytes_release(&say_);                                                                                \
    } while (0)

#define ASK(name_, ...)                                                                                      \
    do {                                                                                                     \
        if (!CHANNEL_SAY(&bench.core, name_, __VA_ARGS__)) {                                                 \
            die(#name_);                                                                                     \
        }                                                                                                    \
    } while (0)

static uint64_t next_random(void)
{
    bench.random ^= bench.random << 13;
    bench.random ^= bench.random >> 7;
    bench.random ^= bench.random << 17;
    return bench.random;
}

static void run_child(int control)
{
    if (dup2(control, 3) < 0 || chdir(bench.folder) != 0) {
        _exit(99);
    }
    fcntl(3, F_SETFD, 0);
    execl(bench.store, "stayd-store", "--index", "0", NULL);
    _exit(98);
}

static struct id16 account_id(uint64_t number)
{
    struct id16 id;
    char name[96];
    snprintf(name, sizeof(name), "%s/account/%llu", bench.seed, (unsigned long long)number);
    crypto_generichash(id.byte, sizeof(id.byte), (const unsigned char *)name, strlen(name), NULL, 0);
    return id;
}

static void ask(uint64_t op)
{
    uint64_t user = next_random() % bench.users;
    bench.sent_ns[op] = clock_mono_ns();
    if (strcmp(bench.mode, "reads") == 0) {
        char name[32];
        bench_user(user, name, sizeof(name));
        ASK(store_account_by_name, .op = op, .deadline_ms = 10000, .name = view_of_cstr(name));
        return;
    }
    struct id16 selector, verifier, public_id;
    randombytes_buf(&selector, sizeof(selector));
    randombytes_buf(&verifier, sizeof(verifier));
    randombytes_buf(&public_id, sizeof(public_id));
    uint64_t now_s = clock_wall_s();
    for (unsigned i = 0; i < 4; i++) { // as core makes them
        public_id.byte[i] = (uint8_t)(now_s >> (24 - 8 * i));
    }
    ASK(store_session_grant, .op = op, .deadline_ms = 10000, .selector = selector, .verifier_hash = verifier,
        .public_id = public_id, .account_id = account_id(user), .epoch = 1, .created = now_s,
        .expires = now_s + SESSION_S, .last_seen = now_s, .level = 1, .agent = VIEW("Chrome on Linux"));
}

// ---- what stayd-store says -------------------------------------------------------------------------------

static void take(const struct wire_store_reply *reply)
{
    uint64_t now_ns = clock_mono_ns();
    bench.done++;
    bench.refused += reply->outcome != WIRE_STORE_OK;
    bench.times.bucket[stats_bucket(now_ns - bench.sent_ns[reply->op])]++;
    if (now_ns < bench.end_ns) {
        ask(reply->op);
    } else if (--bench.under_way == 0) {
        ev_break(bench.loop, EVBREAK_ALL);
    }
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    (void)channel;
    (void)fd;
    struct wire_store_reply reply;
    struct wire_store_state state;
    if (wire_peek(packet) == WIRE_MESSAGE_store_reply) {
        if (!wire_store_reply_decode(packet, &reply) || reply.op >= OUTSTANDING_MAX) {
            die("a reply that does not decode");
        }
        take(&reply);
    } else if (wire_store_state_decode(packet, &state) && state.up && !bench.up) {
        bench.up = true;
        ev_break(bench.loop, EVBREAK_ALL);
    }
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    (void)why;
    die("stayd-store is gone");
}

static const struct channel_events events = {on_packet, on_end};

// ---- one run ---------------------------------------------------------------------------------------------

static void start(void)
{
    int control[2], core[2], fd;
    if (!channel_pair(control) || !channel_pair(core) || (bench.pid = fork()) < 0) {
        die("start");
    }
    if (bench.pid == 0) {
        run_child(control[1]);
    }
    close(control[1]);
    bench.control = control[0];
    bench.loop = ev_loop_new(EVBACKEND_EPOLL);
    channel_open(&bench.core, bench.loop, core[0], WIRE_CORE, WIRE_STORE, &events, NULL, QUEUE_BYTES);
    channel_gather(&bench.core);
    SAY(store_config, -1, .database = view_of_cstr(bench.database),
        .connections_min = (uint32_t)bench.connections, .connections_max = (uint32_t)bench.connections);
    SAY(peer, core[1], .role = WIRE_CORE);
    close(core[1]);
    SAY(start, -1, .started_ns = clock_mono_ns());
    if (channel_receive_blocking(bench.control, bench.buffer, sizeof(bench.buffer), &fd) == 0) {
        die("stayd-store is gone");
    }
    ev_run(bench.loop, 0); // until it says that the database is up
}

static uint64_t cpu_ns(void)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(bench.pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        die("the CPU time of stayd-store");
    }
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void ask_for(double seconds)
{
    bench.end_ns = clock_mono_ns() + (uint64_t)(seconds * 1e9);
    bench.under_way = bench.outstanding;
    for (uint64_t op = 0; op < bench.outstanding; op++) {
        ask(op);
    }
    ev_run(bench.loop, 0);
}

static void run_store(void)
{
    start();
    ask_for(0.5); // connections, statements and caches
    bench.done = bench.refused = 0;
    bench.times = (struct stats_times){0};
    uint64_t began_ns = clock_mono_ns();
    uint64_t cpu_before_ns = cpu_ns();
    ask_for(bench.seconds);
    double took_s = (double)(clock_mono_ns() - began_ns) / 1e9;
    uint64_t cpu = cpu_ns() - cpu_before_ns;
    printf("{\"done\":%llu,\"refused\":%llu,\"per_second\":%.1f,\"cpu_ns\":%.1f,\"p50_us\":%.1f,\"p99_us\":%."
           "1f}\n",
           (unsigned long long)bench.done, (unsigned long long)bench.refused, (double)bench.done / took_s,
           (double)cpu / (double)bench.done, (double)stats_quantile_ns(&bench.times, 0.5) / 1e3,
           (double)stats_quantile_ns(&bench.times, 0.99) / 1e3);
    SAY(drain, -1, .deadline_ms = 2000);
    waitpid(bench.pid, NULL, 0);
}

// In place, in a file that is there already, as a log that is used again does it: what is cheapest for a
// disk.
static void run_fdatasync(void)
{
    enum { PAGES = 256 };
    char path[512];
    static uint8_t page[PAGE];
    snprintf(path, sizeof(path), "%s/fdatasync.tmp", bench.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < PAGES; i++) {
        if (fd < 0 || write(fd, page, sizeof(page)) != (ssize_t)sizeof(page)) {
            die(path);
        }
    }
    if (fsync(fd) != 0) {
        die(path);
    }
    uint64_t began_ns = clock_mono_ns();
    uint64_t end_ns = began_ns + (uint64_t)(bench.seconds * 1e9);
    uint64_t count = 0;
    for (; clock_mono_ns() < end_ns; count++) {
        page[count % PAGE]++;
        if (pwrite(fd, page, sizeof(page), (off_t)(count % PAGES) * PAGE) != (ssize_t)sizeof(page) ||
            fdatasync(fd) != 0) {
            die(path);
        }
    }
    double took_s = (double)(clock_mono_ns() - began_ns) / 1e9;
    close(fd);
    unlink(path);
    printf("{\"done\":%llu,\"per_second\":%.1f}\n", (unsigned long long)count, (double)count / took_s);
}

static void take_option(const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--store", &bench.store},
                 {"--folder", &bench.folder},
                 {"--database", &bench.database},
                 {"--mode", &bench.mode},
                 {"--seed", &bench.seed}};
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--outstanding", &bench.outstanding},
                   {"--users", &bench.users},
                   {"--connections", &bench.connections}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return;
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0 && view_to_u64(view_of_cstr(value), numbers[i].to)) {
            return;
        }
    }
    if (strcmp(name, "--seconds") != 0) {
        fprintf(stderr,
                "usage: bench_store --mode grants|reads|fdatasync --folder DIR [--store FILE] [--database "
                "URL]\n"
                "                   [--outstanding N] [--connections N] [--users N] [--seed TEXT] "
                "[--seconds S]\n");
        exit(2);
    }
    bench.seconds = strtod(value, NULL);
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        take_option(argv[i], argv[i + 1]);
    }
    if (sodium_init() < 0 || bench.outstanding == 0 || bench.outstanding > OUTSTANDING_MAX ||
        bench.users == 0) {
        take_option("", "");
    }
    signal(SIGPIPE, SIG_IGN);
    bench.random += clock_mono_ns();
    if (strcmp(bench.mode, "fdatasync") == 0) {
        run_fdatasync();
    } else {
        run_store();
    }
    return 0;
}
