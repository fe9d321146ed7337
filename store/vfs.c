// SPDX-License-Identifier: ISC
// A copy of the "unix" VFS whose xFullPathname does not resolve. Runs in stayd-store.
#include "store/vfs.h"

#include <sqlite3.h>

static sqlite3_vfs shim;

static int path_as_it_stands(sqlite3_vfs *vfs, const char *path, int size_max, char *out)
{
    (void)vfs;
    size_t size = strlen(path);
    if (size >= (size_t)size_max) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, path, size + 1);
    return SQLITE_OK;
}

const char *store_vfs(void)
{
    if (shim.zName == NULL) {
        sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
        if (unix_vfs == NULL) {
            return NULL;
        }
        shim = *unix_vfs;
        shim.pNext = NULL;
        shim.zName = "stayd-as-it-stands";
        shim.xFullPathname = path_as_it_stands;
        if (sqlite3_vfs_register(&shim, 0) != SQLITE_OK) {
            shim.zName = NULL;
        }
    }
    return shim.zName;
}
