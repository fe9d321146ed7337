// SPDX-License-Identifier: ISC
// Takes the URL of a PostgreSQL server apart. Runs in the supervisor and in `stayd --check`.
// The grammar is libpq's ("Connection URIs" of its manual), read strictly:
//   postgres[ql]://user[:password]@host[:port][,host[:port]...]/name[?parameter=value&...]
// A host may be a name, an address, an IPv6 address in brackets, or the folder of a Unix socket (percent-
// encoded, or as host= among the parameters). Each parameter is a row of a table; unknown ones, and those
// that would lead around stayd (service files, password files, replication), are refused by name.
#include "supervisor/database.h"

#include "supervisor/config_values.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

enum { HOST_SIZE = 256, VALUE_SIZE = 512 };

struct parse {
    struct database *database;
    char *why;
    char user[64];
    char name[64];
    struct bytes kept; // the URL without the password
    unsigned hosts;
    unsigned parameters;
};

[[gnu::format(printf, 2, 3)]] static bool wrong(const struct parse *parse, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(parse->why, DATABASE_WHY_SIZE, format, list);
    va_end(list);
    return false;
}

// %XX becomes its byte; false for what is no such thing, for a NUL, and for what does not fit.
static bool percent_decode(struct view text, char *out, size_t size)
{
    size_t used = 0;
    while (text.size > 0 && used + 1 < size) {
        uint8_t byte = text.data[0];
        size_t taken = 1;
        if (byte == '%') {
            taken = 3;
            if (!hex_decode(view_first(view_from(text, 1), 2), &byte, 1) || byte == 0) {
                return false;
            }
        }
        out[used++] = (char)byte;
        text = view_from(text, taken);
    }
    out[used] = '\0';
    return text.size == 0;
}

static bool plain_in_url(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c) != NULL);
}

static void percent_encode(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (plain_in_url(*text)) {
            bytes_append_byte(out, (uint8_t)*text);
        } else {
            bytes_append_format(out, "%%%02X", (unsigned)(uint8_t)*text);
        }
    }
}

// ---- hosts ----

// Loopback and Unix sockets stay on this machine.
static void host_note(struct parse *parse, const char *host)
{
    uint8_t v4[4], v6[16];
    static const uint8_t loopback6[16] = {[15] = 1};
    bool here = host[0] == '\0' || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0;
    here = here || (inet_pton(AF_INET, host, v4) == 1 && v4[0] == 127);
    here = here || (inet_pton(AF_INET6, host, v6) == 1 && memcmp(v6, loopback6, sizeof v6) == 0);
    parse->database->away = parse->database->away || !here;
    parse->hosts++;
}

static bool host_check(struct parse *parse, struct view text)
{
    char host[HOST_SIZE];
    uint8_t address[16];
    if (!percent_decode(text, host, sizeof host)) {
        return wrong(parse, "has a host that is too long or wrongly percent-encoded");
    }
    if (host[0] == '@') {
        return wrong(parse,
                     "names an abstract socket, which stayd-store can't reach from its sandbox: let the "
                     "server listen on a socket in a folder (unix_socket_directories)");
    }
    bool fine = host[0] == '/' || inet_pton(AF_INET, host, address) == 1 ||
                inet_pton(AF_INET6, host, address) == 1 ||
                config_value_host(view_of_cstr(host), false) == NULL;
    if (!fine) {
        return wrong(parse,
                     "has a bad host name \"%.80s\": write a name, an address, [v6], or the folder of a "
                     "socket as %%2Frun%%2Fpostgresql",
                     host);
    }
    host_note(parse, host);
    return parse->hosts <= DATABASE_HOSTS_MAX || wrong(parse, "names more than %d hosts", DATABASE_HOSTS_MAX);
}

static bool port_check(struct parse *parse, struct view text)
{
    uint64_t port = 0;
    if (view_to_u64(text, &port) && port >= 1 && port <= 65535) {
        return true;
    }
    // Not repeated: where an @ was forgotten it is a part of the password.
    return wrong(parse, "has a bad port: it must be a number from 1 to 65535");
}

static bool host_port_check(struct parse *parse, struct view text)
{
    struct view host = text, port = VIEW("");
    if (text.size > 0 && text.data[0] == '[') {
        size_t end = view_index(text, ']');
        host = view_first(view_from(text, 1), end > 0 ? end - 1 : 0);
        uint8_t address[16];
        char v6[64];
        if (end == text.size || !view_to_cstr(host, v6, sizeof v6) || inet_pton(AF_INET6, v6, address) != 1) {
            return wrong(parse, "has a host in brackets that is no IPv6 address");
        }
        text = view_from(text, end + 1);
        if (text.size > 0 && text.data[0] != ':') {
            return wrong(parse, "has something between a host in brackets and its port");
        }
    } else {
        host = view_first(text, view_index(text, ':'));
        text = view_from(text, host.size);
    }
    port = view_from(text, 1);
    if (text.size > 0 && !port_check(parse, port)) {
        return false;
    }
    return host.size == 0 || host_check(parse, host);
}

