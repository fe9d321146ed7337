// SPDX-License-Identifier: ISC
// The offline tools of stayd-store, run by stayctl: backup, restore, check. Not a child of the supervisor:
// they run as whoever calls them, in the foreground, with words on standard error. Own nothing after they
// return. Exit status: 0 done, 1 refused or not found, 2 usage, 3 unavailable (space, rights, I/O).
//
// A backup is one SQLite file of mode 0600: the database, and the private keys in a table `backup_files`, so
// that one file is enough to start anew. It is as secret as the keys.
#ifndef STORE_OFFLINE_H
#define STORE_OFFLINE_H

#include <stdbool.h>

enum offline_status { OFFLINE_DONE = 0, OFFLINE_REFUSED = 1, OFFLINE_USAGE = 2, OFFLINE_UNAVAILABLE = 3 };

bool offline_is_asked(int argc, char **argv);
// --backup DATA_DIR/store/stayd.db OUT | --restore FILE DATA_DIR | --check FILE | --check-db
// (store/check_db.h)
int offline_main(int argc, char **argv);

// The commands, for tests too.
[[nodiscard]] enum offline_status offline_backup(const char *database, const char *out);
[[nodiscard]] enum offline_status offline_restore(const char *file, const char *data_dir);
[[nodiscard]] enum offline_status offline_check(const char *file);

#endif
