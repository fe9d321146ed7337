// SPDX-License-Identifier: ISC
// Fuzz target of keeper/rules: password, user name, e-mail and service are foreign bytes, parted by newlines.
// Besides memory errors it checks that a password is handed out exactly when accepted, and is well-formed
// then.
#include "keeper/rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rules rules;
    struct view rest = view_of(data, size);
    struct view typed = view_cut(&rest, '\n');
    struct rules_context context = {0};
    context.user_name = view_cut(&rest, '\n');
    context.email = view_cut(&rest, '\n');
    context.service = rest;

    struct secret normal = {0};
    struct rules_finding finding;
    rules_judge(&rules, typed, &context, &normal, &finding);
    bool accepted = finding.verdict == RULES_ACCEPTED;
    if (accepted != (normal.data != NULL) || accepted != (finding.advice[0] == 0)) {
        abort();
    }
    struct view password = view_of(normal.data, normal.size);
    if (accepted && (password.size > TEXT_NORMAL_BYTES_MAX || !view_is_utf8(password) ||
                     text_characters(password) < RULES_CHARACTERS_MIN)) {
        abort();
    }
    secret_release(&normal);
    return 0;
}
