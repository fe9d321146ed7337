// SPDX-License-Identifier: ISC
// TLS by OpenSSL. Runs in stayd-front.
// 1. Only forward-secret key exchange and authenticated encryption; no compression, no renegotiation.
// 2. Session tickets carry no early data: a replayed request would be one.
#include "front/tls.h"

#include "base/stats.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ssl;
};
struct tls_session {
    SSL *ssl;
};

static const char ciphers_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static bool use_certificate(SSL_CTX *ssl, struct view pem)
{
    bool fine = false;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *one = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (one == NULL || SSL_CTX_use_certificate(ssl, one) != 1) {
        goto out;
    }
    X509_free(one);
    while ((one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ssl, one) != 1) {
            goto out;
        }
    }
    fine = true;
out:
    X509_free(one);
    BIO_free(bio);
    ERR_clear_error();
    return fine;
}

static bool use_key(SSL_CTX *ssl, struct view pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    bool fine = key != NULL && SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return fine;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *in, unsigned int in_size, void *argument)
{
    (void)ssl;
    (void)argument;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof(ours) - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// For those who are to be told before it ends.
static void note_expiry(SSL_CTX *ssl)
{
    struct tm end;
    const X509 *leaf = SSL_CTX_get0_certificate(ssl);
    if (leaf != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1) {
        time_t end_s = timegm(&end);
        stats_set(STATS_tls_certificate_expiry_s, end_s > 0 ? (uint64_t)end_s : 1);
    }
}

struct tls_context *tls_context_new(struct view certificate, struct view key, const char **error)
{
    // No openssl.cnf: a sandboxed process opens no file, also when TLS comes with a reload.
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    struct tls_context *context = calloc(1, sizeof(*context));
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    if (context == NULL || ssl == NULL) {
        *error = "out of memory";
        goto failed;
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ssl, ciphers_12);
    SSL_CTX_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    if (!use_certificate(ssl, certificate)) {
        *error = "tls_certificate is not a PEM certificate";
        goto failed;
    }
    if (!use_key(ssl, key)) {
        *error = "tls_key is not the certificate's key";
        goto failed;
    }
    note_expiry(ssl);
    context->ssl = ssl;
    return context;
failed:
    SSL_CTX_free(ssl);
    free(context);
    return NULL;
}

void tls_context_free(struct tls_context **context)
{
    if (*context != NULL) {
        SSL_CTX_free((*context)->ssl);
        free(*context);
        *context = NULL;
    }
}

struct tls_session *tls_session_new(struct tls_context *context, int fd)
{
    struct tls_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->ssl = SSL_new(context->ssl);
    if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1) {
        tls_session_free(&session);
        return NULL;
    }
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_free(struct tls_session **session)
{
    if (*session != NULL) {
        SSL_free((*session)->ssl);
        free(*session);
        *session = NULL;
    }
}

static enum tls_result result_of(struct tls_session *session, int returned)
{
    if (returned == 1) {
        return TLS_DONE;
    }
    int error = SSL_get_error(session->ssl, returned);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ     ? TLS_WANTS_READ
           : error == SSL_ERROR_WANT_WRITE  ? TLS_WANTS_WRITE
           : error == SSL_ERROR_ZERO_RETURN ? TLS_CLOSED
                                            : TLS_FAILED;
}

enum tls_result tls_handshake(struct tls_session *session)
{
    return result_of(session, SSL_do_handshake(session->ssl));
}

enum tls_result tls_read(struct tls_session *session, void *data, size_t size, size_t *got)
{
    *got = 0;
    return result_of(session, SSL_read_ex(session->ssl, data, size, got));
}

enum tls_result tls_write(struct tls_session *session, const void *data, size_t size, size_t *put)
{
    *put = 0;
    return result_of(session, SSL_write_ex(session->ssl, data, size, put));
}

bool tls_pending(const struct tls_session *session)
{
    return SSL_pending(session->ssl) > 0;
}

void tls_shutdown(struct tls_session *session)
{
    (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
}
