// SPDX-License-Identifier: ISC
// Encoders and decoders of every message, made from messages.def. Used by every process.
// 1. A decoder reads inside the packet only and ends exactly at its end.
// 2. What one side encodes within the bounds, the other decodes to the same values.
#include "wire/messages.h"

struct cursor {
    struct view rest;
    bool failed;
};

static void put_number(struct bytes *out, uint64_t value, size_t width)
{
    uint8_t raw[8];
    for (size_t i = 0; i < width; i++) {
        raw[i] = (uint8_t)(value >> (8 * i));
    }
    bytes_append(out, raw, width);
}

static uint64_t get_number(struct cursor *in, size_t width)
{
    uint64_t value = 0;
    if (in->failed || in->rest.size < width) {
        in->failed = true;
        return 0;
    }
    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)in->rest.data[i] << (8 * i);
    }
    in->rest = view_from(in->rest, width);
    return value;
}

static void put_raw(struct bytes *out, const uint8_t *raw, size_t size)
{
    bytes_append(out, raw, size);
}

static void get_raw(struct cursor *in, uint8_t *raw, size_t size)
{
    if (in->failed || in->rest.size < size) {
        in->failed = true;
        memset(raw, 0, size);
        return;
    }
    memcpy(raw, in->rest.data, size);
    in->rest = view_from(in->rest, size);
}

static void put_view(struct bytes *out, struct view view, size_t size_max)
{
    if (view.size > size_max) {
        out->failed = true;
        return;
    }
    put_number(out, view.size, 4);
    bytes_append_view(out, view);
}

static struct view get_view(struct cursor *in, size_t size_max)
{
    size_t size = (size_t)get_number(in, 4);
    if (in->failed || size > size_max || size > in->rest.size) {
        in->failed = true;
        return (struct view){NULL, 0};
    }
    struct view view = view_first(in->rest, size);
    in->rest = view_from(in->rest, size);
    return view;
}

#define PUT_u8(name, size_max)     put_number(out, from->name, 1);
#define PUT_u16(name, size_max)    put_number(out, from->name, 2);
#define PUT_u32(name, size_max)    put_number(out, from->name, 4);
#define PUT_u64(name, size_max)    put_number(out, from->name, 8);
#define PUT_id16(name, size_max)   put_raw(out, from->name.byte, 16);
#define PUT_hash32(name, size_max) put_raw(out, from->name.byte, 32);
#define PUT_view(name, size_max)   put_view(out, from->name, size_max);

#define GET_u8(name, size_max)     to->name = (uint8_t)get_number(&in, 1);
#define GET_u16(name, size_max)    to->name = (uint16_t)get_number(&in, 2);
#define GET_u32(name, size_max)    to->name = (uint32_t)get_number(&in, 4);
#define GET_u64(name, size_max)    to->name = get_number(&in, 8);
#define GET_id16(name, size_max)   get_raw(&in, to->name.byte, 16);
#define GET_hash32(name, size_max) get_raw(&in, to->name.byte, 32);
#define GET_view(name, size_max)   to->name = get_view(&in, size_max);

#define PUT(type, name, size_max) PUT_##type(name, size_max)
#define GET(type, name, size_max) GET_##type(name, size_max)

#define MESSAGE(name, number, senders, receivers, bound)                                                     \
    bool wire_##name##_encode(struct bytes *out, const struct wire_##name *from)                             \
    {                                                                                                        \
        size_t begin = out->size;                                                                            \
        put_number(out, number, 2);                                                                          \
        WIRE_FIELDS_##name(PUT) if (out->size - begin > (bound))                                             \
        {                                                                                                    \
            out->failed = true;                                                                              \
        }                                                                                                    \
        return !out->failed;                                                                                 \
    }                                                                                                        \
    bool wire_##name##_decode(struct view packet, struct wire_##name *to)                                    \
    {                                                                                                        \
        struct cursor in = {.rest = packet, .failed = packet.size > (bound)};                                \
        in.failed |= get_number(&in, 2) != number;                                                           \
        WIRE_FIELDS_##name(GET) return !in.failed && in.rest.size == 0;                                      \
    }
