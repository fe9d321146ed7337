// SPDX-License-Identifier: ISC
// The JSON API (docs/openapi.yaml). Used by stayd-front. Owns nothing.
#ifndef FRONT_API_H
#define FRONT_API_H

#include "front/exchange.h"

void api_login(struct exchange *exchange);
void api_logout(struct exchange *exchange);
void api_session_show(struct exchange *exchange);
void api_session_list(struct exchange *exchange);
void api_session_end(struct exchange *exchange);
void api_session_end_others(struct exchange *exchange);
void api_register(struct exchange *exchange);
void api_password(struct exchange *exchange);

#endif
