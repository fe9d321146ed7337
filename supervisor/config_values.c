// SPDX-License-Identifier: ISC
// Values of the configuration. Runs in the supervisor.
#include "supervisor/config_values.h"

#include "alert/url.h"

#include <arpa/inet.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Cuts the digits off the front.
static bool number_cut(struct view *text, uint64_t *value)
{
    size_t digits = 0;
    while (digits < text->size && is_digit(text->data[digits])) {
        digits++;
    }
    if (!view_to_u64(view_first(*text, digits), value)) {
        return false;
    }
    *text = view_from(*text, digits);
    return true;
}

const char *config_value_number(struct view text, uint64_t least, uint64_t most, uint64_t *value)
{
    uint64_t number;
    if (!view_to_u64(text, &number)) {
        return "must be a whole number";
    }
    if (number < least || number > most) {
        return "is out of range";
    }
    *value = number;
    return NULL;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const char *with_unit(struct view text, const struct unit *units, size_t count, uint64_t least,
                             uint64_t most, uint64_t *value)
{
    uint64_t number;
    if (!number_cut(&text, &number)) {
        return "must begin with a number";
    }
    text = view_trim(text);
    for (size_t i = 0; i < count; i++) {
        if (!view_equal(text, view_of_cstr(units[i].name))) {
            continue;
        }
        uint64_t product;
        if (__builtin_mul_overflow(number, units[i].factor, &product) || product < least || product > most) {
            return "is out of range";
        }
        *value = product;
        return NULL;
    }
    return "has no unit that fits";
}

const char *config_value_duration(struct view text, uint64_t least_ms, uint64_t most_ms, uint64_t *value_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const char *wrong = with_unit(text, units, sizeof units / sizeof units[0], least_ms, most_ms, value_ms);
    return wrong == NULL || strcmp(wrong, "is out of range") == 0
               ? wrong
               : "must be a time like 500ms, 30s, 15m, 12h or 30d";
}

const char *config_value_size(struct view text, uint64_t least, uint64_t most, uint64_t *value)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
    const char *wrong = with_unit(text, units, sizeof units / sizeof units[0], least, most, value);
    return wrong == NULL || strcmp(wrong, "is out of range") == 0
               ? wrong
               : "must be a size like 64KiB, 19MiB or 1GiB";
}

const char *config_value_switch(struct view text, bool *value)
{
    static const char *const on[] = {"yes", "on", "true"};
    static const char *const off[] = {"no", "off", "false"};
    for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
        if (view_equal_nocase(text, view_of_cstr(on[i]))) {
            *value = true;
            return NULL;
        }
        if (view_equal_nocase(text, view_of_cstr(off[i]))) {
            *value = false;
            return NULL;
        }
    }
    return "must be yes or no";
}

static const char *listen_unix(struct view path, struct config_listen *listen)
{
    if (path.size == 0 || path.data[0] != '/') {
        return "must have an absolute path after unix:";
    }
    if (!view_to_cstr(path, listen->path, sizeof listen->path)) {
        return "has a path that is too long for a socket (107 bytes)";
    }
    listen->kind = CONFIG_LISTEN_UNIX;
    return NULL;
}

// The last colon ends the host.
static size_t port_colon(struct view text)
{
    size_t colon = text.size;
    for (size_t i = 0; i < text.size; i++) {
        colon = text.data[i] == ':' ? i : colon;
    }
    return colon;
}

const char *config_value_listen(struct view text, struct config_listen *listen)
{
    char host[64];
    uint64_t port;
    *listen = (struct config_listen){0};
    if (!view_to_cstr(text, listen->text, sizeof listen->text)) {
        return "is too long";
    }
    if (view_starts_with(text, VIEW("unix:"))) {
        return listen_unix(view_from(text, 5), listen);
    }
    size_t colon = port_colon(text);
    struct view name = view_first(text, colon);
    if (colon == text.size || !view_to_u64(view_from(text, colon + 1), &port) || port > 65535) {
        return "must be host:port, [v6]:port or unix:PATH, with a port from 0 to 65535";
    }
    listen->v6 = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    if (listen->v6) {
        name = view_first(view_from(name, 1), name.size - 2);
    } else if (view_equal(name, VIEW("localhost"))) {
        name = VIEW("127.0.0.1");
    } else if (view_equal(name, VIEW("*")) || name.size == 0) {
        name = VIEW("0.0.0.0");
    }
    if (!view_to_cstr(name, host, sizeof host) ||
        inet_pton(listen->v6 ? AF_INET6 : AF_INET, host, listen->address) != 1) {
        return "must name an address (names are not looked up): 127.0.0.1:8080, [::1]:8080, "
               "unix:/run/stayd.sock";
    }
    listen->port = (uint16_t)port;
    listen->kind = CONFIG_LISTEN_TCP;
    return NULL;
}

