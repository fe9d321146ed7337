// SPDX-License-Identifier: ISC
// Proposed action items, by cause. Runs in stayd-watch. Each is something one person can do and call done.
#include "watch/incident_actions.h"

#include "watch/read_json.h"

#include <stdbool.h>
#include <string.h>

static const struct row {
    const char *cause;
    const char *kind; // "repair", "prevent", "detect"
    const char *text;
} rows[] = {
    {"slow_statement", "repair",
     "Make the missing index, or bring the statement's plan back (stayctl check-db says how)."},
    {"slow_statement", "prevent",
     "Let stayctl check-db run before each change of the database's schema is rolled out."},
    {"slow_statement", "detect", "Watch stayd_statement_hold_seconds by operation: alert when one doubles."},
    {"lock_held", "repair", "Find out who held the lock, and make that job short or run it at a quiet hour."},
    {"lock_held", "prevent",
     "Give the other users of the database lock_timeout and idle_in_transaction_session_timeout."},
    {"database_down", "repair", "Find out why the database went away, from its own log."},
    {"database_down", "prevent",
     "Run the database with a standby and automatic failover, and name both in `database`."},
    {"database_slow", "repair",
     "Find what loaded the database as a whole: other clients, vacuum, checkpoints, its disk."},
    {"database_slow", "prevent",
     "Give stayd a database that it does not share, or resources that are its own."},
    {"database_network", "repair",
     "Find the fault on the way to the database: loss, delay, a firewall that holds state."},
    {"database_network", "prevent", "Put the database closer to stayd, or give it a second way."},
    {"pool_small", "repair",
     "Raise database_connections_max to what stayctl review says that the load wants."},
    {"pool_small", "detect", "Alert when more than 80 % of the connections are busy for a minute."},
    {"login_spike", "repair",
     "Compare the peak with the machine's capacity (stayctl review): are more processors needed?"},
    {"login_spike", "prevent",
     "Spread what makes everybody log in at once: expiry at a fixed hour, a mailing, a restart of apps."},
    {"flood", "repair",
     "Let the proxy or firewall limit requests by network; its log shows where they came from."},
    {"flood", "prevent", "Check that trusted_proxies is right, so that stayd sees the addresses of clients."},
    {"credential_stuffing", "repair",
     "Look for accounts that were guessed: stayctl audit list --event login."},
    {"credential_stuffing", "prevent",
     "Refuse known passwords with breached_passwords, and tell people to change theirs."},
    {"hashing_saturated", "repair",
     "Give stayd more processors, or lower password_memory and password_time within reason."},
    {"hashing_saturated", "detect", "Alert when all password workers are busy for a minute."},
    {"cpu_taken", "repair",
     "Move the other program away, or give stayd processors of its own (CPUAffinity, CPUWeight)."},
    {"disk_slow", "repair", "Look at the disk of data_dir: its health, its queue, who else writes there."},
    {"disk_slow", "prevent", "Put data_dir on a disk that is not shared with backups and logs."},
    {"disk_full", "repair", "Free space on the disk of data_dir and find what filled it."},
    {"disk_full", "detect", "Alert when less than 15 % of the disk is free."},
    {"process_crashing", "repair",
     "Report the crash with its record (backtrace and build id), and update when there is a fix."},
    {"process_crashing", "prevent", "Keep the request that caused it as a test."},
    {"process_leaking", "repair",
     "Report the leak with the growth in this incident, and update when there is a fix."},
    {"process_leaking", "prevent", "Until then, restart stayd at a quiet hour before memory runs out."},
    {"process_hung", "repair",
     "Report the hang with its record (where it hung), and update when there is a fix."},
    {"session_mismatch", "repair",
     "Report it at once with this incident: sessions were mixed up and refused. Update when there is a fix."},
    {"session_mismatch", "prevent", "Run the build's race tests (make tsan, make sim) on what was deployed."},
    {"cache_small", "repair",
     "Raise the bound that stayd names (sessions_max, or memory for the database's cache)."},
    {"clock_jump", "repair",
     "Find out who set the clock, and let it be slewed (chrony: makestep only at start)."},
    {"cold_start", "prevent", "Restart at a quiet hour, one node after another."},
    {"failover", "repair", "Find out from the database's log why it failed over."},
    {"failover", "prevent", "Rehearse the failover, and compare the time it took with what you can bear."},
    {"own_change", "repair", "Take the change back, or fix it and roll it out again."},
    {"own_change", "prevent",
     "Check changes with stayd --check and stayctl drill before they are rolled out."},
    {"unknown", "repair", "Find the cause from the timeline and the evidence, and write it down here."},
    {"unknown", "detect", "Say what figure would have shown it, so that it can be added."},
};

static bool is_there(json_t *actions, const char *text)
{
    size_t at;
    const json_t *one;
    json_array_foreach(actions, at, one)
    {
        if (strcmp(read_text(one, "text"), text) == 0) {
            return true;
        }
    }
    return false;
}

static void propose(json_t *actions, const char *kind, const char *text)
{
    size_t count = json_array_size(actions);
    if (count < INCIDENT_ACTIONS_MAX && !is_there(actions, text)) {
        json_array_append_new(actions, json_pack("{s:i, s:s, s:s, s:n}", "number", (int)count + 1, "kind",
                                                 kind, "text", text, "done_unix_ms"));
    }
}

static void propose_for(json_t *actions, const char *cause)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].cause, cause) == 0) {
            propose(actions, rows[i].kind, rows[i].text);
        }
    }
}

void incident_actions_propose(json_t *incident)
{
    json_t *actions = read_list(incident, "actions");
    json_t *causes = read_list(json_object_get(incident, "verdict"), "causes");
    size_t at;
    const json_t *cause;
    json_array_foreach(causes, at, cause)
    {
        propose_for(actions, read_text(cause, "cause"));
    }
    if (json_array_size(causes) == 0) {
        propose_for(actions, "unknown");
    }
}
