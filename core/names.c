// SPDX-License-Identifier: ISC
// Rules for names. Runs in core; pure.
#include "core/names.h"

#include "wire/types.h"

static bool is_name(struct view name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '.' && c != '_' && c != '-'))) {
            return false;
        }
    }
    return name.size >= 1 && name.size <= WIRE_USERNAME_MAX;
}

bool names_username(struct view given, char *out, size_t out_size)
{
    if (!view_to_cstr(given, out, out_size)) {
        return false;
    }
    for (size_t i = 0; i < given.size; i++) {
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] | 0x20 : out[i]);
    }
    return is_name(view_of(out, given.size));
}

static bool has_control_or(struct view text, uint8_t other)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f || text.data[i] == other) {
            return true;
        }
    }
    return false;
}

bool names_email(struct view given)
{
    size_t at = view_index(given, '@');
    struct view domain = view_from(given, at + 1);
    return given.size <= WIRE_EMAIL_MAX && at > 0 && at <= 64 && domain.size > 0 &&
           view_index(domain, '@') == domain.size && view_is_utf8(given) && !has_control_or(given, ' ') &&
           view_index(given, ',') == given.size && view_index(given, '<') == given.size;
}

bool names_display(struct view given)
{
    return given.size <= WIRE_DISPLAY_NAME_MAX && view_is_utf8(given) && !has_control_or(given, 0x7f);
}

bool names_groups_have(struct view groups, struct view group)
{
    while (groups.size > 0) {
        if (view_equal(view_cut(&groups, ','), group)) {
            return true;
        }
    }
    return false;
}

bool names_groups(struct view given, char *out, size_t out_size)
{
    size_t size = 0;
    while (given.size > 0) {
        struct view group = view_trim(view_cut(&given, ','));
        if (group.size == 0 || names_groups_have(view_of(out, size), group)) {
            continue;
        }
        if (!is_name(group) || size + group.size + 2 > out_size) {
            return false;
        }
        if (size > 0) {
            out[size++] = ',';
        }
        memcpy(out + size, group.data, group.size);
        size += group.size;
    }
    out[size] = '\0';
    return size <= WIRE_GROUPS_MAX;
}
