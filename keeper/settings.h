// SPDX-License-Identifier: ISC
// What stayd-hash's jobs are run with: one version of its configuration, immutable once a job has it.
// Used by stayd-hash. A version owns its keys (wiped at the end) and its descriptors of password lists.
// Versions are counted by the event loop alone: workers only read. Bounds: RULES_LISTS_MAX lists.
#ifndef KEEPER_SETTINGS_H
#define KEEPER_SETTINGS_H

#include "keeper/phc.h"
#include "keeper/rules.h"
#include "wire/messages.h"

#define SETTINGS_SERVICE_SIZE_MAX 255
#define SETTINGS_NAME_SIZE_MAX    128

struct settings_list {
    struct common common;
    char name[SETTINGS_NAME_SIZE_MAX + 1]; // the configuration's word for it
};

struct settings {
    size_t users;
    bool configured;          // keys and parameters are there
    struct hash32 public_key; // X25519, for crypto_box_seal_open
    struct hash32 secret_key;
    struct phc_parameters parameters;
    char dummy[PHC_SIZE_MAX]; // verified for unknown users
    char service[SETTINGS_SERVICE_SIZE_MAX + 1];
    struct settings_list list[RULES_LISTS_MAX];
    size_t list_count;
};

// A first version with one user, the caller; NULL without memory.
struct settings *settings_new(void);
// The next version: a copy that may be changed, with one user; NULL without memory or descriptors.
struct settings *settings_copy(const struct settings *settings);
static inline struct settings *settings_use(struct settings *settings)
{
    settings->users++;
    return settings;
}
// One user less; the last one frees it.
void settings_leave(struct settings **settings);

// Changing a version that nobody else has yet.
// False when the parameters are outside their limits; nothing is changed then.
[[nodiscard]] bool settings_configure(struct settings *settings, const struct wire_hash_config *config);
// Adds a list or replaces the one of this name; takes the descriptor in every case. COMMON_UNREADABLE (errno
// EMFILE) when there are RULES_LISTS_MAX already.
[[nodiscard]] enum common_result settings_add_list(struct settings *settings, struct view name, int fd);
// In the place of one that can't be used: until it is replaced or removed, nobody knows whether a password is
// in it.
void settings_add_unusable_list(struct settings *settings, struct view name);
void settings_remove_list(struct settings *settings, struct view name);

#endif
