// SPDX-License-Identifier: ISC
// The rules for new passwords (NIST SP 800-63B section 5.1.1.2), in stayd-hash.
// No composition rules ("one digit, one capital"): they make passwords harder for people, not for machines.
// What counts is whether it is in a list that attackers start with, and how many guesses it takes otherwise,
// which zxcvbn (D. Wheeler, USENIX Security 2016) estimates. zxcvbn's time grows with more than the square of
// the length, so it sees two windows of a long password; a part can't be harder to guess than the whole.
#include "keeper/rules.h"

#include <stdio.h>
#include <zxcvbn.h>

#define WINDOW_SIZE 72

static const char advice_how[] = "Try three or four unrelated words, or let a password manager make one.";

static void find(struct rules_finding *finding, enum rules_verdict verdict, const char *reason,
                 const char *what_to_do)
{
    finding->verdict = verdict;
    snprintf(finding->advice, sizeof finding->advice, "%s %s", reason, what_to_do);
}

// --- Words that an attacker tries first for this account

struct words {
    char text[RULES_WORDS_MAX][RULES_WORD_SIZE_MAX + 1];
    const char *list[RULES_WORDS_MAX + 1]; // ends with NULL, as zxcvbn wants it
    size_t count;
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

// Words of one or two characters are in everything; they would only mark good passwords as bad.
static void words_add(struct words *words, struct view word)
{
    char *text = words->text[words->count];
    if (word.size < 3 || words->count == RULES_WORDS_MAX) {
        return;
    }
    if (!view_to_cstr(view_first(word, RULES_WORD_SIZE_MAX), text, RULES_WORD_SIZE_MAX + 1)) {
        return;
    }
    for (char *c = text; *c != 0; c++) {
        *c = (char)lower((uint8_t)*c);
    }
    words->list[words->count++] = text;
    words->list[words->count] = NULL;
}

static bool separates(uint8_t c)
{
    return c == '.' || c == '-' || c == '_' || c == '@' || c == '+';
}

// The whole and its parts: "ada.lovelace@example.org" gives also "ada", "lovelace", "example", "org".
static void words_add_parts(struct words *words, struct view whole)
{
    words_add(words, whole);
    size_t start = 0;
    for (size_t i = 0; i <= whole.size; i++) {
        if (i == whole.size || separates(whole.data[i])) {
            if (i - start < whole.size) {
                words_add(words, view_first(view_from(whole, start), i - start));
            }
            start = i + 1;
        }
    }
}

static void words_init(struct words *words, const struct rules_context *context)
{
    words->count = 0;
    words->list[0] = NULL;
    words_add_parts(words, context->user_name);
    words_add_parts(words, context->email);
    words_add_parts(words, context->service);
    words_add(words, VIEW("stayd"));
}

// --- How many guesses

static const char *reason_of_match(int type, bool whole)
{
    if (type >= MULTIPLE_MATCH) {
        return "Repeats like 'abcabcabc' are hardly harder to guess than 'abc'.";
    }
    switch (type) {
    case DICTIONARY_MATCH:
        return whole ? "A single common word, name or password is easy to guess."
                     : "It is made of a common word, name or password and little else.";
    case DICT_LEET_MATCH:
        return "Predictable substitutions like '@' for 'a' don't make a common word much harder to guess.";
    case USER_MATCH:
    case USER_LEET_MATCH:
        return "It is made of your user name, your e-mail address or the name of this service.";
    case REPEATS_MATCH:
        return "Repeated characters like 'aaa' are easy to guess.";
    case SEQUENCE_MATCH:
        return "Sequences like 'abc' or '6543' are easy to guess.";
    case SPATIAL_MATCH:
        return "Rows of keys like 'qwerty' are easy to guess.";
    case DATE_MATCH:
    case YEAR_MATCH:
        return "Dates and years are easy to guess.";
    default:
        return "It is too short and simple; a computer guesses it quickly.";
    }
}

struct estimate {
    double bits;
    int type; // of the longest part that was recognised
    bool whole;
};

static struct estimate estimate_window(struct view window, struct words *words)
{
    char text[WINDOW_SIZE + 1];
    struct estimate estimate = {.type = BRUTE_MATCH};
    ZxcMatch_t *parts = NULL;
    int longest = 0;
    if (!view_to_cstr(window, text, sizeof text)) {
        return estimate;
    }
    estimate.bits = ZxcvbnMatch(text, words->list, &parts);
    for (ZxcMatch_t *part = parts; part != NULL; part = part->Next) {
        if ((int)part->Type != BRUTE_MATCH && part->Length > longest) {
            longest = part->Length;
            estimate.type = (int)part->Type;
            estimate.whole = (size_t)part->Length == window.size;
        }
    }
    ZxcvbnFreeInfo(parts);
    wipe(text, sizeof text);
    return estimate;
}

static struct estimate estimate_guesses(struct view password, struct words *words)
{
    struct estimate first = estimate_window(view_first(password, WINDOW_SIZE), words);
    if (password.size <= WINDOW_SIZE || first.bits >= RULES_BITS_MIN) {
        return first;
    }
    struct estimate last = estimate_window(view_from(password, password.size - WINDOW_SIZE), words);
    return last.bits > first.bits ? last : first;
}

static void judge_guesses(struct view password, const struct rules_context *context,
                          struct rules_finding *finding)
{
    struct words words;
    words_init(&words, context);
    if (text_is_monotonous(password)) {
        find(finding, RULES_GUESSABLE, "Repeated characters and sequences are easy to guess.", advice_how);
        return;
    }
    struct estimate estimate = estimate_guesses(password, &words);
    if (estimate.bits < RULES_BITS_MIN) {
        bool personal = estimate.type == USER_MATCH || estimate.type == USER_LEET_MATCH;
        find(finding, personal ? RULES_PERSONAL : RULES_GUESSABLE,
             reason_of_match(estimate.type, estimate.whole), advice_how);
    }
}

// --- Lists

static enum common_answer find_in_lists(const struct rules *rules, struct view normal, struct view folded)
{
    enum common_answer answer = COMMON_ABSENT;
    for (size_t i = 0; i < rules->list_count && answer == COMMON_ABSENT; i++) {
        answer = common_find(rules->lists[i], normal, folded);
    }
    return answer;
}

static void unavailable(struct rules_finding *finding)
{
    find(finding, RULES_UNAVAILABLE, "The password can't be checked at the moment.", "Please try again.");
}

static void judge_lists(const struct rules *rules, struct view typed, struct view normal,
                        struct rules_finding *finding)
{
    struct secret folded = {0};
    enum text_result result = text_fold(typed, &folded);
    if (result == TEXT_NO_MEMORY) {
        unavailable(finding);
        return;
    }
    struct view spelling = result == TEXT_OK ? view_of(folded.data, folded.size) : normal;
    switch (find_in_lists(rules, normal, spelling)) {
    case COMMON_PRESENT:
        find(finding, RULES_COMMON,
             "This is one of the passwords that attackers try first: it is common or was leaked.",
             advice_how);
        break;
    case COMMON_UNKNOWN:
        unavailable(finding);
        break;
    case COMMON_ABSENT:
        break;
    }
    secret_release(&folded);
}

// --- All of it

static bool judge_text(struct view typed, struct secret *normal, struct rules_finding *finding)
{
    switch (text_normalise(typed, normal)) {
    case TEXT_OK:
        return true;
    case TEXT_TOO_LONG:
        find(finding, RULES_TOO_LONG, "A password can have at most 1024 bytes.",
             "A shorter one is just as safe.");
        return false;
    case TEXT_NOT_UTF8:
        find(finding, RULES_NOT_TEXT, "This is not text that can be typed.",
             "Please enter the password again.");
        return false;
    case TEXT_NO_MEMORY:
        unavailable(finding);
        return false;
    }
    return false;
}

void rules_judge(const struct rules *rules, struct view typed, const struct rules_context *context,
                 struct secret *normal, struct rules_finding *finding)
{
    struct secret text = {0};
    *finding = (struct rules_finding){.verdict = RULES_ACCEPTED};
    if (!judge_text(typed, &text, finding)) {
        return;
    }
    struct view password = view_of(text.data, text.size);
    if (text_characters(password) < RULES_CHARACTERS_MIN) {
        find(finding, RULES_TOO_SHORT, "A password needs at least 8 characters.", advice_how);
        goto out;
    }
    judge_lists(rules, typed, password, finding);
    if (finding->verdict == RULES_ACCEPTED) {
        judge_guesses(password, context, finding);
    }
    if (finding->verdict == RULES_ACCEPTED) {
        *normal = text;
        return;
    }
out:
    secret_release(&text);
}
