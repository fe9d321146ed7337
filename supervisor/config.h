// SPDX-License-Identifier: ISC
// The configuration: one text file, `key = value` lines, `[rule]` sections, `#` comments. Read by the
// supervisor only; the children get slices. Owns: everything inside one `struct config` (plain values, no
// pointers). Bounds: a file of CONFIG_FILE_MAX bytes, CONFIG_LISTENS_MAX listeners, CONFIG_RULES_MAX rules,
// CONFIG_PROBLEMS_MAX problems told.
//
// A value may stand in double quotes, which keep spaces and `#`; `\"` and `\\` are the only escapes.
// Every problem is found in one go, not only the first.
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "base/bytes.h"
#include "base/log.h"
#include "supervisor/database.h"
#include "wire/types.h"

enum {
    CONFIG_FILE_MAX = 256 * 1024,
    CONFIG_PATH_MAX = 1024,
    CONFIG_LISTENS_MAX = 16,
    CONFIG_RULES_MAX = 64,
    CONFIG_PROBLEMS_MAX = 64,
    CONFIG_PASSWORD_LISTS_MAX = 4,
};

enum config_listen_kind { CONFIG_LISTEN_NONE, CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX };

// Where to listen. The text is as written: it names the listener in messages, too.
struct config_listen {
    enum config_listen_kind kind;
    bool v6;
    uint16_t port;
    uint8_t address[16]; // network order; v4 uses the first four
    char path[108];      // unix
    char text[128];
};

struct config_rule {
    char host[256];
    char path[1025];
    char method[257];
    char group[513];
    bool allow;
    bool deny;
    unsigned line;
};

struct config {
    char file[CONFIG_PATH_MAX];
    char public_url[513]; // scheme://host[:port], no slash at the end
    struct config_listen listen[CONFIG_LISTENS_MAX];
    unsigned listens;
    char tls_certificate[CONFIG_PATH_MAX]; // files: absolute, or "" for none
    char tls_key[CONFIG_PATH_MAX];
    struct config_listen ops_listen;     // kind NONE: off
    char ops_url[513];                   // where people reach it, "" for what ops_listen says
    char ops_hosts[1025];                // more names that the ops listener goes by, joined by commas
    char alert_webhook[CONFIG_PATH_MAX]; // "" for none; services put a secret into its path
    char alert_webhook_ca[CONFIG_PATH_MAX];
    char alert_command[CONFIG_PATH_MAX]; // "/path arguments", "" for none
    char data_dir[CONFIG_PATH_MAX];
    struct database database; // a password in its URL stands in it: wiped with config_wipe
    char database_password_file[CONFIG_PATH_MAX];
    char database_ca[CONFIG_PATH_MAX];
    uint32_t database_connections_min; // 0: chosen by stayd-store
    uint32_t database_connections_max;
    enum database_pooler database_pooler;
    uint32_t fronts; // 0: as many as processors
    enum wire_registration registration;
    uint32_t session_idle_s;
    uint32_t session_max_s;
    char cookie_domain[256];
    char rd_hosts[2049];
    char trusted_proxies[4097];
    char client_address_header[65];
    uint32_t password_memory_kib;
    uint32_t password_time;
    uint32_t hash_workers; // 0: as many as processors
    char breached_passwords[CONFIG_PASSWORD_LISTS_MAX][CONFIG_PATH_MAX];
    unsigned password_lists;
    uint32_t connections_max;
    uint32_t connections_per_source_max;
    uint32_t header_timeout_ms;
    uint32_t body_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t drain_timeout_ms;
    uint64_t sessions_max;
    enum log_level log_level;
    enum log_format log_format;
    struct config_rule rule[CONFIG_RULES_MAX];
    unsigned rules;
};

struct config_problem {
    unsigned line; // 0: the file as a whole
    bool warning;
    char text[320];
};

struct config_report {
    struct config_problem problem[CONFIG_PROBLEMS_MAX];
    unsigned problems; // may be more than were kept
    unsigned errors;
};

// The defaults, for an empty file.
void config_defaults(struct config *config);
// Parses text; paths that are relative are taken from the folder of `file`. Pure: looks at no file. False
// when there is an error; warnings alone are fine. `config` is complete in both cases.
[[nodiscard]] bool config_parse(struct config *config, struct view text, const char *file,
                                struct config_report *report);
// Ends what config_parse filled: the password of a database is forgotten.
void config_wipe(struct config *config);
// Reads and parses a file.
[[nodiscard]] bool config_read(struct config *config, const char *file, struct config_report *report);
// Prints the report, a line each: `stayd.conf:3: error: unknown key ...`.
void config_report_print(const struct config_report *report, const char *file, FILE *out);

// The host of a URL of the configuration, borrowed, without its port; empty when the URL is.
struct view config_url_host(const char *url);
struct view config_public_host(const struct config *config);
bool config_public_is_https(const struct config *config);

#endif
