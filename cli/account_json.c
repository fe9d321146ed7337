// SPDX-License-Identifier: ISC
// Reads an account from JSON. Runs in stayctl. Which field may be what is a table, not code.
#include "cli/account_json.h"

#include <stdarg.h>

[[gnu::format(printf, 2, 3)]] static bool problem(struct account_json *account, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(account->problem, sizeof(account->problem), format, list);
    va_end(list);
    return false;
}

static bool take_text(struct account_json *account, const char *key, const json_t *value, struct view *field)
{
    if (!json_is_string(value)) {
        return problem(account, "%s is not a text.", key);
    }
    *field = view_of(json_string_value(value), json_string_length(value));
    return true;
}

static bool take_groups(struct account_json *account, const json_t *value)
{
    size_t used = 0;
    size_t i;
    json_t *one;
    if (!json_is_array(value)) {
        return problem(account, "groups is not a list.");
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, one)
    {
        size_t size = json_string_length(one);
        if (!json_is_string(one) || memchr(json_string_value(one), ',', size) != NULL) {
            return problem(account, "groups holds what is not a name.");
        }
        if (used + size + 2 > sizeof(account->groups)) {
            return problem(account, "These are too many groups.");
        }
        if (i > 0) {
            account->groups[used++] = ',';
        }
        memcpy(account->groups + used, json_string_value(one), size);
        used += size;
    }
    account->groups[used] = '\0';
    return true;
}

static bool take_field(struct account_json *account, const char *key, const json_t *value)
{
    static const char *const passed_over[] = {"email_verified", "has_password", "created_at",
                                              "last_login_at"};
    const struct {
        const char *key;
        struct view *field;
    } texts[] = {{"name", &account->name},
                 {"display_name", &account->display_name},
                 {"email", &account->email},
                 {"password", &account->password}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(key, texts[i].key) == 0) {
            return take_text(account, key, value, texts[i].field);
        }
    }
    for (size_t i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++) {
        if (strcmp(key, passed_over[i]) == 0) {
            return true;
        }
    }
    if (strcmp(key, "groups") == 0) {
        return take_groups(account, value);
    }
    if (strcmp(key, "disabled") == 0) {
        account->disabled = json_is_true(value);
        return json_is_boolean(value) || problem(account, "disabled is neither true nor false.");
    }
    return problem(account, "%.40s is not a field of an account.", key);
}

bool account_json_read(struct account_json *account, struct view line)
{
    json_error_t error;
    const char *key;
    json_t *value;
    *account = (struct account_json){0};
    account->object = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(account->object)) {
        return problem(account, "Not a JSON object: %.100s.",
                       account->object == NULL ? error.text : "something else");
    }
    json_object_foreach(account->object, key, value)
    {
        if (!take_field(account, key, value)) {
            return false;
        }
    }
    return account->name.size > 0 || problem(account, "There is no name.");
}

void account_json_release(struct account_json *account)
{
    json_t *password = json_object_get(account->object, "password");
    if (json_is_string(password)) {
        wipe((void *)(uintptr_t)json_string_value(password), json_string_length(password));
    }
    json_decref(account->object);
    account->object = NULL;
}
