// SPDX-License-Identifier: ISC
// Look-ups of sessions that the tables missed. Runs in stayd-front.
// 1. Core's answer is for the very request that asked: it is kept under the connection's request (`vouched`)
//    and used at once, when the request is handled again, in the same turn of the loop.
// 2. "Unknown" is remembered for selector and verifier together: a wrong verifier says nothing about the
//    right one. A token that was unknown can't become known later: core makes tokens at random.
#include "front/lookup.h"

#include "front/connection.h"

struct remembered {
    uint8_t key[32];
    uint32_t until_s;
};

struct lookups {
    struct remembered *remembered; // `places` of them, a power of two
    uint32_t places, entries;
    uint32_t pushed_out; // since the room last grew: entries that were still remembered
    // Look-ups under way, by a hash of their key: the same session is asked for once.
    struct {
        uint8_t key[32];
        uint64_t trace;
        struct ask *ask;
    } under_way[1024];
    uint32_t counted_s; // when the entries were counted
    // The last answer.
    bool has_answer;
    uint8_t outcome;
    uint8_t key[32];
    struct sessions_identity *identity; // NULL: the table has it
    struct sessions_identity room;
};

static void key_of(const struct credentials *credentials, uint8_t key[32])
{
    memcpy(key, credentials->selector, 16);
    memcpy(key + 16, credentials->verifier_hash, 16);
}

// The verifier's hash is no one's to choose freely, so that places can't be filled on purpose cheaply.
static uint32_t hash_of(const uint8_t key[32])
{
    uint32_t word;
    memcpy(&word, key + 16, sizeof(word));
    return word;
}

static struct remembered *remembered_place(struct lookups *lookups, const uint8_t key[32])
{
    return &lookups->remembered[hash_of(key) % lookups->places];
}

// A row of core's answer as the table would have told it.
static bool identity_from(const struct wire_account_public *row, struct sessions_identity *out)
{
    struct view parts[] = {row->name, row->display_name, row->email, row->groups};
    struct view *to[] = {&out->name, &out->display_name, &out->email, &out->groups};
    size_t at = 0;
    out->account_flags = (row->flags & WIRE_ACCOUNT_DISABLED_FLAG ? ACCOUNT_DISABLED : 0) |
                         (row->flags & WIRE_ACCOUNT_EMAIL_VERIFIED ? ACCOUNT_EMAIL_VERIFIED : 0);
    out->note_seen = false;
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].size > sizeof(out->text) - at) {
            return false;
        }
        if (parts[i].size > 0) {
            memcpy(out->text + at, parts[i].data, parts[i].size);
        }
        *to[i] = view_of(out->text + at, parts[i].size);
        at += parts[i].size;
    }
    return (out->account_flags & ACCOUNT_DISABLED) == 0;
}

static void show_remembered(const struct lookups *lookups)
{
    stats_set(STATS_cache_unknown_tokens_entries, lookups->entries);
    stats_set(STATS_cache_unknown_tokens_capacity, lookups->places);
}

// At most once a second, and only while unknown tokens come: what was forgotten meanwhile.
static void count_remembered(struct lookups *lookups, uint32_t now_s)
{
    if (lookups->counted_s == now_s) {
        return;
    }
    lookups->counted_s = now_s;
    lookups->entries = 0;
    for (size_t i = 0; i < lookups->places; i++) {
        lookups->entries += lookups->remembered[i].until_s > now_s;
    }
}

// Twice the room while what is still remembered is pushed out. Without memory it stays as it is.
static void grow(struct lookups *lookups, uint32_t now_s)
{
    uint32_t places = lookups->places * 2;
    struct remembered *old = lookups->remembered;
    struct remembered *larger = places <= LOOKUP_REMEMBERED_MAX ? calloc(places, sizeof(*larger)) : NULL;
    lookups->pushed_out = 0;
    if (larger == NULL) {
        return;
    }
    for (size_t i = 0; i < lookups->places; i++) {
        if (old[i].until_s > now_s) {
            larger[hash_of(old[i].key) % places] = old[i];
        }
    }
    lookups->remembered = larger;
    lookups->places = places;
    free(old);
}

static void remember(struct lookups *lookups, const uint8_t key[32], uint32_t now_s)
{
    count_remembered(lookups, now_s);
    struct remembered *place = remembered_place(lookups, key);
    bool taken = place->until_s > now_s;
    if (taken && memcmp(place->key, key, 32) != 0) {
        stats_count(STATS_cache_unknown_tokens_evictions);
        if (++lookups->pushed_out > lookups->places / 8) {
            grow(lookups, now_s);
            place = remembered_place(lookups, key);
            taken = place->until_s > now_s;
        }
    }
    lookups->entries += !taken;
    memcpy(place->key, key, 32);
    place->until_s = now_s + LOOKUP_FORGET_S;
    show_remembered(lookups);
}

