// SPDX-License-Identifier: ISC
// What tools/embed_pages.py makes out of the files of this room: only for pages.c and the tests of this room.
#ifndef PAGES_BUILT_H
#define PAGES_BUILT_H

#include "pages/pages.h"
#include "pages/template.h"

extern const struct template pages_template_setup;
extern const struct template pages_template_login;
extern const struct template pages_template_register;
extern const struct template pages_template_account;
extern const struct template pages_template_admin;
extern const struct template pages_template_admin_user;
extern const struct template pages_template_message;
extern const struct template pages_template_error;

// Whether every template names only what its struct has (pages.c).
[[nodiscard]] bool pages_check(void);

extern const struct pages_asset pages_assets[];
extern const size_t pages_asset_count;

#endif
