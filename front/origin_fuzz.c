// SPDX-License-Identifier: ISC
// Fuzzes front/origin and front/url.
#include "front/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url url;
    struct view rest = view_of(data, size);
    struct view public_url = view_cut(&rest, '\n');
    struct view origin = view_cut(&rest, '\n');
    if (url_parse(public_url, &url)) {
        if (url.host.size == 0 || url.port == 0 || url.host.size + url.rest.size > public_url.size) {
            __builtin_trap();
        }
        (void)origin_judge(&url, origin, rest);
    }
    return 0;
}
