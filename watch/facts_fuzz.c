// SPDX-License-Identifier: ISC
// Whatever text an event carries, what is kept of it is bounded, printable and well-formed.
#include "watch/facts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const char *text, size_t size_max)
{
    struct view view = view_of(text, strnlen(text, size_max));
    assert(view.size < size_max && view_is_utf8(view));
    for (size_t i = 0; i < view.size; i++) {
        assert(view.data[i] >= ' ' && view.data[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct facts *facts;
    struct view rest = view_of(data, size);
    struct wire_event event = {.kind = size > 0 ? data[0] : 0, .mono_ns = size * 1000000u};
    if (facts == NULL) {
        facts = facts_new();
        assert(facts != NULL);
    }
    event.name = view_cut(&rest, 0);
    event.text = view_cut(&rest, 0);
    event.more = rest;
    facts_add(facts, &event, (struct watched_now){.mono_ns = 5000000000u, .wall_ms = 1795215600000u});
    const struct fact *fact = facts_get(facts, facts_count(facts));
    look(fact->name, sizeof(fact->name));
    look(fact->text, sizeof(fact->text));
    look(fact->more, sizeof(fact->more));
    return 0;
}
