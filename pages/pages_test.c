// SPDX-License-Identifier: ISC
// Tests of the pages: each renders, nothing inline, every field has a label, one heading, bounds, contrast.
#include "pages/built.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "pages/example.h"

static bool contains(struct view whole, const char *part)
{
    return whole.size > 0 && memmem(whole.data, whole.size, part, strlen(part)) != NULL;
}

static size_t count_of(struct view whole, const char *part)
{
    size_t count = 0, at = 0;
    for (; at + strlen(part) <= whole.size; at++) {
        count += memcmp(whole.data + at, part, strlen(part)) == 0;
    }
    return count;
}

// Calls `each` for every start tag, without the angle brackets.
static void for_each_tag(struct view page, void (*each)(struct view page, struct view tag))
{
    struct view rest = page;
    while (rest.size > 0) {
        (void)view_cut(&rest, '<');
        struct view copy = rest, tag = view_cut(&copy, '>');
        if (tag.size > 0 && tag.data[0] != '/' && tag.data[0] != '!') {
            each(page, tag);
        }
    }
}

static struct view attribute(struct view tag, const char *name)
{
    char start[64];
    snprintf(start, sizeof(start), " %s=\"", name);
    const uint8_t *at = memmem(tag.data, tag.size, start, strlen(start));
    if (at == NULL) {
        return (struct view){NULL, 0};
    }
    struct view rest = view_from(tag, (size_t)(at - tag.data) + strlen(start));
    return view_cut(&rest, '"');
}

static bool is_element(struct view tag, const char *name)
{
    struct view rest = tag;
    return view_equal(view_cut(&rest, ' '), view_of_cstr(name));
}

// Walks over the attributes by their quotes: name="value" name name="value".
static bool has_handler(struct view tag)
{
    while (tag.size > 0) {
        struct view names = view_cut(&tag, '"');
        if (contains(names, " on") || contains(names, " style=")) {
            return true;
        }
        (void)view_cut(&tag, '"');
    }
    return false;
}

static void assert_nothing_inline(struct view page, struct view tag)
{
    (void)page;
    assert_false(is_element(tag, "script") || is_element(tag, "style") || is_element(tag, "iframe"));
    assert_false(has_handler(tag));
    const char *addresses[] = {"href", "src", "action"};
    for (size_t i = 0; i < 3; i++) {
        struct view address = attribute(tag, addresses[i]);
        assert_true(address.size == 0 ||
                    (address.data[0] == '/' && (address.size == 1 || address.data[1] != '/')));
    }
}

static void assert_labelled(struct view page, struct view tag)
{
    if (!is_element(tag, "input") || view_equal(attribute(tag, "type"), VIEW("hidden"))) {
        return;
    }
    struct view id = attribute(tag, "id");
    char label[128], same_id[128];
    snprintf(label, sizeof(label), " for=\"%.*s\"", (int)id.size, (const char *)id.data);
    snprintf(same_id, sizeof(same_id), " id=\"%.*s\"", (int)id.size, (const char *)id.data);
    if (attribute(tag, "aria-label").size > 0) {
        return;
    }
    assert_true(id.size > 0);
    assert_int_equal(count_of(page, label), 1);
    assert_int_equal(count_of(page, same_id), 1);
    assert_true(attribute(tag, "autocomplete").size > 0);
}

static void assert_described(struct view page, struct view tag)
{
    struct view ids = attribute(tag, "aria-describedby");
    while (ids.size > 0) {
        struct view id = view_cut(&ids, ' ');
        char target[128];
        snprintf(target, sizeof(target), " id=\"%.*s\"", (int)id.size, (const char *)id.data);
        assert_int_equal(count_of(page, target), 1);
    }
}

