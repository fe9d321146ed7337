// SPDX-License-Identifier: ISC
// Facts as lines of an incident's timeline. Runs in stayd-watch. What stayd did by itself is an "action";
// what somebody or something changed, and may have contributed, is a "change".
#include "watch/incident.h"
#include "watch/prose.h"

#include "wire/types.h"

struct line {
    char *out;
    size_t size;
};

[[gnu::format(printf, 2, 3)]] static void say(const struct line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(line->out, line->size, format, list);
    va_end(list);
}

static void say_death(const struct line *line, const struct fact *fact, const char *who)
{
    const char *how = fact->a == WIRE_EVENT_CRASHED    ? "crashed"
                      : fact->a == WIRE_EVENT_WAS_HUNG ? "hung and was ended"
                                                       : "left by itself";
    bool busy = fact->name[0] != '\0' && strcmp(fact->name, "none") != 0;
    if (fact->text[0] != '\0') {
        say(line, "%.300s.%s%s%s", fact->text, busy ? " It was answering a request of class " : "",
            busy ? fact->name : "", busy ? "." : "");
    } else {
        say(line, "%s %u %s.", who, fact->index, how);
    }
}

static bool say_database(const struct line *line, const struct fact *fact)
{
    char span[PROSE_FIGURE_SIZE];
    prose_span(fact->a, span);
    switch ((unsigned)fact->kind) {
    case WIRE_EVENT_DATABASE_DOWN:
        say(line, "The database does not answer: %s", fact->text);
        return true;
    case WIRE_EVENT_DATABASE_UP:
        say(line, "The database answers again, after %s.", span);
        return true;
    case WIRE_EVENT_DATABASE_MOVED:
        say(line, "Another server of the database answers now: %s %s", fact->name, fact->text);
        return true;
    case WIRE_EVENT_STATEMENT_SLOW:
        say(line, "The statement %s takes %.1f ms each, %.1f ms before.", fact->name, (double)fact->a / 1000,
            (double)fact->b / 1000);
        return true;
    case WIRE_EVENT_STATEMENT_PLAN:
        say(line, "The plan of %s is another: %.200s; before: %.200s", fact->name, fact->more, fact->text);
        return true;
    case WIRE_EVENT_LOCK_HELD:
        say(line, "A lock on %s is held for %s by backend %llu: %.300s", fact->name, span,
            (unsigned long long)fact->b, fact->text);
        return true;
    case WIRE_EVENT_PROGRAM_BUSY:
        if (fact->a < 500) { // thousandths of a processor
            return false;
        }
        say(line, "Another program keeps processors busy: %s (process %llu).", fact->name,
            (unsigned long long)fact->b);
        return true;
    case WIRE_EVENT_LOCK_GONE:
        say(line, "The lock on %s is gone.", fact->name);
        return true;
    default:
        return false;
    }
}

// What stayd did by itself.
static bool say_action(const struct line *line, const struct fact *fact, const char *who)
{
    char span[PROSE_FIGURE_SIZE];
    prose_span(fact->a, span);
    switch ((unsigned)fact->kind) {
    case WIRE_EVENT_PROCESS_STARTED:
        say(line, "stayd started %s %u again.", who, fact->index);
        return true;
    case WIRE_EVENT_PENALTY:
        say(line, "stayd refuses %s%s%.60s%s for %llu s.", fact->text[0] != '\0' ? fact->text : "a source",
            fact->more[0] != '\0' ? " (" : "", fact->more, fact->more[0] != '\0' ? ")" : "",
            (unsigned long long)fact->a);
        return true;
    case WIRE_EVENT_STATEMENT_CANCELLED:
        say(line, "stayd cancelled the statement %s after %s.", fact->name, span);
        return true;
    case WIRE_EVENT_SHARE_SHRUNK:
        say(line, "stayd gives %s a smaller share of the database.", fact->name);
        return true;
    case WIRE_EVENT_SHARE_RESTORED:
        say(line, "stayd gives %s its full share of the database again.", fact->name);
        return true;
    default:
        return false;
    }
}

static bool say_other(const struct line *line, const struct fact *fact, const char *who)
{
    switch ((unsigned)fact->kind) {
    case WIRE_EVENT_PROCESS_DIED:
        say_death(line, fact, who);
        return true;
    case WIRE_EVENT_PROCESS_HUNG:
        say(line, "%s %u has not answered for %llu ms.", who, fact->index, (unsigned long long)fact->a);
        return true;
    case WIRE_EVENT_RELOADED:
        say(line,
            fact->a == 1 ? "The configuration was reloaded (%s)."
                         : "A reload of the configuration failed (%s).",
            fact->text[0] != '\0' ? fact->text : "nothing changed");
        return true;
    case WIRE_EVENT_STARTED:
        say(line, "stayd %s was started.", fact->text);
        return true;
    case WIRE_EVENT_CONFIG_CHANGED:
        say(line, "The configuration changed: %s", fact->text);
        return true;
    case WIRE_EVENT_DISK_FULL:
        say(line, "The disk is full: %s", fact->text);
        return true;
    case WIRE_EVENT_JOURNAL:
        say(line, "The journal: %s", fact->text);
        return true;
    case WIRE_EVENT_MISMATCH:
        say(line, "%llu reads of the session table did not fit (%s); they were refused.",
            (unsigned long long)fact->a, fact->text);
        return true;
    default:
        return false;
    }
}

static bool is_change(const struct fact *fact)
{
    switch ((unsigned)fact->kind) {
    case WIRE_EVENT_RELOADED:
    case WIRE_EVENT_STARTED:
    case WIRE_EVENT_CONFIG_CHANGED:
    case WIRE_EVENT_DATABASE_MOVED:
    case WIRE_EVENT_STATEMENT_PLAN:
    case WIRE_EVENT_LOCK_HELD:
        return true;
    default:
        return false;
    }
}

bool incident_fact_line(const struct fact *fact, char *out, size_t size, const char **kind)
{
    const struct line line = {out, size};
    const char *who = stats_role_name(fact->role);
    *kind = "action";
    if (say_action(&line, fact, who)) {
        return true;
    }
    *kind = is_change(fact) ? "change" : "fact";
    return say_database(&line, fact) || say_other(&line, fact, who);
}
