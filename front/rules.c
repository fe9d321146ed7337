// SPDX-License-Identifier: ISC
// Judges access rules. Runs in stayd-front, on what a trusted proxy says about a request from anyone.
// The proxy, stayd and the application may each read a path in their own way; a rule that holds for one
// reading and not for another is a way around it. So every reading that is common is judged, and they must
// agree.
#include "front/rules.h"

#include "http/octets.h"

static bool escape_at(const uint8_t *text, size_t left)
{
    return left >= 3 && text[0] == '%' && http_octet_is(text[1], HTTP_OCTET_HEX) &&
           http_octet_is(text[2], HTTP_OCTET_HEX);
}

// Escapes decoded once. false: malformed, or what it becomes is a separator, a control byte, or an escape.
static bool decode(struct view path, uint8_t *out, size_t *size)
{
    size_t at = 0;
    for (size_t i = 0; i < path.size; i++) {
        uint8_t byte = path.data[i];
        if (byte == '%') {
            if (!escape_at(path.data + i, path.size - i)) {
                return false;
            }
            byte = (uint8_t)(http_octet_hex(path.data[i + 1]) << 4 | http_octet_hex(path.data[i + 2]));
            i += 2;
            if (byte == '/') {
                return false;
            }
        }
        if (byte < 0x20 || byte == 0x7f || byte == '\\') {
            return false;
        }
        out[at++] = byte;
    }
    *size = at;
    for (size_t i = 0; i < at; i++) {
        if (escape_at(out + i, at - i)) {
            return false;
        }
    }
    return true;
}

// "." and "..", also with parameters behind them, as some servers take "..;x" for "..".
static bool has_dot_segment(struct view path)
{
    while (path.size > 0) {
        struct view segment = view_cut(&path, '/');
        struct view name = view_cut(&segment, ';');
        if (view_equal(name, VIEW(".")) || view_equal(name, VIEW(".."))) {
            return true;
        }
    }
    return false;
}

static size_t merge_slashes(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        if (in[i] != '/' || at == 0 || out[at - 1] != '/') {
            out[at++] = in[i];
        }
    }
    return at;
}

// Ends at "?" or "#", too: they came escaped, and some read a path again once it is decoded.
static size_t strip_parameters(const uint8_t *in, size_t size, uint8_t *out)
{
    size_t at = 0;
    bool inside = false;
    for (size_t i = 0; i < size && in[i] != '?' && in[i] != '#'; i++) {
        inside = in[i] == ';' || (inside && in[i] != '/');
        if (!inside) {
            out[at++] = in[i];
        }
    }
    return at;
}

bool rules_path_read(struct view path, struct rules_path *out)
{
    size_t size = 0;
    if (path.size == 0 || path.size > RULES_PATH_MAX || path.data[0] != '/' ||
        !decode(path, out->room[RULES_AS_SENT], &size)) {
        return false;
    }
    out->reading[RULES_AS_SENT] = view_of(out->room[RULES_AS_SENT], size);
    if (has_dot_segment(out->reading[RULES_AS_SENT])) {
        return false;
    }
    size_t merged = merge_slashes(out->room[RULES_AS_SENT], size, out->room[RULES_MERGED]);
    out->reading[RULES_MERGED] = view_of(out->room[RULES_MERGED], merged);
    size_t stripped = strip_parameters(out->room[RULES_AS_SENT], size, out->room[RULES_UNMARKED]);
    stripped = merge_slashes(out->room[RULES_UNMARKED], stripped, out->room[RULES_UNMARKED]);
    out->reading[RULES_UNMARKED] = view_of(out->room[RULES_UNMARKED], stripped);
    return true;
}

static bool host_fits(struct view pattern, struct view host)
{
    if (pattern.size == 0) {
        return true;
    }
    if (!view_starts_with(pattern, VIEW("*."))) {
        return view_equal_nocase(pattern, host);
    }
    struct view tail = view_from(pattern, 1); // ".example.com"
    return host.size > tail.size && view_equal_nocase(view_from(host, host.size - tail.size), tail);
}

static bool path_fits(struct view prefix, struct view path)
{
    if (prefix.size > 1 && prefix.data[prefix.size - 1] == '/') {
        // "/a/" is what is below "/a", and "/a" itself, which servers redirect to it
        prefix.size--;
    }
    if (prefix.size <= 1) {
        return true;
    }
    return view_starts_with(path, prefix) && (path.size == prefix.size || path.data[prefix.size] == '/');
}

static bool list_has(struct view list, struct view word)
{
    while (list.size > 0) {
        struct view one = view_trim(view_cut(&list, ','));
        if (one.size > 0 && view_equal(one, word)) {
            return true;
        }
    }
    return false;
}

static bool lists_share(struct view wanted, struct view have)
{
    while (have.size > 0) {
        struct view one = view_trim(view_cut(&have, ','));
        if (one.size > 0 && list_has(wanted, one)) {
            return true;
        }
    }
    return false;
}

static bool judge(const struct rule *rules, size_t count, const struct rules_target *target, struct view path,
                  struct view groups)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        if (host_fits(rule->host, target->host) && path_fits(rule->path, path) &&
            (rule->method.size == 0 || list_has(rule->method, target->method)) &&
            (rule->group.size == 0 || lists_share(rule->group, groups))) {
            return rule->allow;
        }
    }
    return false;
}

bool rules_allow(const struct rule *rules, size_t count, const struct rules_target *target,
                 struct view groups)
{
    static struct rules_path path; // 24 KiB; one thread
    struct rules_target plain = *target;
    if (!rules_path_read(target->path, &path)) {
        return false;
    }
    if (plain.host.size > 1 && plain.host.data[plain.host.size - 1] == '.') {
        plain.host.size--; // the root's dot: the same host
    }
    for (size_t i = 0; i < RULES_READINGS; i++) {
        if (!judge(rules, count, &plain, path.reading[i], groups)) {
            return false;
        }
    }
    return true;
}
