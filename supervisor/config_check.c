// SPDX-License-Identifier: ISC
// Checks between keys of the configuration. Runs in the supervisor and in `stayd --check`.
#include "supervisor/config_check.h"

#include "alert/url.h"

#include <stdarg.h>

[[gnu::format(printf, 4, 0)]] static void problem_add(struct config_report *report, unsigned line,
                                                      bool warning, const char *format, va_list list)
{
    report->errors += !warning;
    if (report->problems < CONFIG_PROBLEMS_MAX) {
        struct config_problem *problem = &report->problem[report->problems];
        problem->line = line;
        problem->warning = warning;
        vsnprintf(problem->text, sizeof problem->text, format, list);
    }
    report->problems++;
}

void config_error(struct config_report *report, unsigned line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    problem_add(report, line, false, format, list);
    va_end(list);
}

void config_warning(struct config_report *report, unsigned line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    problem_add(report, line, true, format, list);
    va_end(list);
}

void config_report_print(const struct config_report *report, const char *file, FILE *out)
{
    for (unsigned i = 0; i < report->problems && i < CONFIG_PROBLEMS_MAX; i++) {
        const struct config_problem *problem = &report->problem[i];
        const char *kind = problem->warning ? "warning" : "error";
        if (problem->line > 0) {
            fprintf(out, "%s:%u: %s: %s\n", file, problem->line, kind, problem->text);
        } else {
            fprintf(out, "%s: %s: %s\n", file, kind, problem->text);
        }
    }
    if (report->problems > CONFIG_PROBLEMS_MAX) {
        fprintf(out, "%s: and %u more\n", file, report->problems - CONFIG_PROBLEMS_MAX);
    }
}

bool config_public_is_https(const struct config *config)
{
    return view_starts_with(view_of_cstr(config->public_url), VIEW("https://"));
}

struct view config_url_host(const char *url)
{
    struct view rest = view_of_cstr(url);
    rest = view_from(rest, view_starts_with(rest, VIEW("https://")) ? 8 : 7);
    size_t end = rest.size > 0 && rest.data[0] == '[' ? view_index(rest, ']') + 1 : view_index(rest, ':');
    return view_first(rest, end);
}

struct view config_public_host(const struct config *config)
{
    return config_url_host(config->public_url);
}

// The host itself or a sub-domain of `domain`.
static bool host_within(struct view host, struct view domain)
{
    if (view_equal_nocase(host, domain)) {
        return true;
    }
    if (host.size <= domain.size || host.data[host.size - domain.size - 1] != '.') {
        return false;
    }
    return view_equal_nocase(view_from(host, host.size - domain.size), domain);
}

static void check_cookie_domain(const struct config *config, struct config_report *report)
{
    struct view domain = view_of_cstr(config->cookie_domain);
    struct view host = config_public_host(config);
    if (domain.size == 0) {
        return;
    }
    if (!host_within(host, domain)) {
        config_error(
            report, 0,
            "cookie_domain %s does not cover %.*s, the host of public_url: browsers would drop the cookie",
            config->cookie_domain, (int)host.size, (const char *)host.data);
    } else if (view_index(domain, '.') == domain.size && !view_equal(domain, VIEW("localhost"))) {
        config_error(report, 0, "cookie_domain %s is a single label: browsers refuse such cookies",
                     config->cookie_domain);
    }
    if (!config_public_is_https(config)) {
        config_warning(report, 0,
                       "cookie_domain over plain http: any host of %s can plant or read the cookie",
                       config->cookie_domain);
    }
}

static void check_tls(const struct config *config, struct config_report *report)
{
    bool certificate = config->tls_certificate[0] != '\0';
    bool key = config->tls_key[0] != '\0';
    if (certificate != key) {
        config_error(report, 0, "%s is set and %s is not: TLS needs both",
                     certificate ? "tls_certificate" : "tls_key",
                     certificate ? "tls_key" : "tls_certificate");
    }
    if (config_public_is_https(config) && !certificate && config->trusted_proxies[0] == '\0') {
        config_warning(
            report, 0,
            "public_url is https, but there is neither tls_certificate nor trusted_proxies: who ends TLS?");
    }
    if (!config_public_is_https(config) && certificate) {
        config_error(report, 0, "tls_certificate is set, but public_url is http: make it https");
    }
}

static void check_rules(struct config *config, struct config_report *report)
{
    for (unsigned i = 0; i < config->rules; i++) {
        struct config_rule *rule = &config->rule[i];
        if (!rule->allow && !rule->deny) {
            config_error(report, rule->line, "this rule has neither allow nor deny");
        } else if (rule->allow && rule->deny) {
            config_error(report, rule->line, "this rule has both allow and deny");
        }
        if (rule->path[0] != '\0' && rule->path[0] != '/') {
            config_error(report, rule->line, "the path of this rule must begin with /");
        }
    }
}

