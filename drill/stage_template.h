// SPDX-License-Identifier: ISC
// Between the files of the stage: stayd's start, and the template of a database with many accounts, which is
// built once and kept in the cache folder. Used by stayctl drill.
#ifndef DRILL_STAGE_TEMPLATE_H
#define DRILL_STAGE_TEMPLATE_H

#include "drill/stage.h"

[[gnu::format(printf, 3, 4)]] enum stage_result stage_fail(struct stage *stage, enum stage_result result,
                                                           const char *format, ...);
void stage_say(const struct stage *stage, const char *what);
bool stage_stopping(const struct stage *stage);
enum stage_result stage_start_stayd(struct stage *stage);
void stage_stop_stayd(struct stage *stage);

// Where templates are, and what drills leave.
void stage_cache_folder(const struct stage_options *options, char *out, size_t size);
[[nodiscard]] bool stage_make_folders(const char *path);

// The template's folder, in `out`; it is built when it is not there.
[[nodiscard]] enum stage_result stage_template(struct stage *stage, char *out, size_t size);

#endif
