// SPDX-License-Identifier: ISC
// Administration of accounts: list, show, add, set, delete; the audit trail; status. Runs in core; pure.
#include "core/flow.h"

#include "core/names.h"

void flow_append_account(struct bytes *rows, const struct wire_account_row *account)
{
    wire_account_public_append(rows, &(struct wire_account_public){.name = account->name,
                                                                   .display_name = account->display_name,
                                                                   .email = account->email,
                                                                   .groups = account->groups,
                                                                   .flags = account->flags,
                                                                   .has_password = account->phc.size > 0,
                                                                   .created = account->created,
                                                                   .last_login = account->last_login});
}

static void grant_account(struct core *core, struct flow *flow)
{
    struct bytes rows;
    bytes_init(&rows, 4096);
    flow_append_account(&rows, &flow->account);
    flow_grant(core, flow, bytes_view(&rows));
    bytes_release(&rows);
}

// ---- list, show

static void listed(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_account_row account;
    struct bytes out;
    if (answer->store.outcome != WIRE_STORE_OK) {
        flow_store_failed(core, flow, answer);
        return;
    }
    bytes_init(&out, 61440);
    while (wire_account_row_next(&rows, &account)) {
        flow_append_account(&out, &account);
    }
    flow_grant(core, flow, bytes_view(&out));
    bytes_release(&out);
}

static void list(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct wire_account_list *ask = &flow->ask.account_list;
    struct view after = view_first(ask->after, WIRE_USERNAME_MAX);
    ASK_STORE(core, flow, listed, store_account_list, .query = ask->query, .after = after,
              .limit = ask->limit == 0 || ask->limit > 40 ? 40 : ask->limit);
}

void on_account_list(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, list);
}

static void shown(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    grant_account(core, flow);
}

static void found(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_times(core, flow, shown);
}

static void show(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_account(core, flow, flow->ask.account_show.username, found);
}

void on_account_show(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, show);
}

// ---- add

static void added(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    if (answer->store.outcome == WIRE_STORE_CONFLICT) {
        flow_refuse(core, flow, WIRE_NAME_TAKEN, "An account with this name exists.");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK || !flow_keep_account(flow, &rows)) {
        flow_store_failed(core, flow, answer);
        return;
    }
    setup_done(core);
    audit(core, flow, "account_add", flow->account.name, "granted", flow->account.groups);
    grant_account(core, flow);
}

static void store_account(struct core *core, struct flow *flow, struct view phc)
{
    const struct wire_account_add *ask = &flow->ask.account_add;
    struct id16 id;
    core_random(core, id.byte, sizeof(id.byte));
    ASK_STORE(core, flow, added, store_account_add, .id = id, .name = view_of_cstr(flow->name),
              .display_name = ask->display_name, .email = ask->email, .groups = view_of_cstr(flow->groups),
              .flags = ask->email.size > 0 ? WIRE_ACCOUNT_EMAIL_VERIFIED : 0, .phc = phc,
              .created = wall_s(core));
}

static void hashed(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct wire_hash_reply *hash = &answer->hash;
    flow_leave_gate(core, flow, hash->hash_us > 0);
    if (hash->verdict == WIRE_HASH_WEAK) {
        flow_refuse_view(core, flow, WIRE_WEAK_PASSWORD, hash->advice);
    } else if (hash->verdict == WIRE_HASH_BAD) {
        flow_refuse(core, flow, WIRE_WEAK_PASSWORD, "The password is not valid text (UTF-8).");
    } else if (hash->verdict != WIRE_HASH_OK || hash->phc.size == 0) {
        flow_unavailable(core, flow, core->hash.up ? WIRE_HASH_BUSY : WIRE_HASH_DOWN, 1);
    } else {
        store_account(core, flow, hash->phc);
    }
}

static void hash_step(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    ASK_HASH(core, flow, hashed, hash_new, .sealed = flow->ask.account_add.sealed,
             .username = view_of_cstr(flow->name),
             .email = view_first(flow->ask.account_add.email, WIRE_EMAIL_MAX));
}

