// SPDX-License-Identifier: ISC
// Whatever bytes the values hold: the same number of angle brackets and quotes come out of every page as with
// a harmless value, and the output is UTF-8.
#include "pages/example.h"

#include <assert.h>

static size_t count(struct view text, uint8_t c)
{
    size_t found = 0;
    for (size_t i = 0; i < text.size; i++) {
        found += text.data[i] == c;
    }
    return found;
}

// Commas separate the words of a list, each with tags around it, so the harmless value keeps them and the
// spaces.
static void make_harmless(struct view value, uint8_t *out)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        out[i] = c == ',' || c == ' ' || c == '\t' ? c : 'x';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t harmless[512];
    if (size == 0 || size > sizeof(harmless)) {
        return 0;
    }
    struct view value = view_of(data + 1, size - 1);
    struct bytes page, plain;
    make_harmless(value, harmless);
    bytes_init(&page, PAGES_SIZE_MAX);
    bytes_init(&plain, PAGES_SIZE_MAX);
    assert(example_render_all(&page, value, data[0]));
    assert(example_render_all(&plain, view_of(harmless, value.size), data[0]));
    assert(view_is_utf8(bytes_view(&page)));
    static const char marks[] = "<>\"'";
    for (const char *mark = marks; *mark != '\0'; mark++) {
        assert(count(bytes_view(&page), (uint8_t)*mark) == count(bytes_view(&plain), (uint8_t)*mark));
    }
    bytes_release(&page);
    bytes_release(&plain);
    return 0;
}
