// SPDX-License-Identifier: ISC
// Accounts, sessions and the audit trail as people and programs read them. Runs in stayctl.
#include "cli/show.h"

#include "base/log.h"

#include <math.h>

json_t *show_text_json(struct view text)
{
    json_t *string = json_stringn(text.data == NULL ? "" : (const char *)text.data, text.size);
    return string == NULL ? json_null() : string;
}

json_t *show_time_json(uint64_t unix_s)
{
    char text[TEXT_TIME_SIZE];
    text_time_iso(unix_s, text);
    return unix_s == 0 ? json_null() : json_string(text);
}

double show_number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static json_t *groups_json(struct view groups)
{
    json_t *list = json_array();
    while (groups.size > 0) {
        json_array_append_new(list, show_text_json(view_cut(&groups, ',')));
    }
    return list;
}

enum { ID_SIZE = 23 };

// As in the API, which takes these ids too.
static void id_text(struct id16 id, char out[static ID_SIZE])
{
    out[base64url_encode(id.byte, sizeof(id.byte), out)] = '\0';
}

static bool no_address(struct id16 address)
{
    static const struct id16 none;
    return memcmp(&address, &none, sizeof(none)) == 0;
}

static json_t *address_json(struct id16 address)
{
    char text[46];
    log_address_text(address, text);
    return no_address(address) ? json_null() : json_string(text);
}

json_t *show_account_json(const struct wire_account_public *account)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", show_text_json(account->name));
    json_object_set_new(object, "display_name", show_text_json(account->display_name));
    json_object_set_new(object, "email", show_text_json(account->email));
    json_object_set_new(object, "email_verified",
                        json_boolean((account->flags & WIRE_ACCOUNT_EMAIL_VERIFIED) != 0));
    json_object_set_new(object, "groups", groups_json(account->groups));
    json_object_set_new(object, "disabled", json_boolean((account->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0));
    json_object_set_new(object, "has_password", json_boolean(account->has_password));
    json_object_set_new(object, "created_at", show_time_json(account->created));
    json_object_set_new(object, "last_login_at", show_time_json(account->last_login));
    return object;
}

json_t *show_session_json(const struct wire_session_public *session)
{
    char id[ID_SIZE];
    json_t *object = json_object();
    id_text(session->public_id, id);
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "created_at", show_time_json(session->created));
    json_object_set_new(object, "last_seen_at", show_time_json(session->last_seen));
    json_object_set_new(object, "expires_at", show_time_json(session->expires));
    json_object_set_new(object, "expires_max_at", show_time_json(session->expires_max));
    json_object_set_new(object, "address", address_json(session->address));
    json_object_set_new(object, "agent", show_text_json(session->agent));
    return object;
}

json_t *show_audit_json(const struct wire_audit_row *row)
{
    char trace[17];
    json_t *object = json_object();
    snprintf(trace, sizeof(trace), "%016llx", (unsigned long long)row->trace);
    json_object_set_new(object, "id", json_integer((json_int_t)row->id));
    json_object_set_new(object, "at", show_time_json(row->time));
    json_object_set_new(object, "event", show_text_json(row->event));
    json_object_set_new(object, "user", show_text_json(row->username));
    json_object_set_new(object, "actor", show_text_json(row->actor));
    json_object_set_new(object, "outcome", show_text_json(row->outcome));
    json_object_set_new(object, "source", address_json(row->source));
    json_object_set_new(object, "detail", show_text_json(row->detail));
    json_object_set_new(object, "request_id", json_string(trace));
    return object;
}

static void time_cell(struct table *table, uint64_t unix_s)
{
    char text[TEXT_TIME_SIZE];
    text_time_local(unix_s, text);
    table_cell(table, view_of_cstr(text));
}

static void address_cell(struct table *table, struct id16 address)
{
    char text[46];
    log_address_text(address, text);
    table_cell(table, no_address(address) ? VIEW("") : view_of_cstr(text));
}

