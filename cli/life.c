// SPDX-License-Identifier: ISC
// The life of a session. Runs in stayctl. The trail is read backwards: of all that may have ended the session
// the last one seen, which is the earliest, is what did.
#include "cli/life.h"

static bool contains(struct view text, const char *part)
{
    return text.size > 0 && part[0] != '\0' && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static bool is(struct view text, const char *word)
{
    return view_equal(text, view_of_cstr(word));
}

static void by_whom(const struct wire_audit_row *row, char *out, size_t size)
{
    bool themselves = row->actor.size == 0 || view_equal(row->actor, row->username);
    if (themselves) {
        snprintf(out, size, "by the user");
    } else {
        snprintf(out, size, "by %s%.*s", is(row->actor, "stayctl") ? "" : "administrator ",
                 (int)row->actor.size, (const char *)row->actor.data);
    }
}

static void ended(struct life *life, const struct wire_audit_row *row, const char *what)
{
    char who[WIRE_USERNAME_MAX + 32];
    by_whom(row, who, sizeof(who));
    life->ended = row->time;
    snprintf(life->why, sizeof(life->why), "%s, %s", what, who);
}

// After "mark ": 16 hexadecimal digits.
static void learn_mark(struct life *life, struct view detail)
{
    static const char word[] = "mark ";
    const uint8_t *at = memmem(detail.data, detail.size, word, sizeof(word) - 1);
    if (at != NULL && life->mark[0] == '\0') {
        struct view rest = view_from(detail, (size_t)(at - detail.data) + sizeof(word) - 1);
        (void)view_to_cstr(view_first(rest, LIFE_MARK_SIZE - 1), life->mark, sizeof(life->mark));
    }
}

static void take_end(struct life *life, const struct wire_audit_row *row)
{
    struct view detail = row->detail;
    bool marked = contains(detail, life->mark);
    if (view_starts_with(detail, VIEW("all others"))) {
        if (!marked) {
            ended(life, row, "all other sessions of the account were ended from another one");
        }
    } else if (is(detail, "all")) {
        ended(life, row, "all sessions of the account were ended");
    } else if (marked) {
        ended(life, row, view_starts_with(detail, VIEW("log-out")) ? "logged out" : "this session was ended");
    }
}

static void take_made(struct life *life, const struct wire_audit_row *row)
{
    life->created = row->time;
    life->source = row->source;
    learn_mark(life, row->detail);
    (void)view_to_cstr(row->username, life->user, sizeof(life->user));
    snprintf(life->how, sizeof(life->how), "%s",
             is(row->event, "password_change")
                 ? "a change of the password, which gave this browser a new session"
             : is(row->event, "setup")    ? "the set-up of the first administrator"
             : is(row->event, "register") ? "registering the account"
             : contains(row->detail, "known device")
                 ? "a log-in with the password, from a browser that had logged in before"
                 : "a log-in with the password");
}

bool life_take(struct life *life, const struct wire_audit_row *row)
{
    bool granted = is(row->outcome, "granted") || is(row->outcome, "not_durable_yet");
    bool same_user = life->user[0] == '\0' || view_equal(row->username, view_of_cstr(life->user));
    char wanted[LIFE_ID_SIZE + 16];
    snprintf(wanted, sizeof(wanted), "session %s ", life->id);
    if (!granted || !same_user) {
        return false;
    }
    if (contains(row->detail, wanted)) {
        take_made(life, row);
        return true;
    }
    if (life->user[0] == '\0') {
        return false; // whose it was is not known yet: this may be anybody's
    }
    char replaces[LIFE_MARK_SIZE + 16];
    snprintf(replaces, sizeof(replaces), "replaces %s", life->mark);
    if (is(row->event, "session_end")) {
        take_end(life, row);
    } else if (is(row->event, "login") && life->mark[0] != '\0' && contains(row->detail, replaces)) {
        ended(life, row, "a new log-in in the same browser took its place");
    } else if (is(row->event, "password_change")) {
        ended(life, row, "the password was changed, which ends all sessions");
    } else if (is(row->event, "account_disable")) {
        ended(life, row, "the account was disabled, which ends all its sessions");
    } else if (is(row->event, "account_delete")) {
        ended(life, row, "the account was deleted");
    }
    return false;
}

const char *life_state_text(struct view state)
{
    static const struct {
        const char *state, *text;
    } rows[] = {
        {"live", "It is live: a check answers with its user."},
        {"live_not_in_table", "It is live; a check looks it up in the database first."},
        {"ending", "It is ending: every check refuses it already, the database is still to be told."},
        {"expired", "It has expired: session_max is over."},
        {"expired_idle", "It has expired: it was not used for session_idle."},
        {"account_disabled", "It is refused: the account is disabled."},
        {"ended_with_all", "It is refused: all sessions of the account were ended after it was made."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is(state, rows[i].state)) {
            return rows[i].text;
        }
    }
    return "Its state is not known.";
}
