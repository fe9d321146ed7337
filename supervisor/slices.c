// SPDX-License-Identifier: ISC
// Slices of the configuration. Runs in the supervisor.
// The secret key of password sealing goes to stayd-hash alone, the key of TLS to the fronts alone, the
// password of the database to stayd-store alone.
#include "supervisor/slices.h"

#include "supervisor/config_values.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULES_BYTES_MAX = 20480, DESCRIPTORS_BASE = 128, DESCRIPTORS_STORE = 512 };

bool slices_keys_init(struct slices_keys *keys)
{
    if (sodium_init() < 0) {
        return false;
    }
    static_assert(sizeof keys->hash_public.byte == crypto_box_PUBLICKEYBYTES);
    static_assert(sizeof keys->hash_secret.byte == crypto_box_SECRETKEYBYTES);
    randombytes_buf(keys->setup_secret.byte, sizeof keys->setup_secret.byte);
    randombytes_buf(keys->crowd_key.byte, sizeof keys->crowd_key.byte);
    return crypto_box_keypair(keys->hash_public.byte, keys->hash_secret.byte) == 0;
}

void slices_keys_release(struct slices_keys *keys)
{
    wipe(keys, sizeof *keys);
}

static bool file_read(const char *name, const char *path, struct secret *secret, char *why, size_t why_size)
{
    uint8_t buffer[SLICES_FILE_MAX + 1];
    *secret = (struct secret){0};
    if (path[0] == '\0') {
        return true;
    }
    size_t used = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0 && used < sizeof buffer) {
        got = read(fd, buffer + used, sizeof buffer - used);
        used += got > 0 ? (size_t)got : 0;
    }
    bool fine = fd >= 0 && got >= 0 && used > 0 && used < sizeof buffer;
    if (fd < 0 || got < 0) {
        snprintf(why, why_size, "%s %s: %s", name, path, strerror(errno));
    } else if (!fine) {
        snprintf(why, why_size, "%s %s: %s", name, path, used == 0 ? "is empty" : "is too large (24 KiB)");
    }
    fine = fine && secret_init(secret, view_of(buffer, used));
    if (fd >= 0) {
        close(fd);
    }
    wipe(buffer, sizeof buffer);
    return fine;
}

static struct view secret_view(const struct secret *secret)
{
    return view_of(secret->data, secret->size);
}

// A password's file is nobody else's to read or to write; a group may read it, as with systemd's credentials.
static bool mode_check(const char *name, const char *path, char *why, size_t why_size)
{
    struct stat status;
    if (path[0] == '\0' || stat(path, &status) != 0) {
        return true; // told by who reads it
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, why_size, "%s %s: is not a plain file", name, path);
    } else if ((status.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0) {
        snprintf(why, why_size, "%s %s: others may read or change it (mode %03o): chmod 600 %s", name, path,
                 (unsigned)status.st_mode & 0777U, path);
    } else if (status.st_uid != 0 && status.st_uid != geteuid()) {
        snprintf(why, why_size, "%s %s: belongs to user %u: chown it to the user that starts stayd", name,
                 path, (unsigned)status.st_uid);
    } else {
        return true;
    }
    return false;
}

// The line end that editors add is no part of a password.
static void line_end_drop(struct secret *secret)
{
    while (secret->size > 0 &&
           (secret->data[secret->size - 1] == '\n' || secret->data[secret->size - 1] == '\r')) {
        secret->size--;
    }
}

static bool password_read(const struct config *config, struct secret *password, char *why, size_t why_size)
{
    const char *name = "database_password_file", *path = config->database_password_file;
    if (path[0] == '\0' || !config->database.postgres) {
        struct view written = view_of_cstr(config->database.password);
        return written.size == 0 || secret_init(password, written);
    }
    if (!mode_check(name, path, why, why_size) || !file_read(name, path, password, why, why_size)) {
        return false;
    }
    line_end_drop(password);
    if (password->size > 0 && password->size < DATABASE_PASSWORD_SIZE &&
        memchr(password->data, '\0', password->size) == NULL &&
        memchr(password->data, '\n', password->size) == NULL) {
        return true;
    }
    snprintf(why, why_size, "%s %s: must hold one line, the password, of at most %d bytes", name, path,
             DATABASE_PASSWORD_SIZE - 1);
    return false;
}

