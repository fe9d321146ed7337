// SPDX-License-Identifier: ISC
// Messages between processes: a struct, an encoder and a decoder for each row of messages.def. Used by every
// process. Owns nothing: views in a decoded struct borrow the packet. Bounds: a view's size_max, a message's
// size_max. Layout: u16 number, then the fields in order; integers little-endian, a view is u32 size and
// bytes. A decoder fails on anything short, long, over a bound, or left over at the end; the channel is then
// ended.
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H

#include "base/bytes.h"
#include "wire/types.h"

#include "wire/messages.def"

typedef uint8_t wire_u8;
typedef uint16_t wire_u16;
typedef uint32_t wire_u32;
typedef uint64_t wire_u64;
typedef struct id16 wire_id16;
typedef struct hash32 wire_hash32;
typedef struct view wire_view;

// `enum wire_number`: WIRE_MESSAGE_login and so on; `enum wire_record_number`: WIRE_RECORD_grant and so on.
#define MESSAGE(name, number, senders, receivers, size_max) WIRE_MESSAGE_##name = number,
enum wire_number {
#include "wire/messages.def"
    WIRE_MESSAGE_END = 128
};
#undef MESSAGE
#define RECORD(name, number) WIRE_RECORD_##name = number,
enum wire_record_number {
#include "wire/messages.def"
};
#undef RECORD

#define WIRE_FIELD(type, name, size_max) wire_##type name;

// wire_NAME_encode appends one packet; false when a field or the whole is over its bound (out->failed is
// set). wire_NAME_decode takes one whole packet.
#define MESSAGE(name, number, senders, receivers, size_max)                                                  \
    struct wire_##name {                                                                                     \
        WIRE_FIELDS_##name(WIRE_FIELD)                                                                       \
    };                                                                                                       \
    bool wire_##name##_encode(struct bytes *out, const struct wire_##name *message);                         \
    [[nodiscard]] bool wire_##name##_decode(struct view packet, struct wire_##name *message);
#include "wire/messages.def"
#undef MESSAGE

// Records: _append adds one to `rows`; _next takes one off the front of *rest, false when the next is not one
// of these or is malformed (then *rest is unchanged).
#define RECORD(name, number)                                                                                 \
    struct wire_##name {                                                                                     \
        WIRE_FIELDS_##name(WIRE_FIELD)                                                                       \
    };                                                                                                       \
    bool wire_##name##_append(struct bytes *rows, const struct wire_##name *record);                         \
    [[nodiscard]] bool wire_##name##_next(struct view *rest, struct wire_##name *record);
#include "wire/messages.def"
#undef RECORD
#undef WIRE_FIELD

// The number of a packet or of the next record; 0 when there is none.
uint16_t wire_peek(struct view packet);
uint16_t wire_record_peek(struct view rows);

// A row of the table; NULL when the number is unknown.
struct wire_row {
    const char *name;
    uint8_t senders;   // mask of enum wire_role
    uint8_t receivers; // mask of enum wire_role
    uint32_t size_max; // bytes
};
const struct wire_row *wire_row_find(uint16_t number);
// May `sender` say this packet to `receiver`? By number and size; the fields are the decoder's.
[[nodiscard]] bool wire_permitted(struct view packet, enum wire_role sender, enum wire_role receiver);

#endif
