// SPDX-License-Identifier: ISC
// stayctl why session ID: core says what it still has, the audit trail says the rest. Runs in stayctl.
#include "cli/cli.h"
#include "cli/life.h"
#include "cli/show.h"
#include "cli/why.h"

#include "base/clock.h"
#include "base/log.h"

#include <time.h>

enum { PAGE = 80, ROWS_MAX = 500000, TRAIL_PAUSE_NS = 500000000 };

struct found {
    bool there; // core still has it
    struct wire_session_public session;
    char state[32];
    char agent[WIRE_AGENT_MAX + 1];
};

// From when on the trail may speak of it; 0: not known. A public id begins with the second in which it was
// made; those of old stayds don't.
static uint64_t since_of(const struct id16 *id)
{
    enum { BEFORE_S = 120, OLDEST_S = 1750000000 };
    uint64_t made = (uint64_t)id->byte[0] << 24 | (uint64_t)id->byte[1] << 16 | (uint64_t)id->byte[2] << 8 |
                    (uint64_t)id->byte[3];
    return made > OLDEST_S && made <= clock_wall_s() + BEFORE_S ? made - BEFORE_S : 0;
}

static enum client_result ask_core(struct cli *cli, const struct id16 *id, struct life *life,
                                   struct found *found, struct wire_reply *reply)
{
    struct wire_account_public account;
    struct wire_status_row row;
    enum client_result result = CLIENT_ASK(&cli->client, reply, any_session_show, .public_id = *id);
    if (result != CLIENT_GRANTED) {
        return result;
    }
    struct view rows = reply->rows;
    if (!wire_session_public_next(&rows, &found->session) || !wire_account_public_next(&rows, &account)) {
        return CLIENT_BROKEN;
    }
    found->there = true;
    (void)view_to_cstr(account.name, life->user, sizeof(life->user));
    (void)view_to_cstr(found->session.agent, found->agent, sizeof(found->agent));
    while (wire_status_row_next(&rows, &row)) {
        if (view_equal(row.name, VIEW("state"))) {
            (void)view_to_cstr(row.value, found->state, sizeof(found->state));
        } else if (view_equal(row.name, VIEW("mark"))) {
            (void)view_to_cstr(row.value, life->mark, sizeof(life->mark));
        }
    }
    return CLIENT_GRANTED;
}

// Backwards through the trail: of its user where that is known, of all otherwise. *rest: how many rows more
// may be read.
static enum client_result read_trail(struct cli *cli, struct life *life, const char *event, uint64_t since,
                                     unsigned *rest)
{
    struct wire_reply reply;
    struct wire_audit_row row;
    uint64_t before = 0;
    for (;;) {
        enum client_result result =
            CLIENT_ASK(&cli->client, &reply, audit_list, .username = view_of_cstr(life->user),
                       .event = view_of_cstr(event), .since = since, .before_id = before, .limit = PAGE);
        if (result != CLIENT_GRANTED) {
            return result;
        }
        bool any = false;
        while (wire_audit_row_next(&reply.rows, &row)) {
            any = true;
            before = row.id;
            if (life_take(life, &row)) {
                return CLIENT_GRANTED;
            }
        }
        if (!any || *rest < PAGE) {
            return CLIENT_GRANTED;
        }
        *rest -= PAGE;
    }
}

// Whose it was is not known: its log-in is looked for among all, then its user's trail is read.
static enum client_result find_in_trail(struct cli *cli, struct life *life, uint64_t since)
{
    static const char *const events[] = {"login", "password_change", "register", "setup"};
    unsigned rest = ROWS_MAX;
    enum client_result result = CLIENT_GRANTED;
    if (life->user[0] != '\0') {
        return read_trail(cli, life, "", since, &rest);
    }
    for (size_t i = 0;
         i < sizeof(events) / sizeof(events[0]) && life->how[0] == '\0' && result == CLIENT_GRANTED; i++) {
        result = read_trail(cli, life, events[i], since, &rest);
    }
    if (life->how[0] == '\0' || result != CLIENT_GRANTED) {
        return result;
    }
    life->why[0] = '\0';
    life->ended = 0;
    return read_trail(cli, life, "", since, &rest);
}

