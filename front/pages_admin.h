// SPDX-License-Identifier: ISC
// The pages of administrators. Used by stayd-front. Owns nothing. Core decides whether the caller is one.
#ifndef FRONT_PAGES_ADMIN_H
#define FRONT_PAGES_ADMIN_H

#include "front/exchange.h"

void page_admin(struct exchange *exchange);
void page_admin_add_post(struct exchange *exchange);
void page_admin_set_post(struct exchange *exchange);
void page_admin_invite_post(struct exchange *exchange);
void page_admin_sessions_end_post(struct exchange *exchange);

#endif
