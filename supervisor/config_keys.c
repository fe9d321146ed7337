// SPDX-License-Identifier: ISC
// The table of keys, and what differs between two configurations. Runs in the supervisor.
#include "supervisor/config_keys.h"

#define AT(field)   offsetof(struct config, field)
#define ROOM(field) offsetof(struct config, field), sizeof(((struct config *)NULL)->field)
#define RULE(field) offsetof(struct config_rule, field), sizeof(((struct config_rule *)NULL)->field)
#define DAYS(n)     ((n)*86400000ULL)

const struct config_key config_keys[CONFIG_KEYS] = {
    {"public_url", CONFIG_KIND_URL, ROOM(public_url), 0, 0, false},
    {"listen", CONFIG_KIND_LISTENS, AT(listen), 0, 0, 0, true},
    {"tls_certificate", CONFIG_KIND_PATH, ROOM(tls_certificate), 0, 0, false},
    {"tls_key", CONFIG_KIND_PATH, ROOM(tls_key), 0, 0, false},
    {"ops_listen", CONFIG_KIND_OPS_LISTEN, AT(ops_listen), 0, 0, 0, false},
    {"ops_url", CONFIG_KIND_URL, ROOM(ops_url), 0, 0, false},
    {"ops_hosts", CONFIG_KIND_HOSTS, ROOM(ops_hosts), 0, 0, true},
    {"alert_webhook", CONFIG_KIND_WEBHOOK, ROOM(alert_webhook), 0, 0, false},
    {"alert_webhook_ca", CONFIG_KIND_PATH, ROOM(alert_webhook_ca), 0, 0, false},
    {"alert_command", CONFIG_KIND_COMMAND, ROOM(alert_command), 0, 0, false},
    {"data_dir", CONFIG_KIND_PATH, ROOM(data_dir), 0, 0, false},
    {"database", CONFIG_KIND_DATABASE, AT(database), 0, 0, 0, false},
    {"database_password_file", CONFIG_KIND_PATH, ROOM(database_password_file), 0, 0, false},
    {"database_ca", CONFIG_KIND_PATH, ROOM(database_ca), 0, 0, false},
    {"database_connections_min", CONFIG_KIND_AUTO, AT(database_connections_min), 0, 1, 128, false},
    {"database_connections_max", CONFIG_KIND_AUTO, AT(database_connections_max), 0, 2, 128, false},
    {"database_pooler", CONFIG_KIND_POOLER, AT(database_pooler), 0, 0, 0, false},
    {"fronts", CONFIG_KIND_AUTO, AT(fronts), 0, 1, 64, false},
    {"registration", CONFIG_KIND_REGISTRATION, AT(registration), 0, 0, 0, false},
    {"session_idle", CONFIG_KIND_SECONDS, AT(session_idle_s), 0, 1000, DAYS(3650), false},
    {"session_max", CONFIG_KIND_SECONDS, AT(session_max_s), 0, 1000, DAYS(3650), false},
    {"cookie_domain", CONFIG_KIND_HOST, ROOM(cookie_domain), 0, 0, false},
    {"rd_hosts", CONFIG_KIND_HOSTS, ROOM(rd_hosts), 0, 0, true},
    {"trusted_proxies", CONFIG_KIND_NETWORKS, ROOM(trusted_proxies), 0, 0, true},
    {"client_address_header", CONFIG_KIND_TEXT, ROOM(client_address_header), 0, 0, false},
    {"password_memory", CONFIG_KIND_KIB, AT(password_memory_kib), 0, 8 * 1024, 4096ULL * 1024 * 1024, false},
    {"password_time", CONFIG_KIND_NUMBER32, AT(password_time), 0, 1, 32, false},
    {"hash_workers", CONFIG_KIND_AUTO, AT(hash_workers), 0, 1, 64, false},
    {"breached_passwords", CONFIG_KIND_PASSWORD_LISTS, AT(breached_passwords), 0, 0, 0, true},
    {"connections_max", CONFIG_KIND_NUMBER32, AT(connections_max), 0, 1, 1000000, false},
    {"connections_per_source_max", CONFIG_KIND_NUMBER32, AT(connections_per_source_max), 0, 1, 1000000,
     false},
    {"header_timeout", CONFIG_KIND_MILLISECONDS, AT(header_timeout_ms), 0, 100, 600000, false},
    {"body_timeout", CONFIG_KIND_MILLISECONDS, AT(body_timeout_ms), 0, 100, 600000, false},
    {"idle_timeout", CONFIG_KIND_MILLISECONDS, AT(idle_timeout_ms), 0, 100, 3600000, false},
    {"drain_timeout", CONFIG_KIND_MILLISECONDS, AT(drain_timeout_ms), 0, 0, 600000, false},
    {"sessions_max", CONFIG_KIND_NUMBER64, AT(sessions_max), 0, 1000, 1000000000, false},
    {"log_level", CONFIG_KIND_LOG_LEVEL, AT(log_level), 0, 0, 0, false},
    {"log_format", CONFIG_KIND_LOG_FORMAT, AT(log_format), 0, 0, 0, false},
};

