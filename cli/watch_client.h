// SPDX-License-Identifier: ISC
// stayctl's side of the conversation with stayd-watch: one HTTP request over data_dir/run/watch.sock, one
// answer. It works while core, the store or a front is hung or gone. Used by stayctl. Owns: an answer's body.
// Bounds: an answer of WATCH_ANSWER_MAX bytes, WATCH_TIMEOUT_MS from the first byte to the last.
#ifndef CLI_WATCH_CLIENT_H
#define CLI_WATCH_CLIENT_H

#include "cli/cli.h"

#define WATCH_ANSWER_MAX (4u << 20)
#define WATCH_TIMEOUT_MS 5000

struct watch_answer {
    unsigned status; // of HTTP
    struct view body;
    struct bytes all; // head and body
};

void watch_answer_init(struct watch_answer *answer);
void watch_answer_release(struct watch_answer *answer);

// Takes a whole answer apart. False when it is none, or was cut short.
[[nodiscard]] bool watch_answer_parse(struct view all, unsigned *status, struct view *body);

// Asks for `path` ("/why.json") with `method` ("GET", "POST"). CLIENT_GRANTED when there is an answer,
// whatever its status.
[[nodiscard]] enum client_result watch_ask(const struct cli_config *config, const char *method,
                                           const char *path, unsigned timeout_ms,
                                           struct watch_answer *answer);
// "stayd-watch does not answer: …" for what watch_ask returned, into `text`.
void watch_explain(enum client_result result, const struct cli_config *config, char *text, size_t size);

// The usual way: reads the configuration, asks, and says what went wrong. CLI_DONE: the status is 200.
[[nodiscard]] int cli_watch(struct cli *cli, const char *method, const char *path,
                            struct watch_answer *answer);

#endif
