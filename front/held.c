// SPDX-License-Identifier: ISC
// Held requests, with a few spare ones. Runs in stayd-front.
#include "front/held.h"

#define SPARE_HELD_MAX 16

static struct held *spare_held;
static unsigned spare_held_count;

struct held *held_new(const struct http_limits *limits)
{
    struct held *held = spare_held;
    if (held != NULL) {
        spare_held = held->next;
        spare_held_count--;
    } else {
        held = malloc(sizeof(*held));
        if (held == NULL) {
            return NULL;
        }
    }
    size_t room = limits->head_bytes_max + limits->body_bytes_max + 2 * INBOX_BYTES;
    bytes_init(&held->in, room);
    return held;
}

uint8_t *held_reserve(struct held *held, size_t size)
{
    struct bytes *in = &held->in;
    if (size > in->capacity - in->size && in->data != NULL) {
        struct bytes larger;
        bytes_init(&larger, in->size_max);
        if (bytes_reserve(&larger, in->size + size) == NULL || !bytes_append_view(&larger, bytes_view(in))) {
            bytes_release(&larger);
            return NULL;
        }
        wipe(in->data, in->size);
        bytes_release(in);
        *in = larger;
    }
    return bytes_reserve(in, size);
}

void held_free(struct held **at)
{
    struct held *held = *at;
    if (held == NULL) {
        return;
    }
    if (held->in.data != NULL) {
        wipe(held->in.data, held->in.size);
    }
    bytes_release(&held->in);
    *at = NULL;
    if (spare_held_count < SPARE_HELD_MAX) {
        held->next = spare_held;
        spare_held = held;
        spare_held_count++;
    } else {
        free(held);
    }
}

void held_free_spare(void)
{
    while (spare_held != NULL) {
        struct held *next = spare_held->next;
        free(spare_held);
        spare_held = next;
    }
    spare_held_count = 0;
}
