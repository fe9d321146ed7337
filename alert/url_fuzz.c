// SPDX-License-Identifier: ISC
// Whatever passes for a webhook's address makes one request line and one Host, and nothing more.
#include "alert/webhook.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alert_url url;
    if (alert_url_parse(&url, view_of(data, size)) == NULL) {
        assert(url.target[0] == '/' && url.host[0] != '\0' && url.port[0] != '\0');
        assert(strpbrk(url.target, " \r\n") == NULL && strpbrk(url.authority, " \r\n/") == NULL);
    }
    unsigned status = webhook_status(view_of(data, size));
    assert(status == 0 || (status >= 100 && status <= 599));
    return 0;
}