static void add(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct wire_account_add *ask = &flow->ask.account_add;
    if (!names_username(ask->username, flow->name, sizeof(flow->name))) {
        flow_refuse(core, flow, WIRE_BAD_NAME,
                    "User names have 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and "
                    "begin with "
                    "a letter or digit.");
    } else if (ask->email.size > 0 && !names_email(ask->email)) {
        flow_refuse(core, flow, WIRE_BAD_EMAIL, "This does not look like an e-mail address.");
    } else if (!names_display(ask->display_name)) {
        flow_refuse(core, flow, WIRE_BAD_DISPLAY_NAME, "Display names have at most 128 bytes of text.");
    } else if (!names_groups(ask->groups, flow->groups, sizeof(flow->groups))) {
        flow_refuse(core, flow, WIRE_BAD_GROUPS, "Groups are named like users, joined by commas.");
    } else if (ask->sealed.size > 0) {
        flow_enter_gate(core, flow, HASH_ADMINISTRATION, hash_step);
    } else {
        store_account(core, flow, VIEW(""));
    }
}

void on_account_add(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, add);
}

// ---- set: the store first; disabling is an end of all sessions whose intent is kept meanwhile

static bool disables(const struct flow *flow)
{
    return (flow->ask.account_set.fields & WIRE_SET_DISABLED) != 0 && flow->ask.account_set.disabled;
}

static void audit_set(struct core *core, struct flow *flow)
{
    bool state = (flow->ask.account_set.fields & WIRE_SET_DISABLED) != 0;
    const char *event = !state ? "account_set" : disables(flow) ? "account_disable" : "account_enable";
    audit(core, flow, event, flow->account.name, "granted", flow->account.groups);
}

static void set_answered(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct sessions_account_ref ref;
    if (flow->intends) {
        flow_intent_done(core, flow, answer, NULL);
    } else {
        tombstones_close(&core->tombstones, &flow->end_account);
    }
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        flow_refuse(core, flow, WIRE_NOT_FOUND, "There is no such account.");
        return;
    }
    if (answer->store.outcome == WIRE_STORE_CONFLICT) {
        flow_refuse(core, flow, WIRE_LAST_ADMINISTRATOR, "There would be no administrator left.");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK || !flow_keep_account(flow, &rows)) {
        upkeep_unsure(core, &flow->end_account);
        flow_store_failed(core, flow, answer);
        return;
    }
    if (sessions_account_find(core->tables, &flow->account.id, &ref)) {
        (void)table_put_account(core, &flow->account, &ref);
    }
    audit_set(core, flow);
    grant_account(core, flow);
}

static void store_set(struct core *core, struct flow *flow)
{
    const struct wire_account_set *ask = &flow->ask.account_set;
    ASK_STORE(core, flow, set_answered, store_account_set, .id = flow->account.id, .fields = ask->fields,
              .display_name = view_first(ask->display_name, WIRE_DISPLAY_NAME_MAX),
              .email = view_first(ask->email, WIRE_EMAIL_MAX), .email_verified = ask->email.size > 0,
              .groups = view_of_cstr(flow->groups), .disabled = ask->disabled, .epoch = flow->end_epoch,
              .keep_administrator = !flow_is_for(flow, WIRE_CTL));
}

static void set_loaded(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct wire_account_set *ask = &flow->ask.account_set;
    uint32_t epoch = flow_next_epoch(core, &flow->account.id, flow->account.epoch);
    bool self = strcmp(flow->caller.name, flow->name) == 0;
    bool demotes = (ask->fields & WIRE_SET_GROUPS) != 0 &&
                   !names_groups_have(view_of_cstr(flow->groups), VIEW(WIRE_ADMIN_GROUP));
    if (self && (demotes || disables(flow))) {
        flow_refuse(core, flow, WIRE_LAST_ADMINISTRATOR,
                    "You can't take administration from yourself. Another administrator or stayctl can.");
    } else if (!disables(flow) || (flow->account.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0) {
        flow->end_account = flow->account.id;
        tombstones_open(&core->tombstones, &flow->end_account);
        store_set(core, flow);
    } else if (!flow_intend_end_all(core, flow, &flow->account.id, epoch, NULL)) {
        flow_unavailable(core, flow, WIRE_BUSY, 2);
    } else {
        store_set(core, flow);
    }
}

static void set(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct wire_account_set *ask = &flow->ask.account_set;
    if ((ask->fields & WIRE_SET_EMAIL) != 0 && ask->email.size > 0 && !names_email(ask->email)) {
        flow_refuse(core, flow, WIRE_BAD_EMAIL, "This does not look like an e-mail address.");
    } else if ((ask->fields & WIRE_SET_DISPLAY_NAME) != 0 && !names_display(ask->display_name)) {
        flow_refuse(core, flow, WIRE_BAD_DISPLAY_NAME, "Display names have at most 128 bytes of text.");
    } else if (!names_groups(ask->groups, flow->groups, sizeof(flow->groups))) {
        flow_refuse(core, flow, WIRE_BAD_GROUPS, "Groups are named like users, joined by commas.");
    } else {
        flow_load_account(core, flow, ask->username, set_loaded);
    }
}

void on_account_set(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, set);
}

