// SPDX-License-Identifier: ISC
// Reads the configuration file. Runs in the supervisor and in `stayd --check`.
// One table row says all about a key: where its value goes, what kind it is, its bounds. What concerns
// several keys together is checked afterwards, in config_check.c.
#include "supervisor/config.h"

#include "supervisor/config_check.h"
#include "supervisor/config_keys.h"
#include "supervisor/config_values.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct parse {
    struct config *config;
    struct config_report *report;
    unsigned line;
    bool in_rule;
    bool skipping;                 // inside a section that is not known
    unsigned seen_at[CONFIG_KEYS]; // line of a key, 0: not yet
    unsigned rule_at[CONFIG_RULE_KEYS];
};

void config_defaults(struct config *config)
{
    *config = (struct config){
        .public_url = "http://127.0.0.1:8080",
        .data_dir = "/var/lib/stayd",
        .database.url = "sqlite",
        .registration = WIRE_REGISTRATION_INVITE,
        .session_idle_s = 7 * 86400,
        .session_max_s = 30 * 86400,
        .client_address_header = "X-Forwarded-For",
        .password_memory_kib = 19 * 1024,
        .password_time = 2,
        .connections_max = 10000,
        .connections_per_source_max = 512,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .drain_timeout_ms = 10000,
        .sessions_max = 10000000,
        .log_level = LOG_INFO,
        .log_format = LOG_LOGFMT,
    };
    (void)config_value_listen(VIEW("127.0.0.1:8080"), &config->listen[0]);
    config->listens = 1;
    (void)config_value_listen(VIEW("127.0.0.1:9480"), &config->ops_listen);
}

// ---- kinds ----

// Relative paths are taken from the folder of the configuration file.
static const char *path_set(const struct config *config, struct view value, char *path, size_t size)
{
    size_t folder = 0;
    for (size_t i = 0; config->file[i] != '\0'; i++) {
        folder = config->file[i] == '/' ? i + 1 : folder;
    }
    struct view before = value.size > 0 && value.data[0] == '/' ? VIEW("") : view_of(config->file, folder);
    if (value.size == 0) {
        return "must not be empty";
    }
    if (before.size + value.size + 1 > size) {
        return "is too long";
    }
    int used = snprintf(path, size, "%.*s%.*s", (int)before.size, (const char *)before.data, (int)value.size,
                        (const char *)value.data);
    while (used > 1 && path[used - 1] == '/') {
        path[--used] = '\0';
    }
    return NULL;
}

static const char *listen_add(struct parse *parse, struct view value)
{
    struct config *config = parse->config;
    if (config->listens == CONFIG_LISTENS_MAX) {
        return "is given too often (16 listeners)";
    }
    const char *wrong = config_value_listen(value, &config->listen[config->listens]);
    for (unsigned i = 0; wrong == NULL && i < config->listens; i++) {
        if (strcmp(config->listen[i].text, config->listen[config->listens].text) == 0) {
            wrong = "names the same address twice";
        }
    }
    config->listens += wrong == NULL;
    return wrong;
}

static const char *ops_listen_set(struct config *config, struct view value)
{
    if (view_equal(value, VIEW("off")) || view_equal(value, VIEW("no"))) {
        config->ops_listen = (struct config_listen){0};
        return NULL;
    }
    return config_value_listen(value, &config->ops_listen);
}

static const char *hosts_add(struct view value, char *list, size_t size)
{
    size_t used = strlen(list);
    while (value.size > 0) {
        struct view host = view_trim(view_cut(&value, ','));
        if (host.size == 0) {
            continue;
        }
        if (config_value_host(host, true) != NULL) {
            return "must be host names joined by commas";
        }
        if (used + host.size + 2 > size) {
            return "is too long";
        }
        used += (size_t)snprintf(list + used, size - used, "%s%.*s", used > 0 ? "," : "", (int)host.size,
                                 (const char *)host.data);
    }
    return NULL;
}

static const char *word_set(struct view value, const char *const *words, size_t count, const char *wrong,
                            unsigned *number)
{
    for (size_t i = 0; i < count; i++) {
        if (view_equal(value, view_of_cstr(words[i]))) {
            *number = (unsigned)i;
            return NULL;
        }
    }
    return wrong;
}