const struct config_key config_rule_keys[CONFIG_RULE_KEYS] = {
    {"host", CONFIG_KIND_RULE_HOST, RULE(host), 0, 0, false},
    {"path", CONFIG_KIND_RULE_TEXT, RULE(path), 0, 0, false},
    {"method", CONFIG_KIND_RULE_TEXT, RULE(method), 0, 0, false},
    {"group", CONFIG_KIND_RULE_TEXT, RULE(group), 0, 0, false},
    {"allow", CONFIG_KIND_RULE_SWITCH, offsetof(struct config_rule, allow), 0, 0, 0, false},
    {"deny", CONFIG_KIND_RULE_SWITCH, offsetof(struct config_rule, deny), 0, 0, 0, false},
};

// ---- what changed ----

static bool listens_equal(const struct config_listen *a, const struct config_listen *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (a[i].kind != b[i].kind || strcmp(a[i].text, b[i].text) != 0) {
            return false;
        }
    }
    return true;
}

static bool lists_equal(const struct config *a, const struct config *b)
{
    bool equal = a->password_lists == b->password_lists;
    for (unsigned i = 0; equal && i < a->password_lists; i++) {
        equal = strcmp(a->breached_passwords[i], b->breached_passwords[i]) == 0;
    }
    return equal;
}

static bool value_equal(const struct config_key *key, const struct config *a, const struct config *b)
{
    const char *one = (const char *)a + key->offset;
    const char *other = (const char *)b + key->offset;
    switch (key->kind) {
    case CONFIG_KIND_LISTENS:
        return a->listens == b->listens && listens_equal(a->listen, b->listen, a->listens);
    case CONFIG_KIND_OPS_LISTEN:
        return listens_equal(&a->ops_listen, &b->ops_listen, 1);
    case CONFIG_KIND_PASSWORD_LISTS:
        return lists_equal(a, b);
    case CONFIG_KIND_DATABASE:
        return strcmp(a->database.url, b->database.url) == 0 &&
               strcmp(a->database.password, b->database.password) == 0;
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_PATH:
    case CONFIG_KIND_URL:
    case CONFIG_KIND_WEBHOOK:
    case CONFIG_KIND_COMMAND:
    case CONFIG_KIND_HOST:
    case CONFIG_KIND_HOSTS:
    case CONFIG_KIND_NETWORKS:
        return strcmp(one, other) == 0;
    case CONFIG_KIND_NUMBER64:
        return memcmp(one, other, sizeof(uint64_t)) == 0;
    case CONFIG_KIND_POOLER:
    case CONFIG_KIND_REGISTRATION:
    case CONFIG_KIND_LOG_LEVEL:
    case CONFIG_KIND_LOG_FORMAT:
    case CONFIG_KIND_AUTO:
    case CONFIG_KIND_NUMBER32:
    case CONFIG_KIND_SECONDS:
    case CONFIG_KIND_MILLISECONDS:
    case CONFIG_KIND_KIB:
        return memcmp(one, other, sizeof(uint32_t)) == 0;
    case CONFIG_KIND_RULE_TEXT:
    case CONFIG_KIND_RULE_HOST:
    case CONFIG_KIND_RULE_SWITCH:
        break; // of rules, not of a configuration
    }
    return true;
}

static bool rules_equal(const struct config *a, const struct config *b)
{
    bool equal = a->rules == b->rules;
    for (unsigned i = 0; equal && i < a->rules; i++) {
        const struct config_rule *one = &a->rule[i], *other = &b->rule[i];
        equal = strcmp(one->host, other->host) == 0 && strcmp(one->path, other->path) == 0 &&
                strcmp(one->method, other->method) == 0 && strcmp(one->group, other->group) == 0 &&
                one->allow == other->allow && one->deny == other->deny;
    }
    return equal;
}

static void name_add(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

void config_changed(const struct config *before, const struct config *after, char *names, size_t size)
{
    names[0] = '\0';
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (!value_equal(&config_keys[i], before, after)) {
            name_add(names, size, config_keys[i].name);
        }
    }
    if (!rules_equal(before, after)) {
        name_add(names, size, "rule");
    }
}
