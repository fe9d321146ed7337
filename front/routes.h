// SPDX-License-Identifier: ISC
// Which handler answers which path. Used by stayd-front. Owns nothing.
#ifndef FRONT_ROUTES_H
#define FRONT_ROUTES_H

#include "front/exchange.h"

// Never NULL: a path that nobody answers has a route of its own, without handlers.
const struct route *route_find(struct view path);
bool route_is_known(const struct route *route);
// What a request of that method counts as: looking at a page changes nothing, whatever the page is for.
enum stats_class route_class(const struct route *route, enum http_method method);
// Counts what costs more than a check that the table answers (log-ins, sign-ups, other changes) as it comes,
// refused or not, once. Look-ups: lookup.c.
void route_count_arrival(struct exchange *exchange);
// Answers the exchange, or leaves it waiting for core.
void route_handle(struct exchange *exchange);
// The route of what could not be read.
extern const struct route route_malformed;

#endif
