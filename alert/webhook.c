// SPDX-License-Identifier: ISC
// Speaks HTTP/1.1 to a webhook. Runs in stayd-alert. Names are looked up and the connection is made first;
// what the other side says is read only after the sandbox was entered, in which there are no files and no new
// sockets.
#include "alert/webhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

struct line {
    int fd;
    SSL_CTX *context;
    SSL *tls; // NULL: in the clear
};

unsigned webhook_status(struct view answer)
{
    uint64_t number;
    bool fits = answer.size >= 13 && view_starts_with(answer, VIEW("HTTP/1.")) &&
                (answer.data[7] == '0' || answer.data[7] == '1') && answer.data[8] == ' ' &&
                (answer.data[12] == ' ' || answer.data[12] == '\r');
    if (!fits || !view_to_u64(view_first(view_from(answer, 9), 3), &number) || number < 100 || number > 599) {
        return 0;
    }
    return (unsigned)number;
}

enum webhook_result webhook_judge(unsigned status)
{
    if (status >= 200 && status < 300) {
        return WEBHOOK_DELIVERED;
    }
    return status < 300 || status == 408 || status == 429 || status >= 500 ? WEBHOOK_AGAIN : WEBHOOK_REFUSED;
}

static bool dial(struct webhook *webhook, struct line *line)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(webhook->url.host, webhook->url.port, &hints, &list);
    if (failed != 0) {
        snprintf(webhook->why, sizeof(webhook->why), "%s is not known: %s", webhook->url.host,
                 gai_strerror(failed));
        return false;
    }
    for (const struct addrinfo *one = list; one != NULL && line->fd < 0; one = one->ai_next) {
        line->fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (line->fd >= 0 && connect(line->fd, one->ai_addr, one->ai_addrlen) != 0) {
            snprintf(webhook->why, sizeof(webhook->why), "%s port %s can't be reached: %s", webhook->url.host,
                     webhook->url.port, strerror(errno));
            close(line->fd);
            line->fd = -1;
        }
    }
    freeaddrinfo(list);
    return line->fd >= 0;
}

static void tls_why(struct webhook *webhook, const struct line *line)
{
    char text[120] = "";
    long verdict = line->tls == NULL ? X509_V_OK : SSL_get_verify_result(line->tls);
    ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
    snprintf(webhook->why, sizeof(webhook->why), "TLS with %s failed: %s", webhook->url.host,
             verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : text);
}

// Everything that needs a file is read here.
static bool tls_prepare(struct webhook *webhook, struct line *line)
{
    line->context = SSL_CTX_new(TLS_client_method());
    bool fine = line->context != NULL && SSL_CTX_set_min_proto_version(line->context, TLS1_2_VERSION) == 1;
    if (fine && webhook->ca[0] != '\0') {
        fine = SSL_CTX_load_verify_locations(line->context, webhook->ca, NULL) == 1;
    } else if (fine) {
        fine = SSL_CTX_load_verify_file(line->context, "/etc/ssl/certs/ca-certificates.crt") == 1 ||
               SSL_CTX_set_default_verify_paths(line->context) == 1;
    }
    line->tls = fine ? SSL_new(line->context) : NULL;
    if (line->tls == NULL || SSL_set1_host(line->tls, webhook->url.host) != 1 ||
        SSL_set_fd(line->tls, line->fd) != 1) {
        tls_why(webhook, line);
        return false;
    }
    SSL_set_verify(line->tls, SSL_VERIFY_PEER, NULL);
    uint8_t address[16];
    bool is_address = inet_pton(AF_INET, webhook->url.host, address) == 1 ||
                      inet_pton(AF_INET6, webhook->url.host, address) == 1;
    return is_address || SSL_set_tlsext_host_name(line->tls, webhook->url.host) == 1; // RFC 6066: names only
}

static bool send_all(const struct line *line, struct view data)
{
    while (data.size > 0) {
        int step = data.size > 16384 ? 16384 : (int)data.size;
        ssize_t sent = line->tls != NULL ? SSL_write(line->tls, data.data, step)
                                         : send(line->fd, data.data, (size_t)step, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data = view_from(data, (size_t)sent);
    }
    return true;
}

static bool say(const struct webhook *webhook, const struct line *line, struct view body)
{
    struct bytes request;
    bytes_init(&request, 65536);
    bytes_append_format(&request,
                        "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: stayd\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        webhook->url.target, webhook->url.authority, body.size);
    bytes_append_view(&request, body);
    bool said = !request.failed && send_all(line, bytes_view(&request));
    bytes_release(&request);
    return said;
}

// Reads until the status line is whole.
static unsigned hear(const struct line *line)
{
    char head[WEBHOOK_HEAD_MAX];
    size_t size = 0;
    while (size < sizeof(head)) {
        int room = (int)(sizeof(head) - size);
        ssize_t got = line->tls != NULL ? SSL_read(line->tls, head + size, room)
                                        : recv(line->fd, head + size, (size_t)room, 0);
        size += got > 0 ? (size_t)got : 0;
        if (got <= 0 || memchr(head, '\n', size) != NULL) {
            break;
        }
    }
    return webhook_status(view_of(head, size));
}

static enum webhook_result exchange(struct webhook *webhook, struct line *line, struct view body)
{
    if (!dial(webhook, line) || (webhook->url.tls && !tls_prepare(webhook, line))) {
        return WEBHOOK_AGAIN;
    }
    if (!webhook->enclose()) {
        snprintf(webhook->why, sizeof(webhook->why), "the sandbox could not be entered");
        return WEBHOOK_AGAIN;
    }
    if (line->tls != NULL && SSL_connect(line->tls) != 1) {
        tls_why(webhook, line);
        return WEBHOOK_AGAIN;
    }
    if (!say(webhook, line, body)) {
        snprintf(webhook->why, sizeof(webhook->why), "%s ended the connection", webhook->url.host);
        return WEBHOOK_AGAIN;
    }
    unsigned status = hear(line);
    snprintf(webhook->why, sizeof(webhook->why), status == 0 ? "%s gave no answer" : "%s answered %u",
             webhook->url.host, status);
    return status == 0 ? WEBHOOK_AGAIN : webhook_judge(status);
}

enum webhook_result webhook_post(struct webhook *webhook, struct view body)
{
    struct line line = {.fd = -1};
    webhook->why[0] = '\0';
    enum webhook_result result = exchange(webhook, &line, body);
    SSL_free(line.tls);
    SSL_CTX_free(line.context);
    if (line.fd >= 0) {
        close(line.fd);
    }
    return result;
}
