// SPDX-License-Identifier: ISC
// TLS over socket pairs, with OpenSSL as the client: handshake, HSTS, reload, refusals, a slow handshake.
#include "front/tls.h"

#include "front/testing/rig.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;
static char certificate_pem[4096], key_pem[4096];

static struct view to_text(BIO *bio, char *out, size_t out_size)
{
    int size = BIO_read(bio, out, (int)out_size);
    assert_true(size > 0);
    BIO_free(bio);
    return view_of(out, (size_t)size);
}

static void make_certificate(struct wire_front_config *config)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    config->tls_certificate = to_text(bio, certificate_pem, sizeof(certificate_pem));
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    config->tls_key = to_text(bio, key_pem, sizeof(key_pem));
    config->public_url = VIEW("https://auth.example.com");
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, make_certificate);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

static int connect_tls(void)
{
    int ends[2];
    struct peer peer = {.unix_socket = false};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_non_null(connection_open(&rig.front, ends[0], &peer, true, NULL));
    return ends[1];
}

// The client's side of one request; NULL when there is no handshake.
static SSL *greet(int fd, int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, fd);
    for (int i = 0; i < 20; i++) {
        if (SSL_connect(ssl) == 1) {
            return ssl;
        }
        rig_turn(&rig);
    }
    SSL_free(ssl);
    return NULL;
}

static const char *ask(SSL *ssl, const char *text)
{
    assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
    rig_turn(&rig);
    int got = SSL_read(ssl, rig.heard, sizeof(rig.heard) - 1);
    rig.heard[got > 0 ? got : 0] = '\0';
    return rig.heard;
}

static void requests_are_answered(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        int fd = connect_tls();
        SSL *ssl = greet(fd, versions[i]);
        assert_non_null(ssl);
        rig_has(ask(ssl, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
        rig_has(rig.heard, "Strict-Transport-Security: max-age=31536000\r\n");
        rig_has(ask(ssl, "GET /login HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
                "<form");
        SSL_free(ssl);
        close(fd);
        rig_turn(&rig);
    }
    assert_int_equal(rig.front.connection_count, 0);
}

static void old_and_foreign_are_refused(void **state)
{
    (void)state;
    int fd = connect_tls();
    assert_null(greet(fd, TLS1_1_VERSION));
    assert_true(rig_is_closed(&rig, fd));
    close(fd);
    fd = connect_tls();
    rig_say(&rig, fd, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)rig_hear(&rig, fd);
    assert_int_equal(rig.front.connection_count, 0);
    close(fd);
}

static void a_silent_handshake_ends(void **state)
{
    (void)state;
    int fd = connect_tls();
    rig_pass(&rig, 9000);
    assert_int_equal(rig.front.connection_count, 1);
    rig_pass(&rig, 2000);
    assert_int_equal(rig.front.connection_count, 0);
    close(fd);
}

static void a_reload_keeps_connections(void **state)
{
    (void)state;
    const char *error;
    int fd = connect_tls();
    SSL *ssl = greet(fd, TLS1_3_VERSION);
    assert_non_null(ssl);
    make_certificate(&rig.config);
    front_use_settings(&rig.front, settings_new(&rig.config, &error));
    rig_has(ask(ssl, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    SSL_free(ssl);
    close(fd);
}

static void a_wrong_key_is_refused(void **state)
{
    (void)state;
    const char *error;
    char first_key[4096];
    struct wire_front_config config = rig.config;
    struct view key = view_of(first_key, rig.config.tls_key.size);
    memcpy(first_key, rig.config.tls_key.data, rig.config.tls_key.size);
    make_certificate(&config);
    config.tls_key = key;
    assert_null(settings_new(&config, &error));
    assert_string_equal(error, "tls_key is not the certificate's key");
    config.tls_certificate = VIEW("nonsense");
    assert_null(settings_new(&config, &error));
    assert_string_equal(error, "tls_certificate is not a PEM certificate");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered),      TEST(old_and_foreign_are_refused), TEST(a_silent_handshake_ends),
        TEST(a_reload_keeps_connections), TEST(a_wrong_key_is_refused),
    };
    (void)signal(SIGPIPE, SIG_IGN); // as the child does
    return cmocka_run_group_tests(tests, NULL, NULL);
}
