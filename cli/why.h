// SPDX-License-Identifier: ISC
// The parts of `stayctl why`. Used by stayctl. Owns nothing.
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "cli/cli.h"

// The life of one session; `text` is its public id. An exit code.
[[nodiscard]] int why_session(struct cli *cli, const char *text);
// stayd-watch does not answer (`result`): what can be seen without it, from /proc and the sockets. An exit
// code.
[[nodiscard]] int why_from_outside(struct cli *cli, enum client_result result);

#endif
