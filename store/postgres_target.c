// SPDX-License-Identifier: ISC
// A postgres:// URL taken apart by libpq's own parser. Runs in stayd-store.
#include "store/postgres_target.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

bool postgres_target_is(struct view database)
{
    return view_starts_with(database, VIEW("postgres://")) ||
           view_starts_with(database, VIEW("postgresql://"));
}

static void forget(char **word)
{
    if (*word != NULL) {
        wipe(*word, strlen(*word));
        free(*word);
        *word = NULL;
    }
}

void postgres_target_release(struct postgres_target *target)
{
    for (unsigned i = 0; i < target->words; i++) {
        forget(&target->keyword[i]);
        forget(&target->value[i]);
    }
    *target = (struct postgres_target){0};
}

const char *postgres_target_get(const struct postgres_target *target, const char *keyword)
{
    for (unsigned i = 0; i < target->words; i++) {
        if (strcmp(target->keyword[i], keyword) == 0) {
            return target->value[i];
        }
    }
    return NULL;
}

bool postgres_target_set(struct postgres_target *target, const char *keyword, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return false;
    }
    for (unsigned i = 0; i < target->words; i++) {
        if (strcmp(target->keyword[i], keyword) == 0) {
            forget(&target->value[i]);
            target->value[i] = copy;
            return true;
        }
    }
    char *name = target->words + 1 < POSTGRES_WORDS_MAX ? strdup(keyword) : NULL;
    if (name == NULL) {
        forget(&copy);
        return false;
    }
    target->keyword[target->words] = name;
    target->value[target->words++] = copy;
    return true;
}

void postgres_target_unset(struct postgres_target *target, const char *keyword)
{
    for (unsigned i = 0; i < target->words; i++) {
        if (strcmp(target->keyword[i], keyword) == 0) {
            forget(&target->keyword[i]);
            forget(&target->value[i]);
            target->words--;
            target->keyword[i] = target->keyword[target->words];
            target->value[i] = target->value[target->words];
            target->keyword[target->words] = NULL;
            target->value[target->words] = NULL;
            return;
        }
    }
}

// Takes stayd's own words out of the URL, in place.
static bool take_own(struct postgres_target *target, char *url, char why[static TARGET_WHY_MAX])
{
    char *from = strchr(url, '?');
    if (from == NULL) {
        return true;
    }
    char *out = from + 1;
    for (char *word = from + 1; *word != '\0';) {
        size_t size = strcspn(word, "&");
        bool more = word[size] == '&';
        struct view text = view_of(word, size);
        if (view_starts_with(text, VIEW("pooler="))) {
            target->pooler = view_equal(text, VIEW("pooler=transaction"));
            if (!target->pooler && !view_equal(text, VIEW("pooler=session"))) {
                (void)snprintf(why, TARGET_WHY_MAX, "database: pooler is \"transaction\" or \"session\"");
                return false;
            }
        } else {
            if (out > from + 1) {
                *out++ = '&';
            }
            memmove(out, word, size);
            out += size;
        }
        word += size + more;
    }
    *(out > from + 1 ? out : from) = '\0';
    return true;
}

// One of several joined by commas; the last one stands for all that follow.
static void nth(const char *list, unsigned index, char *out, size_t size)
{
    struct view rest = view_of_cstr(list), part = {0};
    for (unsigned i = 0; i <= index && (i == 0 || rest.size > 0); i++) {
        part = view_cut(&rest, ',');
    }
    if (!view_to_cstr(part, out, size)) {
        *out = '\0';
    }
}

static bool take_hosts(struct postgres_target *target, const char *hosts, const char *ports,
                       char why[static TARGET_WHY_MAX])
{
    if (hosts == NULL || *hosts == '\0') {
        (void)snprintf(
            why, TARGET_WHY_MAX,
            "database: name a host, e.g. postgres://stayd@db.example.com/stayd, or the folder of a "
            "socket: postgres:///stayd?host=/run/postgresql");
        return false;
    }
    unsigned count = 1;
    for (const char *at = hosts; *at != '\0'; at++) {
        count += *at == ',';
    }
    if (count > POSTGRES_HOSTS_MAX) {
        (void)snprintf(why, TARGET_WHY_MAX, "database: at most %d hosts", POSTGRES_HOSTS_MAX);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        struct postgres_host *host = &target->host[target->hosts++];
        nth(hosts, i, host->name, sizeof(host->name));
        nth(ports == NULL ? "" : ports, i, host->port, sizeof(host->port));
        if (*host->port == '\0') {
            (void)snprintf(host->port, sizeof(host->port), "5432");
        }
    }
    return true;
}

static bool take_words(struct postgres_target *target, const PQconninfoOption *option,
                       char why[static TARGET_WHY_MAX])
{
    const char *hosts = NULL, *ports = NULL;
    for (; option->keyword != NULL; option++) {
        if (option->val == NULL || *option->val == '\0' || strcmp(option->keyword, "hostaddr") == 0) {
            continue;
        }
        if (strcmp(option->keyword, "host") == 0) {
            hosts = option->val;
        } else if (strcmp(option->keyword, "port") == 0) {
            ports = option->val;
        } else if (!postgres_target_set(target, option->keyword, option->val)) {
            (void)snprintf(why, TARGET_WHY_MAX, "out of memory");
            return false;
        }
    }
    const char *attrs = postgres_target_get(target, "target_session_attrs");
    if (attrs != NULL && strcmp(attrs, "any") != 0 && strcmp(attrs, "read-write") != 0 &&
        strcmp(attrs, "primary") != 0) {
        (void)snprintf(why, TARGET_WHY_MAX,
                       "database: target_session_attrs is read-write, primary or any: stayd has to write");
        return false;
    }
    return take_hosts(target, hosts, ports, why);
}

// libpq's complaint quotes the URL, in which a password may stand.
static void complain(const char *error, const char *url, char why[static TARGET_WHY_MAX])
{
    const char *at = strchr(url, '@'), *user = strstr(url, "://");
    bool secret = at != NULL && user != NULL && memchr(user + 3, ':', (size_t)(at - user - 3)) != NULL;
    secret = secret || strstr(url, "password=") != NULL;
    (void)snprintf(why, TARGET_WHY_MAX, "database: %.*s",
                   secret || error == NULL ? 64 : (int)strcspn(error, "\n"),
                   secret || error == NULL ? "this is not a postgres:// URL that can be read" : error);
}

bool postgres_target_init(struct postgres_target *target, struct view url, struct view password,
                          char why[static TARGET_WHY_MAX])
{
    char text[1100], word[300] = "", *error = NULL;
    *target = (struct postgres_target){0};
    if (!view_to_cstr(url, text, sizeof(text)) || !view_to_cstr(password, word, sizeof(word))) {
        (void)snprintf(why, TARGET_WHY_MAX, "database: the URL or the password is too long");
        return false;
    }
    bool fine = take_own(target, text, why);
    if (fine) {
        PQconninfoOption *options = PQconninfoParse(text, &error);
        if (options == NULL) {
            complain(error, text, why);
            fine = false;
        } else {
            fine = take_words(target, options, why);
            PQconninfoFree(options);
        }
        PQfreemem(error);
    }
    if (fine && *word != '\0' && !postgres_target_set(target, "password", word)) {
        (void)snprintf(why, TARGET_WHY_MAX, "out of memory");
        fine = false;
    }
    wipe(text, sizeof(text));
    wipe(word, sizeof(word));
    if (!fine) {
        postgres_target_release(target);
    }
    return fine;
}
