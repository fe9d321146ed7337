// SPDX-License-Identifier: ISC
// One-time things and the audit trail on PostgreSQL. Runs in stayd-store.
#include "store/postgres_verbs.h"

bool postgres_once_put_make(struct postgres_call *call, const struct wire_store_once_put *ask)
{
    postgres_step_add(call, STATEMENT_ONCE_PUT);
    postgres_put_view(call, ask->space);
    postgres_put_hash(call, ask->hash);
    postgres_put_view(call, ask->payload);
    postgres_put_u64(call, ask->expires);
    return true;
}

enum postgres_taken postgres_once_put_take(const PGresult *last, struct store_answer *answer)
{
    (void)last;
    (void)answer;
    return POSTGRES_TAKEN;
}

bool postgres_once_get_make(struct postgres_call *call, const struct wire_store_once_get *ask)
{
    postgres_step_add(call, STATEMENT_ONCE_GET);
    postgres_put_view(call, ask->space);
    postgres_put_hash(call, ask->hash);
    postgres_put_u64(call, ask->now);
    return true;
}

enum postgres_taken postgres_once_get_take(const PGresult *last, struct store_answer *answer)
{
    if (PQntuples(last) == 0) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return POSTGRES_TAKEN;
    }
    struct postgres_row row = postgres_row_of(last, 0);
    struct wire_once_row once = {.payload = postgres_take_view(&row)};
    once.expires = postgres_take_u64(&row);
    return !row.broken && store_answer_once(answer, &once) ? POSTGRES_TAKEN : POSTGRES_BROKEN;
}

enum audit_column { TIME, TRACE, EVENT, USERNAME, ACTOR, SOURCE, OUTCOME, DETAIL, AUDIT_COLUMNS_COUNT };

static const enum postgres_type audit_types[AUDIT_COLUMNS_COUNT] = {
    POSTGRES_BIGINT, POSTGRES_BIGINT, POSTGRES_TEXT, POSTGRES_TEXT,
    POSTGRES_TEXT,   POSTGRES_BYTEA,  POSTGRES_TEXT, POSTGRES_TEXT,
};

static void add_column(struct postgres_call *call, struct postgres_list *list, enum audit_column column,
                       const struct wire_audit_row *row)
{
    const struct view views[AUDIT_COLUMNS_COUNT] = {
        [EVENT] = row->event,     [USERNAME] = row->username,
        [ACTOR] = row->actor,     [SOURCE] = view_of(row->source.byte, sizeof(row->source.byte)),
        [OUTCOME] = row->outcome, [DETAIL] = row->detail,
    };
    if (column == TIME || column == TRACE) {
        postgres_list_add_u64(call, list, column == TIME ? row->time : row->trace);
    } else {
        postgres_list_add(call, list, views[column]);
    }
}

bool postgres_audit_add_make(struct postgres_call *call, const struct wire_store_audit_add *ask)
{
    struct postgres_list lists[AUDIT_COLUMNS_COUNT];
    size_t sizes[AUDIT_COLUMNS_COUNT];
    for (unsigned column = 0; column < AUDIT_COLUMNS_COUNT; column++) {
        struct view rest = ask->rows;
        struct wire_audit_row row;
        lists[column] = postgres_list_begin(call, audit_types[column]);
        while (wire_audit_row_next(&rest, &row)) {
            add_column(call, &lists[column], column, &row);
        }
        sizes[column] = postgres_list_end(call, &lists[column]);
        if (rest.size > 0) {
            return false;
        }
    }
    postgres_step_add(call, STATEMENT_AUDIT_ADD);
    for (unsigned column = 0; column < AUDIT_COLUMNS_COUNT; column++) {
        postgres_put_list(call, &lists[column], sizes[column]);
    }
    return true;
}

enum postgres_taken postgres_audit_add_take(const PGresult *last, struct store_answer *answer)
{
    (void)last;
    (void)answer;
    return POSTGRES_TAKEN;
}

bool postgres_audit_list_make(struct postgres_call *call, const struct wire_store_audit_list *ask)
{
    bool by_name = ask->username.size > 0, by_event = ask->event.size > 0;
    postgres_step_add(call, by_name    ? STATEMENT_AUDIT_LIST_USERNAME
                            : by_event ? STATEMENT_AUDIT_LIST_EVENT
                                       : STATEMENT_AUDIT_LIST);
    postgres_put_u64(call, ask->before_id == 0 || ask->before_id > INT64_MAX ? INT64_MAX : ask->before_id);
    postgres_put_u64(call, ask->since > INT64_MAX ? INT64_MAX : ask->since);
    postgres_put_u64(call, store_limit(ask->limit));
    if (by_name) {
        postgres_put_view(call, ask->username);
        postgres_put_view(call, ask->event);
    } else if (by_event) {
        postgres_put_view(call, ask->event);
    }
    return true;
}

static bool append_audit(struct postgres_row *row, struct store_answer *answer)
{
    struct wire_audit_row audit;
    audit.id = postgres_take_u64(row);
    audit.time = postgres_take_u64(row);
    audit.trace = postgres_take_u64(row);
    audit.event = postgres_take_view(row);
    audit.username = postgres_take_view(row);
    audit.actor = postgres_take_view(row);
    audit.source = postgres_take_id(row);
    audit.outcome = postgres_take_view(row);
    audit.detail = postgres_take_view(row);
    return row->broken || store_answer_audit(answer, &audit);
}

enum postgres_taken postgres_audit_list_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_rows(last, answer, append_audit);
}
