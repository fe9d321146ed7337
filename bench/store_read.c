// SPDX-License-Identifier: ISC
// What one prepared point read costs stayd-store: plays its supervisor and core, keeps a number of reads in
// flight for some seconds, and divides the processor time of the process by the reads. To be compared with
// pgbench -S -M prepared over as many connections.
//
//   bench_store_read STAYD-STORE DATABASE ACCOUNTS IN-FLIGHT SECONDS [NAME-FORMAT]
#include "base/clock.h"
#include "store/store.h"
#include "wire/channel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t buffer[WIRE_PACKET_MAX];

#define SAY(socket_, fd_, name_, ...)                                                                        \
    do {                                                                                                     \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        if (!wire_##name_##_encode(&packet_, &(struct wire_##name_){__VA_ARGS__}) ||                         \
            !channel_send_blocking((socket_), bytes_view(&packet_), (fd_))) {                                \
            exit(1);                                                                                         \
        }                                                                                                    \
        bytes_release(&packet_);                                                                             \
    } while (0)

static uint64_t processor_us(pid_t pid)
{
    char path[64], line[1024], *at;
    uint64_t user = 0, system = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL && (at = strrchr(line, ')')) != NULL) {
        (void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (user + system) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static pid_t start(const char *program, const char *database, int *core)
{
    int control[2], pair[2];
    char folder[] = "/tmp/stayd-bench-XXXXXX";
    if (!channel_pair(control) || !channel_pair(pair) || mkdtemp(folder) == NULL) {
        exit(1);
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(control[1], 3) < 0 || fcntl(3, F_SETFD, 0) < 0 || chdir(folder) != 0) {
            _exit(99);
        }
        execl(program, "stayd-store", "--index", "0", NULL);
        _exit(98);
    }
    SAY(control[0], -1, store_config, .database = view_of_cstr(database));
    SAY(control[0], pair[1], peer, .role = WIRE_CORE);
    SAY(control[0], -1, start, .started_ns = 1);
    close(pair[1]);
    *core = pair[0];
    return pid;
}

static void ask(int core, uint64_t *op, uint32_t accounts, const char *format)
{
    char name[64];
    struct bytes packet;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(name, sizeof(name), format, (uint32_t)(++*op * 7919 % accounts));
#pragma GCC diagnostic pop
    bytes_init(&packet, 256);
    if (!wire_store_account_by_name_encode(&packet,
                                           &(struct wire_store_account_by_name){
                                               .op = *op, .deadline_ms = 5000, .name = view_of_cstr(name)}) ||
        !channel_send_blocking(core, bytes_view(&packet), -1)) {
        exit(1);
    }
    bytes_release(&packet);
}

struct counts {
    uint64_t found, none, failed;
};

static void take(int core, struct counts *counts)
{
    struct wire_store_reply reply;
    int fd;
    size_t size = channel_receive_blocking(core, buffer, sizeof(buffer), &fd);
    if (size == 0) {
        exit(1);
    }
    if (wire_store_reply_decode(view_of(buffer, size), &reply)) {
        counts->found += reply.outcome == WIRE_STORE_OK;
        counts->none += reply.outcome == WIRE_STORE_NOT_FOUND;
        counts->failed += reply.outcome != WIRE_STORE_OK && reply.outcome != WIRE_STORE_NOT_FOUND;
    }
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(stderr, "usage: %s STAYD-STORE DATABASE ACCOUNTS IN-FLIGHT SECONDS [NAME-FORMAT]\n",
                      argv[0]);
        return 2;
    }
    uint32_t accounts = (uint32_t)strtoul(argv[3], NULL, 10), flight = (uint32_t)strtoul(argv[4], NULL, 10);
    uint64_t seconds = strtoul(argv[5], NULL, 10);
    const char *format = argc > 6 ? argv[6] : "user%u";
    int core;
    (void)signal(SIGPIPE, SIG_IGN);
    pid_t pid = start(argv[1], argv[2], &core);
    struct counts counts = {0};
    take(core, &counts); // the state
    uint64_t op = 0, began_ns = 0, began_us = 0, warm_ns = clock_mono_ns() + 500000000u;
    for (uint32_t i = 0; i < flight; i++) {
        ask(core, &op, accounts, format);
    }
    for (;;) {
        uint64_t now_ns = clock_mono_ns();
        if (began_ns == 0 && now_ns >= warm_ns) {
            began_ns = now_ns;
            began_us = processor_us(pid);
            counts = (struct counts){0};
        }
        if (began_ns > 0 && now_ns >= began_ns + seconds * 1000000000u) {
            break;
        }
        take(core, &counts);
        ask(core, &op, accounts, format);
    }
    uint64_t used_us = processor_us(pid) - began_us, done = counts.found + counts.none;
    (void)printf("reads_per_s=%.0f cpu_us_per_read=%.2f found=%lu none=%lu failed=%lu\n",
                 (double)done / (double)seconds, (double)used_us / (double)(done == 0 ? 1 : done),
                 counts.found, counts.none, counts.failed);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return counts.failed > 0;
}
