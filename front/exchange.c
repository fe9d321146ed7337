// SPDX-License-Identifier: ISC
// What every handler asks of a request: whose it is, and what its address says. Runs in stayd-front.
#include "front/exchange.h"

#include "base/fault.h"
#include "front/answer.h"
#include "front/connection.h"
#include "front/lookup.h"
#include "front/routes.h"
#include "http/form.h"

static bool is_https(const struct connection *connection, const struct exchange *exchange)
{
    if (exchange->trusted) {
        struct view proto = http_request_known(exchange->request, HTTP_HEADER_X_FORWARDED_PROTO);
        if (proto.data != NULL) {
            return view_equal_nocase(proto, VIEW("https")) &&
                   !http_request_repeated(exchange->request, HTTP_HEADER_X_FORWARDED_PROTO);
        }
    }
    return connection->tls != NULL;
}

void exchange_begin(struct exchange *exchange, struct connection *connection, struct intake *intake,
                    uint8_t *data)
{
    struct front *front = connection->front;
    const struct settings *settings = front->settings;
    *exchange = (struct exchange){.front = front,
                                  .connection = connection,
                                  .settings = settings,
                                  .request = &intake->request,
                                  .route = &route_malformed,
                                  .class = STATS_CLASS_malformed,
                                  .intake = intake,
                                  .body = data + intake->head_size,
                                  .body_size = intake->body_size,
                                  .client = connection->peer.address,
                                  .minor = (uint8_t)intake->request.minor};
    exchange->trusted = peer_is_trusted(&settings->trusted, &connection->peer);
    if (exchange->trusted) {
        exchange->client = address_of_request(&settings->trusted, &connection->peer,
                                              settings->client_address_header, &intake->request);
    }
    exchange->head_only = intake->request.method == HTTP_HEAD;
    exchange->keep_alive = intake->request.keep_alive && !front->draining;
    exchange->https = is_https(connection, exchange);
}

const struct credentials *exchange_credentials(struct exchange *exchange)
{
    if (!exchange->has_credentials && exchange->request != NULL) {
        struct credentials *credentials = &exchange->credentials;
        credentials_find(exchange->request, exchange->settings->cookie_name, credentials);
        if (credentials->kind != CREDENTIALS_NONE) {
            if (exchange->front->has_tables) {
                sessions_prefetch(&exchange->front->tables, credentials->selector);
            }
            credentials_hash(credentials);
        }
        exchange->has_credentials = true;
    }
    return &exchange->credentials;
}

enum exchange_session exchange_session(struct exchange *exchange)
{
    struct front *front = exchange->front;
    const struct credentials *credentials = exchange_credentials(exchange);
    if (credentials->kind == CREDENTIALS_NONE) {
        return EXCHANGE_ANONYMOUS;
    }
    enum sessions_check check = SESSIONS_MISS;
    if (front->has_tables) {
        check = sessions_check(&front->tables, credentials->selector, credentials->verifier_hash,
                               front_wall_s(front), &front->identity);
        if (front->identity.retries > 0) {
            stats_add(STATS_table_retries, front->identity.retries);
        }
        if (front->identity.reason == SESSIONS_REASON_GENERATION ||
            front->identity.reason == SESSIONS_REASON_CORRUPT) {
            stats_count(STATS_table_mismatches);
            FAULT_NOTE("sessions_mismatch");
        }
    }
    if (check == SESSIONS_MISS) {
        return lookup_session(exchange);
    }
    stats_count(STATS_cache_sessions_hits);
    if (check == SESSIONS_INVALID) {
        return EXCHANGE_ANONYMOUS;
    }
    if (front->identity.note_seen && front->has_seen) {
        struct seen_note note = {.seen_s = front_wall_s(front)};
        memcpy(note.selector, credentials->selector, sizeof(note.selector));
        if (!seen_put(&front->seen, &note)) {
            stats_count(STATS_seen_dropped);
        }
    }
    return EXCHANGE_SIGNED_IN;
}

struct view exchange_below(const struct exchange *exchange)
{
    return view_from(exchange->request->path, exchange->route->path.size);
}

struct view exchange_query(const struct exchange *exchange, struct view name, uint8_t *room)
{
    struct view value = {NULL, 0};
    if (exchange->request->query.size > URL_SIZE_MAX ||
        http_form_find(exchange->request->query, name, room, &value) != HTTP_FOUND_ONE) {
        return (struct view){NULL, 0};
    }
    return value;
}

uint64_t exchange_trace(struct exchange *exchange)
{
    if (exchange->trace == 0) {
        exchange->trace = front_trace(exchange->front);
    }
    return exchange->trace;
}
