// SPDX-License-Identifier: ISC
// Versions of the configuration of stayd-hash. A reload makes a new version for the jobs to come; jobs under
// way finish with the one that they began with, so that no lock is needed on either side.
#include "keeper/settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct settings *settings_new(void)
{
    struct settings *settings = calloc(1, sizeof *settings);
    if (settings != NULL) {
        settings->users = 1;
    }
    return settings;
}

static void release(struct settings *settings)
{
    for (size_t i = 0; i < settings->list_count; i++) {
        common_release(&settings->list[i].common);
    }
    wipe(settings, sizeof *settings);
    free(settings);
}

struct settings *settings_copy(const struct settings *settings)
{
    struct settings *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *settings;
    copy->users = 1;
    for (copy->list_count = 0; copy->list_count < settings->list_count; copy->list_count++) {
        struct common *common = &copy->list[copy->list_count].common;
        if (common->fd < 0) {
            continue; // an unusable one
        }
        common->fd = fcntl(common->fd, F_DUPFD_CLOEXEC, 0);
        if (common->fd < 0) {
            release(copy);
            return NULL;
        }
    }
    return copy;
}

void settings_leave(struct settings **settings)
{
    struct settings *left = *settings;
    *settings = NULL;
    if (left == NULL) {
        return;
    }
    assert(left->users > 0);
    if (--left->users == 0) {
        release(left);
    }
}

bool settings_configure(struct settings *settings, const struct wire_hash_config *config)
{
    struct phc_parameters parameters = {.memory_kib = config->memory_kib, .passes = config->time};
    if (!phc_parameters_valid(&parameters) ||
        !view_to_cstr(config->service, settings->service, sizeof settings->service)) {
        return false;
    }
    settings->public_key = config->public_key;
    settings->secret_key = config->secret_key;
    settings->parameters = parameters;
    settings->configured = true;
    phc_make_dummy(&parameters, settings->dummy);
    return true;
}

static struct settings_list *list_find(struct settings *settings, struct view name)
{
    for (size_t i = 0; i < settings->list_count; i++) {
        if (view_equal(view_of_cstr(settings->list[i].name), name)) {
            return &settings->list[i];
        }
    }
    return NULL;
}

enum common_result settings_add_list(struct settings *settings, struct view name, int fd)
{
    struct settings_list added = {0};
    struct settings_list *place = list_find(settings, name);
    enum common_result result = common_init(&added.common, fd);
    if (result != COMMON_OK) {
        return result;
    }
    if ((place == NULL && settings->list_count == RULES_LISTS_MAX) ||
        !view_to_cstr(name, added.name, sizeof added.name)) {
        common_release(&added.common);
        errno = EMFILE;
        return COMMON_UNREADABLE;
    }
    if (place == NULL) {
        place = &settings->list[settings->list_count++];
    } else {
        common_release(&place->common);
    }
    *place = added;
    return COMMON_OK;
}

void settings_add_unusable_list(struct settings *settings, struct view name)
{
    struct settings_list *place = list_find(settings, name);
    if (place == NULL && settings->list_count == RULES_LISTS_MAX) {
        place = &settings->list[RULES_LISTS_MAX - 1];
    } else if (place == NULL) {
        place = &settings->list[settings->list_count++];
    }
    common_release(&place->common);
    common_init_unknown(&place->common);
    (void)view_to_cstr(name, place->name, sizeof place->name);
}

void settings_remove_list(struct settings *settings, struct view name)
{
    struct settings_list *place = list_find(settings, name);
    if (place == NULL) {
        return;
    }
    common_release(&place->common);
    *place = settings->list[--settings->list_count];
}