// The command must be there now, not only in the hour when it is needed. Its user may have fewer rights yet.
static bool command_check(const char *line, char *why, size_t why_size)
{
    char path[CONFIG_PATH_MAX];
    struct view rest = view_of_cstr(line);
    if (rest.size == 0) {
        return true;
    }
    struct view word = view_cut(&rest, ' ');
    if (view_to_cstr(word, path, sizeof path) && access(path, X_OK) == 0) {
        return true;
    }
    snprintf(why, why_size, "alert_command %s: %s", path, strerror(errno));
    return false;
}

// Whoever needs it opens it itself, each time it connects: so that a new certificate needs no restart.
static bool ca_check(const char *name, const char *path, const char *reader, char *why, size_t why_size)
{
    struct stat status;
    if (path[0] == '\0') {
        return true;
    }
    if (stat(path, &status) != 0) {
        snprintf(why, why_size, "%s %s: %s", name, path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        snprintf(why, why_size, "%s %s: is not a plain file", name, path);
    } else if (geteuid() == 0 && (status.st_mode & S_IROTH) == 0) {
        snprintf(why, why_size, "%s %s: %s may not read it: chmod 644 %s (it is no secret)", name, path,
                 reader, path);
    } else {
        return true;
    }
    return false;
}

// The kind is what a person mixes up: the two files the wrong way round, or a DER file.
static bool pem_check(const char *name, const struct secret *file, const char *mark, char *why,
                      size_t why_size)
{
    if (file->size == 0 || memmem(file->data, file->size, mark, strlen(mark)) != NULL) {
        return true;
    }
    snprintf(why, why_size, "%s holds no PEM block \"%s...\"", name, mark);
    return false;
}

bool slices_files_init(struct slices_files *files, const struct config *config, char *why, size_t why_size)
{
    *files = (struct slices_files){0};
    bool fine =
        file_read("tls_certificate", config->tls_certificate, &files->certificate, why, why_size) &&
        file_read("tls_key", config->tls_key, &files->key, why, why_size) &&
        password_read(config, &files->database_password, why, why_size) &&
        ca_check("database_ca", config->database.ca, "stayd-store", why, why_size) &&
        ca_check("alert_webhook_ca", config->alert_webhook_ca, "stayd-alert", why, why_size) &&
        command_check(config->alert_command, why, why_size) &&
        pem_check("tls_certificate", &files->certificate, "-----BEGIN CERTIFICATE", why, why_size) &&
        pem_check("tls_key", &files->key, "-----BEGIN ", why, why_size) &&
        (files->key.size == 0 || memmem(files->key.data, files->key.size, "PRIVATE KEY", 11) != NULL ||
         (snprintf(why, why_size, "tls_key holds no private key"), false));
    if (!fine) {
        slices_files_release(files);
    }
    return fine;
}

void slices_files_release(struct slices_files *files)
{
    secret_release(&files->certificate);
    secret_release(&files->key);
    secret_release(&files->database_password);
}

static bool rules_encode(const struct config *config, struct bytes *rules)
{
    for (unsigned i = 0; i < config->rules; i++) {
        const struct config_rule *rule = &config->rule[i];
        struct wire_rule record = {.host = view_of_cstr(rule->host),
                                   .path = view_of_cstr(rule->path),
                                   .method = view_of_cstr(rule->method),
                                   .group = view_of_cstr(rule->group),
                                   .allow = rule->allow};
        if (!wire_rule_append(rules, &record)) {
            return false;
        }
    }
    return true;
}

// Limits are for the whole; each front holds its part.
static uint32_t share(uint32_t whole, uint16_t fronts)
{
    return (whole + fronts - 1) / fronts;
}

static bool front_encode(const struct slices *slices, uint16_t index, struct bytes *packet)
{
    const struct config *config = slices->config;
    struct bytes rules;
    bytes_init(&rules, RULES_BYTES_MAX);
    struct wire_front_config slice = {
        .index = index,
        .public_url = view_of_cstr(config->public_url),
        .cookie_domain = view_of_cstr(config->cookie_domain),
        .rd_hosts = view_of_cstr(config->rd_hosts),
        .trusted_proxies = view_of_cstr(config->trusted_proxies),
        .client_address_header = view_of_cstr(config->client_address_header),
        .registration = (uint8_t)config->registration,
        .hash_public_key = slices->keys->hash_public,
        .crowd_key = slices->keys->crowd_key,
        .connections_max = share(config->connections_max, slices->fronts),
        .connections_per_source_max = share(config->connections_per_source_max, slices->fronts),
        .header_timeout_ms = config->header_timeout_ms,
        .body_timeout_ms = config->body_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .session_idle_s = config->session_idle_s,
        .session_max_s = config->session_max_s,
        .has_rules = config->rules > 0,
        .tls_certificate = secret_view(&slices->files->certificate),
        .tls_key = secret_view(&slices->files->key),
    };
    bool fine = rules_encode(config, &rules);
    slice.rules = bytes_view(&rules);
    fine = fine && wire_front_config_encode(packet, &slice);
    wipe(&slice, sizeof slice);
    bytes_release(&rules);
    return fine;
}

static bool core_encode(const struct slices *slices, struct bytes *packet)
{
    const struct config *config = slices->config;
    struct wire_core_config slice = {
        .public_url = view_of_cstr(config->public_url),
        .hash_public_key = slices->keys->hash_public,
        .seed = slices->keys->setup_secret,
        .registration = (uint8_t)config->registration,
        .session_idle_s = config->session_idle_s,
        .session_max_s = config->session_max_s,
        .fronts = slices->fronts,
        .version = view_of_cstr(slices->version),
    };
    bool fine = wire_core_config_encode(packet, &slice);
    wipe(&slice, sizeof slice);
    return fine;
}

static bool hash_encode(const struct slices *slices, struct bytes *packet)
{
    struct wire_hash_config slice = {
        .public_key = slices->keys->hash_public,
        .secret_key = slices->keys->hash_secret,
        .workers = slices->hash_workers,
        .threads = slices->hash_threads,
        .budget_kib = slices->hash_memory_kib,
        .memory_kib = slices->config->password_memory_kib,
        .time = slices->config->password_time,
        .service = config_public_host(slices->config),
    };
    bool fine = wire_hash_config_encode(packet, &slice);
    wipe(&slice, sizeof slice);
    return fine;
}

static void name_add(struct bytes *names, struct view name)
{
    if (name.size > 0) {
        bytes_append_format(names, "%s%.*s", names->size > 0 ? "," : "", (int)name.size,
                            (const char *)name.data);
    }
}

// Names that somebody who configures stayd has given to it, or to this machine: nobody else's page has one.
static void ops_names(const struct config *config, struct bytes *names)
{
    char machine[256] = "";
    if (gethostname(machine, sizeof machine - 1) != 0 ||
        config_value_host(view_of_cstr(machine), false) != NULL) {
        machine[0] = '\0';
    }
    name_add(names, view_of_cstr(config->ops_hosts));
    name_add(names, config_url_host(config->ops_url));
    name_add(names, config_public_host(config));
    name_add(names, view_of_cstr(machine));
}

static bool watch_encode(const struct slices *slices, struct bytes *packet)
{
    struct bytes names;
    bytes_init(&names, 2048);
    ops_names(slices->config, &names);
    struct wire_watch_config slice = {.fronts = slices->fronts,
                                      .version = view_of_cstr(slices->version),
                                      .ops_url = view_of_cstr(slices->config->ops_url),
                                      .ops_hosts = bytes_view(&names)};
    bool fine = !names.failed && wire_watch_config_encode(packet, &slice);
    bytes_release(&names);
    return fine;
}

bool slices_encode(const struct slices *slices, enum wire_role role, uint16_t index, struct bytes *packet)
{
    switch ((unsigned)role) {
    case WIRE_FRONT:
        return front_encode(slices, index, packet);
    case WIRE_CORE:
        return core_encode(slices, packet);
    case WIRE_HASH:
        return hash_encode(slices, packet);
    case WIRE_STORE: {
        struct wire_store_config slice = {.database = view_of_cstr(slices->config->database.url),
                                          .database_password = secret_view(&slices->files->database_password),
                                          .connections_min = slices->config->database_connections_min,
                                          .connections_max = slices->config->database_connections_max,
                                          .pooler = (uint8_t)slices->config->database_pooler};
        return wire_store_config_encode(packet, &slice);
    }
    case WIRE_KEY: {
        struct wire_key_config slice = {0};
        return wire_key_config_encode(packet, &slice);
    }
    case WIRE_WATCH:
        return watch_encode(slices, packet);
    default:
        return false;
    }
}

unsigned slices_descriptors(const struct slices *slices, enum wire_role role)
{
    if (role == WIRE_FRONT) {
        return share(slices->config->connections_max, slices->fronts) + DESCRIPTORS_BASE;
    }
    if (role == WIRE_CORE || role == WIRE_WATCH) {
        return 2 * DESCRIPTORS_BASE + 2U * slices->fronts;
    }
    return role == WIRE_STORE ? DESCRIPTORS_STORE : DESCRIPTORS_BASE;
}
