// SPDX-License-Identifier: ISC
// Fuzz target: every decoder over arbitrary bytes; what decodes encodes to the same bytes again.
#include "wire/messages.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(struct view packet, struct bytes *again)
{
    assert(!again->failed && view_equal(packet, bytes_view(again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view packet = view_of(data, size);
    struct bytes again;
    bytes_init(&again, WIRE_PACKET_MAX * 2);
#define MESSAGE(name, number, senders, receivers, size_max)                                                  \
    {                                                                                                        \
        struct wire_##name message;                                                                          \
        if (wire_##name##_decode(packet, &message)) {                                                        \
            bytes_reset(&again);                                                                             \
            wire_##name##_encode(&again, &message);                                                          \
            same_again(packet, &again);                                                                      \
        }                                                                                                    \
    }
#include "wire/messages.def"
#undef MESSAGE
#define RECORD(name, number)                                                                                 \
    {                                                                                                        \
        struct wire_##name record;                                                                           \
        struct view rest = packet;                                                                           \
        if (wire_##name##_next(&rest, &record)) {                                                            \
            bytes_reset(&again);                                                                             \
            wire_##name##_append(&again, &record);                                                           \
            same_again(view_first(packet, packet.size - rest.size), &again);                                 \
        }                                                                                                    \
    }
#include "wire/messages.def"
#undef RECORD
    bytes_release(&again);
    return 0;
}