const char *config_value_host(struct view text, bool wildcard)
{
    if (wildcard && view_starts_with(text, VIEW("*."))) {
        text = view_from(text, 2);
    }
    if (text.size == 0 || text.size > 253) {
        return "must be a host name";
    }
    uint8_t before = '.';
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool fine = is_letter(c) || is_digit(c) || (c == '-' && before != '.') || (c == '.' && before != '.');
        if (!fine) {
            return "must be a host name";
        }
        before = c;
    }
    return before == '.' || before == '-' ? "must be a host name" : NULL;
}

static const char *authority_check(struct view authority)
{
    uint64_t port;
    if (authority.size > 0 && authority.data[0] == '[') {
        char address[64];
        struct in6_addr parsed;
        size_t end = view_index(authority, ']');
        if (!view_to_cstr(view_first(view_from(authority, 1), end == 0 ? 0 : end - 1), address,
                          sizeof address) ||
            end == authority.size || inet_pton(AF_INET6, address, &parsed) != 1) {
            return "has a host that is no IPv6 address in brackets";
        }
        struct view rest = view_from(authority, end + 1);
        bool fine = rest.size == 0 || (rest.data[0] == ':' && view_to_u64(view_from(rest, 1), &port) &&
                                       port > 0 && port <= 65535);
        return fine ? NULL : "has a bad port";
    }
    size_t colon = view_index(authority, ':');
    if (colon < authority.size &&
        (!view_to_u64(view_from(authority, colon + 1), &port) || port == 0 || port > 65535)) {
        return "has a bad port";
    }
    return config_value_host(view_first(authority, colon), false) == NULL ? NULL : "has a bad host name";
}

const char *config_value_url(struct view text, char *url, size_t size)
{
    struct view rest;
    if (view_starts_with(text, VIEW("https://"))) {
        rest = view_from(text, 8);
    } else if (view_starts_with(text, VIEW("http://"))) {
        rest = view_from(text, 7);
    } else {
        return "must begin with https:// or http://";
    }
    if (rest.size > 0 && rest.data[rest.size - 1] == '/') {
        rest.size--;
        text.size--;
    }
    for (size_t i = 0; i < rest.size; i++) {
        uint8_t c = rest.data[i];
        if (c == '/' || c == '?' || c == '#') {
            return "must end after the host: stayd has its own host name and no path";
        }
        if (c == '@') {
            return "must not have a user name";
        }
    }
    const char *wrong = authority_check(rest);
    if (wrong == NULL && !view_to_cstr(text, url, size)) {
        wrong = "is too long";
    }
    for (char *c = url; wrong == NULL && *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c; // hosts are compared as browsers send them
    }
    return wrong;
}

static bool network_check(struct view text)
{
    char address[64];
    uint8_t parsed[16];
    uint64_t bits;
    size_t slash = view_index(text, '/');
    if (!view_to_cstr(view_first(text, slash), address, sizeof address)) {
        return false;
    }
    unsigned most = inet_pton(AF_INET, address, parsed) == 1    ? 32
                    : inet_pton(AF_INET6, address, parsed) == 1 ? 128
                                                                : 0;
    if (most == 0) {
        return false;
    }
    return slash == text.size || (view_to_u64(view_from(text, slash + 1), &bits) && bits <= most);
}

const char *config_value_networks(struct view text, char *list, size_t size)
{
    size_t used = strlen(list);
    while (text.size > 0) {
        size_t end = 0;
        while (end < text.size && text.data[end] != ',' && text.data[end] != ' ' && text.data[end] != '\t') {
            end++;
        }
        struct view one = view_first(text, end);
        text = view_from(text, end + 1);
        if (one.size == 0) {
            continue;
        }
        if (!view_equal(one, VIEW("unix")) && !network_check(one)) {
            return "must be addresses, networks like 10.0.0.0/8, or unix, joined by commas";
        }
        if (used + one.size + 2 > size) {
            return "is too long";
        }
        if (used > 0) {
            list[used++] = ',';
        }
        memcpy(list + used, one.data, one.size);
        used += one.size;
        list[used] = '\0';
    }
    return NULL;
}

unsigned config_distance(struct view a, struct view b)
{
    enum { WORD_MAX = 64 };
    unsigned row[WORD_MAX + 1];
    if (a.size > WORD_MAX || b.size > WORD_MAX) {
        return UINT32_MAX;
    }
    for (unsigned j = 0; j <= b.size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned replaced = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            unsigned added = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = replaced < added ? replaced : added;
        }
    }
    return row[b.size];
}

const char *config_value_webhook(struct view text, char *out, size_t size)
{
    struct alert_url url;
    const char *wrong = alert_url_parse(&url, text);
    return wrong != NULL ? wrong : view_to_cstr(text, out, size) ? NULL : "is too long";
}

const char *config_value_command(struct view text, char *out, size_t size)
{
    if (text.size == 0 || text.data[0] != '/') {
        return "must begin with the path of a program: /path/to/program arguments";
    }
    return view_to_cstr(text, out, size) ? NULL : "is too long";
}
