// SPDX-License-Identifier: ISC
// What must hold between several keys of the configuration, and the list of problems. Used by the supervisor.
// Pure.
#ifndef SUPERVISOR_CONFIG_CHECK_H
#define SUPERVISOR_CONFIG_CHECK_H

#include "supervisor/config.h"

[[gnu::format(printf, 3, 4)]] void config_error(struct config_report *report, unsigned line,
                                                const char *format, ...);
[[gnu::format(printf, 3, 4)]] void config_warning(struct config_report *report, unsigned line,
                                                  const char *format, ...);

// Adds what is wrong with the configuration as a whole.
void config_check(struct config *config, struct config_report *report);

#endif
