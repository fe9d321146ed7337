// SPDX-License-Identifier: ISC
// stayctl's side of the conversation with core: one request, one reply, waited for. The only place in cli/
// that knows how the messages travel. Owns: a socket and one packet. Bounds: CLIENT_TIMEOUT_MS a step.
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "wire/messages.h"

#define CLIENT_TIMEOUT_MS 30000

enum client_result {
    CLIENT_GRANTED,
    CLIENT_REFUSED,     // reply.reason says why
    CLIENT_UNAVAILABLE, // reply.reason, reply.retry_after_s
    CLIENT_ABSENT,      // nobody listens: stayd does not run
    CLIENT_FORBIDDEN,   // the socket is not for this user
    CLIENT_SILENT,      // no answer in time
    CLIENT_BROKEN,      // the connection ended, or the other side speaks otherwise
};

struct client {
    int fd;               // -1: not connected
    unsigned greeting_ms; // how long the greeting may take
    uint64_t requests;
    uint8_t *packet; // WIRE_PACKET_MAX; replies borrow it until the next request
    struct hash32 hash_public_key;
    char version[65];
    char public_url[513];
};

// Connects a socket of `type` to the one at `path`, however long that is. CLIENT_GRANTED, or what went wrong;
// *fd is the caller's to close in both cases, unless it is -1.
[[nodiscard]] enum client_result client_dial(const char *path, int type, unsigned timeout_ms, int *fd);

void client_init(struct client *client);
void client_release(struct client *client);

// Connects to the socket at `path` and exchanges greetings. CLIENT_GRANTED, or what went wrong.
[[nodiscard]] enum client_result client_connect(struct client *client, const char *path);

// Seals a password so that only stayd-hash can open it, into out (WIRE_SEALED_MAX); returns its size, 0 when
// the password is longer than WIRE_PASSWORD_MAX.
[[nodiscard]] size_t client_seal(const struct client *client, struct view password,
                                 uint8_t out[static WIRE_SEALED_MAX]);

// Sends one encoded request and waits for its reply, whose views are good until the next request.
[[nodiscard]] enum client_result client_exchange(struct client *client, struct bytes *packet, bool encoded,
                                                 uint64_t request, struct wire_reply *reply);
// The head of the next request.
uint64_t client_next(struct client *client);

// Encode, send, wait: CLIENT_ASK(&client, &reply, account_show, .username = name) → enum client_result.
#define CLIENT_ASK(client_, reply_, name_, ...)                                                              \
    ({                                                                                                       \
        struct bytes ask_;                                                                                   \
        uint64_t request_ = client_next(client_);                                                            \
        bytes_init(&ask_, WIRE_PACKET_MAX);                                                                  \
        bool encoded_ = wire_##name_##_encode(&ask_, &(struct wire_##name_){.request = request_,             \
                                                                            .trace = request_,               \
                                                                            .via = WIRE_VIA_CTL,             \
                                                                            .agent = VIEW("stayctl"),        \
                                                                            ##__VA_ARGS__});                 \
        enum client_result result_ = client_exchange((client_), &ask_, encoded_, request_, (reply_));        \
        bytes_release(&ask_);                                                                                \
        result_;                                                                                             \
    })

#endif