static void check_sessions(const struct config *config, struct config_report *report)
{
    if (config->session_idle_s > config->session_max_s) {
        config_error(report, 0, "session_idle is longer than session_max: it would never count");
    }
    if (config->connections_per_source_max > config->connections_max) {
        config_warning(report, 0,
                       "connections_per_source_max is larger than connections_max: it never counts");
    }
}

// Keys that mean nothing to SQLite.
static void check_sqlite(const struct config *config, struct config_report *report)
{
    if (config->database_password_file[0] != '\0') {
        config_warning(report, 0, "database_password_file is set, but sqlite has no password");
    }
    if (config->database_ca[0] != '\0') {
        config_warning(report, 0, "database_ca is set, but sqlite is no server");
    }
    if (config->database_connections_min != 0 || config->database_connections_max != 0 ||
        config->database_pooler != DATABASE_POOLER_AUTO) {
        config_warning(report, 0,
                       "database_connections_* and database_pooler are set, but sqlite is no server");
    }
}

// database_ca stands for sslrootcert, and for sslmode=verify-full where the URL says nothing.
static void settle_ca(struct config *config, struct config_report *report)
{
    struct database *database = &config->database;
    bool fits = true;
    if (config->database_ca[0] != '\0' && database->ca[0] != '\0') {
        config_error(report, 0, "database has sslrootcert, and database_ca is set too: keep one of them");
    } else if (config->database_ca[0] != '\0') {
        fits = view_to_cstr(view_of_cstr(config->database_ca), database->ca, sizeof database->ca) &&
               database_parameter(database, "sslrootcert", config->database_ca);
        if (fits && !database->has_mode) {
            fits = database_parameter(database, "sslmode", "verify-full");
            database->verified = true;
        }
    }
    if (database->verified && database->ca[0] == '\0') {
        config_error(report, 0,
                     "database verifies the server (sslmode), but against what? Set database_ca, for "
                     "instance to /etc/ssl/certs/ca-certificates.crt");
    } else if (database->away && !database->verified) {
        config_warning(
            report, 0,
            "database is on another machine, and the server is not verified%s: set database_ca, or "
            "sslmode=verify-full and sslrootcert in the URL",
            database->clear ? " nor the connection encrypted" : "");
    }
    if (!fits) {
        config_error(report, 0, "database is longer than %d bytes with all its parameters",
                     DATABASE_URL_SIZE - 1);
    }
}

// The key and the parameter are one thing; the URL that goes on says it.
static void settle_pooler(struct config *config, struct config_report *report)
{
    static const char *const words[] = {"auto", "session", "transaction"};
    enum database_pooler key = config->database_pooler;
    struct database *database = &config->database;
    if (key == DATABASE_POOLER_AUTO) {
        config->database_pooler = database->pooler;
    } else if (database->pooler == DATABASE_POOLER_AUTO) {
        database->pooler = key;
        if (!database_parameter(database, "pooler", words[key])) {
            config_error(report, 0, "database is longer than %d bytes with all its parameters",
                         DATABASE_URL_SIZE - 1);
        }
    } else if (key != database->pooler) {
        config_error(report, 0, "database has pooler=%s, and database_pooler says otherwise",
                     words[database->pooler]);
    }
}

static void check_database(struct config *config, struct config_report *report)
{
    struct database *database = &config->database;
    if (database->url[0] == '\0') {
        return; // told already
    }
    if (!database->postgres) {
        check_sqlite(config, report);
        return;
    }
    if (database->password[0] != '\0' && config->database_password_file[0] != '\0') {
        config_error(report, 0,
                     "database holds a password, and database_password_file is set too: keep the file");
    }
    if (config->database_connections_max != 0 &&
        config->database_connections_min > config->database_connections_max) {
        config_error(report, 0, "database_connections_min is larger than database_connections_max");
    }
    settle_ca(config, report);
    settle_pooler(config, report);
}

static void check_header(const struct config *config, struct config_report *report)
{
    for (const char *c = config->client_address_header; *c != '\0'; c++) {
        bool fine =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-';
        if (!fine) {
            config_error(report, 0, "client_address_header is not the name of a header: \"%s\"",
                         config->client_address_header);
            return;
        }
    }
}

static void check_alerts(const struct config *config, struct config_report *report)
{
    struct alert_url url;
    if (config->alert_webhook[0] != '\0' &&
        alert_url_parse(&url, view_of_cstr(config->alert_webhook)) == NULL && alert_url_in_the_clear(&url)) {
        config_warning(report, 0,
                       "alert_webhook is plain http to another machine: everyone on the way reads it");
    }
    if (config->alert_webhook_ca[0] != '\0' && config->alert_webhook[0] == '\0') {
        config_warning(report, 0, "alert_webhook_ca is set, but alert_webhook is not");
    }
}

void config_check(struct config *config, struct config_report *report)
{
    if (config->listens == 0 && report->errors == 0) {
        config_error(report, 0, "there is no listen address");
    }
    check_cookie_domain(config, report);
    check_tls(config, report);
    check_rules(config, report);
    check_sessions(config, report);
    check_database(config, report);
    check_header(config, report);
    check_alerts(config, report);
}
