// SPDX-License-Identifier: ISC
// Early refusal. Runs in stayd-front.
#include "front/early.h"

#include "base/log.h"
#include "front/ask.h"

#define COLLECT_S   0.002
#define ALL         65535u
#define QUIET_TICKS (5000 / WHEEL_TICK_MS) // without a refusal for so long, it is over

// What core said of one kind.
struct kind {
    uint16_t refused;
    uint8_t reason;
    uint32_t retry_after_s;
};

// Evenly, one in so many, give or take a half: by mere chance many would come in one moment and none in the
// next. Which one nobody can foresee.
static bool lets_in(struct early_turn *turn, struct kind kind, uint64_t random)
{
    turn->credit += ALL - kind.refused;
    if (turn->credit < turn->price) {
        return false;
    }
    turn->credit -= turn->price;
    turn->price = ALL / 2 + (uint32_t)(random & 0xffff);
    return true;
}

static bool refuses(struct exchange *exchange, struct kind kind, struct early_turn *turn,
                    struct wire_reply *reply)
{
    struct front *front = exchange->front;
    if (kind.refused == 0) {
        return false;
    }
    uint64_t random = front_trace(front);
    if (kind.refused < ALL && lets_in(turn, kind, random)) {
        return false;
    }
    // Up to a half more, so that they don't all come back at once.
    uint64_t wait_ms = kind.retry_after_s == 0 ? 1000 : kind.retry_after_s * 1000ull;
    wait_ms += wait_ms / 2 * (random >> 48) / 65536;
    *reply = (struct wire_reply){.outcome = WIRE_UNAVAILABLE,
                                 .reason = kind.reason,
                                 .retry_after_s = (uint32_t)((wait_ms + 999) / 1000)};
    front->turned_away++;
    front->turned_away_reason = kind.reason;
    front->turned_away_at = front->wheel.now;
    return true;
}

bool early_refuses_login(struct exchange *exchange, struct wire_reply *reply)
{
    const struct wire_core_admission *told = asks_admission(exchange->front);
    struct kind kind = {told->login_refused, told->login_reason, told->login_retry_after_s};
    bool refused = refuses(exchange, kind, &exchange->front->login_turn, reply);
    stats_add(STATS_turned_away_logins, refused);
    return refused;
}

bool early_refuses_sign_up(struct exchange *exchange, struct wire_reply *reply)
{
    const struct wire_core_admission *told = asks_admission(exchange->front);
    struct kind kind = {told->sign_up_refused, told->sign_up_reason, told->sign_up_retry_after_s};
    bool refused = refuses(exchange, kind, &exchange->front->sign_up_turn, reply);
    stats_add(STATS_turned_away_registrations, refused);
    return refused;
}

static const char *cause(uint8_t reason)
{
    switch (reason) {
    case WIRE_STORE_DOWN:
        return "the database does not answer";
    case WIRE_STORE_BUSY:
        return "the database answers fewer than come";
    case WIRE_HASH_BUSY:
        return "more passwords come than can be hashed";
    case WIRE_HASH_DOWN:
        return "stayd-hash does not answer";
    default:
        return "more come than can be served";
    }
}

// In a storm what arrives within two milliseconds is served together: a turn of the loop for each refusal
// would interrupt the hashing on the same core a thousand times a second.
void early_told(struct front *front)
{
    const struct wire_core_admission *told = asks_admission(front);
    bool storm = (told->login_refused > 0 && told->login_reason != WIRE_STORE_DOWN) ||
                 (told->sign_up_refused > 0 && told->sign_up_reason != WIRE_STORE_DOWN);
    ev_set_io_collect_interval(front->loop, storm ? COLLECT_S : 0.0);
}

void early_tick(struct front *front)
{
    if (front->turned_away > 0 && !front->turning_away) {
        front->turning_away = true;
        log_event(LOG_WARNING, "turning_away", "log-ins or sign-ups are refused at once: %s",
                  cause(front->turned_away_reason));
    } else if (front->turning_away && front->wheel.now - front->turned_away_at > QUIET_TICKS) {
        log_event(LOG_INFO, "turning_away_ended", "%llu were refused at once",
                  (unsigned long long)front->turned_away);
        front->turning_away = false;
        front->turned_away = 0;
    }
}
