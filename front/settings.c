// SPDX-License-Identifier: ISC
// Makes a configuration slice ready for use. Runs in stayd-front.
// 1. Nothing here changes once made, but the count of references.
// 2. The TLS key leaves with the packet it came in: only OpenSSL keeps it.
#include "front/settings.h"

#include "base/stats.h"
#include "front/ask.h"

#include <assert.h>

#define SLICE_MAX 65536

// Moves a view of the packet into the settings' own copy.
static struct view keep(struct settings *settings, struct view from)
{
    uint8_t *to = bytes_reserve(&settings->slice, from.size);
    if (to == NULL || from.size == 0) {
        return (struct view){NULL, 0};
    }
    memcpy(to, from.data, from.size);
    settings->slice.size += from.size;
    return view_of(to, from.size);
}

static void take_url(struct settings *settings, const struct wire_front_config *config, const char **error)
{
    struct view text = keep(settings, config->public_url);
    if (!url_parse(text, &settings->public_url)) {
        *error = "public_url is not an http or https URL";
        return;
    }
    settings->public_origin = view_first(text, text.size - settings->public_url.rest.size);
    settings->secure = settings->public_url.https;
    settings->cookie_domain = keep(settings, config->cookie_domain);
    if (view_starts_with(settings->cookie_domain, VIEW("."))) {
        settings->cookie_domain = view_from(settings->cookie_domain, 1);
    }
    settings->cookie_name = !settings->secure                  ? VIEW("stayd")
                            : settings->cookie_domain.size > 0 ? VIEW("__Secure-stayd")
                                                               : VIEW("__Host-stayd");
    settings->device_cookie_name = settings->secure ? VIEW("__Host-stayd_device") : VIEW("stayd_device");
    settings->redirect = (struct redirect_policy){.https = settings->secure,
                                                  .host = settings->public_url.host,
                                                  .cookie_domain = settings->cookie_domain,
                                                  .hosts = keep(settings, config->rd_hosts)};
}

static void take_rules(struct settings *settings, const struct wire_front_config *config, const char **error)
{
    struct view rest = keep(settings, config->rules);
    struct wire_rule rule;
    settings->has_rules = config->has_rules != 0;
    while (settings->rule_count < RULES_MAX && wire_rule_next(&rest, &rule)) {
        settings->rules[settings->rule_count++] = (struct rule){.host = rule.host,
                                                                .path = rule.path,
                                                                .method = rule.method,
                                                                .group = rule.group,
                                                                .allow = rule.allow != 0};
    }
    if (rest.size > 0) {
        *error = "too many access rules";
    }
}

static void form_action_host(struct bytes *out, const struct settings *settings, struct view prefix,
                             struct view host)
{
    if (!settings->secure) {
        bytes_append_view(out, VIEW(" http://"));
        bytes_append_view(out, prefix);
        bytes_append_view(out, host);
        bytes_append_view(out, VIEW(":*"));
    }
    bytes_append_view(out, VIEW(" https://"));
    bytes_append_view(out, prefix);
    bytes_append_view(out, host);
    bytes_append_view(out, VIEW(":*"));
}

// Chromium holds the redirect after a form against form-action too, so what `rd` may name stands in it.
static void write_page_headers(struct settings *settings)
{
    struct bytes *out = &settings->page_headers;
    struct view rest = settings->redirect.hosts;
    bytes_append_view(out,
                      VIEW("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; "
                           "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"));
    form_action_host(out, settings, VIEW(""), settings->public_url.host);
    if (url_host_is_loopback(settings->public_url.host)) {
        form_action_host(out, settings, VIEW(""), VIEW("localhost"));
        form_action_host(out, settings, VIEW(""), VIEW("127.0.0.1"));
    }
    if (settings->cookie_domain.size > 0) {
        form_action_host(out, settings, VIEW(""), settings->cookie_domain);
        form_action_host(out, settings, VIEW("*."), settings->cookie_domain);
    }
    while (rest.size > 0) {
        struct view one = view_trim(view_cut(&rest, ','));
        if (one.size > 0) {
            form_action_host(out, settings, VIEW(""), one);
        }
    }
    bytes_append_view(out, VIEW("\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
                                "Referrer-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n"
                                "Cross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-store\r\n"));
}

static void take_limits(struct settings *settings, const struct wire_front_config *config)
{
    settings->limits = http_limits_default;
    settings->connections_max = config->connections_max > 0 ? config->connections_max : 10000;
    stats_set(STATS_capacity_connections, settings->connections_max);
    stats_set(STATS_capacity_requests, ASKS_MAX);
    settings->connections_per_source_max =
        config->connections_per_source_max > 0 ? config->connections_per_source_max : 256;
    settings->header_timeout_ms = config->header_timeout_ms > 0 ? config->header_timeout_ms : 10000;
    settings->body_timeout_ms = config->body_timeout_ms > 0 ? config->body_timeout_ms : 20000;
    settings->idle_timeout_ms = config->idle_timeout_ms > 0 ? config->idle_timeout_ms : 75000;
    settings->registration = (enum wire_registration)config->registration;
    settings->hash_public_key = config->hash_public_key;
    settings->crowd_key = config->crowd_key;
    settings->client_address_header = config->client_address_header.size > 0
                                          ? keep(settings, config->client_address_header)
                                          : VIEW("X-Forwarded-For");
}

struct settings *settings_new(const struct wire_front_config *config, const char **error)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    *error = NULL;
    if (settings == NULL) {
        *error = "out of memory";
        return NULL;
    }
    settings->references = 1;
    bytes_init(&settings->slice, SLICE_MAX);
    bytes_init(&settings->page_headers, SLICE_MAX);
    // The whole room at once: views into it must not move.
    if (bytes_reserve(&settings->slice, SLICE_MAX) == NULL) {
        *error = "out of memory";
        goto out;
    }
    take_url(settings, config, error);
    take_limits(settings, config);
    take_rules(settings, config, error);
    if (*error == NULL && !networks_parse(config->trusted_proxies, &settings->trusted)) {
        *error = "trusted_proxies: not an address, a CIDR or \"unix\"";
    }
    if (*error == NULL && config->tls_certificate.size > 0) {
        settings->tls = tls_context_new(config->tls_certificate, config->tls_key, error);
    } else if (*error == NULL) {
        stats_set(STATS_tls_certificate_expiry_s, 0);
    }
    if (*error == NULL) {
        write_page_headers(settings);
        *error = settings->page_headers.failed || settings->slice.failed ? "out of memory" : NULL;
    }
out:
    if (*error != NULL) {
        settings_drop(settings);
        return NULL;
    }
    return settings;
}

const struct settings *settings_hold(const struct settings *settings)
{
    ((struct settings *)(uintptr_t)settings)->references++;
    return settings;
}

void settings_drop(const struct settings *settings)
{
    struct settings *own = (struct settings *)(uintptr_t)settings;
    if (own == NULL || --own->references > 0) {
        return;
    }
    tls_context_free(&own->tls);
    bytes_release(&own->page_headers);
    bytes_release(&own->slice);
    free(own);
}