static const char *words_set(struct config *config, enum config_kind kind, struct view value)
{
    static const char *const registrations[] = {"open", "invite", "closed"};
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    static const char *const formats[] = {"logfmt", "json"};
    unsigned number = 0;
    static const char *const poolers[] = {"auto", "none", "transaction"};
    const char *wrong;
    if (kind == CONFIG_KIND_POOLER) {
        wrong = word_set(value, poolers, 3, "must be auto, none or transaction", &number);
        config->database_pooler = wrong == NULL ? (enum database_pooler)number : config->database_pooler;
    } else if (kind == CONFIG_KIND_REGISTRATION) {
        wrong = word_set(value, registrations, 3, "must be open, invite or closed", &number);
        config->registration = wrong == NULL ? (enum wire_registration)(number + 1) : config->registration;
    } else if (kind == CONFIG_KIND_LOG_LEVEL) {
        wrong = word_set(value, levels, 4, "must be debug, info, warning or error", &number);
        config->log_level = wrong == NULL ? (enum log_level)number : config->log_level;
    } else {
        wrong = word_set(value, formats, 2, "must be logfmt or json", &number);
        config->log_format = wrong == NULL ? (enum log_format)number : config->log_format;
    }
    return wrong;
}

static const char *number_set(const struct config_key *key, struct view value, void *field)
{
    uint64_t number = 0;
    const char *wrong = NULL;
    if (key->kind == CONFIG_KIND_AUTO && view_equal(value, VIEW("auto"))) {
        number = 0;
    } else if (key->kind == CONFIG_KIND_SECONDS || key->kind == CONFIG_KIND_MILLISECONDS) {
        wrong = config_value_duration(value, key->least, key->most, &number);
        number /= key->kind == CONFIG_KIND_SECONDS ? 1000 : 1;
    } else if (key->kind == CONFIG_KIND_KIB) {
        wrong = config_value_size(value, key->least * 1024, key->most * 1024, &number);
        number /= 1024;
    } else {
        wrong = config_value_number(value, key->least, key->most, &number);
    }
    if (wrong == NULL && key->kind == CONFIG_KIND_NUMBER64) {
        memcpy(field, &number, sizeof number);
    } else if (wrong == NULL) {
        uint32_t narrow = (uint32_t)number;
        memcpy(field, &narrow, sizeof narrow);
    }
    return wrong;
}

static const char *text_set(struct view value, char *text, size_t size)
{
    return view_to_cstr(value, text, size) ? NULL : "is too long";
}

static const char *password_list_add(struct config *config, struct view value)
{
    if (config->password_lists == CONFIG_PASSWORD_LISTS_MAX) {
        return "is given too often (4 lists)";
    }
    const char *wrong =
        path_set(config, value, config->breached_passwords[config->password_lists], CONFIG_PATH_MAX);
    config->password_lists += wrong == NULL;
    return wrong;
}

static const char *value_set(struct parse *parse, const struct config_key *key, void *base, struct view value)
{
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_RULE_TEXT:
        return text_set(value, field, key->size);
    case CONFIG_KIND_PATH:
        return path_set(parse->config, value, field, key->size);
    case CONFIG_KIND_URL:
        return config_value_url(value, field, key->size);
    case CONFIG_KIND_WEBHOOK:
        return config_value_webhook(value, field, key->size);
    case CONFIG_KIND_COMMAND:
        return config_value_command(value, field, key->size);
    case CONFIG_KIND_HOST:
    case CONFIG_KIND_RULE_HOST:
        if (value.size > 0 && config_value_host(value, key->kind == CONFIG_KIND_RULE_HOST) != NULL) {
            return "must be a host name";
        }
        return text_set(value, field, key->size);
    case CONFIG_KIND_HOSTS:
        return hosts_add(value, field, key->size);
    case CONFIG_KIND_NETWORKS:
        return config_value_networks(value, field, key->size);
    case CONFIG_KIND_LISTENS:
        return listen_add(parse, value);
    case CONFIG_KIND_OPS_LISTEN:
        return ops_listen_set(parse->config, value);
    case CONFIG_KIND_PASSWORD_LISTS:
        return password_list_add(parse->config, value);
    case CONFIG_KIND_AUTO:
    case CONFIG_KIND_NUMBER32:
    case CONFIG_KIND_NUMBER64:
    case CONFIG_KIND_SECONDS:
    case CONFIG_KIND_MILLISECONDS:
    case CONFIG_KIND_KIB:
        return number_set(key, value, field);
    case CONFIG_KIND_DATABASE:
        return NULL; // by database_set
    case CONFIG_KIND_POOLER:
    case CONFIG_KIND_REGISTRATION:
    case CONFIG_KIND_LOG_LEVEL:
    case CONFIG_KIND_LOG_FORMAT:
        return words_set(parse->config, key->kind, value);
    case CONFIG_KIND_RULE_SWITCH:
        return config_value_switch(value, field);
    }
    return "is not known";
}