static void note_answer(struct lookups *lookups, const uint8_t key[32], const struct wire_reply *reply,
                        uint32_t now_s)
{
    struct view rows = reply->rows;
    struct wire_account_public account;
    lookups->has_answer = true;
    lookups->outcome = reply->reason == WIRE_THROTTLED ? WIRE_UNAVAILABLE : reply->outcome;
    memcpy(lookups->key, key, 32);
    lookups->identity = NULL;
    if (reply->outcome == WIRE_REFUSED && reply->reason != WIRE_THROTTLED) {
        remember(lookups, key, now_s);
        stats_count(STATS_lookups_none);
        return;
    }
    stats_count(reply->outcome == WIRE_GRANTED ? STATS_lookups_found : STATS_lookups_failed);
    if (reply->outcome == WIRE_GRANTED) { // the table should have had it
        stats_count(STATS_cache_sessions_misses);
    }
    while (rows.size > 0 && lookups->identity == NULL) {
        struct wire_session_public session;
        if (wire_account_public_next(&rows, &account)) {
            lookups->identity = identity_from(&account, &lookups->room) ? &lookups->room : NULL;
        } else if (!wire_session_public_next(&rows, &session)) {
            break;
        }
    }
}

static void on_answer(struct ask *ask, const struct wire_reply *reply)
{
    struct front *front = ask->exchange.front;
    uint8_t key[32];
    key_of(&ask->exchange.credentials, key);
    size_t slot = hash_of(key) % 1024;
    if (front->lookups->under_way[slot].ask == ask) {
        front->lookups->under_way[slot].ask = NULL;
    }
    note_answer(front->lookups, key, reply, front_mono_s(front));
    if (reply->outcome == WIRE_GRANTED) { // no unknown token after all
        sources_give_miss(&front->sources, ask->exchange.client);
    }
}

static enum exchange_session use_answer(struct exchange *exchange)
{
    struct front *front = exchange->front;
    struct lookups *lookups = front->lookups;
    lookups->has_answer = false;
    if (lookups->outcome == WIRE_REFUSED) {
        return EXCHANGE_ANONYMOUS;
    }
    if (lookups->outcome != WIRE_GRANTED || lookups->identity == NULL) {
        return EXCHANGE_UNKNOWN;
    }
    // The table has room for all but the most crowded moments; core's word counts as much.
    front->identity = *lookups->identity;
    struct view *views[] = {&front->identity.name, &front->identity.display_name, &front->identity.email,
                            &front->identity.groups};
    for (size_t i = 0; i < 4; i++) {
        views[i]->data = front->identity.text + (views[i]->data - lookups->room.text);
    }
    return EXCHANGE_SIGNED_IN;
}

enum exchange_session lookup_session(struct exchange *exchange)
{
    struct front *front = exchange->front;
    struct lookups *lookups = front->lookups;
    uint8_t key[32];
    key_of(&exchange->credentials, key);
    if (exchange->intake != NULL && exchange->intake->looked_up) {
        bool ours = lookups->has_answer && memcmp(lookups->key, key, 32) == 0;
        return ours ? use_answer(exchange) : EXCHANGE_UNKNOWN;
    }
    stats_count(STATS_table_misses); // once, also where the table has no room for the answer
    const struct remembered *place = remembered_place(lookups, key);
    if (place->until_s > front_mono_s(front) && memcmp(place->key, key, 32) == 0) {
        stats_count(STATS_lookups_remembered);
        stats_count(STATS_cache_unknown_tokens_hits);
        return EXCHANGE_ANONYMOUS;
    }
    stats_count(STATS_cache_unknown_tokens_misses);
    stats_count(STATS_lookups_arrived);
    crowd_note(&front->crowd, exchange->client);
    if (asks_crowded(front)) {
        stats_count(STATS_refused_busy);
        return EXCHANGE_UNKNOWN;
    }
    if (!sources_take_miss(&front->sources, exchange->client, front_mono_s(front))) {
        stats_count(STATS_refused_source);
        return EXCHANGE_MISSES_SPENT;
    }
    struct ask *ask = ask_new(exchange, "session_lookup", on_answer);
    if (ask == NULL) {
        return EXCHANGE_PARKED; // answered
    }
    ask->may_repeat = ask->is_lookup = true;
    ask->due = front->wheel.now + ASK_LOOKUP_DEADLINE_MS / WHEEL_TICK_MS;
    size_t slot = hash_of(key) % 1024;
    struct ask *leader = lookups->under_way[slot].ask;
    if (leader != NULL && memcmp(lookups->under_way[slot].key, key, 32) == 0) {
        ask_follow(ask, leader);
        return EXCHANGE_PARKED;
    }
    if (leader == NULL) {
        memcpy(lookups->under_way[slot].key, key, 32);
        lookups->under_way[slot].ask = ask;
    }
    ASK_CORE(ask, session_lookup, .request = 0);
    return EXCHANGE_PARKED;
}

void lookup_answer_forget(struct front *front)
{
    front->lookups->has_answer = false;
}

bool lookups_init(struct front *front)
{
    struct lookups *lookups = calloc(1, sizeof(*lookups));
    front->lookups = lookups;
    if (lookups == NULL) {
        return false;
    }
    lookups->places = LOOKUP_REMEMBERED;
    lookups->remembered = calloc(lookups->places, sizeof(*lookups->remembered));
    show_remembered(lookups);
    return lookups->remembered != NULL;
}

void lookups_release(struct front *front)
{
    if (front->lookups != NULL) {
        free(front->lookups->remembered);
    }
    free(front->lookups);
    front->lookups = NULL;
}
