// SPDX-License-Identifier: ISC
// The proof from inside: enters a sandbox as its owner would and tries what must not work.
// Used by every child's `--sandbox-probe`, and by tests. Owns nothing.
#ifndef BASE_SANDBOX_PROBE_H
#define BASE_SANDBOX_PROBE_H

#include "base/sandbox.h"

// For each act a process of its own is forked, which enters the sandbox and tries it. Prints on standard
// output one line each: first `sandbox profile=... landlock=... calls=...`, then
//   act=NAME result=denied errno=EPERM
//   act=NAME result=killed signal=SIGSYS
//   act=NAME result=allowed
// `table` is a descriptor opened read-only on a memfd, or -1 (one is made). Returns 0 when every act that
// this profile may never do was denied or killed, 1 otherwise, 3 when the probe itself could not run.
int sandbox_probe(enum sandbox_profile profile, const struct sandbox_options *options, int table);

#endif
