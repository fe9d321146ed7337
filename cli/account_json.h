// SPDX-License-Identifier: ISC
// One account as a line of JSON, read for `user import`. Used by stayctl. Owns: the parsed object, with the
// password in it until account_json_release. Bounds: a line of ACCOUNT_JSON_MAX bytes.
#ifndef CLI_ACCOUNT_JSON_H
#define CLI_ACCOUNT_JSON_H

#include "wire/types.h"

#include <jansson.h>

enum { ACCOUNT_JSON_MAX = 16 * 1024 };

struct account_json {
    json_t *object;
    struct view name, display_name, email, password;
    char groups[1025];
    bool disabled;
    char problem[160]; // after a failure
};

// What `user export` writes is read too: fields that only stayd decides are passed over, unknown ones
// refused. False: `problem` says why. To be released in both cases.
[[nodiscard]] bool account_json_read(struct account_json *account, struct view line);
void account_json_release(struct account_json *account);

#endif
