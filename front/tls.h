// SPDX-License-Identifier: ISC
// TLS 1.2 and 1.3 by OpenSSL, which is touched only when a certificate is configured. Used by stayd-front.
// Owns its contexts and sessions. Bounds: the records of OpenSSL; a session gives its buffers back while
// idle.
#ifndef FRONT_TLS_H
#define FRONT_TLS_H

#include "base/bytes.h"

#include <sys/types.h>

struct tls_context;
struct tls_session;

// A certificate chain and its key, both PEM. NULL, with a text, when they can't be used together.
struct tls_context *tls_context_new(struct view certificate, struct view key, const char **error);
void tls_context_free(struct tls_context **context);

// Over a non-blocking socket that stays the caller's. NULL: out of memory. Keeps what it needs of the
// context.
struct tls_session *tls_session_new(struct tls_context *context, int fd);
void tls_session_free(struct tls_session **session);

enum tls_result {
    TLS_DONE,
    TLS_WANTS_READ,
    TLS_WANTS_WRITE,
    TLS_CLOSED, // in order
    TLS_FAILED,
};

enum tls_result tls_handshake(struct tls_session *session);
enum tls_result tls_read(struct tls_session *session, void *data, size_t size, size_t *got);
enum tls_result tls_write(struct tls_session *session, const void *data, size_t size, size_t *put);
// Bytes that were read and decrypted already: the socket will not say so.
bool tls_pending(const struct tls_session *session);
// Says goodbye, without waiting for the answer.
void tls_shutdown(struct tls_session *session);

#endif
