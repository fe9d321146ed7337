// SPDX-License-Identifier: ISC
// Sends and receives, plain or TLS. Runs in stayd-front.
#include "front/transport.h"

#include <errno.h>
#include <sys/socket.h>

void transport_unsent_free(struct connection *connection)
{
    if (connection->unsent != NULL) {
        bytes_release(connection->unsent);
        free(connection->unsent);
        connection->unsent = NULL;
    }
}

ssize_t transport_send(struct connection *connection, const uint8_t *data, size_t size)
{
    if (connection->tls != NULL) {
        size_t total = 0;
        while (total < size) {
            size_t put = 0;
            enum tls_result result = tls_write(connection->tls, data + total, size - total, &put);
            total += put;
            if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE) {
                break;
            }
            if (result != TLS_DONE) {
                return -1;
            }
        }
        return (ssize_t)total;
    }
    ssize_t sent = send(connection->io.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : sent;
}

bool transport_keep_unsent(struct connection *connection, const uint8_t *data, size_t size)
{
    if (connection->unsent == NULL) {
        connection->unsent = malloc(sizeof(*connection->unsent));
        if (connection->unsent == NULL) {
            return false;
        }
        bytes_init(connection->unsent, 2 * FRONT_OUT_MAX);
    }
    return bytes_append(connection->unsent, data, size);
}

ssize_t transport_receive(struct connection *connection, uint8_t *to, size_t size)
{
    if (connection->tls != NULL) {
        size_t got = 0;
        enum tls_result result = tls_read(connection->tls, to, size, &got);
        return result == TLS_DONE                                      ? (ssize_t)got
               : result == TLS_WANTS_READ || result == TLS_WANTS_WRITE ? 0
                                                                       : -1;
    }
    ssize_t got = recv(connection->io.fd, to, size, MSG_DONTWAIT);
    if (got == 0) {
        return -1;
    }
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : got;
}
