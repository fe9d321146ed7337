// SPDX-License-Identifier: ISC
// Whatever core might answer: a reply and its records are decoded and shown, or refused, without harm.
#include "cli/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    struct wire_reply reply;
    if (nowhere == NULL) {
        text_init();
        nowhere = fopen("/dev/null", "we");
    }
    // Rows as they are, too: a reply around them only costs bytes.
    struct view rows = view_of(data, size);
    if (wire_reply_decode(rows, &reply)) {
        rows = reply.rows;
    }
    for (int kind = SHOW_ACCOUNTS; kind <= SHOW_AUDIT; kind++) {
        for (int json = 0; json < 2; json++) {
            struct listing listing;
            listing_begin(&listing, (enum show_kind)kind, json, nowhere);
            listing_rows(&listing, rows, SIZE_MAX);
            listing_end(&listing, "");
        }
    }
    text_print(nowhere, rows, 20);
    return 0;
}
