// SPDX-License-Identifier: ISC
// Finds stayd's configuration file and the few keys that stayctl needs of it. Used by stayctl. Owns nothing.
// The file is checked by stayd itself; here only these keys are looked for, all else is passed over.
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "base/bytes.h"

enum { CLI_PATH_MAX = 4096 };

struct cli_config {
    char file[CLI_PATH_MAX];                                              // the configuration
    char data_dir[CLI_PATH_MAX];                                          // as stayd sees it
    char database[CLI_PATH_MAX];                                          // "sqlite" or a URL
    char database_password_file[CLI_PATH_MAX], database_ca[CLI_PATH_MAX]; // empty: not set
    char problem[CLI_PATH_MAX + 128];
};

// `given` is -c's file or NULL: then $STAYD_CONFIG, ./var/stayd.conf, /etc/stayd/stayd.conf. False: `problem`
// says why, and what to do.
[[nodiscard]] bool cli_config_find(struct cli_config *config, const char *given);
// The same from the text of a file whose name is in config->file.
[[nodiscard]] bool cli_config_read(struct cli_config *config, struct view text);

#endif
