// SPDX-License-Identifier: ISC
// Another HTTP parser (Debian's libhttp-parser, 2.9.4) behind a plain interface, to compare ours with.
// Used by fuzz targets only, never by a process of the product. Its header and ours share names, hence this
// file. Bounds: REFERENCE_INPUT_MAX bytes, REFERENCE_HEADERS_MAX headers.
#ifndef FUZZ_HTTP_REFERENCE_H
#define FUZZ_HTTP_REFERENCE_H

#include "base/bytes.h"

#define REFERENCE_INPUT_MAX   4096
#define REFERENCE_HEADERS_MAX 2048

enum reference_verdict {
    REFERENCE_NEED_MORE,
    REFERENCE_DONE,
    REFERENCE_REFUSED,
};

struct reference_header {
    struct view name, value; // the value as that parser leaves it, perhaps with white space at its end
};

struct reference {
    enum reference_verdict verdict;
    const char *error; // a name, for people
    const char *method;
    struct view target;
    struct view body;
    unsigned major, minor;
    bool keep_alive;
    size_t consumed;
    size_t header_count;
    struct reference_header headers[REFERENCE_HEADERS_MAX];
    // Its callbacks come in pieces, which are put together here.
    bool in_value;
    bool head_done;
    size_t memory_size;
    uint8_t memory[4 * REFERENCE_INPUT_MAX];
};

// Parses one message at the start of the input.
void reference_parse(struct reference *reference, struct view input);

#endif
