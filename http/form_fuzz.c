// SPDX-License-Identifier: ISC
// Fuzzes http/form: what is decoded is clean, decoding in place and beside gives the same, and text that was
// escaped for a query comes back as it was. Cookies are looked for in the same bytes.
#include "http/form.h"

#include <assert.h>

#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct view text)
{
    assert(view_is_utf8(text));
    assert(view_index(text, '\0') == text.size);
}

static void check_in_place(struct view encoded)
{
    uint8_t *place = malloc(encoded.size + 1), *scratch = malloc(encoded.size + 1);
    struct http_form in_place, beside;
    struct view name_a, value_a, name_b, value_b;
    assert(place != NULL && scratch != NULL);
    memcpy(place, encoded.data, encoded.size);
    http_form_init(&in_place, view_of(place, encoded.size), place);
    http_form_init(&beside, encoded, scratch);
    while (http_form_next(&beside, &name_b, &value_b)) {
        bool next = http_form_next(&in_place, &name_a, &value_a);
        assert(next && view_equal(name_a, name_b) && view_equal(value_a, value_b));
        check_clean(name_a);
        check_clean(value_a);
    }
    bool next = http_form_next(&in_place, &name_a, &value_a);
    assert(!next && in_place.malformed == beside.malformed);
    assert(beside.scratch <= scratch + encoded.size);
    free(place);
    free(scratch);
}

static void check_round_trip(struct view text)
{
    struct bytes query;
    struct view value = {NULL, 0};
    bytes_init(&query, 3 * text.size + 2);
    bytes_append_view(&query, VIEW("a="));
    http_write_query(&query, text);
    assert(!query.failed);
    enum http_found found = http_form_find(bytes_view(&query), VIEW("a"), query.data, &value);
    if (view_is_utf8(text) && view_index(text, '\0') == text.size) {
        assert(found == HTTP_FOUND_ONE && view_equal(value, text));
    } else {
        assert(found == HTTP_FOUND_MALFORMED);
    }
    bytes_release(&query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of(data, size), value = {NULL, 0};
    if (size > 4096) {
        return 0;
    }
    check_in_place(text);
    check_round_trip(text);
    enum http_found found = http_cookie_find(text, VIEW("a"), &value);
    assert(found == HTTP_FOUND_NONE || (value.data >= data && value.data + value.size <= data + size));
    return 0;
}
