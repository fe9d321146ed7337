// SPDX-License-Identifier: ISC
// The table of sessions makes room: a bucket is split (linear hashing), or others move to their second bucket
// (cuckoo, shortest path first). Runs in core.
//
// The order of stores, for a reader that looks on and for a core that dies:
//   move:   name it in `change`; fill the copy; raise `moves`; clear the original; forget the name.
//   split:  name it; fill the copies in the new bucket, which no address leads to yet; store the new
//   addressing;
//           raise `moves`; clear the originals; forget the name.
// At every moment each session is reachable under the addressing that is stored. A reader with the old
// addressing finds the originals, or sees them gone and `moves` raised. Recovery: a move whose copy is there
// loses its original; a split whose addressing is stored is finished, any other is forgotten (the copies are
// in a bucket that is emptied before it is used).
//
// A path of moves runs from its far end: each step moves one session into a place that is free already, so
// that a path cut short is only a few moves more.
#include "sessions/write_parts.h"

enum {
    LOAD_PERMILLE = 880, // a split keeps the table below this share of its places
    PATH_NODES = 300,    // buckets looked at for a path: two levels of 14 and 84, part of the third
    FORCED_SPLITS = 8,
};

static uint64_t other_bucket(const struct sessions_writer *writer, struct table_place at)
{
    struct sessions_hash hash = entry_hash(table_entry(writer, at));
    uint64_t addressing = table_addressing(writer);
    uint64_t first = addressing_bucket(addressing, hash.hash[0]);
    return first != at.bucket ? first : addressing_bucket(addressing, hash.hash[1]);
}

static bool belongs(uint64_t addressing, const struct sessions_entry *entry, uint64_t bucket)
{
    struct sessions_hash hash = entry_hash(entry);
    return addressing_bucket(addressing, hash.hash[0]) == bucket ||
           addressing_bucket(addressing, hash.hash[1]) == bucket;
}

static void moves_raise(struct sessions_writer *writer)
{
    struct sessions_header *header = &writer->sessions->header;
    store64(writer, &header->moves, READ(header->moves) + 1);
}

// What moves may pass behind the sweep: its account counts as used.
static void copy_fill(struct sessions_writer *writer, struct table_place from, struct table_place to)
{
    const struct sessions_entry *entry = table_entry(writer, from);
    if (READ(entry->account_slot) < writer->slot_max)
        account_mark(writer, READ(entry->account_slot));
    place_fill(writer, to, entry);
}

static void move(struct sessions_writer *writer, struct table_place from, struct table_place to)
{
    change_begin(writer, SESSIONS_CHANGE_MOVE, from);
    copy_fill(writer, from, to);
    moves_raise(writer);
    place_clear(writer, from);
    change_end(writer);
}

// ---- split

// Clears what does not belong into `parent` any more; its copies are in the new bucket.
static void split_finish(struct sessions_writer *writer, uint64_t parent)
{
    uint64_t addressing = table_addressing(writer);
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        struct table_place at = {parent, i};
        if (table_occupied(writer, at) && !belongs(addressing, table_entry(writer, at), parent))
            place_clear(writer, at);
    }
}

static bool split_allocate(struct sessions_writer *writer, uint64_t count)
{
    uint64_t offset = offsetof(struct sessions_file, bucket);
    return count <= writer->bucket_max &&
           area_allocate(writer, SESSIONS_FILE, offset, &writer->sessions->header.allocated,
                         count * sizeof(struct sessions_bucket), writer->sessions_size - offset);
}

bool table_grow(struct sessions_writer *writer)
{
    uint64_t addressing = table_addressing(writer);
    uint64_t parent = (uint32_t)addressing;
    uint64_t child = addressing_count(addressing);
    uint64_t grown = addressing_grown(addressing);
    if (grown >> 32 > 30 || !split_allocate(writer, child + 1))
        return false;
    change_begin(writer, SESSIONS_CHANGE_SPLIT, (struct table_place){parent, 0});
    struct sessions_bucket *bucket = &writer->sessions->bucket[child];
    store32(writer, &bucket->occupied, 0);
    store32(writer, &bucket->version, READ(bucket->version) + 1);
    struct table_place to = {child, 0};
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        struct table_place at = {parent, i};
        if (table_occupied(writer, at) && !belongs(grown, table_entry(writer, at), parent)) {
            copy_fill(writer, at, to);
            to.place++;
        }
    }
    store64(writer, &writer->sessions->header.addressing, grown);
    moves_raise(writer);
    split_finish(writer, parent);
    change_end(writer);
    return true;
}

void table_grow_ahead(struct sessions_writer *writer)
{
    for (int i = 0; i < 2; i++) {
        uint64_t places = addressing_count(table_addressing(writer)) * SESSIONS_BUCKET_ENTRIES;
        if ((READ(writer->sessions->header.live) + 1) * 1000 <= places * LOAD_PERMILLE || !table_grow(writer))
            return;
    }
}

// ---- moves

// A bucket on a path, and the place in its parent whose session would move here.
struct path_node {
    uint64_t bucket;
    int parent; // -1: one of the two that the new session may go to
    unsigned parent_place;
};

