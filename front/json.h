// SPDX-License-Identifier: ISC
// Reads the JSON bodies of the API: one flat object with known fields. Used by stayd-front. Owns the document
// it read, which is wiped when released. Bounds: JSON_SIZE_MAX bytes, JSON_FIELDS_MAX fields, no nesting.
#ifndef FRONT_JSON_H
#define FRONT_JSON_H

#include "base/bytes.h"

#define JSON_SIZE_MAX   16384
#define JSON_FIELDS_MAX 16

struct json_field {
    const char *name;
    bool required;
    size_t size_max;   // of a text, in bytes
    struct view *text; // one of these two
    bool *flag;
};

struct json_document {
    void *root;
    char problem[160]; // for the client, when it was refused: names the field
};

// Once, before the first document: memory is wiped when it is given back.
void json_begin(void);
// Fills the fields; the views are the document's. false: see problem.
[[nodiscard]] bool json_read(struct json_document *document, struct view body,
                             const struct json_field *fields, size_t count);
void json_release(struct json_document *document);

#endif
