// SPDX-License-Identifier: ISC
// Reading JSON that may have been written by another version, or by hand: what is missing or of another type
// is empty, not known, or 0. Used by stayd-watch. Owns nothing.
#ifndef WATCH_READ_JSON_H
#define WATCH_READ_JSON_H

#include <jansson.h>
#include <math.h>
#include <stdint.h>

static inline const char *read_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static inline double read_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static inline uint64_t read_whole(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : (uint64_t)value;
}

// For json_array_foreach and its like, which want no const.
static inline json_t *read_list(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

#endif
