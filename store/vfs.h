// SPDX-License-Identifier: ISC
// SQLite's own file access, but for two things: what waits for the disk is counted, and
// a path is used as it stands. Used by stayd-store. The database
// is opened as "stayd.db" in the working directory that the supervisor chose, so that the process needs no
// right to look at any folder above it (SQLite would otherwise resolve the path from the root).
#ifndef STORE_VFS_H
#define STORE_VFS_H

// The name to give to sqlite3_open_v2; NULL on failure.
const char *store_vfs(void);

#endif
