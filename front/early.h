// SPDX-License-Identifier: ISC
// Early refusal: log-ins and sign-ups that core could not take are refused here, before they are read or
// their passwords sealed. Core says how many (core/admission.h). Used by stayd-front. Owns nothing.
#ifndef FRONT_EARLY_H
#define FRONT_EARLY_H

#include "front/exchange.h"

// Whether this log-in, or sign-up, is refused; then `reply` says why and when to come again.
[[nodiscard]] bool early_refuses_login(struct exchange *exchange, struct wire_reply *reply);
[[nodiscard]] bool early_refuses_sign_up(struct exchange *exchange, struct wire_reply *reply);
// Core said something new, or is gone.
void early_told(struct front *front);
// At every tick: says in the log that refusing began, or ended.
void early_tick(struct front *front);

#endif
