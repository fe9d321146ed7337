// SPDX-License-Identifier: ISC
// Where the data is kept: `sqlite`, or a postgres:// URL, taken apart and checked without libpq, so that
// `stayd --check` and a start find what is wrong before stayd-store does. Used by the supervisor. Pure; owns
// nothing but plain values. Bounds: DATABASE_HOSTS_MAX hosts, DATABASE_URL_SIZE bytes of URL.
//
// What goes on to stayd-store is the URL in one form: without a password (it travels apart), with the CA file
// and the pooler among its parameters. So the URL may stand in a log, and the password can't.
#ifndef SUPERVISOR_DATABASE_H
#define SUPERVISOR_DATABASE_H

#include "base/bytes.h"

enum {
    DATABASE_HOSTS_MAX = 8,
    DATABASE_URL_SIZE = 1025, // with NUL
    DATABASE_PASSWORD_SIZE = 257,
    DATABASE_FILE_SIZE = 512,
    DATABASE_WHY_SIZE = 256,
};

enum database_pooler { DATABASE_POOLER_AUTO, DATABASE_POOLER_NONE, DATABASE_POOLER_TRANSACTION };

struct database {
    bool postgres;
    char url[DATABASE_URL_SIZE];           // "sqlite", or the URL without a password
    char password[DATABASE_PASSWORD_SIZE]; // as it was in the URL, decoded; "" without one
    bool away;                             // some host is another machine, as far as its name tells
    bool verified;                         // sslmode is verify-ca or verify-full
    bool has_mode;                         // the URL says an sslmode
    bool clear;                            // sslmode=disable
    enum database_pooler pooler;
    char ca[DATABASE_FILE_SIZE];          // sslrootcert
    char certificate[DATABASE_FILE_SIZE]; // sslcert
    char key[DATABASE_FILE_SIZE];         // sslkey
};

// False: `why` says what is wrong and what to do, to be put after the key's name; it repeats no value that
// may be a password.
[[nodiscard]] bool database_parse(struct database *database, struct view text, char why[DATABASE_WHY_SIZE]);
// Appends one parameter to the URL, percent-encoded; false when it does not fit.
[[nodiscard]] bool database_parameter(struct database *database, const char *name, const char *value);

#endif