// ---- lines ----

// A `#` begins a comment at the start of a line or after a space, outside of quotes.
static struct view comment_drop(struct view line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = line.data[i];
        if (c == '\\' && quoted) {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == '#' && !quoted && (i == 0 || line.data[i - 1] == ' ' || line.data[i - 1] == '\t')) {
            return view_first(line, i);
        }
    }
    return line;
}

// Takes the quotes off into `room`; false when they do not fit together.
static bool unquote(struct view *value, uint8_t *room, size_t size)
{
    if (value->size == 0 || value->data[0] != '"') {
        return true;
    }
    size_t used = 0;
    for (size_t i = 1; i < value->size && used < size; i++) {
        uint8_t c = value->data[i];
        if (c == '"') {
            bool last = i + 1 == value->size;
            *value = view_of(room, used);
            return last;
        }
        if (c == '\\') {
            if (++i == value->size || (value->data[i] != '"' && value->data[i] != '\\')) {
                return false;
            }
            c = value->data[i];
        }
        room[used++] = c;
    }
    return false;
}

static void unknown_key(struct parse *parse, struct view name)
{
    const struct config_key *table = parse->in_rule ? config_rule_keys : config_keys;
    size_t count = parse->in_rule ? CONFIG_RULE_KEYS : CONFIG_KEYS;
    const char *nearest = NULL;
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = config_distance(name, view_of_cstr(table[i].name));
        if (distance < best) {
            best = distance;
            nearest = table[i].name;
        }
    }
    int shown = name.size < 64 ? (int)name.size : 64;
    const char *place = parse->in_rule ? " in [rule]" : "";
    if (nearest != NULL && best <= 3 && best < name.size) {
        config_error(parse->report, parse->line, "unknown key \"%.*s\"%s; did you mean \"%s\"?", shown,
                     (const char *)name.data, place, nearest);
    } else {
        config_error(parse->report, parse->line, "unknown key \"%.*s\"%s", shown, (const char *)name.data,
                     place);
    }
}

// No message repeats the value: a password may stand in it.
static void database_set(struct parse *parse, struct view value)
{
    char why[DATABASE_WHY_SIZE];
    struct database *database = &parse->config->database;
    if (!database_parse(database, value, why)) {
        config_error(parse->report, parse->line, "database %s", why);
    } else if (database->password[0] != '\0') {
        config_warning(
            parse->report, parse->line,
            "database holds a password, which everyone knows who may read this file: put it into a "
            "file of its own and name that in database_password_file");
    }
}

// The first `listen` or list of one's own replaces the default.
static void key_set(struct parse *parse, const struct config_key *key, unsigned *seen_at, void *base,
                    struct view value)
{
    if (*seen_at != 0 && !key->repeats) {
        config_error(parse->report, parse->line, "%s was set already in line %u", key->name, *seen_at);
        return;
    }
    if (*seen_at == 0 && key->kind == CONFIG_KIND_LISTENS) {
        parse->config->listens = 0;
    }
    *seen_at = parse->line;
    if (key->kind == CONFIG_KIND_DATABASE) {
        database_set(parse, value);
        return;
    }
    const char *wrong = value_set(parse, key, base, value);
    if (wrong != NULL && key->kind == CONFIG_KIND_WEBHOOK) {
        config_error(parse->report, parse->line, "%s %s", key->name, wrong); // a secret may stand in it
    } else if (wrong != NULL) {
        config_error(parse->report, parse->line, "%s %s, not \"%.*s\"", key->name, wrong,
                     (int)(value.size < 100 ? value.size : 100), (const char *)value.data);
    }
}

