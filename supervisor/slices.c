// SPDX-License-Identifier: ISC
// Slices of the configuration. Runs in the supervisor.
// The secret key of password sealing goes to stayd-hash alone, the key of TLS to the fronts alone, the
// password of the database to stayd-store alone.
#include "supervisor/slices.h"

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
        file_read("database_password_file", config->database_password_file, &files->database_password, why,
                  why_size) &&
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
        .memory_kib = slices->config->password_memory_kib,
        .time = slices->config->password_time,
        .service = config_public_host(slices->config),
    };
    bool fine = wire_hash_config_encode(packet, &slice);
    wipe(&slice, sizeof slice);
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
        struct wire_store_config slice = {.database = view_of_cstr(slices->config->database),
                                          .database_password =
                                              secret_view(&slices->files->database_password)};
        return wire_store_config_encode(packet, &slice);
    }
    case WIRE_KEY: {
        struct wire_key_config slice = {0};
        return wire_key_config_encode(packet, &slice);
    }
    case WIRE_WATCH: {
        struct wire_watch_config slice = {.fronts = slices->fronts, .version = view_of_cstr(slices->version)};
        return wire_watch_config_encode(packet, &slice);
    }
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
