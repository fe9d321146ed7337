// SPDX-License-Identifier: ISC
// Asks for a new password, or reads it from standard input. Used by stayctl. The caller owns the buffer and
// wipes it. Bounds: WIRE_PASSWORD_MAX bytes.
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include "wire/types.h"

struct password {
    size_t size;
    uint8_t text[WIRE_PASSWORD_MAX];
};

enum password_result {
    PASSWORD_READ,
    PASSWORD_EMPTY,
    PASSWORD_TOO_LONG,
    PASSWORD_SEVERAL_LINES,
    PASSWORD_DIFFERENT, // the two that were typed
    PASSWORD_CANCELLED,
    PASSWORD_FAILED, // could not be read
};

// One line from `fd`; a second one is an error. At the end `password` is wiped unless PASSWORD_READ.
[[nodiscard]] enum password_result password_from(int fd, struct password *password);
// Twice, without echo, on the terminal that standard input is.
[[nodiscard]] enum password_result password_ask(struct password *password);
const char *password_result_text(enum password_result result);

#endif