static void setting(struct parse *parse, struct view name, struct view value)
{
    const struct config_key *table = parse->in_rule ? config_rule_keys : config_keys;
    size_t count = parse->in_rule ? CONFIG_RULE_KEYS : CONFIG_KEYS;
    unsigned *seen_at = parse->in_rule ? parse->rule_at : parse->seen_at;
    void *base =
        parse->in_rule ? (void *)&parse->config->rule[parse->config->rules - 1] : (void *)parse->config;
    for (size_t i = 0; i < count; i++) {
        if (view_equal(name, view_of_cstr(table[i].name))) {
            key_set(parse, &table[i], &seen_at[i], base, value);
            return;
        }
    }
    unknown_key(parse, name);
}

static void section(struct parse *parse, struct view line)
{
    parse->in_rule = false;
    parse->skipping = true;
    if (!view_equal(line, VIEW("[rule]"))) {
        config_error(parse->report, parse->line, "unknown section %.*s; the only one is [rule]",
                     (int)(line.size < 64 ? line.size : 64), (const char *)line.data);
        return;
    }
    if (parse->config->rules == CONFIG_RULES_MAX) {
        config_error(parse->report, parse->line, "more than %d rules", CONFIG_RULES_MAX);
        return;
    }
    struct config_rule *rule = &parse->config->rule[parse->config->rules++];
    *rule = (struct config_rule){.line = parse->line};
    memset(parse->rule_at, 0, sizeof parse->rule_at);
    parse->in_rule = true;
    parse->skipping = false;
}

static void one_line(struct parse *parse, struct view line)
{
    uint8_t room[4096];
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    line = view_trim(comment_drop(line));
    if (line.size == 0) {
        return;
    }
    if (line.data[0] == '[') {
        section(parse, line);
        return;
    }
    if (parse->skipping) {
        return;
    }
    if (parse->in_rule && (view_equal(line, VIEW("allow")) || view_equal(line, VIEW("deny")))) {
        setting(parse, line, VIEW("yes"));
        return;
    }
    if (view_index(line, '=') == line.size) {
        config_error(parse->report, parse->line, "a line must be \"key = value\", [rule] or a comment");
        return;
    }
    struct view value = line;
    struct view name = view_trim(view_cut(&value, '='));
    value = view_trim(value);
    if (!unquote(&value, room, sizeof room)) {
        config_error(parse->report, parse->line, "the quotes do not fit together");
        return;
    }
    setting(parse, name, value);
}

bool config_parse(struct config *config, struct view text, const char *file, struct config_report *report)
{
    config_defaults(config);
    *report = (struct config_report){0};
    struct parse parse = {.config = config, .report = report};
    if (!view_to_cstr(view_of_cstr(file), config->file, sizeof config->file)) {
        config_error(report, 0, "the name of the configuration file is too long");
        return false;
    }
    if (!view_is_utf8(text) || view_index(text, 0) != text.size) {
        config_error(report, 0, "the file is not UTF-8 text");
        return false;
    }
    while (text.size > 0) {
        parse.line++;
        one_line(&parse, view_cut(&text, '\n'));
    }
    config_check(config, report);
    return report->errors == 0;
}

void config_wipe(struct config *config)
{
    wipe(config->database.password, sizeof config->database.password);
}

bool config_read(struct config *config, const char *file, struct config_report *report)
{
    struct bytes text;
    ssize_t got = 1;
    bytes_init(&text, CONFIG_FILE_MAX);
    config_defaults(config);
    *report = (struct config_report){0};
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0) {
        uint8_t buffer[4096];
        got = read(fd, buffer, sizeof buffer);
        if (got > 0 && !bytes_append(&text, buffer, (size_t)got)) {
            config_error(report, 0, "the file is larger than %d bytes", CONFIG_FILE_MAX);
            break;
        }
    }
    if (fd < 0 || got < 0) {
        config_error(report, 0, "cannot be read: %s", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    bool fine = report->errors == 0 && config_parse(config, bytes_view(&text), file, report);
    if (text.data != NULL) {
        wipe(text.data, text.size); // a password may stand in it
    }
    bytes_release(&text);
    return fine;
}
