// SPDX-License-Identifier: ISC
// Fuzzes front/credentials: cookies and Bearer tokens out of whole requests.
#include "front/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request request;
    struct credentials credentials;
    size_t consumed;
    http_request_reset(&request);
    if (http_parse_head(&request, view_of(data, size), &http_limits_default, &consumed) == HTTP_DONE) {
        struct id16 selector;
        credentials_find(&request, VIEW("stayd"), &credentials);
        (void)credentials_glance(&request, VIEW("stayd"), &selector);
    }
    credentials.kind = CREDENTIALS_COOKIE;
    if (credentials_parse(view_of(data, size), &credentials)) {
        char token[CREDENTIALS_FORM_TOKEN_SIZE];
        credentials_form_token(&credentials, token);
    }
    return 0;
}
