// SPDX-License-Identifier: ISC
// Checks between keys of the configuration. Runs in the supervisor and in `stayd --check`.
#include "supervisor/config_check.h"

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

struct view config_public_host(const struct config *config)
{
    struct view rest = view_from(view_of_cstr(config->public_url), config_public_is_https(config) ? 8 : 7);
    size_t end = rest.size > 0 && rest.data[0] == '[' ? view_index(rest, ']') + 1 : view_index(rest, ':');
    return view_first(rest, end);
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

static void check_database(const struct config *config, struct config_report *report)
{
    struct view database = view_of_cstr(config->database);
    bool postgres =
        view_starts_with(database, VIEW("postgres://")) || view_starts_with(database, VIEW("postgresql://"));
    if (!postgres && !view_equal(database, VIEW("sqlite"))) {
        config_error(report, 0, "database must be sqlite or a postgres:// URL");
    }
    if (postgres && view_index(database, '@') < database.size) {
        struct view user = view_first(view_from(database, view_index(database, '/') + 2), database.size);
        if (view_index(view_first(user, view_index(user, '@')), ':') < view_index(user, '@')) {
            config_error(
                report, 0,
                "database holds a password: put it into a file and name it in database_password_file");
        }
    }
    if (!postgres && config->database_password_file[0] != '\0') {
        config_warning(report, 0, "database_password_file is set, but sqlite has no password");
    }
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
}
