// SPDX-License-Identifier: ISC
// Files that stayd-watch carries with it, so that they are there in the hour in which all else is not: the
// style and the script of its pages, and the runbooks. Made from watch/ops.css, watch/ops.js and
// docs/runbooks/ while stayd is built. Owns constants.
#ifndef WATCH_FILE_H
#define WATCH_FILE_H

#include "base/bytes.h"

struct file {
    struct view name; // without folders
    struct view data;
};

extern const struct file file_all[];
extern const unsigned file_count;

static inline const struct file *file_find(struct view name)
{
    for (unsigned i = 0; i < file_count; i++) {
        if (view_equal(file_all[i].name, name)) {
            return &file_all[i];
        }
    }
    return NULL;
}

#endif
