// SPDX-License-Identifier: ISC
// Each role's slice of the configuration: what it may know, and no more. Used by the supervisor.
// Owns: the secrets made at start and the contents of the files that the configuration names (wiped on
// release).
#ifndef SUPERVISOR_SLICES_H
#define SUPERVISOR_SLICES_H

#include "supervisor/config.h"
#include "wire/messages.h"

enum { SLICES_FILE_MAX = 24576 };

// Made once for the life of the supervisor: a child that is started again gets the same ones.
struct slices_keys {
    struct hash32 hash_public;
    struct hash32 hash_secret;
    struct hash32 setup_secret;
    struct id16 crowd_key;
};

// Files that the configuration names, read by the supervisor because the children can't.
struct slices_files {
    struct secret certificate;
    struct secret key;
    struct secret database_password;
};

[[nodiscard]] bool slices_keys_init(struct slices_keys *keys);
void slices_keys_release(struct slices_keys *keys);
// False: `why` names the file and the problem.
[[nodiscard]] bool slices_files_init(struct slices_files *files, const struct config *config, char *why,
                                     size_t why_size);
void slices_files_release(struct slices_files *files);

struct slices {
    const struct config *config;
    const struct slices_keys *keys;
    const struct slices_files *files;
    uint16_t fronts;
    uint16_t hash_workers;
    uint16_t hash_threads;    // the most that workers may become
    uint32_t hash_memory_kib; // of all hashes together
    const char *version;
};

// Appends the slice's packet for a role; false when it does not fit (too many rules).
[[nodiscard]] bool slices_encode(const struct slices *slices, enum wire_role role, uint16_t index,
                                 struct bytes *packet);
// Descriptors that a role needs at most: its limit.
unsigned slices_descriptors(const struct slices *slices, enum wire_role role);

#endif
