// SPDX-License-Identifier: ISC
// Fuzzes front/json.
#include "front/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view username, password;
    bool token;
    struct json_document document;
    const struct json_field fields[] = {
        {.name = "u", .required = true, .size_max = 8, .text = &username},
        {.name = "p", .size_max = 16, .text = &password},
        {.name = "t", .flag = &token},
    };
    json_begin();
    if (json_read(&document, view_of(data, size), fields, 3)) {
        if (username.data == NULL || username.size > 8 || password.size > 16 || !view_is_utf8(username)) {
            __builtin_trap();
        }
        json_release(&document);
    } else if (document.problem[0] == '\0' || document.root != NULL) {
        __builtin_trap();
    }
    return 0;
}
