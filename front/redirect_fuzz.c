// SPDX-License-Identifier: ISC
// Fuzzes front/redirect: whatever is allowed is local, or at an allowed host, as a browser reads it.
#include "front/redirect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redirect_policy policy = {
        .https = true, .host = VIEW("a.bc"), .cookie_domain = VIEW("d.e"), .hosts = VIEW("f.g,*.h.i")};
    struct view host;
    struct view rd = view_of(data, size);
    if (!redirect_allowed(&policy, rd, &host)) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f || data[i] == '\\') {
            __builtin_trap();
        }
    }
    if (host.size == 0) {
        if (data[0] != '/' || (size > 1 && data[1] == '/')) {
            __builtin_trap();
        }
        return 0;
    }
    struct view name;
    uint16_t port;
    if (!view_equal_nocase(view_first(rd, 8), VIEW("https://")) || view_index(host, '@') < host.size ||
        !url_parse_host(host, &name, &port) ||
        !(url_host_equal(name, policy.host) || url_host_within(name, policy.cookie_domain) ||
          url_host_equal(name, VIEW("f.g")) || url_host_within(name, VIEW("h.i")))) {
        __builtin_trap();
    }
    return 0;
}
