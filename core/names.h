// SPDX-License-Identifier: ISC
// What names, e-mail addresses and groups may look like. Used by core; pure.
#ifndef CORE_NAMES_H
#define CORE_NAMES_H

#include "base/bytes.h"

// Lower-cases ASCII letters into out; false when it does not fit or is not [a-z0-9][a-z0-9._-]{0,63} after
// that.
[[nodiscard]] bool names_username(struct view given, char *out, size_t out_size);
// One '@', something on both sides, UTF-8 without spaces and control bytes, at most 254 bytes (RFC
// 5321 4.5.3.1.3). Whether it reaches anyone only a mail can tell.
[[nodiscard]] bool names_email(struct view given);
// UTF-8 without control characters, at most 128 bytes. Empty is fine.
[[nodiscard]] bool names_display(struct view given);
// Group names like user names, joined by commas (spaces around them dropped), each once, into out.
[[nodiscard]] bool names_groups(struct view given, char *out, size_t out_size);
[[nodiscard]] bool names_groups_have(struct view groups, struct view group);

#endif