static void assert_page(struct view page)
{
    assert_true(view_is_utf8(page));
    assert_true(view_starts_with(page, VIEW("<!doctype html>\n<html lang=\"en\">")));
    assert_true(contains(page, "<meta name=\"viewport\""));
    assert_int_equal(count_of(page, "<title>"), 1);
    assert_int_equal(count_of(page, "<h1>"), 1);
    assert_int_equal(count_of(page, "<main"), 1);
    assert_true(count_of(page, " autofocus") <= 1);
    assert_false(contains(page, "{{"));
    assert_int_equal(count_of(page, "method=\"post\""), count_of(page, "name=\"form_token\""));
    for_each_tag(page, assert_nothing_inline);
    for_each_tag(page, assert_labelled);
    for_each_tag(page, assert_described);
}

static void every_example_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < example_count; i++) {
        struct bytes page;
        bytes_init(&page, PAGES_SIZE_MAX);
        assert_true(examples[i].render(&page));
        assert_page(bytes_view(&page));
        bytes_release(&page);
    }
}

static void templates_name_what_exists(void **state)
{
    (void)state;
    assert_true(pages_check());
}

static void hostile_values_stay_values(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 256; bits += 85) {
        struct bytes page, plain;
        bytes_init(&page, PAGES_SIZE_MAX);
        bytes_init(&plain, PAGES_SIZE_MAX);
        assert_true(example_render_all(&page, VIEW("\"><script>'&"), bits));
        assert_true(example_render_all(&plain, VIEW("x"), bits));
        assert_false(contains(bytes_view(&page), "<script"));
        assert_int_equal(count_of(bytes_view(&page), "<"), count_of(bytes_view(&plain), "<"));
        assert_int_equal(count_of(bytes_view(&page), "\""), count_of(bytes_view(&plain), "\""));
        bytes_release(&page);
        bytes_release(&plain);
    }
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct bytes page;
    bytes_init(&page, 1000);
    assert_false(pages_login(&page, &(struct pages_login){0}));
    assert_true(page.size <= 1000);
    bytes_release(&page);
}

static void full_lists_fit(void **state)
{
    (void)state;
    static uint8_t text[256];
    memset(text, 'x', sizeof(text));
    struct pages_session rows[PAGES_ROWS_MAX];
    for (size_t i = 0; i < PAGES_ROWS_MAX; i++) {
        rows[i] =
            (struct pages_session){view_of(text, 32), view_of(text, 64), view_of(text, 64), 1, 1, false};
    }
    struct bytes page;
    bytes_init(&page, PAGES_SIZE_MAX);
    assert_true(pages_account(&page, &(struct pages_account){.sessions = rows,
                                                             .session_count = PAGES_ROWS_MAX,
                                                             .email = view_of(text, 254)}));
    bytes_release(&page);
}

static void errors_explain_themselves(void **state)
{
    (void)state;
    struct bytes page;
    bytes_init(&page, PAGES_SIZE_MAX);
    assert_true(pages_error(&page, &(struct pages_error){.status = 503,
                                                         .retry_after_s = 5,
                                                         .request_id = VIEW("abc-1"),
                                                         .text = VIEW("Own words.")}));
    assert_true(contains(bytes_view(&page), "Error 503"));
    assert_true(contains(bytes_view(&page), "Back in a moment"));
    assert_true(contains(bytes_view(&page), "Own words."));
    assert_true(contains(bytes_view(&page), "in 5&nbsp;s"));
    assert_true(contains(bytes_view(&page), "<code>abc-1</code>"));
    bytes_release(&page);
}

