// SPDX-License-Identifier: ISC
// The pages for everyone: log-in, registration, set-up, one's own account. Used by stayd-front. Owns nothing.
#ifndef FRONT_PAGES_ROUTES_H
#define FRONT_PAGES_ROUTES_H

#include "front/exchange.h"

void page_root(struct exchange *exchange);
void page_login(struct exchange *exchange);
void page_login_post(struct exchange *exchange);
void page_logout_post(struct exchange *exchange);
void page_register(struct exchange *exchange);
void page_register_post(struct exchange *exchange);
void page_setup(struct exchange *exchange);
void page_setup_post(struct exchange *exchange);
void page_account(struct exchange *exchange);
void page_account_password_post(struct exchange *exchange);
void page_account_sessions_end_post(struct exchange *exchange);
void page_asset(struct exchange *exchange);

#endif
