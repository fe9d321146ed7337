// SPDX-License-Identifier: ISC
// Waiting for a child, with a limit. Used by the supervisor and stayd-alert. Owns nothing.
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// True when a child of this process, one that was not waited for yet, has ended within so long. Signals
// meanwhile are no answer. In any case it is still to be waited for.
[[nodiscard]] bool child_ends_within(pid_t child, uint64_t limit_ms);

#endif
