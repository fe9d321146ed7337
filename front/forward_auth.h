// SPDX-License-Identifier: ISC
// Forward-auth: who is this, and may they go there? The hot path. Used by stayd-front. Owns nothing.
#ifndef FRONT_FORWARD_AUTH_H
#define FRONT_FORWARD_AUTH_H

#include "front/exchange.h"

// GET /auth/check: X-Forwarded-Method, -Proto, -Host and -Uri.
void forward_auth_check(struct exchange *exchange);
// GET /auth/check/nginx: X-Original-URL and X-Original-Method, and nothing else. A 401 tells the log-in
// page's address in X-Stayd-Login, as nginx can't pass a redirect on.
void forward_auth_check_nginx(struct exchange *exchange);

#endif
