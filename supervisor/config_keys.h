// SPDX-License-Identifier: ISC
// The keys of the configuration file: one row says where a value goes, what kind it is, its bounds. Used by
// what reads the file and by what compares two configurations. Pure; owns nothing.
#ifndef SUPERVISOR_CONFIG_KEYS_H
#define SUPERVISOR_CONFIG_KEYS_H

#include "supervisor/config.h"

enum config_kind {
    CONFIG_KIND_TEXT,
    CONFIG_KIND_PATH,
    CONFIG_KIND_URL,
    CONFIG_KIND_WEBHOOK,
    CONFIG_KIND_COMMAND,
    CONFIG_KIND_HOST,
    CONFIG_KIND_HOSTS,
    CONFIG_KIND_NETWORKS,
    CONFIG_KIND_LISTENS,
    CONFIG_KIND_OPS_LISTEN,
    CONFIG_KIND_PASSWORD_LISTS,
    CONFIG_KIND_DATABASE,
    CONFIG_KIND_POOLER,
    CONFIG_KIND_AUTO, // a number or `auto`
    CONFIG_KIND_NUMBER32,
    CONFIG_KIND_NUMBER64,
    CONFIG_KIND_SECONDS,
    CONFIG_KIND_MILLISECONDS,
    CONFIG_KIND_KIB,
    CONFIG_KIND_REGISTRATION,
    CONFIG_KIND_LOG_LEVEL,
    CONFIG_KIND_LOG_FORMAT,
    CONFIG_KIND_RULE_TEXT,
    CONFIG_KIND_RULE_HOST,
    CONFIG_KIND_RULE_SWITCH,
};

struct config_key {
    const char *name;
    enum config_kind kind;
    size_t offset;
    uint64_t size; // of a text's room
    uint64_t least, most;
    bool repeats;
};

enum { CONFIG_KEYS = 38, CONFIG_RULE_KEYS = 6 };

extern const struct config_key config_keys[CONFIG_KEYS];           // offsets in struct config
extern const struct config_key config_rule_keys[CONFIG_RULE_KEYS]; // offsets in struct config_rule

// The names of the keys whose values differ, joined by ", " ("rule" for the rules); never a value. An empty
// text when there are none.
void config_changed(const struct config *before, const struct config *after, char *names, size_t size);

#endif
