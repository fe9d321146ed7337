// SPDX-License-Identifier: ISC
// Every page with example data, or with one hostile value everywhere: for the tests and the preview of this
// room.
#ifndef PAGES_EXAMPLE_H
#define PAGES_EXAMPLE_H

#include "pages/pages.h"

struct example {
    const char *name;
    bool (*render)(struct bytes *out);
};

extern const struct example examples[];
extern const size_t example_count;

// Appends every page, each value being `value`, each list having one row and each flag as bit 0 of `flags`.
[[nodiscard]] bool example_render_all(struct bytes *out, struct view value, uint32_t flags);

#endif