// ---- delete

static void deleted(struct core *core, struct flow *flow, const struct answer *answer)
{
    flow_intent_done(core, flow, answer, NULL);
    if (answer->store.outcome != WIRE_STORE_OK && answer->store.outcome != WIRE_STORE_NOT_FOUND) {
        flow_store_failed(core, flow, answer);
        return;
    }
    sessions_account_disable(core->tables, &flow->end_account, flow->end_epoch);
    audit(core, flow, "account_delete", view_of_cstr(flow->name), "granted", VIEW(""));
    flow_grant(core, flow, VIEW(""));
}

static void delete_loaded(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    if (strcmp(flow->caller.name, flow->name) == 0) {
        flow_refuse(core, flow, WIRE_LAST_ADMINISTRATOR,
                    "You can't delete your own account. Another administrator or stayctl can.");
    } else if (!flow_intend_end_all(core, flow, &flow->account.id,
                                    flow_next_epoch(core, &flow->account.id, flow->account.epoch), NULL)) {
        flow_unavailable(core, flow, WIRE_BUSY, 2);
    } else {
        ASK_STORE(core, flow, deleted, store_account_delete, .id = flow->account.id,
                  .epoch = flow->end_epoch);
    }
}

static void load_for_delete(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_account(core, flow, flow->ask.account_delete.username, delete_loaded);
}

void on_account_delete(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, load_for_delete);
}

// ---- the audit trail

static void audit_listed(struct core *core, struct flow *flow, const struct answer *answer)
{
    if (answer->store.outcome != WIRE_STORE_OK) {
        flow_store_failed(core, flow, answer);
    } else {
        flow_grant(core, flow, answer->store.rows);
    }
}

static void list_audit(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct wire_audit_list *ask = &flow->ask.audit_list;
    audit_flush(core); // what was just done should be there
    ASK_STORE(core, flow, audit_listed, store_audit_list,
              .username = view_first(ask->username, WIRE_USERNAME_MAX), .event = ask->event,
              .since = ask->since, .before_id = ask->before_id,
              .limit = ask->limit == 0 || ask->limit > 80 ? 80 : ask->limit);
}

void on_audit_list(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, list_audit);
}

// ---- status

static void append_status(struct bytes *rows, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    wire_status_row_append(rows, &(struct wire_status_row){view_of_cstr(name), view_of_cstr(digits)});
}

static void status(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    struct sessions_counts counts;
    struct bytes rows;
    bytes_init(&rows, 8192);
    sessions_writer_counts(core->tables, &counts);
    wire_status_row_append(&rows,
                           &(struct wire_status_row){VIEW("version"), view_of_cstr(core->settings.version)});
    wire_status_row_append(
        &rows, &(struct wire_status_row){VIEW("store"), core->store_up ? VIEW("up") : VIEW("down")});
    append_status(&rows, "uptime_s", wall_s(core) > core->started_s ? wall_s(core) - core->started_s : 0);
    append_status(&rows, "sessions", counts.sessions);
    append_status(&rows, "accounts_in_table", counts.accounts);
    append_status(&rows, "table_bytes", counts.sessions_bytes + counts.accounts_bytes);
    append_status(&rows, "core_generation", counts.core_generation);
    append_status(&rows, "warm", core->warm_done);
    append_status(&rows, "setup_open", core->store_empty);
    append_status(&rows, "audit_dropped", core->audit_dropped);
#define X(name) append_status(&rows, #name, core->counters.name);
    CORE_COUNTERS(X)
#undef X
    flow_grant(core, flow, bytes_view(&rows));
    bytes_release(&rows);
}

void on_status(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, status);
}
