// SPDX-License-Identifier: ISC
// Fuzzes front/rules: no path that a server could read as one below /admin gets past the rule that forbids
// it.
#include "front/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rules_path path;
    const struct rule rules[] = {{.path = VIEW("/admin")}, {.host = VIEW("h"), .allow = true}};
    struct rules_target target = {.method = VIEW("GET"), .host = VIEW("h"), .path = view_of(data, size)};
    bool allowed = rules_allow(rules, 2, &target, VIEW(""));
    if (!rules_path_read(target.path, &path)) {
        if (allowed) {
            __builtin_trap();
        }
        return 0;
    }
    for (size_t i = 0; allowed && i < RULES_READINGS; i++) {
        if (view_starts_with(path.reading[i], VIEW("/admin/")) ||
            view_equal(path.reading[i], VIEW("/admin"))) {
            __builtin_trap();
        }
    }
    return 0;
}
