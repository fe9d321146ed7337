// SPDX-License-Identifier: ISC
// Making requests: a place, what they may change, the message. Used by the simulator's clients.
#ifndef SIM_REQUESTS_H
#define SIM_REQUESTS_H

#include "sim/world.h"

enum { REQUESTS_FLIGHT_MAX = 24, REQUESTS_SESSIONS_ROOM = 32 };

// NULL: enough are under way.
struct request *request_new(struct world *world, enum request_kind kind, uint32_t link);
void request_free(struct world *world, struct request *request);
// Not made after all.
void request_give_up(struct world *world, struct request *request);
// It may end this session.
void request_mark(struct world *world, struct request *request, int session);
// It may end all of its account's sessions but `keep`. False: the model has no room.
[[nodiscard]] bool request_ends(struct world *world, struct request *request, int keep);
// It may write this value. False: the model has no room.
[[nodiscard]] bool request_write(struct world *world, struct model_register *reg, uint32_t value, int *place);
// Sends the packet and releases it. When nobody is there the request was not made.
void request_send(struct world *world, struct request *request, struct bytes *packet);

struct id16 request_selector(struct world *world, int session);
struct id16 request_verifier(struct world *world, int session);
struct id16 choose_source(struct world *world);
// -1: there is none.
int choose_session(struct world *world);
int choose_account(struct world *world);
// A password of this account that may hold.
uint32_t choose_password(struct world *world, int account);

#define SEND(world_, request_, name_, session_, ...)                                                         \
    do {                                                                                                     \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        wire_##name_##_encode(                                                                               \
            &packet_,                                                                                        \
            &(struct wire_##name_){.request = (request_)->id,                                                \
                                   .trace = (request_)->id,                                                  \
                                   .via = (request_)->link == WORLD_CTL ? WIRE_VIA_CTL : WIRE_VIA_API,       \
                                   .source = choose_source(world_),                                          \
                                   .has_session = (session_) >= 0,                                           \
                                   .selector = request_selector((world_), (session_)),                       \
                                   .verifier = request_verifier((world_), (session_)),                       \
                                   .agent = VIEW("sim"),                                                     \
                                   ##__VA_ARGS__});                                                          \
        request_send((world_), (request_), &packet_);                                                        \
    } while (0)

#endif