static bool hosts_check(struct parse *parse, struct view list)
{
    bool several = view_index(list, ',') < list.size;
    while (list.size > 0) {
        struct view one = view_cut(&list, ',');
        if (one.size == 0 || (several && one.data[0] == ':')) {
            return wrong(parse, "has an empty host between its commas");
        }
        if (!host_port_check(parse, one)) {
            return false;
        }
    }
    return true;
}

// ---- parameters ----

static bool take_password(struct parse *parse, const char *value)
{
    if (parse->database->password[0] != '\0') {
        return wrong(parse, "holds a password twice");
    }
    struct view text = view_of_cstr(value);
    return view_to_cstr(text, parse->database->password, sizeof parse->database->password) ||
           wrong(parse, "holds a password longer than %d bytes", DATABASE_PASSWORD_SIZE - 1);
}

static bool take_mode(struct parse *parse, const char *value)
{
    parse->database->has_mode = true;
    parse->database->clear = strcmp(value, "disable") == 0;
    parse->database->verified = strcmp(value, "verify-full") == 0 || strcmp(value, "verify-ca") == 0;
    return true;
}

static bool take_pooler(struct parse *parse, const char *value)
{
    parse->database->pooler =
        strcmp(value, "transaction") == 0 ? DATABASE_POOLER_TRANSACTION : DATABASE_POOLER_NONE;
    return true;
}

static bool take_file(struct parse *parse, const char *value, char *path)
{
    if (value[0] != '/') {
        return wrong(parse, "names a file that is no absolute path: \"%.100s\"", value);
    }
    return view_to_cstr(view_of_cstr(value), path, DATABASE_FILE_SIZE) ||
           wrong(parse, "names too long a path");
}

static bool take_ca(struct parse *parse, const char *value)
{
    return take_file(parse, value, parse->database->ca);
}

static bool take_certificate(struct parse *parse, const char *value)
{
    return take_file(parse, value, parse->database->certificate);
}

static bool take_key(struct parse *parse, const char *value)
{
    return take_file(parse, value, parse->database->key);
}

static bool take_user(struct parse *parse, const char *value)
{
    return (parse->user[0] == '\0' && view_to_cstr(view_of_cstr(value), parse->user, sizeof parse->user)) ||
           wrong(parse, "names a user twice, or one longer than 63 bytes");
}

static bool take_name(struct parse *parse, const char *value)
{
    return (parse->name[0] == '\0' && view_to_cstr(view_of_cstr(value), parse->name, sizeof parse->name)) ||
           wrong(parse, "names a database twice, or one longer than 63 bytes");
}

static bool take_host(struct parse *parse, const char *value)
{
    return (parse->hosts == 0 && hosts_check(parse, view_of_cstr(value))) ||
           (parse->hosts != 0 && wrong(parse, "names hosts before the ? and after it: keep one of them"));
}

static bool take_port(struct parse *parse, const char *value)
{
    struct view list = view_of_cstr(value);
    while (list.size > 0) {
        if (!port_check(parse, view_cut(&list, ','))) {
            return false;
        }
    }
    return true;
}

static bool take_number(struct parse *parse, const char *value)
{
    uint64_t number;
    return view_to_u64(view_of_cstr(value), &number) || wrong(parse, "has a parameter that must be a number");
}

struct parameter {
    const char *name;
    const char *values; // words it may be, or NULL: any text
    bool (*take)(struct parse *parse, const char *value);
    const char *refused; // why it may not be there
    bool dropped;        // does not go on to stayd-store
};

