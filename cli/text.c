// SPDX-License-Identifier: ISC
// Times and tables. Runs in stayctl.
#include "cli/text.h"

#include <assert.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { GAP = 2, NARROWEST = 8 };

void text_time_local(uint64_t unix_s, char out[static TEXT_TIME_SIZE])
{
    time_t time = (time_t)unix_s;
    struct tm parts;
    if (unix_s == 0) {
        snprintf(out, TEXT_TIME_SIZE, "never");
    } else if (unix_s > INT64_MAX || localtime_r(&time, &parts) == NULL ||
               strftime(out, TEXT_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        snprintf(out, TEXT_TIME_SIZE, "?");
    }
}

void text_time_iso(uint64_t unix_s, char out[static TEXT_TIME_SIZE])
{
    time_t time = (time_t)unix_s;
    struct tm parts;
    if (unix_s > INT64_MAX || gmtime_r(&time, &parts) == NULL ||
        strftime(out, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(out, TEXT_TIME_SIZE, "?");
    }
}

static bool read_duration(struct view text, uint64_t *seconds)
{
    static const struct {
        uint8_t letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t number;
    if (text.size < 2 || !view_to_u64(view_first(text, text.size - 1), &number) || number > 1000000) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].letter == text.data[text.size - 1]) {
            *seconds = number * units[i].seconds;
            return true;
        }
    }
    return false;
}

bool text_time_read(struct view text, uint64_t now_s, uint64_t *unix_s)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                          "%Y-%m-%d %H:%M:%S"};
    char copy[TEXT_TIME_SIZE];
    uint64_t before;
    if (read_duration(text, &before)) {
        *unix_s = before < now_s ? now_s - before : 0;
        return true;
    }
    if (!view_to_cstr(text, copy, sizeof(copy))) {
        return false;
    }
    bool utc = text.size > 11 && copy[text.size - 1] == 'Z';
    if (utc) {
        copy[text.size - 1] = '\0';
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm parts = {.tm_isdst = -1};
        const char *end = strptime(copy, formats[i], &parts);
        if (end != NULL && *end == '\0') {
            time_t time = utc ? timegm(&parts) : mktime(&parts);
            *unix_s = time < 0 ? 0 : (uint64_t)time;
            return time >= 0;
        }
    }
    return false;
}

void text_duration(uint64_t seconds, char out[static TEXT_TIME_SIZE])
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    size_t i = 0;
    while (i + 1 < sizeof(units) / sizeof(units[0]) && seconds < 2 * units[i].seconds) {
        i++;
    }
    unsigned long long number = seconds / units[i].seconds;
    snprintf(out, TEXT_TIME_SIZE, "%llu %s%s", number, units[i].name, number == 1 ? "" : "s");
}

void text_init(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
}

// One character from the front of `text`: its bytes and terminal columns. What is not text, or could steer
// the terminal (controls, marks that change the direction), counts as one '?'.
static struct view next_character(struct view text, unsigned *columns)
{
    wchar_t wide = 0;
    mbstate_t state = {0};
    size_t size = mbrtowc(&wide, (const char *)text.data, text.size, &state);
    int width = size == 0 || size > text.size ? -1 : wcwidth(wide);
    bool turns = (wide >= 0x202a && wide <= 0x202e) || (wide >= 0x2066 && wide <= 0x2069);
    *columns = width < 0 || turns ? 1 : (unsigned)width;
    return width < 0 || turns ? VIEW("?") : view_first(text, size);
}

static size_t character_size(struct view text)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t size = mbrtowc(&wide, (const char *)text.data, text.size, &state);
    return size == 0 || size > text.size ? 1 : size;
}

static unsigned width_of(struct view text)
{
    unsigned all = 0;
    while (text.size > 0) {
        unsigned columns;
        (void)next_character(text, &columns);
        all += columns;
        text = view_from(text, character_size(text));
    }
    return all;
}

unsigned text_print(FILE *out, struct view text, unsigned columns)
{
    unsigned used = 0;
    bool cut = columns != 0 && width_of(text) > columns;
    while (text.size > 0) {
        unsigned here;
        struct view shown = next_character(text, &here);
        if (cut && used + here + 1 > columns) {
            fputs("…", out);
            return used + 1;
        }
        fwrite(shown.data, 1, shown.size, out);
        used += here;
        text = view_from(text, character_size(text));
    }
    return used;
}

void table_init(struct table *table, FILE *out, const char *const *titles)
{
    struct winsize size;
    *table = (struct table){.out = out};
    while (titles[table->columns] != NULL) {
        assert(table->columns < TABLE_COLUMNS_MAX);
        table->title[table->columns] = titles[table->columns];
        table->columns++;
    }
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0) {
        table->fit = size.ws_col;
    }
    bytes_init(&table->cells, 64u << 20);
}

void table_release(struct table *table)
{
    bytes_release(&table->cells);
}

static struct view next_cell(struct view *rest)
{
    uint32_t size;
    memcpy(&size, rest->data, sizeof(size));
    struct view cell = view_of(rest->data + sizeof(size), size);
    *rest = view_from(*rest, sizeof(size) + size);
    return cell;
}

// The widest columns give way until the line fits.
static void shrink(struct table *table)
{
    for (;;) {
        unsigned all = 0;
        unsigned widest = 0;
        for (unsigned i = 0; i < table->columns; i++) {
            all += table->width[i] + (i > 0 ? GAP : 0);
            widest = table->width[i] > table->width[widest] ? i : widest;
        }
        if (table->fit == 0 || all <= table->fit || table->width[widest] <= NARROWEST) {
            return;
        }
        table->width[widest]--;
    }
}

static void measure(struct table *table)
{
    struct view rest = bytes_view(&table->cells);
    for (unsigned i = 0; i < table->columns; i++) {
        table->width[i] = width_of(view_of_cstr(table->title[i]));
    }
    for (size_t i = 0; rest.size > 0; i++) {
        unsigned width = width_of(next_cell(&rest));
        unsigned *column = &table->width[i % table->columns];
        *column = width > *column ? width : *column;
    }
    shrink(table);
}

static void print_cell(struct table *table, unsigned column, struct view text)
{
    bool last = column + 1 == table->columns;
    unsigned used = text_print(table->out, text, last && table->fit == 0 ? 0 : table->width[column]);
    if (last) {
        fputc('\n', table->out);
    } else {
        fprintf(table->out, "%*s", (int)(used > table->width[column] ? 0 : table->width[column] - used) + GAP,
                "");
    }
}

static void flush(struct table *table)
{
    struct view rest = bytes_view(&table->cells);
    if (!table->titled) {
        measure(table);
        for (unsigned i = 0; i < table->columns; i++) {
            print_cell(table, i, view_of_cstr(table->title[i]));
        }
        table->titled = true;
    }
    for (size_t i = 0; rest.size > 0; i++) {
        print_cell(table, (unsigned)(i % table->columns), next_cell(&rest));
    }
    bytes_reset(&table->cells);
}

void table_cell(struct table *table, struct view text)
{
    uint32_t size = text.size > UINT16_MAX ? UINT16_MAX : (uint32_t)text.size;
    bytes_append(&table->cells, &size, sizeof(size));
    bytes_append_view(&table->cells, view_first(text, size));
    table->count++;
    if (table->count % ((size_t)table->columns * TABLE_BATCH) == 0) {
        flush(table);
    }
}

void table_end(struct table *table)
{
    assert(table->count % table->columns == 0);
    if (table->cells.size > 0) {
        flush(table);
    }
    bytes_release(&table->cells);
}