static struct view account_state(const struct wire_account_public *account)
{
    return (account->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0 ? VIEW("disabled")
           : account->has_password                            ? VIEW("active")
                                                              : VIEW("no password");
}

static void account_cells(struct table *table, const struct wire_account_public *account)
{
    table_cell(table, account->name);
    table_cell(table, account->display_name);
    table_cell(table, account->email);
    table_cell(table, account->groups);
    table_cell(table, account_state(account));
    time_cell(table, account->last_login);
}

static void session_cells(struct table *table, const struct wire_session_public *session)
{
    char id[ID_SIZE];
    id_text(session->public_id, id);
    table_cell(table, view_of_cstr(id));
    address_cell(table, session->address);
    time_cell(table, session->created);
    time_cell(table, session->last_seen);
    time_cell(table, session->expires);
    table_cell(table, session->agent);
}

static void audit_cells(struct table *table, const struct wire_audit_row *row)
{
    time_cell(table, row->time);
    table_cell(table, row->event);
    table_cell(table, row->username);
    table_cell(table, row->outcome);
    table_cell(table, row->actor);
    address_cell(table, row->source);
    table_cell(table, row->detail);
}

static const char *const account_titles[] = {"NAME",  "DISPLAY NAME", "E-MAIL", "GROUPS",
                                             "STATE", "LAST LOGIN",   NULL};
static const char *const session_titles[] = {"ID",      "ADDRESS", "SINCE", "LAST SEEN",
                                             "EXPIRES", "BROWSER", NULL};
static const char *const audit_titles[] = {"TIME", "EVENT", "USER", "OUTCOME", "BY", "FROM", "DETAIL", NULL};

void listing_begin(struct listing *listing, enum show_kind kind, bool json, FILE *out)
{
    static const char *const *const titles[] = {account_titles, session_titles, audit_titles};
    *listing = (struct listing){.kind = kind, .json = json, .out = out};
    table_init(&listing->table, out, titles[kind]);
    if (json) {
        fputc('[', out);
    }
}

static void element(struct listing *listing, json_t *object)
{
    fputs(listing->count == 0 ? "\n  " : ",\n  ", listing->out);
    json_dumpf(object, listing->out, JSON_COMPACT);
    json_decref(object);
}

static bool next_account(struct listing *listing, struct view *rows)
{
    struct wire_account_public account;
    if (!wire_account_public_next(rows, &account)) {
        return false;
    }
    (void)view_to_cstr(account.name, listing->last_name, sizeof(listing->last_name));
    if (listing->json) {
        element(listing, show_account_json(&account));
    } else {
        account_cells(&listing->table, &account);
    }
    return true;
}

static bool next_session(struct listing *listing, struct view *rows)
{
    struct wire_session_public session;
    if (!wire_session_public_next(rows, &session)) {
        return false;
    }
    if (listing->json) {
        element(listing, show_session_json(&session));
    } else {
        session_cells(&listing->table, &session);
    }
    return true;
}

static bool next_audit(struct listing *listing, struct view *rows)
{
    struct wire_audit_row row;
    if (!wire_audit_row_next(rows, &row)) {
        return false;
    }
    listing->last_id = row.id;
    if (listing->json) {
        element(listing, show_audit_json(&row));
    } else {
        audit_cells(&listing->table, &row);
    }
    return true;
}

size_t listing_rows(struct listing *listing, struct view rows, size_t most)
{
    static bool (*const next[])(struct listing *, struct view *) = {next_account, next_session, next_audit};
    size_t count = 0;
    while (count < most && next[listing->kind](listing, &rows)) {
        listing->count++;
        count++;
    }
    listing->broken = listing->broken || (count < most && rows.size > 0);
    return count;
}

void listing_end(struct listing *listing, const char *none)
{
    if (listing->json) {
        fputs(listing->count == 0 ? "]\n" : "\n]\n", listing->out);
    } else if (listing->count == 0) {
        fprintf(listing->out, "%s\n", none);
    }
    table_end(&listing->table);
}

static void line(FILE *out, const char *name, struct view value)
{
    fprintf(out, "%-14s", name);
    text_print(out, value.size == 0 ? VIEW("-") : value, 0);
    fputc('\n', out);
}

void show_account(FILE *out, const struct wire_account_public *account, bool json)
{
    char time[TEXT_TIME_SIZE];
    if (json) {
        show_json(out, show_account_json(account));
        return;
    }
    line(out, "name", account->name);
    line(out, "display name", account->display_name);
    line(out, "e-mail", account->email);
    line(out, "groups", account->groups);
    line(out, "state", account_state(account));
    text_time_local(account->created, time);
    line(out, "created", view_of_cstr(time));
    text_time_local(account->last_login, time);
    line(out, "last login", view_of_cstr(time));
}

void show_json(FILE *out, json_t *object)
{
    json_dumpf(object, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(object);
}
