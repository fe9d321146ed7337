// SPDX-License-Identifier: ISC
// One-time things and the audit trail in SQLite. Runs in stayd-store.
#include "store/sqlite_verbs.h"

void store_sqlite_once_put(void *backend, const struct wire_store_once_put *ask, struct store_answer *answer)
{
    (void)answer;
    struct query query = query_begin(backend, STATEMENT_ONCE_PUT);
    query_put_text(&query, ask->space);
    query_put_hash(&query, ask->hash);
    query_put_blob(&query, ask->payload);
    query_put_u64(&query, ask->expires);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_once_get(void *backend, const struct wire_store_once_get *ask, struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_ONCE_GET);
    query_put_text(&query, ask->space);
    query_put_hash(&query, ask->hash);
    query_put_u64(&query, ask->now);
    if (query_row(&query)) {
        struct wire_once_row row;
        row.payload = query_take_view(&query);
        row.expires = query_take_u64(&query);
        store_answer_once(answer, &row);
    } else {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
    }
    query_end(&query);
}

void store_sqlite_audit_add(void *backend, const struct wire_store_audit_add *ask,
                            struct store_answer *answer)
{
    (void)answer;
    struct view rest = ask->rows;
    struct wire_audit_row row;
    bool done = true;
    while (done && wire_audit_row_next(&rest, &row)) {
        struct query query = query_begin(backend, STATEMENT_AUDIT_ADD);
        query_put_u64(&query, row.time);
        query_put_u64(&query, row.trace);
        query_put_text(&query, row.event);
        query_put_text(&query, row.username);
        query_put_text(&query, row.actor);
        query_put_id(&query, row.source);
        query_put_text(&query, row.outcome);
        query_put_text(&query, row.detail);
        done = query_run(&query, NULL);
        query_end(&query);
    }
}

static void take_audit(struct query *query, struct wire_audit_row *row)
{
    row->id = query_take_u64(query);
    row->time = query_take_u64(query);
    row->trace = query_take_u64(query);
    row->event = query_take_view(query);
    row->username = query_take_view(query);
    row->actor = query_take_view(query);
    row->source = query_take_id(query);
    row->outcome = query_take_view(query);
    row->detail = query_take_view(query);
}

// Rows come newest first, and times follow ids but for steps of the clock: a row this much older than asked
// for ends the search.
#define CLOCK_STEP_S 86400

void store_sqlite_audit_list(void *backend, const struct wire_store_audit_list *ask,
                             struct store_answer *answer)
{
    bool by_name = ask->username.size > 0, by_event = ask->event.size > 0;
    struct query query = query_begin(backend, by_name    ? STATEMENT_AUDIT_LIST_USERNAME
                                              : by_event ? STATEMENT_AUDIT_LIST_EVENT
                                                         : STATEMENT_AUDIT_LIST);
    query_put_u64(&query, ask->before_id == 0 || ask->before_id > INT64_MAX ? INT64_MAX : ask->before_id);
    if (by_name || by_event) {
        query_put_text(&query, by_name ? ask->username : ask->event);
    }
    uint32_t count = 0, most = store_limit(ask->limit);
    while (count < most && query_row(&query)) {
        struct wire_audit_row row;
        take_audit(&query, &row);
        if (row.time + CLOCK_STEP_S < ask->since) {
            break;
        }
        if (row.time < ask->since || (by_event && !view_equal(row.event, ask->event))) {
            continue;
        }
        if (!store_answer_audit(answer, &row)) {
            break;
        }
        count++;
    }
    query_end(&query);
}