// The last word: what core says now, or what the trail knows, or what is left.
static const char *verdict(const struct life *life, const struct found *found,
                           char room[static LIFE_TEXT_SIZE + 64])
{
    if (found->there) {
        return life_state_text(view_of_cstr(found->state));
    }
    if (life->why[0] != '\0') {
        snprintf(room, LIFE_TEXT_SIZE + 64, "It has ended: %s.", life->why);
        return room;
    }
    if (life->how[0] == '\0') {
        return "There is no such session, and the audit trail knows of none.";
    }
    return "It has expired: nobody ended it, and it is not kept any more. It was not used for session_idle, "
           "or "
           "session_max was over.";
}

static void line(const char *name, const char *value)
{
    printf("%-12s", name);
    text_print(stdout, view_of_cstr(value[0] == '\0' ? "-" : value), 0);
    putchar('\n');
}

static void show_text(const struct life *life, const struct found *found, const char *sentence)
{
    char time[TEXT_TIME_SIZE], address[46];
    uint64_t created = found->there ? found->session.created : life->created;
    log_address_text(found->there ? found->session.address : life->source, address);
    text_print(stdout, view_of_cstr(sentence), 0);
    printf("\n\n");
    line("session", life->id);
    line("user", life->user);
    text_time_local(created, time);
    line("created", created == 0 ? "" : time);
    line("made by", life->how);
    line("from", created == 0 ? "" : address);
    if (found->there) {
        line("browser", found->agent);
        text_time_local(found->session.last_seen, time);
        line("last seen", time);
        text_time_local(found->session.expires, time);
        line("expires", time);
    }
    if (life->ended != 0) {
        text_time_local(life->ended, time);
        line("ended", time);
        line("because", life->why);
    }
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static void show_object(const struct life *life, const struct found *found, const char *sentence)
{
    json_t *session = found->there ? show_session_json(&found->session) : json_null();
    const char *state = found->there           ? found->state
                        : life->ended != 0     ? "ended"
                        : life->how[0] != '\0' ? "expired"
                                               : "unknown";
    char address[46];
    log_address_text(life->source, address);
    show_json(stdout,
              json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", life->id, "state", state,
                        "sentence", sentence, "user", text_or_null(life->user), "made_by",
                        text_or_null(life->how), "created_at",
                        show_time_json(found->there ? found->session.created : life->created), "from",
                        life->created == 0 ? json_null() : json_string(address), "ended_at",
                        show_time_json(life->ended), "because", text_or_null(life->why), "session", session));
}

int why_session(struct cli *cli, const char *text)
{
    struct id16 id;
    struct life life = {0};
    struct found found = {0};
    struct wire_reply reply;
    char room[LIFE_TEXT_SIZE + 64];
    if (!base64url_decode(view_of_cstr(text), id.byte, sizeof(id.byte))) {
        cli_say("%.64s is not the ID of a session; \"stayctl session list NAME\" shows them.", text);
        return CLI_USAGE;
    }
    snprintf(life.id, sizeof(life.id), "%s", text);
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = ask_core(cli, &id, &life, &found, &reply);
    bool gone = result == CLIENT_REFUSED && reply.reason == WIRE_NOT_FOUND;
    if (result != CLIENT_GRANTED && !gone) {
        return cli_explain(&cli->client, result, &reply);
    }
    struct life known = life;
    result = find_in_trail(cli, &life, since_of(&id));
    if (result == CLIENT_GRANTED && !found.there && life.why[0] == '\0') {
        // What happened a moment ago may still be on its way into the trail.
        nanosleep(&(struct timespec){.tv_nsec = TRAIL_PAUSE_NS}, NULL);
        life = known;
        result = find_in_trail(cli, &life, since_of(&id));
    }
    if (result != CLIENT_GRANTED && !found.there) {
        return cli_explain(&cli->client, result, &reply);
    }
    const char *sentence = verdict(&life, &found, room);
    if (cli->json) {
        show_object(&life, &found, sentence);
    } else {
        show_text(&life, &found, sentence);
    }
    return found.there || life.how[0] != '\0' ? CLI_DONE : CLI_REFUSED;
}
