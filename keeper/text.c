// SPDX-License-Identifier: ISC
// Unicode normalisation of passwords, in stayd-hash.
// The same password typed on a Mac (decomposed) and on a PC (composed) must give the same hash: NIST SP
// 800-63B section 5.1.1.2 asks for normalisation before hashing. NFC rather than NFKC, because NFKC makes
// distinct characters equal and so throws away strength that the user typed. utf8proc's convenient calls
// allocate and free without wiping, so the two-step calls on a buffer of ours are used.
#include "keeper/text.h"

#include <assert.h>
#include <utf8proc.h>

// One byte decomposes to less than two code points on average (the worst is two bytes to three).
#define POINTS_MAX (2 * TEXT_NORMAL_BYTES_MAX)

// How many different code points a long repetitive text may have and still be called monotonous.
#define MONOTONOUS_DISTINCT_MAX   3
#define MONOTONOUS_CHARACTERS_MAX 24

static enum text_result convert(struct view typed, int options, struct secret *out)
{
    int32_t points[POINTS_MAX + 1];
    enum text_result result = TEXT_NOT_UTF8;
    ssize_t count;
    ssize_t size;

    count = utf8proc_decompose(typed.data, (ssize_t)typed.size, points, POINTS_MAX,
                               (utf8proc_option_t)(options | UTF8PROC_COMPOSE | UTF8PROC_STABLE));
    if (count < 0) {
        goto out;
    }
    if (count > POINTS_MAX) {
        result = TEXT_TOO_LONG;
        goto out;
    }
    size = utf8proc_reencode(points, count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (size < 0) {
        goto out;
    }
    result = secret_init(out, view_of(points, (size_t)size)) ? TEXT_OK : TEXT_NO_MEMORY;
out:
    wipe(points, sizeof points);
    return result;
}

static enum text_result check(struct view typed)
{
    if (typed.size > TEXT_BYTES_MAX) {
        return TEXT_TOO_LONG;
    }
    if (!view_is_utf8(typed) || view_index(typed, 0) < typed.size) {
        return TEXT_NOT_UTF8;
    }
    return TEXT_OK;
}

enum text_result text_normalise(struct view typed, struct secret *normal)
{
    enum text_result result = check(typed);

    return result == TEXT_OK ? convert(typed, 0, normal) : result;
}

enum text_result text_fold(struct view typed, struct secret *folded)
{
    enum text_result result = check(typed);

    return result == TEXT_OK ? convert(typed, UTF8PROC_CASEFOLD, folded) : result;
}

size_t text_characters(struct view text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] & 0xC0) != 0x80) {
            count++;
        }
    }
    return count;
}

// The next code point, cut off the front of `rest`, which is well-formed.
static int32_t next_point(struct view *rest)
{
    int32_t point = 0;
    ssize_t size = utf8proc_iterate(rest->data, (ssize_t)rest->size, &point);

    assert(size > 0);
    *rest = view_from(*rest, (size_t)size);
    return point;
}

static bool in_even_steps(struct view text)
{
    int32_t before = next_point(&text);
    int32_t point;
    int32_t step;

    if (text.size == 0) {
        return true;
    }
    point = next_point(&text);
    step = point - before;
    while (text.size > 0) {
        before = point;
        point = next_point(&text);
        if (point - before != step) {
            return false;
        }
    }
    return true;
}

static bool of_few_points(struct view text)
{
    int32_t seen[MONOTONOUS_DISTINCT_MAX];
    size_t count = 0;

    while (text.size > 0) {
        int32_t point = next_point(&text);
        size_t i = 0;

        while (i < count && seen[i] != point) {
            i++;
        }
        if (i < count) {
            continue;
        }
        if (count == MONOTONOUS_DISTINCT_MAX) {
            return false;
        }
        seen[count++] = point;
    }
    return true;
}

bool text_is_monotonous(struct view text)
{
    if (text.size == 0 || in_even_steps(text)) {
        return true;
    }
    return text_characters(text) < MONOTONOUS_CHARACTERS_MAX && of_few_points(text);
}