static const struct parameter parameters[] = {
    {.name = "host", .take = take_host},
    {.name = "port", .take = take_port},
    {.name = "user", .take = take_user},
    {.name = "dbname", .take = take_name},
    {.name = "password", .take = take_password, .dropped = true},
    {.name = "sslmode", .values = "disable allow prefer require verify-ca verify-full", .take = take_mode},
    {.name = "sslrootcert", .take = take_ca},
    {.name = "sslcert", .take = take_certificate},
    {.name = "sslkey", .take = take_key},
    {.name = "sslsni", .values = "0 1"},
    {.name = "ssl_min_protocol_version", .values = "TLSv1.2 TLSv1.3"},
    {.name = "ssl_max_protocol_version", .values = "TLSv1.2 TLSv1.3"},
    {.name = "channel_binding", .values = "disable prefer require"},
    {.name = "target_session_attrs", .values = "any read-write primary"},
    {.name = "pooler", .values = "session transaction", .take = take_pooler},
    {.name = "connect_timeout", .take = take_number},
    {.name = "keepalives", .values = "0 1"},
    {.name = "keepalives_idle", .take = take_number},
    {.name = "keepalives_interval", .take = take_number},
    {.name = "keepalives_count", .take = take_number},
    {.name = "tcp_user_timeout", .take = take_number},
    {.name = "application_name"},
    {.name = "fallback_application_name"},
    {.name = "options"},
    {.name = "requirepeer"},
    {.name = "client_encoding", .values = "UTF8 utf8 auto"},
    {.name = "gssencmode", .values = "disable"},
    {.name = "hostaddr", .refused = "write the address as the host"},
    {.name = "passfile", .refused = "use database_password_file"},
    {.name = "sslpassword", .refused = "keep the key without a pass phrase, readable for stayd-store alone"},
    {.name = "sslcrl", .refused = "lists of revoked certificates are not read"},
    {.name = "sslcrldir", .refused = "lists of revoked certificates are not read"},
    {.name = "service", .refused = "write out what the service stands for"},
    {.name = "replication", .refused = "stayd needs an ordinary connection"},
    {.name = "krbsrvname", .refused = "GSSAPI can't be used from the sandbox"},
    {.name = "gsslib", .refused = "GSSAPI can't be used from the sandbox"},
};

enum { PARAMETERS = sizeof parameters / sizeof parameters[0] };

static bool unknown_parameter(const struct parse *parse, struct view name)
{
    unsigned best = UINT32_MAX;
    const char *nearest = "";
    for (size_t i = 0; i < PARAMETERS; i++) {
        unsigned distance = config_distance(name, view_of_cstr(parameters[i].name));
        if (distance < best) {
            best = distance;
            nearest = parameters[i].name;
        }
    }
    int shown = name.size < 40 ? (int)name.size : 40;
    if (best <= 3 && best < name.size) {
        return wrong(parse, "has an unknown parameter \"%.*s\"; did you mean \"%s\"?", shown,
                     (const char *)name.data, nearest);
    }
    return wrong(parse, "has an unknown parameter \"%.*s\"", shown, (const char *)name.data);
}

static bool one_of(const char *words, const char *value)
{
    struct view rest = view_of_cstr(words);
    while (rest.size > 0) {
        if (view_equal(view_cut(&rest, ' '), view_of_cstr(value))) {
            return true;
        }
    }
    return false;
}

static bool parameter_take(struct parse *parse, const struct parameter *parameter, struct view raw)
{
    char value[VALUE_SIZE];
    bool fine = false;
    if (parameter->refused != NULL) {
        return wrong(parse, "may not have the parameter %s: %s", parameter->name, parameter->refused);
    }
    if (!percent_decode(raw, value, sizeof value)) {
        wrong(parse, "has a value of %s that is too long or wrongly percent-encoded", parameter->name);
    } else if (parameter->values != NULL && !one_of(parameter->values, value)) {
        wrong(parse, "has %s=%.40s; it may be one of: %s", parameter->name, value, parameter->values);
    } else {
        fine = parameter->take == NULL || parameter->take(parse, value);
    }
    wipe(value, sizeof value);
    return fine;
}

static bool parameter_check(struct parse *parse, struct view text)
{
    struct view value = text;
    struct view name = view_cut(&value, '=');
    if (name.size == text.size) {
        return wrong(parse, "has a parameter without a value: write name=value, joined by &");
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (!view_equal(name, view_of_cstr(parameters[i].name))) {
            continue;
        }
        if (!parameter_take(parse, &parameters[i], value)) {
            return false;
        }
        if (!parameters[i].dropped) {
            bytes_append_byte(&parse->kept, parse->parameters++ == 0 ? '?' : '&');
            bytes_append_view(&parse->kept, text);
        }
        return true;
    }
    return unknown_parameter(parse, name);
}

// ---- the whole ----

static bool user_check(struct parse *parse, struct view text)
{
    char value[DATABASE_PASSWORD_SIZE];
    struct view password = text;
    struct view user = view_cut(&password, ':');
    bool has_password = user.size < text.size;
    bool fine = percent_decode(user, value, sizeof value) && (user.size == 0 || take_user(parse, value));
    if (fine && has_password) {
        fine = percent_decode(password, value, sizeof value) && take_password(parse, value);
    }
    wipe(value, sizeof value);
    if (!fine && parse->why[0] == '\0') {
        wrong(parse,
              "has a user or password that is too long or wrongly percent-encoded (%% is %%25, @ is %%40, "
              "/ is %%2F, : is %%3A)");
    }
    bytes_append_view(&parse->kept, user);
    bytes_append_byte(&parse->kept, '@');
    return fine;
}

