// SPDX-License-Identifier: ISC
// The accounts a load test acts for, and the sessions it holds of them. Used by stayctl storm. Owns heap
// memory: 60 bytes an account, and the texts of the files. Bounds: PEOPLE_MAX accounts, files of
// PEOPLE_FILE_MAX bytes. Passwords and tokens are wiped when released.
#ifndef DRILL_PEOPLE_H
#define DRILL_PEOPLE_H

#include "base/bytes.h"

enum {
    PEOPLE_MAX = 4000000,
    PEOPLE_FILE_MAX = 1 << 29,
    PEOPLE_NAME_SIZE = 65,
    PEOPLE_PASSWORD_SIZE = 1025,
    PEOPLE_TOKEN_SIZE = 44,
    PEOPLE_PROBLEM_SIZE = 256,
};

struct person {
    uint32_t name_at, password_at; // in the texts; 0: by the pattern, and the password of all
    char token[PEOPLE_TOKEN_SIZE]; // "": not logged in
};

struct people {
    struct person *person;
    uint32_t count, room;
    uint32_t *signed_in; // numbers of those with a token
    uint32_t signed_in_count;
    struct bytes texts; // each ended by NUL; the first is empty
    const char *pattern;
    char password[PEOPLE_PASSWORD_SIZE];
    char problem[PEOPLE_PROBLEM_SIZE]; // after a failure: one sentence
};

void people_init(struct people *people);
void people_release(struct people *people);
// `count` accounts by a pattern in which {} is the number from 1 on, {6} that with leading zeros.
[[nodiscard]] bool people_by_pattern(struct people *people, uint32_t count, const char *pattern);
// Lines "NAME PASSWORD", or "NAME TOKEN" for sessions that are live already.
[[nodiscard]] bool people_by_file(struct people *people, const char *path, bool tokens);
// The first line of a file is the password of all that have none of their own.
[[nodiscard]] bool people_password_by_file(struct people *people, const char *path);

// False when the pattern makes no user name of that number.
bool people_name(const struct people *people, uint32_t number, char out[static PEOPLE_NAME_SIZE]);
const char *people_password(const struct people *people, uint32_t number);
// The session with which the account's next check is asked.
void people_sign_in(struct people *people, uint32_t number, const char token[static PEOPLE_TOKEN_SIZE]);

#endif