struct path {
    struct path_node node[PATH_NODES];
    int count;
};

static bool path_passes(const struct path *path, int node, uint64_t bucket)
{
    for (; node >= 0; node = path->node[node].parent) {
        if (path->node[node].bucket == bucket)
            return true;
    }
    return false;
}

// The bucket is looked at some turns later: in a large table its head comes from far away.
static void path_add(const struct sessions_writer *writer, struct path *path, uint64_t bucket, int parent,
                     unsigned parent_place)
{
    if (path->count < PATH_NODES && !path_passes(path, parent, bucket)) {
        __builtin_prefetch(&writer->sessions->bucket[bucket]);
        path->node[path->count++] = (struct path_node){bucket, parent, parent_place};
    }
}

// Moves from the node that has `free` up to the root; the place that becomes free there is the result.
static struct table_place path_walk(struct sessions_writer *writer, const struct path *path, int node,
                                    struct table_place free)
{
    for (; path->node[node].parent >= 0; node = path->node[node].parent) {
        const struct path_node *at = &path->node[node];
        struct table_place from = {path->node[at->parent].bucket, at->parent_place};
        move(writer, from, free);
        free = from;
    }
    return free;
}

static bool path_search(struct sessions_writer *writer, const struct sessions_hash *hash,
                        struct table_place *at)
{
    uint64_t addressing = table_addressing(writer);
    struct path path = {.count = 0};
    path_add(writer, &path, addressing_bucket(addressing, hash->hash[0]), -1, 0);
    path_add(writer, &path, addressing_bucket(addressing, hash->hash[1]), -1, 0);
    for (int node = 0; node < path.count; node++) {
        uint64_t bucket = path.node[node].bucket;
        if (bucket_free_place(writer, bucket, at)) {
            *at = path_walk(writer, &path, node, *at);
            return true;
        }
        for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++)
            path_add(writer, &path, other_bucket(writer, (struct table_place){bucket, i}), node, i);
    }
    return false;
}

static int bucket_load(const struct sessions_writer *writer, uint64_t bucket)
{
    return __builtin_popcount(READ(writer->sessions->bucket[bucket].occupied));
}

static bool direct_place(const struct sessions_writer *writer, const struct sessions_hash *hash,
                         struct table_place *at)
{
    uint64_t addressing = table_addressing(writer);
    uint64_t first = addressing_bucket(addressing, hash->hash[0]);
    uint64_t second = addressing_bucket(addressing, hash->hash[1]);
    uint64_t emptier = bucket_load(writer, second) < bucket_load(writer, first) ? second : first;
    return bucket_free_place(writer, emptier, at);
}

bool table_make_place(struct sessions_writer *writer, const struct sessions_hash *hash,
                      struct table_place *at)
{
    for (int splits = 0;; splits++) {
        if (direct_place(writer, hash, at) || path_search(writer, hash, at))
            return true;
        if (splits == FORCED_SPLITS || !table_grow(writer))
            return false;
    }
}

// ---- recovery

static bool has_copy(const struct sessions_writer *writer, struct table_place at)
{
    const struct sessions_entry *entry = table_entry(writer, at);
    struct sessions_hash hash = entry_hash(entry);
    for (int side = 0; side < 2; side++) {
        uint64_t bucket = addressing_bucket(table_addressing(writer), hash.hash[side]);
        for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
            struct table_place other = {bucket, i};
            if ((bucket == at.bucket && i == at.place) || !table_occupied(writer, other))
                continue;
            if (READ(table_entry(writer, other)->selector[0]) == hash.selector[0] &&
                READ(table_entry(writer, other)->selector[1]) == hash.selector[1])
                return true;
        }
    }
    return false;
}

static void version_raise(struct sessions_writer *writer, uint64_t bucket)
{
    _Atomic uint32_t *version = &writer->sessions->bucket[bucket].version;
    store32(writer, version, READ(*version) + 1);
}

static void recover_split(struct sessions_writer *writer, uint64_t parent)
{
    if (parent == (uint32_t)table_addressing(writer))
        return;
    moves_raise(writer);
    split_finish(writer, parent);
}

void table_recover(struct sessions_writer *writer)
{
    struct sessions_header *header = &writer->sessions->header;
    uint64_t change = READ(header->change);
    struct table_place at = {(uint32_t)change, (unsigned)(change >> 32 & 0xff)};
    switch ((enum sessions_change_kind)(change >> 40)) {
    case SESSIONS_CHANGE_NONE:
        return;
    case SESSIONS_CHANGE_FILL:
        store64(writer, &header->live, READ(header->live_before) + (table_occupied(writer, at) ? 1 : 0));
        break;
    case SESSIONS_CHANGE_CLEAR:
        store64(writer, &header->live, READ(header->live_before) - (table_occupied(writer, at) ? 0 : 1));
        break;
    case SESSIONS_CHANGE_MOVE:
        if (table_occupied(writer, at) && has_copy(writer, at)) {
            moves_raise(writer);
            place_clear(writer, at);
        }
        break;
    case SESSIONS_CHANGE_SPLIT:
        recover_split(writer, at.bucket);
        break;
    }
    version_raise(writer, at.bucket);
    change_end(writer);
}
