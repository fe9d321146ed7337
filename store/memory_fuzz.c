// SPDX-License-Identifier: ISC
// Store packets from the fuzzer over the memory backend: any bytes, and any order of well-formed operations.
#include "store/memory.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Runs of packets, each behind its size in two bytes. Whatever is accepted is answered with a reply that
// decodes.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = view_of(data, size);
    struct store_memory store;
    struct bytes reply;
    store_memory_init(&store, 64);
    bytes_init(&reply, WIRE_PACKET_MAX);
    while (rest.size >= 2) {
        size_t length = rest.data[0] | (size_t)rest.data[1] << 8;
        struct view packet = view_first(view_from(rest, 2), length);
        rest = view_from(rest, 2 + packet.size);
        bytes_reset(&reply);
        if (store_memory_apply(&store, packet, &reply)) {
            struct wire_store_reply decoded;
            bool whole = wire_store_reply_decode(bytes_view(&reply), &decoded);
            assert(whole && decoded.outcome >= WIRE_STORE_OK && decoded.outcome <= WIRE_STORE_REFUSED);
        }
    }
    bytes_release(&reply);
    store_memory_release(&store);
    return 0;
}