static void assets_are_found(void **state)
{
    (void)state;
    const struct pages_asset *css = pages_asset_find(VIEW("/assets/stayd.css"));
    assert_non_null(css);
    assert_int_equal(css->hash.size, 16);
    assert_true(view_equal(css->content_type, VIEW("text/css; charset=utf-8")));
    assert_false(contains(css->body, "http:") || contains(css->body, "data:") ||
                 contains(css->body, "@import"));
    assert_ptr_equal(pages_asset_find(VIEW("/favicon.ico")), pages_asset_find(VIEW("/assets/favicon.svg")));
    assert_null(pages_asset_find(VIEW("/assets/")));
    assert_null(pages_asset_find(VIEW("/assets/../pages.c")));
    struct bytes page;
    char link[64];
    bytes_init(&page, PAGES_SIZE_MAX);
    assert_true(pages_login(&page, &(struct pages_login){0}));
    snprintf(link, sizeof(link), "/assets/stayd.css?v=%.*s\"", (int)css->hash.size,
             (const char *)css->hash.data);
    assert_true(contains(bytes_view(&page), link));
    bytes_release(&page);
}

static void devices_are_named(void **state)
{
    (void)state;
    char room[PAGES_DEVICE_SIZE_MAX];
    struct view firefox = VIEW("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    struct view edge =
        VIEW("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
             "Chrome/120.0 Safari/537.36 Edg/120.0");
    struct view safari = VIEW("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 "
                              "(KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1");
    assert_true(view_equal(pages_device(firefox, room), VIEW("Firefox on Linux")));
    assert_true(view_equal(pages_device(edge, room), VIEW("Edge on Windows")));
    assert_true(view_equal(pages_device(safari, room), VIEW("Safari on iPhone")));
    assert_true(view_equal(pages_device(VIEW("curl/8.0"), room), VIEW("curl")));
    assert_true(view_equal(pages_device(VIEW("\xff\x01"), room), VIEW("Unknown device")));
    assert_true(view_equal(pages_device(VIEW(""), room), VIEW("Unknown device")));
}

// The colour named `name` in the style sheet, of the light (0) or the dark (1) scheme, as relative luminance
// (WCAG 2.2).
static double luminance(const char *name, int scheme)
{
    static const double weight[] = {0.2126, 0.7152, 0.0722};
    struct view css = pages_asset_find(VIEW("/assets/stayd.css"))->body;
    char start[32];
    uint8_t rgb[3];
    snprintf(start, sizeof(start), "--%s: #", name);
    for (int i = 0; i <= scheme; i++) {
        const uint8_t *at = memmem(css.data, css.size, start, strlen(start));
        assert_non_null(at);
        css = view_from(css, (size_t)(at - css.data) + strlen(start));
    }
    assert_true(hex_decode(view_first(css, 6), rgb, 3));
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double part = rgb[i] / 255.0;
        sum += weight[i] * (part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static void colours_have_contrast(void **state)
{
    (void)state;
    static const struct {
        const char *front, *back;
        double least;
    } pairs[] = {
        {"ink", "paper", 4.5},     {"ink", "card", 4.5},     {"soft", "paper", 4.5},
        {"soft", "card", 4.5},     {"sea", "paper", 4.5},    {"sea", "card", 4.5},
        {"sea-deep", "card", 4.5}, {"on-sea", "sea", 4.5},   {"on-sea", "sea-deep", 4.5},
        {"bad", "card", 4.5},      {"bad", "bad-tint", 4.5}, {"good", "good-tint", 4.5},
        {"ink", "sea-tint", 4.5},  {"edge", "card", 3.0},    {"edge", "paper", 3.0},
    };
    for (int scheme = 0; scheme < 2; scheme++) {
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
            double front = luminance(pairs[i].front, scheme), back = luminance(pairs[i].back, scheme);
            double contrast = (fmax(front, back) + 0.05) / (fmin(front, back) + 0.05);
            if (contrast < pairs[i].least) {
                fail_msg("%s on %s, scheme %d: %.2f", pairs[i].front, pairs[i].back, scheme, contrast);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_is_sound),
        cmocka_unit_test(templates_name_what_exists),
        cmocka_unit_test(hostile_values_stay_values),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(full_lists_fit),
        cmocka_unit_test(errors_explain_themselves),
        cmocka_unit_test(assets_are_found),
        cmocka_unit_test(devices_are_named),
        cmocka_unit_test(colours_have_contrast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
