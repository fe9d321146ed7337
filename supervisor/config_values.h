// SPDX-License-Identifier: ISC
// Values of the configuration: text in, checked value out. Used by the supervisor. Pure; owns nothing.
// A reader returns NULL when the value is fine, else what is wrong with it, to be put after the key's name.
#ifndef SUPERVISOR_CONFIG_VALUES_H
#define SUPERVISOR_CONFIG_VALUES_H

#include "supervisor/config.h"

const char *config_value_number(struct view text, uint64_t least, uint64_t most, uint64_t *value);
// 500ms, 30s, 15m, 12h, 30d → milliseconds. A bare number is refused: its unit would be a guess.
const char *config_value_duration(struct view text, uint64_t least_ms, uint64_t most_ms, uint64_t *value_ms);
// 4096, 64KiB, 19MiB, 1GiB → bytes.
const char *config_value_size(struct view text, uint64_t least, uint64_t most, uint64_t *value);
const char *config_value_switch(struct view text, bool *value);
// host:port with a literal address or `localhost`, [v6]:port, unix:PATH.
const char *config_value_listen(struct view text, struct config_listen *listen);
// scheme://host[:port], lower-case scheme http or https, no user, path, query or fragment. A single slash at
// the end is dropped.
const char *config_value_url(struct view text, char *url, size_t size);
// Where alerts are posted to; and "/path arguments".
const char *config_value_webhook(struct view text, char *out, size_t size);
const char *config_value_command(struct view text, char *out, size_t size);
// A host name (letters, digits, hyphens, dots).
const char *config_value_host(struct view text, bool wildcard);
// Addresses and CIDRs joined by commas or spaces, and "unix"; comes out joined by commas.
const char *config_value_networks(struct view text, char *list, size_t size);
// The number of edits between two words, for "did you mean".
unsigned config_distance(struct view a, struct view b);

#endif
