// SPDX-License-Identifier: ISC
// Checks through a front in this process, one after the other on one connection, to be counted instruction by
// instruction: valgrind --tool=callgrind --toggle-collect=turn bench_instruments N. What the client does is
// outside of `turn`. bench/run compares a build whose front counts and one whose front does not.
#include "front/testing/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

void turn(struct rig *rig);

// What the front does for a request: one turn of its loop.
[[gnu::noinline]] void turn(struct rig *rig)
{
    ev_run(rig->loop, EVRUN_NOWAIT);
}

static const char request[] =
    "GET /auth/check HTTP/1.1\r\nHost: app.example\r\nConnection: keep-alive\r\n"
    "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n"
    "X-Forwarded-Uri: /inbox/42?page=3&sort=date\r\nX-Forwarded-For: 203.0.113.9\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://app.example/inbox\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n"
    "Cookie: theme=dark; lang=en; consent=1f3a; stayd=%s\r\n\r\n";

int main(int argc, char **argv)
{
    static struct rig rig;
    char token[44], text[2048];
    uint64_t count = 0;
    if (argc != 2 || !view_to_u64(view_of_cstr(argv[1]), &count)) {
        fprintf(stderr, "usage: %s CHECKS\n", argv[0]);
        return 2;
    }
    rig_begin(&rig, NULL);
    rig_session(&rig, 1, "ada", "staff,wheel", token);
    int client = rig_connect(&rig);
    int size = snprintf(text, sizeof text, request, token);
    rig_turn(&rig);
    for (uint64_t i = 0; i < count; i++) {
        char answer[2048];
        if (send(client, text, (size_t)size, MSG_NOSIGNAL) != size) {
            return 1;
        }
        turn(&rig);
        ssize_t got = recv(client, answer, sizeof answer, 0);
        if (got <= 0 || !view_starts_with(view_of(answer, (size_t)got), VIEW("HTTP/1.1 200 "))) {
            fprintf(stderr, "a check was not answered with 200\n");
            return 1;
        }
    }
    rig_end(&rig);
    return 0;
}