// What stands between :// and the first / or ?. A user and password end at its last @.
static bool authority_check(struct parse *parse, struct view *rest)
{
    size_t end = 0, at = SIZE_MAX;
    for (; end < rest->size && rest->data[end] != '/' && rest->data[end] != '?'; end++) {
        at = rest->data[end] == '@' ? end : at;
    }
    struct view hosts = view_first(*rest, end);
    *rest = view_from(*rest, end);
    if (view_index(*rest, '@') < rest->size) {
        return wrong(parse,
                     "has an @ behind its first / or ?: inside a password these are written %%40, %%2F "
                     "and %%3F");
    }
    if (at != SIZE_MAX) {
        if (!user_check(parse, view_first(hosts, at))) {
            return false;
        }
        hosts = view_from(hosts, at + 1);
    }
    bytes_append_view(&parse->kept, hosts);
    return hosts_check(parse, hosts);
}

static bool name_check(struct parse *parse, struct view *rest)
{
    char value[VALUE_SIZE];
    struct view path = view_first(*rest, view_index(*rest, '?'));
    *rest = view_from(*rest, path.size + 1);
    bytes_append_view(&parse->kept, path);
    struct view name = view_from(path, 1);
    if (!percent_decode(name, value, sizeof value)) {
        return wrong(parse, "has a database name that is too long or wrongly percent-encoded");
    }
    return name.size == 0 || take_name(parse, value);
}

static bool whole_check(struct parse *parse)
{
    struct database *database = parse->database;
    if (parse->user[0] == '\0') {
        return wrong(parse, "names no user: write postgres://USER@HOST/NAME");
    }
    if (parse->name[0] == '\0') {
        return wrong(parse, "names no database: write postgres://USER@HOST/NAME");
    }
    if (parse->hosts == 0) {
        return wrong(parse, "names no host: write postgres://USER@HOST/NAME, or the folder of a socket: "
                            "postgres://USER@/NAME?host=/run/postgresql");
    }
    if ((database->certificate[0] == '\0') != (database->key[0] == '\0')) {
        return wrong(parse, "has one of sslcert and sslkey: both are needed");
    }
    return view_to_cstr(bytes_view(&parse->kept), database->url, sizeof database->url) ||
           wrong(parse, "is longer than %d bytes", DATABASE_URL_SIZE - 1);
}

static bool url_check(struct parse *parse, struct view text, size_t scheme)
{
    struct view rest = view_from(text, scheme);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) {
            return wrong(parse, "has a space or a character that must be percent-encoded (a space is %%20)");
        }
    }
    bytes_append_view(&parse->kept, view_first(text, scheme));
    if (!authority_check(parse, &rest) || !name_check(parse, &rest)) {
        return false;
    }
    while (rest.size > 0) {
        if (!parameter_check(parse, view_cut(&rest, '&'))) {
            return false;
        }
    }
    return whole_check(parse);
}

bool database_parse(struct database *database, struct view text, char why[DATABASE_WHY_SIZE])
{
    static const char *const schemes[] = {"postgres://", "postgresql://"};
    struct parse parse = {.database = database, .why = why};
    *database = (struct database){0};
    why[0] = '\0';
    if (view_equal(text, VIEW("sqlite"))) {
        return view_to_cstr(text, database->url, sizeof database->url);
    }
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (view_starts_with(text, view_of_cstr(schemes[i]))) {
            bytes_init(&parse.kept, 8192);
            database->postgres = true;
            bool fine = url_check(&parse, text, strlen(schemes[i]));
            bytes_release(&parse.kept);
            return fine;
        }
    }
    return wrong(&parse, "must be sqlite or a URL: postgres://USER@HOST/NAME");
}

bool database_parameter(struct database *database, const char *name, const char *value)
{
    struct bytes url;
    struct view before = view_of_cstr(database->url);
    bytes_init(&url, 8192);
    bytes_append_view(&url, before);
    bytes_append_format(&url, "%c%s=", view_index(before, '?') < before.size ? '&' : '?', name);
    percent_encode(&url, value);
    char joined[DATABASE_URL_SIZE];
    bool fine = !url.failed && view_to_cstr(bytes_view(&url), joined, sizeof joined);
    if (fine) {
        memcpy(database->url, joined, sizeof joined);
    }
    bytes_release(&url);
    return fine;
}
