// SPDX-License-Identifier: ISC
// The bytes of a connection, over its socket or over TLS. Used by stayd-front. Owns what the client would not
// take yet. Bounds: twice FRONT_OUT_MAX unsent.
#ifndef FRONT_TRANSPORT_H
#define FRONT_TRANSPORT_H

#include "front/connection.h"

// Sends as much as is taken; -1: the peer is gone.
ssize_t transport_send(struct connection *connection, const uint8_t *data, size_t size);
// Bytes into `to`; 0: nothing now, -1: the peer is gone.
ssize_t transport_receive(struct connection *connection, uint8_t *to, size_t size);
// Keeps what was not taken. false: too much, or out of memory.
[[nodiscard]] bool transport_keep_unsent(struct connection *connection, const uint8_t *data, size_t size);
void transport_unsent_free(struct connection *connection);

#endif