#include "wire/messages.def"
#undef MESSAGE

#define RECORD(name, number)                                                                                 \
    bool wire_##name##_append(struct bytes *out, const struct wire_##name *from)                             \
    {                                                                                                        \
        size_t begin = out->size;                                                                            \
        put_number(out, number, 1);                                                                          \
        WIRE_FIELDS_##name(PUT) if (out->failed)                                                             \
        {                                                                                                    \
            out->size = begin;                                                                               \
        }                                                                                                    \
        return !out->failed;                                                                                 \
    }                                                                                                        \
    bool wire_##name##_next(struct view *rest, struct wire_##name *to)                                       \
    {                                                                                                        \
        struct cursor in = {.rest = *rest};                                                                  \
        in.failed |= get_number(&in, 1) != number;                                                           \
        WIRE_FIELDS_##name(GET) if (in.failed)                                                               \
        {                                                                                                    \
            return false;                                                                                    \
        }                                                                                                    \
        *rest = in.rest;                                                                                     \
        return true;                                                                                         \
    }
#include "wire/messages.def"
#undef RECORD

uint16_t wire_peek(struct view packet)
{
    return packet.size < 2 ? 0 : (uint16_t)(packet.data[0] | packet.data[1] << 8);
}

uint16_t wire_record_peek(struct view rows)
{
    return rows.size < 1 ? 0 : rows.data[0];
}

static const struct wire_row rows[WIRE_MESSAGE_END] = {
#define MESSAGE(name, number, senders, receivers, size_max) [number] = {#name, senders, receivers, size_max},
#include "wire/messages.def"
#undef MESSAGE
};

const struct wire_row *wire_row_find(uint16_t number)
{
    return number < WIRE_MESSAGE_END && rows[number].name != NULL ? &rows[number] : NULL;
}

bool wire_permitted(struct view packet, enum wire_role sender, enum wire_role receiver)
{
    const struct wire_row *row = wire_row_find(wire_peek(packet));
    return row != NULL && (row->senders & sender) != 0 && (row->receivers & receiver) != 0 &&
           packet.size <= row->size_max;
}

static const char *const reason_names[WIRE_REASON_END] = {
    [WIRE_REASON_NONE] = "none",
    [WIRE_WRONG_CREDENTIALS] = "wrong_credentials",
    [WIRE_THROTTLED] = "throttled",
    [WIRE_ACCOUNT_DISABLED] = "account_disabled",
    [WIRE_WEAK_PASSWORD] = "weak_password",
    [WIRE_NAME_TAKEN] = "name_taken",
    [WIRE_BAD_NAME] = "bad_name",
    [WIRE_BAD_EMAIL] = "bad_email",
    [WIRE_BAD_DISPLAY_NAME] = "bad_display_name",
    [WIRE_BAD_GROUPS] = "bad_groups",
    [WIRE_REGISTRATION_CLOSED] = "registration_closed",
    [WIRE_BAD_INVITE] = "bad_invite",
    [WIRE_NOT_SIGNED_IN] = "not_signed_in",
    [WIRE_FORBIDDEN] = "forbidden",
    [WIRE_NOT_FOUND] = "not_found",
    [WIRE_BAD_SETUP_TOKEN] = "bad_setup_token",
    [WIRE_BAD_REQUEST] = "bad_request",
    [WIRE_LAST_ADMINISTRATOR] = "last_administrator",
    [WIRE_STORE_DOWN] = "store_down",
    [WIRE_STORE_FULL] = "store_full",
    [WIRE_STORE_BUSY] = "store_busy",
    [WIRE_HASH_BUSY] = "hash_busy",
    [WIRE_HASH_DOWN] = "hash_down",
    [WIRE_KEY_DOWN] = "key_down",
    [WIRE_BUSY] = "busy",
    [WIRE_STARTING] = "starting",
    [WIRE_DRAINING] = "draining",
};

const char *wire_reason_name(enum wire_reason reason)
{
    return reason < WIRE_REASON_END ? reason_names[reason] : "unknown";
}
