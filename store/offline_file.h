// SPDX-License-Identifier: ISC
// What backup, restore and check share: opening and checking a database by path, copying one into another,
// small files. Private to the offline tools. Words for the operator go to standard error.
#ifndef STORE_OFFLINE_FILE_H
#define STORE_OFFLINE_FILE_H

#include "base/bytes.h"
#include "store/offline.h"

#include <sqlite3.h>
#include <sys/types.h>

#define OFFLINE_PATH_MAX 4096
#define OFFLINE_KEY_MAX  65536 // bytes of one key file
#define OFFLINE_ASIDE    ".before-restore-"
#define OFFLINE_FILES    "backup_files" // the table with the keys
#define OFFLINE_FILES_SQL                                                                                    \
    "CREATE TABLE " OFFLINE_FILES " (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL) STRICT"

[[gnu::format(printf, 1, 2)]] void offline_say(const char *format, ...);

// Opens a database that is there; *database is the caller's also on failure (sqlite3_close).
[[nodiscard]] enum offline_status offline_open(const char *path, int flags, sqlite3 **database);
// Is it one of stayd's, of a schema this stayd knows?
[[nodiscard]] enum offline_status offline_schema(const char *path, sqlite3 *database);
// Every page, index and constraint; says what is wrong.
[[nodiscard]] enum offline_status offline_integrity(const char *path, sqlite3 *database);
// All pages, as they are at one moment, while others write.
[[nodiscard]] enum offline_status offline_copy(sqlite3 *from, sqlite3 *to, const char *what);
// Runs statements; says what failed.
[[nodiscard]] enum offline_status offline_execute(const char *path, sqlite3 *database, const char *sql);
// The status for a failed call of SQLite, said with the path.
enum offline_status offline_failed(const char *path, sqlite3 *database);
bool offline_has_table(sqlite3 *database, const char *name);

// A new, empty file of mode 0600 in place of any other; false: said why.
[[nodiscard]] bool offline_create(const char *path);
// Durable: the file's content, or a folder's names.
[[nodiscard]] bool offline_sync(const char *path);
// The folder that holds it.
void offline_folder(const char *path, char out[static OFFLINE_PATH_MAX]);
// Joins with a slash; false: too long.
[[nodiscard]] bool offline_join(char out[static OFFLINE_PATH_MAX], const char *folder, const char *name);

#endif
