// SPDX-License-Identifier: ISC
// `stayd-store --check-db`: what this stayd would change in a database, which indexes are missing, and
// whether each statement finds its rows by the index it should. Changes nothing. Run by stayctl check-db, in
// the foreground, as whoever calls it. Owns nothing after it returns.
//
// Standard input has three lines, so that no password stands in an argument: the database (a postgres:// URL
// or the path of an SQLite file), the CA file or nothing, the password or nothing. The report goes to
// standard output, as text or as one JSON object. Exit status: 0 all holds, 1 something does not, 2 usage, 3
// the database can't be reached.
#ifndef STORE_CHECK_DB_H
#define STORE_CHECK_DB_H

#include "store/offline.h"

#include <stdio.h>

struct check_db {
    bool json;
    bool run; // changes are run too, and rolled back: for databases of tests
};

[[nodiscard]] enum offline_status check_db(const struct check_db *how, FILE *in, FILE *out);

#endif
