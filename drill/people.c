// SPDX-License-Identifier: ISC
// Accounts by pattern or by file. Runs in stayctl storm.
// Invariant: signed_in lists each person with a token once.
#include "drill/people.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

[[gnu::format(printf, 2, 3)]] static bool problem(struct people *people, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(people->problem, sizeof(people->problem), format, list);
    va_end(list);
    return false;
}

void people_init(struct people *people)
{
    *people = (struct people){0};
    bytes_init(&people->texts, PEOPLE_FILE_MAX);
}

void people_release(struct people *people)
{
    if (people->person != NULL) {
        wipe(people->person, people->room * sizeof(*people->person));
    }
    if (people->texts.size > 0) {
        wipe(people->texts.data, people->texts.size);
    }
    wipe(people->password, sizeof(people->password));
    free(people->person);
    free(people->signed_in);
    bytes_release(&people->texts);
    people_init(people);
}

static bool make_room(struct people *people, uint32_t count)
{
    if (count > PEOPLE_MAX) {
        return problem(people, "There are more than %d accounts.", PEOPLE_MAX);
    }
    if (count <= people->room) {
        return true;
    }
    uint32_t room = count < PEOPLE_MAX / 2 && people->room > 0 ? 2 * count : count;
    struct person *person = realloc(people->person, room * sizeof(*person));
    people->person = person != NULL ? person : people->person;
    uint32_t *signed_in = realloc(people->signed_in, room * sizeof(*signed_in));
    people->signed_in = signed_in != NULL ? signed_in : people->signed_in;
    if (person == NULL || signed_in == NULL) {
        return problem(people, "There is not enough memory for so many accounts.");
    }
    people->room = room;
    return true;
}

// Accounts are written as stayd names them, so that they need no escape in JSON.
static bool is_name(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
        if (!letter && (i == 0 || strchr("._-", text[i]) == NULL)) {
            return false;
        }
    }
    return size > 0 && size < PEOPLE_NAME_SIZE;
}

static bool name_of(const char *pattern, uint32_t number, char out[static PEOPLE_NAME_SIZE])
{
    uint64_t width = 0;
    const char *open = strchr(pattern, '{');
    const char *shut = open == NULL ? NULL : strchr(open, '}');
    out[0] = '\0';
    if (shut == NULL ||
        (shut > open + 1 && !view_to_u64(view_of(open + 1, (size_t)(shut - open) - 1), &width)) ||
        width > 20) {
        return false;
    }
    int size = snprintf(out, PEOPLE_NAME_SIZE, "%.*s%0*u%s", (int)(open - pattern), pattern, (int)width,
                        number + 1, shut + 1);
    return size > 0 && size < PEOPLE_NAME_SIZE && is_name(out);
}

bool people_by_pattern(struct people *people, uint32_t count, const char *pattern)
{
    char name[PEOPLE_NAME_SIZE];
    if (count == 0) {
        return problem(people, "There is no account to act for.");
    }
    if (!make_room(people, count)) {
        return false;
    }
    if (!name_of(pattern, count - 1, name)) {
        return problem(people, "\"%.40s\" makes no user names: it needs {} for the number, as in storm-{}.",
                       pattern);
    }
    people->pattern = pattern;
    memset(people->person, 0, count * sizeof(*people->person));
    people->count = count;
    return true;
}

static bool read_file(struct people *people, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return problem(people, "%.100s can't be read: %s.", path, strerror(errno));
    }
    bytes_append_byte(&people->texts, '\0');
    for (;;) {
        uint8_t *room = bytes_reserve(&people->texts, 65536);
        size_t got = room == NULL ? 0 : fread(room, 1, 65536, file);
        people->texts.size += got;
        if (got == 0) {
            break;
        }
    }
    bool read_all = ferror(file) == 0 && !people->texts.failed;
    fclose(file);
    bytes_append_byte(&people->texts, '\n');
    return (read_all && !people->texts.failed) ||
           problem(people, "%.100s can't be read, or is too long.", path);
}

// One line, ended here by NUL bytes in place. Empty lines and those that begin with '#' are none.
static bool take_line(struct people *people, char *line, bool tokens)
{
    uint8_t raw[32];
    char *second = strpbrk(line, " \t");
    if (line[0] == '\0' || line[0] == '#') {
        return true;
    }
    if (second == NULL) {
        return false;
    }
    *second++ = '\0';
    second += strspn(second, " \t");
    if (!is_name(line) || second[0] == '\0' || strlen(second) >= PEOPLE_PASSWORD_SIZE ||
        (tokens && !base64url_decode(view_of_cstr(second), raw, sizeof(raw)))) {
        return false;
    }
    if (!make_room(people, people->count + 1)) {
        return false;
    }
    uint32_t number = people->count++;
    people->person[number] = (struct person){.name_at = (uint32_t)(line - (char *)people->texts.data)};
    if (tokens) {
        people_sign_in(people, number, second);
    } else {
        people->person[number].password_at = (uint32_t)(second - (char *)people->texts.data);
    }
    return true;
}

bool people_by_file(struct people *people, const char *path, bool tokens)
{
    if (!read_file(people, path)) {
        return false;
    }
    char *at = (char *)people->texts.data + 1;
    char *end = (char *)people->texts.data + people->texts.size;
    for (unsigned line = 1; at < end; line++) {
        char *next = memchr(at, '\n', (size_t)(end - at));
        assert(next != NULL); // the file was given one
        next[next > at && next[-1] == '\r' ? -1 : 0] = '\0';
        *next = '\0';
        if (!take_line(people, at, tokens)) {
            return problem(people, "%.100s, line %u: not \"NAME %s\".", path, line,
                           tokens ? "TOKEN" : "PASSWORD");
        }
        at = next + 1;
    }
    return people->count > 0 || problem(people, "%.100s names no account.", path);
}

bool people_password_by_file(struct people *people, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return problem(people, "%.100s can't be read: %s.", path, strerror(errno));
    }
    bool got = fgets(people->password, sizeof(people->password), file) != NULL;
    fclose(file);
    people->password[got ? strcspn(people->password, "\r\n") : 0] = '\0';
    return people->password[0] != '\0' || problem(people, "%.100s begins with no password.", path);
}

bool people_name(const struct people *people, uint32_t number, char out[static PEOPLE_NAME_SIZE])
{
    assert(number < people->count);
    const struct person *person = &people->person[number];
    if (person->name_at == 0) {
        return name_of(people->pattern, number, out);
    }
    return view_to_cstr(view_of_cstr((const char *)people->texts.data + person->name_at), out,
                        PEOPLE_NAME_SIZE);
}

const char *people_password(const struct people *people, uint32_t number)
{
    const struct person *person = &people->person[number];
    return person->password_at == 0 ? people->password
                                    : (const char *)people->texts.data + person->password_at;
}

void people_sign_in(struct people *people, uint32_t number, const char token[static PEOPLE_TOKEN_SIZE])
{
    struct person *person = &people->person[number];
    if (person->token[0] == '\0') {
        people->signed_in[people->signed_in_count++] = number;
    }
    memcpy(person->token, token, PEOPLE_TOKEN_SIZE - 1);
}
