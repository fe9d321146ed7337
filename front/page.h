// SPDX-License-Identifier: ISC
// What the page handlers share: forms in, pages out. Used by stayd-front. Owns nothing.
#ifndef FRONT_PAGE_H
#define FRONT_PAGE_H

#include "front/change.h"
#include "pages/pages.h"

#define PAGE_FIELDS_MAX 12

// One field of a form; absent ones are empty.
struct page_field {
    const char *name;
    size_t size_max;
    struct view *value;
    bool *present; // may be NULL
};

// Decodes the form in place, and sees that it is the person's own (see change_is_own). false: answered.
// Fields that are not named are passed over: browsers and password managers add some.
[[nodiscard]] bool page_form(struct exchange *exchange, const struct page_field *fields, size_t count);

// Whether a signed-in person asks; otherwise answered (with the way to the log-in page), or parked.
[[nodiscard]] bool page_signed_in(struct exchange *exchange);
// Into the ask: who is signed in, for the frame of the page that the answer makes.
#define PAGE_ADMINISTRATOR (1u << 31) // in ask->flags
void page_keep_frame(struct ask *ask);
// Empty when nobody is. `room` holds the form token.
struct pages_frame page_frame_of(const struct ask *ask, char room[static CREDENTIALS_FORM_TOKEN_SIZE]);
bool page_is_administrator(const struct sessions_identity *identity);

// A page that was written to front->page (`fine`: by a pages_… function).
void page_answer(struct exchange *exchange, unsigned status, bool fine);
// The same, with the cookies of a grant; 303 to `location`.
void page_answer_grant(struct exchange *exchange, const struct granted *granted, struct view location);

// What went wrong, as a sentence for the page and the field it is about. The text is the reply's, or static.
struct page_trouble {
    unsigned status;
    struct view text;
    uint32_t in; // enum pages_in
    uint32_t retry_after_s;
};
struct page_trouble page_trouble_of(const struct wire_reply *reply);

// Seals; false: answered.
[[nodiscard]] bool page_seal(struct exchange *exchange, struct view password, struct sealed *sealed);
// Sessions of a reply as rows of a page. `room` backs their texts.
struct page_sessions {
    struct pages_session row[PAGES_ROWS_MAX];
    char id[PAGES_ROWS_MAX][CHANGE_ID_SIZE];
    char address[PAGES_ROWS_MAX][46];
    char device[PAGES_ROWS_MAX][PAGES_DEVICE_SIZE_MAX];
    size_t count;
};
void page_sessions_read(struct view rows, struct page_sessions *sessions);

// Fixed texts of "it is done", by the word in the query (?done=password); empty for an unknown one.
struct view page_notice(const struct exchange *exchange);

#endif
