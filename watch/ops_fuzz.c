// SPDX-License-Identifier: ISC
// Any request that the parser takes is answered whole, and with nothing from outside the incident folder.
#include "watch/ops.h"

#include <assert.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct watched_now now = {.mono_ns = 1000000000u, .wall_ms = 1795215600000u};
    static struct watched watched;
    static struct incidents incidents;
    static struct ops ops;
    static struct http_request request;
    static struct bytes out;
    static bool ready;
    size_t consumed;
    if (!ready) {
        incidents_init(&incidents);
        incidents_open(&incidents, open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ops_init(&ops, &watched, &incidents);
        bytes_init(&out, OPS_ANSWER_MAX);
        ready = true;
    }
    http_request_reset(&request);
    if (http_parse_head(&request, view_of(data, size), &http_limits_default, &consumed) == HTTP_DONE) {
        bytes_reset(&out);
        ops_answer(&ops, &request, size % 2 == 0 ? OPS_DOOR_LISTENER : OPS_DOOR_CONTROL, &now, &out);
        assert(!out.failed && view_starts_with(bytes_view(&out), VIEW("HTTP/1.1 ")));
    }
    return 0;
}
