// SPDX-License-Identifier: ISC
// Reads a URL and looks its name up. Runs in stayctl storm, which may block here.
#include "drill/target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>

[[gnu::format(printf, 2, 3)]] static bool problem(struct target *target, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(target->problem, sizeof(target->problem), format, list);
    va_end(list);
    return false;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static bool look_up(struct target *target, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(target->host, port, &hints, &found);
    if (code != 0 || found == NULL) {
        return problem(target, "The address of %.100s is not to be had: %s.", target->host,
                       gai_strerror(code));
    }
    target->loopback = true;
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        target->loopback = target->loopback && is_loopback(one->ai_addr);
        // IPv4 where there is a choice: a whole network of it is loopback, so that there are many sources.
        if (target->address_size == 0 ||
            (one->ai_family == AF_INET && target->address.ss_family != AF_INET)) {
            memcpy(&target->address, one->ai_addr, one->ai_addrlen);
            target->address_size = one->ai_addrlen;
        }
    }
    freeaddrinfo(found);
    return true;
}

// Cuts ":port" off the end of an authority; an empty port is none.
static struct view cut_port(struct view *authority)
{
    size_t end = authority->size;
    while (end > 0 && authority->data[end - 1] != ':' && authority->data[end - 1] != ']') {
        end--;
    }
    if (end == 0 || authority->data[end - 1] == ']') {
        return view_of(NULL, 0);
    }
    struct view port = view_from(*authority, end);
    authority->size = end - 1;
    return port;
}

bool target_read(struct target *target, struct view url)
{
    char port[8];
    uint64_t number = 0;
    *target = (struct target){0};
    struct view rest = url;
    target->tls = view_starts_with(url, VIEW("https://"));
    if (!target->tls && !view_starts_with(url, VIEW("http://"))) {
        return problem(target, "The target is a URL like http://127.0.0.1:8080.");
    }
    rest = view_from(url, target->tls ? 8 : 7);
    if (rest.size > 0 && rest.data[rest.size - 1] == '/') {
        rest.size--;
    }
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] <= ' ' || rest.data[i] >= 127 || strchr("/?#@\\\"", rest.data[i]) != NULL) {
            return problem(target, "The target is only http:// or https://, a host and a port: no path.");
        }
    }
    if (!view_to_cstr(rest, target->authority, sizeof(target->authority))) {
        return problem(target, "The target's name is too long.");
    }
    struct view given = cut_port(&rest);
    if (given.size > 0 && (!view_to_u64(given, &number) || number == 0 || number > 65535)) {
        return problem(target, "The target's port is no number from 1 to 65535.");
    }
    snprintf(port, sizeof(port), "%u", number != 0 ? (unsigned)number : target->tls ? 443U : 80U);
    if (rest.size > 2 && rest.data[0] == '[' && rest.data[rest.size - 1] == ']') {
        rest = view_of(rest.data + 1, rest.size - 2);
    }
    if (rest.size == 0 || !view_to_cstr(rest, target->host, sizeof(target->host))) {
        return problem(target, "The target names no host.");
    }
    return look_up(target, port);
}
