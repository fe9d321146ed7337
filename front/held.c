// SPDX-License-Identifier: ISC
// Held requests, with a few spare ones. Runs in stayd-front.
#include "front/held.h"

#define SPARE_HELD_MAX 16

static struct held *spare_held;
static unsigned spare_held_count;
static size_t held_bytes; // of all that are held

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
    held->counted = 0;
    return held;
}

static void count_again(struct held *held)
{
    held_bytes += held->in.capacity - held->counted;
    held->counted = held->in.capacity;
}

uint8_t *held_reserve(struct held *held, size_t size)
{
    struct bytes *in = &held->in;
    if (size > in->capacity - in->size && held_bytes + size > HELD_BYTES_MAX) {
        return NULL;
    }
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
    uint8_t *to = bytes_reserve(in, size);
    count_again(held);
    return to;
}

bool held_append(struct held *held, const uint8_t *data, size_t size)
{
    uint8_t *to = held_reserve(held, size);
    if (to == NULL) {
        return false;
    }
    memcpy(to, data, size);
    held->in.size += size;
    return true;
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
    held_bytes -= held->counted;
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
