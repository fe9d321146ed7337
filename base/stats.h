// SPDX-License-Identifier: ISC
// The stats page: one shared page run per process, with its counters, gauges, latency histograms and the
// black box that explains a death. Every process writes its own page; stayd-watch maps all of them read-only;
// the supervisor owns the files (memfd) and reads the black box after a death. Owns: a mapping. Bounds:
// everything is fixed in size; adding a row changes STATS_FORMAT. One thread writes a page's plain counters;
// other threads use the `_shared` verbs. Never in a page: bytes of a request, secrets, names, addresses read
// from faulting instructions. Of sources: the one in flight, for the black box, keyed hashes of the busiest,
// and the networks of those that are busier than people.
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include "base/bytes.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STATS_MAGIC = 0x73746179, // "stay"
    STATS_FORMAT = 6,
    STATS_OCTAVES = 41,    // histograms tell values apart up to 2^41 (37 minutes in ns)
    STATS_SUB_BUCKETS = 8, // per octave: at most 12.5 % wide
    STATS_BUCKETS = (STATS_OCTAVES - 2) * STATS_SUB_BUCKETS,
    STATS_BACKTRACE_MAX = 32,
    STATS_MODULES_MAX = 24,
    STATS_BUILD_ID_SIZE = 20,
    STATS_SOURCES = 64,
};

// Processes, in the order of their numeric fallback users (59310 + role).
// clang-format off
#define STATS_ROLES(X) \
    X(supervisor, "stayd") \
    X(front, "stayd-front") \
    X(core, "stayd-core") \
    X(store, "stayd-store") \
    X(hash, "stayd-hash") \
    X(key, "stayd-key") \
    X(watch, "stayd-watch") \
    X(alert, "stayd-alert")

// Classes of requests: identifier, label. The first is "no request in flight".
#define STATS_CLASSES(X) \
    X(none, "none") \
    X(check, "check") \
    X(login, "login") \
    X(logout, "logout") \
    X(register, "register") \
    X(password, "password") \
    X(setup, "setup") \
    X(session, "session") \
    X(account, "account") \
    X(admin, "admin") \
    X(page, "page") \
    X(asset, "asset") \
    X(health, "health") \
    X(control, "control") \
    X(malformed, "malformed") \
    X(other, "other")

// Each operation of store/store.h, in the order of their messages.
#define STATS_PER_OPERATION(X, p, family, help) \
    X(p##_account_by_name, counter, family, "operation=\"account_by_name\"", help) \
    X(p##_account_by_id, counter, family, "operation=\"account_by_id\"", help) \
    X(p##_account_add, counter, family, "operation=\"account_add\"", help) \
    X(p##_account_set, counter, family, "operation=\"account_set\"", help) \
    X(p##_account_password, counter, family, "operation=\"account_password\"", help) \
    X(p##_account_rehash, counter, family, "operation=\"account_rehash\"", help) \
    X(p##_account_delete, counter, family, "operation=\"account_delete\"", help) \
    X(p##_account_list, counter, family, "operation=\"account_list\"", help) \
    X(p##_account_epoch, counter, family, "operation=\"account_epoch\"", help) \
    X(p##_session_grant, counter, family, "operation=\"session_grant\"", help) \
    X(p##_session_by_selector, counter, family, "operation=\"session_by_selector\"", help) \
    X(p##_session_by_public_id, counter, family, "operation=\"session_by_public_id\"", help) \
    X(p##_session_end, counter, family, "operation=\"session_end\"", help) \
    X(p##_session_list, counter, family, "operation=\"session_list\"", help) \
    X(p##_session_seen, counter, family, "operation=\"session_seen\"", help) \
    X(p##_session_page, counter, family, "operation=\"session_page\"", help) \
    X(p##_expired_delete, counter, family, "operation=\"expired_delete\"", help) \
    X(p##_once_put, counter, family, "operation=\"once_put\"", help) \
    X(p##_once_get, counter, family, "operation=\"once_get\"", help) \
    X(p##_audit_add, counter, family, "operation=\"audit_add\"", help) \
    X(p##_audit_list, counter, family, "operation=\"audit_list\"", help)

// Counters and gauges: identifier, kind, family, labels ("" or `name="value"`), help of the family.
// Rows of one family stand together. A role leaves alone what it does not use.
#define STATS_COUNTERS(X) \
    X(heartbeat_ms, gauge, "heartbeat_milliseconds", "", "Monotonic time of the last heartbeat answered") \
    X(loop_turns, counter, "loop_turns", "", "Turns of the event loop") \
    X(messages_sent, counter, "messages", "direction=\"sent\"", "Messages between processes") \
    X(messages_received, counter, "messages", "direction=\"received\"", "Messages between processes") \
    X(messages_dropped, counter, "messages_dropped", "", "Messages dropped because a queue was full") \
    X(messages_queued, gauge, "messages_queued", "", "Messages waiting to be written") \
    X(events, counter, "events", "", "Events that others told watch") \
    X(process_memory_bytes, gauge, "process_memory_bytes", "", "Memory of the process that is in use (resident)") \
    X(process_descriptors, gauge, "process_descriptors", "state=\"open\"", "File descriptors of the process, and its limit") \
    X(process_descriptors_max, gauge, "process_descriptors", "state=\"max\"", "File descriptors of the process, and its limit") \
    X(process_threads, gauge, "process_threads", "", "Threads of the process") \
    X(process_processor_us, counter, "process_processor_seconds", "", "Processor time of the process and of those before it") \
    X(process_starts, counter, "process_starts", "", "Times the process was started") \
    X(log_lines, counter, "log_lines", "", "Log lines written") \
    X(log_lines_dropped, counter, "log_lines_dropped", "", "Log lines lost because standard error was full") \
    X(checks_valid, counter, "checks", "answer=\"valid\"", "Session checks by answer") \
    X(checks_invalid, counter, "checks", "answer=\"invalid\"", "Session checks by answer") \
    X(checks_unknown, counter, "checks", "answer=\"unknown\"", "Session checks by answer") \
    X(checks_denied, counter, "checks", "answer=\"denied\"", "Session checks by answer") \
    X(table_retries, counter, "table_retries", "", "Reads of a table bucket begun again because it was being written") \
    X(table_misses, counter, "table_misses", "", "Checks that had to ask core") \
    X(table_mismatches, counter, "table_mismatches", "", "Reads whose owner, generation or epoch did not fit") \
    X(seen_dropped, counter, "seen_dropped", "", "Notes of a session seen that found the ring full") \
    X(connections_open, gauge, "connections_open", "", "Connections open now") \
    X(connections_accepted, counter, "connections", "outcome=\"accepted\"", "Connections by outcome") \
    X(connections_refused_full, counter, "connections", "outcome=\"full\"", "Connections by outcome") \
    X(connections_refused_source, counter, "connections", "outcome=\"source_full\"", "Connections by outcome") \
    X(connections_refused_penalty, counter, "connections", "outcome=\"penalised\"", "Connections by outcome") \
    X(connections_timed_out, counter, "connections_timed_out", "", "Connections closed for being too slow") \
    X(connections_idle_closed, counter, "connections_idle_closed", "", "Connections closed for being idle") \
    X(tls_handshakes_done, counter, "tls_handshakes", "outcome=\"done\"", "TLS handshakes by outcome") \
    X(tls_handshakes_failed, counter, "tls_handshakes", "outcome=\"failed\"", "TLS handshakes by outcome") \
    X(tls_certificate_expiry_s, gauge, "tls_certificate_expiry_timestamp_seconds", "", "Unix time at which the certificate in use ends") \
    X(core_asked, counter, "core_requests", "outcome=\"asked\"", "Requests to core by outcome") \
    X(core_timed_out, counter, "core_requests", "outcome=\"timed_out\"", "Requests to core by outcome") \
    X(core_unreachable, counter, "core_requests", "outcome=\"unreachable\"", "Requests to core by outcome") \
    X(core_waiting, gauge, "core_waiting", "", "Requests waiting for core now") \
    X(core_connected, gauge, "core_connected", "", "1 while the channel to core stands") \
    X(logins_arrived, counter, "arrivals", "kind=\"login\"", "Requests as they arrived, refused ones too") \
    X(registrations_arrived, counter, "arrivals", "kind=\"register\"", "Requests as they arrived, refused ones too") \
    X(changes_arrived, counter, "arrivals", "kind=\"change\"", "Requests as they arrived, refused ones too") \
    X(lookups_arrived, counter, "arrivals", "kind=\"lookup\"", "Requests as they arrived, refused ones too") \
    X(refused_busy, counter, "refused", "why=\"busy\"", "Requests refused by this front without asking core") \
    X(refused_penalty, counter, "refused", "why=\"penalty\"", "Requests refused by this front without asking core") \
    X(refused_source, counter, "refused", "why=\"source\"", "Requests refused by this front without asking core") \
    X(sources_distinct, gauge, "sources_distinct", "", "Clients whose requests needed core within the last second (estimate)") \
    X(sources_heaviest_thousandths, gauge, "sources_heaviest_thousandths", "", "Share of the last second's requests to this front that needed core which came from its 8 busiest clients (never too high)") \
    X(logins_granted, counter, "logins", "outcome=\"granted\"", "Log-ins by outcome") \
    X(logins_refused, counter, "logins", "outcome=\"refused\"", "Log-ins by outcome") \
    X(logins_throttled, counter, "logins", "outcome=\"throttled\"", "Log-ins by outcome") \
    X(logins_unavailable, counter, "logins", "outcome=\"unavailable\"", "Log-ins by outcome") \
    X(registrations_granted, counter, "registrations", "outcome=\"granted\"", "Registrations by outcome") \
    X(registrations_refused, counter, "registrations", "outcome=\"refused\"", "Registrations by outcome") \
    X(registrations_unavailable, counter, "registrations", "outcome=\"unavailable\"", "Registrations by outcome") \
    X(turned_away_logins, counter, "turned_away", "kind=\"login\"", "Requests refused before they were read, as more came than can be served") \
    X(turned_away_registrations, counter, "turned_away", "kind=\"register\"", "Requests refused before they were read, as more came than can be served") \
    X(throttled, counter, "throttled", "", "Requests refused because their source or account should wait") \
    X(guess_accounts, gauge, "guesses", "of=\"accounts\"", "Log-ins refused in the last 10 seconds: different accounts, different sources, and how many were for names that do not exist (estimates)") \
    X(guess_sources, gauge, "guesses", "of=\"sources\"", "Log-ins refused in the last 10 seconds: different accounts, different sources, and how many were for names that do not exist (estimates)") \
    X(guess_unknown, gauge, "guesses", "of=\"unknown_names\"", "Log-ins refused in the last 10 seconds: different accounts, different sources, and how many were for names that do not exist (estimates)") \
    X(flows_active, gauge, "flows_active", "", "Flows in progress in core") \
    X(flows_refused, counter, "flows_refused", "", "Flows refused because the pool was used up") \
    X(flows_timed_out, counter, "flows_timed_out", "", "Flows whose step missed its deadline") \
    X(sessions_live, gauge, "sessions_live", "", "Sessions in the table") \
    X(sessions_granted, counter, "sessions", "event=\"granted\"", "Sessions by event") \
    X(sessions_ended, counter, "sessions", "event=\"ended\"", "Sessions by event") \
    X(sessions_expired, counter, "sessions", "event=\"expired\"", "Sessions by event") \
    X(sessions_no_room, counter, "sessions", "event=\"no_room\"", "Sessions by event") \
    X(sessions_buckets, gauge, "sessions_buckets", "", "Buckets of the sessions table") \
    X(sessions_table_bytes, gauge, "table_bytes", "table=\"sessions\"", "Memory allocated to a shared table") \
    X(accounts_table_bytes, gauge, "table_bytes", "table=\"accounts\"", "Memory allocated to a shared table") \
    X(accounts_live, gauge, "accounts_live", "", "Accounts in the table") \
    X(lookups_found, counter, "lookups", "answer=\"found\"", "Look-ups of sessions that were not in the table") \
    X(lookups_none, counter, "lookups", "answer=\"none\"", "Look-ups of sessions that were not in the table") \
    X(lookups_remembered, counter, "lookups", "answer=\"remembered\"", "Look-ups of sessions that were not in the table") \
    X(lookups_failed, counter, "lookups", "answer=\"failed\"", "Look-ups of sessions that were not in the table") \
    X(tombstones, gauge, "tombstones", "", "Sessions and accounts lately ended that core remembers") \
    X(ends_pending, gauge, "ends_pending", "", "Ends that are visible and not yet durable") \
    X(gate_waiting, gauge, "gate_waiting", "", "Operations waiting for admission") \
    X(gate_refused, counter, "gate", "outcome=\"refused\"", "Operations by outcome at admission") \
    X(gate_expired, counter, "gate", "outcome=\"expired\"", "Operations by outcome at admission") \
    X(gate_entered, counter, "gate", "outcome=\"entered\"", "Operations by outcome at admission") \
    X(gate_waits, counter, "gate_waits", "", "Operations that were admitted, at once or after a wait") \
    X(gate_wait_us, counter, "gate_wait_seconds", "", "Time operations waited for admission") \
    X(hash_waits, counter, "hash_waits", "", "Passwords that were hashed for core") \
    X(hash_wait_us, counter, "hash_wait_seconds", "", "Time passwords waited for a worker") \
    X(store_done, counter, "store_operations", "outcome=\"done\"", "Store operations by outcome") \
    X(store_refused, counter, "store_operations", "outcome=\"refused\"", "Store operations by outcome") \
    X(store_expired, counter, "store_operations", "outcome=\"expired\"", "Store operations by outcome") \
    X(store_failed, counter, "store_operations", "outcome=\"failed\"", "Store operations by outcome") \
    X(store_queued, gauge, "store_queued", "", "Store operations waiting") \
    X(store_commits, counter, "store_commits", "", "Transactions committed") \
    X(store_syncs, counter, "store_syncs", "", "Times a file was made durable (fsync)") \
    X(store_sync_us, counter, "store_sync_seconds", "", "Time that making files durable took") \
    X(store_available, gauge, "store_available", "", "1 while the database answers") \
    X(journal_entries, gauge, "journal_entries", "", "Entries in the journal that the database has not acknowledged") \
    X(pool_open, gauge, "pool", "state=\"open\"", "Database connections") \
    X(pool_busy, gauge, "pool", "state=\"busy\"", "Database connections") \
    X(pool_breaker_open, gauge, "pool_breaker_open", "", "1 while the database is not asked because it did not answer") \
    X(pool_opened, counter, "pool_connections", "event=\"opened\"", "Database connections by what became of them") \
    X(pool_refused, counter, "pool_connections", "event=\"refused\"", "Database connections by what became of them") \
    X(pool_broken, counter, "pool_connections", "event=\"broken\"", "Database connections by what became of them") \
    X(pool_discarded, counter, "pool_connections", "event=\"discarded\"", "Database connections by what became of them") \
    X(database_probes, counter, "database_probes", "", "Trivial statements that the database answered to the connection that watches it") \
    X(database_probe_us, counter, "database_probe_seconds", "", "Time until the trivial statements were answered, the way there and back included") \
    X(database_server_us, counter, "database_server_seconds", "", "Time the database says it spent on the trivial statements") \
    X(database_back_us, counter, "database_answer_delay_seconds", "", "Time by which the answers to them came later than usual after the database had made them") \
    X(database_connect_failed, counter, "database_connect_failed", "", "Attempts to connect to the database that failed at every address") \
    X(database_moved, counter, "database_moved", "", "Times another server answered, or the same one started anew") \
    X(database_active, gauge, "database_sessions_active", "of=\"stayd\"", "Sessions in the database that run a statement; others' are known as far as the role may see them") \
    X(database_others_active, gauge, "database_sessions_active", "of=\"others\"", "Sessions in the database that run a statement; others' are known as far as the role may see them") \
    X(database_running, gauge, "database_sessions", "state=\"running\"", "stayd's sessions in the database that run a statement, by what they wait for") \
    X(database_waiting_lock, gauge, "database_sessions", "state=\"waiting_lock\"", "stayd's sessions in the database that run a statement, by what they wait for") \
    X(database_waiting_io, gauge, "database_sessions", "state=\"waiting_io\"", "stayd's sessions in the database that run a statement, by what they wait for") \
    X(database_waiting_other, gauge, "database_sessions", "state=\"waiting_other\"", "stayd's sessions in the database that run a statement, by what they wait for") \
    STATS_PER_OPERATION(X, statement, "statements", "Operations run on a database connection") \
    STATS_PER_OPERATION(X, statement_wait, "statement_wait_seconds", "Time operations waited for a database connection") \
    STATS_PER_OPERATION(X, statement_hold, "statement_hold_seconds", "Time operations held a database connection") \
    STATS_PER_OPERATION(X, statement_slow, "statement_slow", "Operations that were far slower than they are when all is well") \
    X(hash_verified, counter, "hash_jobs", "kind=\"verify\"", "Password hashes computed") \
    X(hash_made, counter, "hash_jobs", "kind=\"new\"", "Password hashes computed") \
    X(hash_dummy, counter, "hash_jobs", "kind=\"dummy\"", "Password hashes computed") \
    X(hash_rules_refused, counter, "hash_refused", "why=\"rules\"", "Password jobs refused") \
    X(hash_queue_refused, counter, "hash_refused", "why=\"queue\"", "Password jobs refused") \
    X(hash_queued, gauge, "hash_queued", "", "Password jobs waiting") \
    X(hash_busy, gauge, "hash_workers", "state=\"busy\"", "Password workers") \
    X(hash_workers, gauge, "hash_workers", "state=\"all\"", "Password workers") \
    X(hash_started, counter, "hash_started", "", "Password hashes begun") \
    X(hash_busy_us, counter, "hash_busy_seconds", "", "Time that password workers worked, all together") \
    X(key_macs, counter, "key_operations", "kind=\"mac\"", "Operations with private keys") \
    X(key_seals, counter, "key_operations", "kind=\"seal\"", "Operations with private keys") \
    X(key_signatures, counter, "key_operations", "kind=\"sign\"", "Operations with private keys") \
    X(key_refused, counter, "key_operations", "kind=\"refused\"", "Operations with private keys") \
    X(scrapes, counter, "scrapes", "", "Times the metrics were read") \
    X(incidents, counter, "incidents", "", "Incidents opened") \
    X(restarts_crashed, counter, "restarts", "why=\"crashed\"", "Processes started again") \
    X(restarts_hung, counter, "restarts", "why=\"hung\"", "Processes started again") \
    X(restarts_left, counter, "restarts", "why=\"left\"", "Processes started again") \
    X(penalties, counter, "penalties", "", "Sources refused because their requests kept crashing a front") \
    X(reloads_done, counter, "reloads", "outcome=\"done\"", "Reloads of the configuration") \
    X(reloads_failed, counter, "reloads", "outcome=\"failed\"", "Reloads of the configuration") \
    X(cache_sessions_hits, counter, "cache_requests", "cache=\"sessions\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_sessions_misses, counter, "cache_requests", "cache=\"sessions\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_unknown_tokens_hits, counter, "cache_requests", "cache=\"unknown_tokens\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_unknown_tokens_misses, counter, "cache_requests", "cache=\"unknown_tokens\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_sources_hits, counter, "cache_requests", "cache=\"sources\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_sources_misses, counter, "cache_requests", "cache=\"sources\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_throttles_hits, counter, "cache_requests", "cache=\"throttles\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_throttles_misses, counter, "cache_requests", "cache=\"throttles\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_statements_hits, counter, "cache_requests", "cache=\"statements\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_statements_misses, counter, "cache_requests", "cache=\"statements\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_pages_hits, counter, "cache_requests", "cache=\"pages\",answer=\"hit\"", "Requests to a cache by answer") \
    X(cache_pages_misses, counter, "cache_requests", "cache=\"pages\",answer=\"miss\"", "Requests to a cache by answer") \
    X(cache_unknown_tokens_evictions, counter, "cache_evictions", "cache=\"unknown_tokens\"", "Entries still of use that made room for others") \
    X(cache_sources_evictions, counter, "cache_evictions", "cache=\"sources\"", "Entries still of use that made room for others") \
    X(cache_throttles_evictions, counter, "cache_evictions", "cache=\"throttles\"", "Entries still of use that made room for others") \
    X(cache_sessions_entries, gauge, "cache_entries", "cache=\"sessions\"", "Entries of a cache") \
    X(cache_unknown_tokens_entries, gauge, "cache_entries", "cache=\"unknown_tokens\"", "Entries of a cache") \
    X(cache_sources_entries, gauge, "cache_entries", "cache=\"sources\"", "Entries of a cache") \
    X(cache_throttles_entries, gauge, "cache_entries", "cache=\"throttles\"", "Entries of a cache") \
    X(cache_statements_entries, gauge, "cache_entries", "cache=\"statements\"", "Entries of a cache") \
    X(cache_pages_entries, gauge, "cache_entries", "cache=\"pages\"", "Entries of a cache") \
    X(cache_sessions_capacity, gauge, "cache_capacity", "cache=\"sessions\"", "Entries that a cache has room for") \
    X(cache_unknown_tokens_capacity, gauge, "cache_capacity", "cache=\"unknown_tokens\"", "Entries that a cache has room for") \
    X(cache_sources_capacity, gauge, "cache_capacity", "cache=\"sources\"", "Entries that a cache has room for") \
    X(cache_throttles_capacity, gauge, "cache_capacity", "cache=\"throttles\"", "Entries that a cache has room for") \
    X(cache_statements_capacity, gauge, "cache_capacity", "cache=\"statements\"", "Entries that a cache has room for") \
    X(cache_pages_capacity, gauge, "cache_capacity", "cache=\"pages\"", "Entries that a cache has room for") \
    X(hash_memory_used, gauge, "hash_memory_bytes", "state=\"used\"", "Memory of password hashes being computed, and what they may take") \
    X(hash_memory_budget, gauge, "hash_memory_bytes", "state=\"budget\"", "Memory of password hashes being computed, and what they may take") \
    X(capacity_connections, gauge, "capacity", "resource=\"connections\"", "Bound of a resource, in its own unit") \
    X(capacity_requests, gauge, "capacity", "resource=\"requests\"", "Bound of a resource, in its own unit") \
    X(capacity_flows, gauge, "capacity", "resource=\"flows\"", "Bound of a resource, in its own unit") \
    X(capacity_hash_gate, gauge, "capacity", "resource=\"hash_gate\"", "Bound of a resource, in its own unit") \
    X(capacity_tombstones, gauge, "capacity", "resource=\"tombstones\"", "Bound of a resource, in its own unit") \
    X(capacity_ends, gauge, "capacity", "resource=\"ends\"", "Bound of a resource, in its own unit") \
    X(capacity_store_queue, gauge, "capacity", "resource=\"store_queue\"", "Bound of a resource, in its own unit") \
    X(capacity_journal, gauge, "capacity", "resource=\"journal\"", "Bound of a resource, in its own unit") \
    X(capacity_database_connections, gauge, "capacity", "resource=\"database_connections\"", "Bound of a resource, in its own unit") \
    X(capacity_hash_queue, gauge, "capacity", "resource=\"hash_queue\"", "Bound of a resource, in its own unit") \
    X(capacity_sessions, gauge, "capacity", "resource=\"sessions\"", "Bound of a resource, in its own unit") \
    X(machine_memory_used, gauge, "machine_memory_bytes", "state=\"used\"", "Memory of the machine or of the control group, by its limit") \
    X(machine_memory_limit, gauge, "machine_memory_bytes", "state=\"limit\"", "Memory of the machine or of the control group, by its limit") \
    X(machine_processors_used, gauge, "machine_processors_thousandths", "state=\"used\"", "Thousandths of a processor that stayd uses, that it may use, that others use (of that the databases on this machine, while much is used), and that the hypervisor took") \
    X(machine_processors_limit, gauge, "machine_processors_thousandths", "state=\"limit\"", "Thousandths of a processor that stayd uses, that it may use, that others use (of that the databases on this machine, while much is used), and that the hypervisor took") \
    X(machine_processors_others, gauge, "machine_processors_thousandths", "state=\"others\"", "Thousandths of a processor that stayd uses, that it may use, that others use (of that the databases on this machine, while much is used), and that the hypervisor took") \
    X(machine_processors_database, gauge, "machine_processors_thousandths", "state=\"database\"", "Thousandths of a processor that stayd uses, that it may use, that others use (of that the databases on this machine, while much is used), and that the hypervisor took") \
    X(machine_processors_stolen, gauge, "machine_processors_thousandths", "state=\"stolen\"", "Thousandths of a processor that stayd uses, that it may use, that others use (of that the databases on this machine, while much is used), and that the hypervisor took") \
    X(machine_pressure_cpu_us, counter, "machine_pressure_seconds", "resource=\"processor\"", "Time in which something had to wait for a processor or for a disk, as the kernel says (PSI, some)") \
    X(machine_pressure_io_us, counter, "machine_pressure_seconds", "resource=\"io\"", "Time in which something had to wait for a processor or for a disk, as the kernel says (PSI, some)") \
    X(disk_free_bytes, gauge, "disk_bytes", "state=\"free\"", "Space of the file system of data_dir") \
    X(disk_size_bytes, gauge, "disk_bytes", "state=\"size\"", "Space of the file system of data_dir") \
    X(machine_threads_used, gauge, "machine_threads", "state=\"used\"", "Threads of the machine or of the control group, and how many there may be") \
    X(machine_threads_limit, gauge, "machine_threads", "state=\"limit\"", "Threads of the machine or of the control group, and how many there may be") \
    X(wall_minus_mono_ms, gauge, "clock_offset_seconds", "", "The clock minus the time since the machine was started: it changes when the clock is set")

// Histograms of time in nanoseconds: identifier, family, labels, help.
#define STATS_HISTOGRAMS(X) \
    X(check, "request_seconds", "class=\"check\"", "Time from the last byte of a request to the first of its answer") \
    X(login, "request_seconds", "class=\"login\"", "Time from the last byte of a request to the first of its answer") \
    X(change, "request_seconds", "class=\"change\"", "Time from the last byte of a request to the first of its answer") \
    X(other, "request_seconds", "class=\"other\"", "Time from the last byte of a request to the first of its answer") \
    X(stage_accept, "stage_seconds", "stage=\"accept\"", "Time spent in one stage of a change") \
    X(stage_parse, "stage_seconds", "stage=\"parse\"", "Time spent in one stage of a change") \
    X(stage_front_queue, "stage_seconds", "stage=\"front_queue\"", "Time spent in one stage of a change") \
    X(stage_core, "stage_seconds", "stage=\"core\"", "Time spent in one stage of a change") \
    X(stage_gate_wait, "stage_seconds", "stage=\"gate_wait\"", "Time spent in one stage of a change") \
    X(stage_pool_wait, "stage_seconds", "stage=\"pool_wait\"", "Time spent in one stage of a change") \
    X(stage_statement, "stage_seconds", "stage=\"statement\"", "Time spent in one stage of a change") \
    X(stage_commit, "stage_seconds", "stage=\"commit\"", "Time spent in one stage of a change") \
    X(stage_hash_wait, "stage_seconds", "stage=\"hash_wait\"", "Time spent in one stage of a change") \
    X(stage_hash, "stage_seconds", "stage=\"hash\"", "Time spent in one stage of a change") \
    X(stage_key, "stage_seconds", "stage=\"key\"", "Time spent in one stage of a change") \
    X(stage_transit, "stage_seconds", "stage=\"transit\"", "Time spent in one stage of a change") \
    X(stage_return, "stage_seconds", "stage=\"return\"", "Time spent in one stage of a change") \
    X(stage_write, "stage_seconds", "stage=\"write\"", "Time spent in one stage of a change") \
    X(stage_residual, "stage_seconds", "stage=\"residual\"", "Time spent in one stage of a change") \
    X(loop_turn, "loop_turn_seconds", "", "Time the event loop worked between two waits")
// clang-format on

enum stats_role {
#define X(id, name) STATS_ROLE_##id,
    STATS_ROLES(X)
#undef X
        STATS_ROLE_COUNT
};

enum stats_class {
#define X(id, label) STATS_CLASS_##id,
    STATS_CLASSES(X)
#undef X
        STATS_CLASS_COUNT
};

enum stats_counter {
#define X(id, kind, family, labels, help) STATS_##id,
    STATS_COUNTERS(X)
#undef X
        STATS_COUNTER_COUNT
};

enum stats_histogram {
#define X(id, family, labels, help) STATS_TIME_##id,
    STATS_HISTOGRAMS(X)
#undef X
        STATS_HISTOGRAM_COUNT
};

// How a request was answered: by the first digit of its status, but for two that are no fault of anybody's.
enum stats_answer {
    STATS_ANSWER_closed, // without an answer
    STATS_ANSWER_1xx,
    STATS_ANSWER_2xx,
    STATS_ANSWER_3xx,
    STATS_ANSWER_4xx, // but 429
    STATS_ANSWER_5xx, // but 503
    STATS_ANSWER_429, // this source or account should wait
    STATS_ANSWER_503, // stayd is short of something
    STATS_ANSWERS
};

enum stats_kind { STATS_KIND_counter, STATS_KIND_gauge };

// What a row means, for those who print it.
struct stats_row {
    const char *id;
    enum stats_kind kind;
    const char *family;
    const char *labels;
    const char *help;
};

struct stats_times {
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t bucket[STATS_BUCKETS];
};

// Where the address that a fault touched lies; the address itself is not kept.
enum stats_address {
    STATS_ADDRESS_none,  // the signal carries no address
    STATS_ADDRESS_null,  // in the first 64 KiB
    STATS_ADDRESS_stack, // near the stack pointer: probably a stack overflow
    STATS_ADDRESS_code,  // inside a loaded module
    STATS_ADDRESS_other,
};

enum stats_crash_state { STATS_CRASH_none, STATS_CRASH_writing, STATS_CRASH_written };

struct stats_crash {
    _Atomic uint32_t state; // enum stats_crash_state; the rest is valid when written
    int32_t signal;
    int32_t code;
    uint32_t address; // enum stats_address
    int32_t thread;
    uint32_t depth; // addresses used below
    uint64_t frame[STATS_BACKTRACE_MAX];
};

struct stats_module {
    uint64_t base;
    uint64_t size;
    char name[40]; // file name without folders
};

// What was going on, written on the hot path with plain stores.
struct stats_flight {
    _Atomic uint32_t class;
    uint32_t unused;
    _Atomic uint64_t source[2]; // a struct id16: IPv6 or v4-mapped address
};

// Who sent most to a front within a second. Watch adds up the fronts, as connections of one source are shared
// out among them: so all fronts hash with one key.
struct stats_source {
    _Atomic uint64_t hash;    // 0: no more
    _Atomic uint64_t count;   // it sent at least so many
    _Atomic uint64_t network; // base/network.h's network_label; 0 while it sends no more than people do
};

struct stats_crowd {
    _Atomic uint64_t total;                      // what all sources sent; 0: the rest says nothing
    struct stats_source heaviest[STATS_SOURCES]; // falling
};

struct stats_page {
    uint32_t magic;
    uint32_t format;
    uint32_t role;  // enum stats_role
    uint32_t index; // among several of a role
    _Atomic uint32_t pid;
    uint32_t modules;
    uint8_t build_id[STATS_BUILD_ID_SIZE];
    uint32_t build_id_size;
    _Atomic uint64_t started_ns; // CLOCK_MONOTONIC
    struct stats_flight flight;
    struct stats_crash crash;
    _Atomic uint64_t counter[STATS_COUNTER_COUNT];
    _Atomic uint64_t request[STATS_CLASS_COUNT][STATS_ANSWERS]; // by enum stats_answer
    struct stats_times times[STATS_HISTOGRAM_COUNT];
    struct stats_crowd crowd[2];  // one to be read for a second, while the other is written
    _Atomic uint32_t crowd_shown; // which
    struct stats_module module[STATS_MODULES_MAX];
};

enum { STATS_PAGE_SIZE = (sizeof(struct stats_page) + 4095) / 4096 * 4096 };

// This process's page: a private one until stats_attach gives it the shared one, so that it is never NULL.
extern struct stats_page *stats_here;

// Lifecycle.
// Maps the page in `fd` (STATS_PAGE_SIZE bytes) for writing and makes it this process's page: fills in role,
// index, pid, build id and loaded modules, keeps counters, counts the start, clears gauges, flight and crash.
// False when it cannot be mapped.
[[nodiscard]] bool stats_attach(int fd, enum stats_role role, uint32_t index);
// Maps another process's page for reading; NULL when it cannot be mapped. Unmap with stats_unmap.
const struct stats_page *stats_map(int fd);
// The same for writing: the supervisor writes the process_* rows of its children's pages.
struct stats_page *stats_map_writable(int fd);
void stats_unmap(const struct stats_page *page);
// True when the page was written by the same format.
[[nodiscard]] bool stats_page_fits(const struct stats_page *page);

// Of a build that is to show what counting costs, fronts don't count (-Dinstruments=false).
#ifdef STATS_OFF
enum { STATS_ON = false };
#else
enum { STATS_ON = true };
#endif

// Writing, one thread per page.
static inline void stats_add(enum stats_counter counter, uint64_t by)
{
    if (!STATS_ON) {
        return;
    }
    _Atomic uint64_t *cell = &stats_here->counter[counter];
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void stats_count(enum stats_counter counter)
{
    stats_add(counter, 1);
}

static inline void stats_set(enum stats_counter gauge, uint64_t value)
{
    if (!STATS_ON) {
        return;
    }
    atomic_store_explicit(&stats_here->counter[gauge], value, memory_order_relaxed);
}

static inline void stats_subtract(enum stats_counter gauge, uint64_t by)
{
    stats_add(gauge, (uint64_t)0 - by);
}

// Writing from several threads.
static inline void stats_add_shared(enum stats_counter counter, uint64_t by)
{
    if (!STATS_ON) {
        return;
    }
    atomic_fetch_add_explicit(&stats_here->counter[counter], by, memory_order_relaxed);
}

static inline enum stats_answer stats_answer_of(unsigned status)
{
    return status == 429   ? STATS_ANSWER_429
           : status == 503 ? STATS_ANSWER_503
           : status < 600  ? (enum stats_answer)(status / 100)
                           : STATS_ANSWER_closed;
}

// One request answered with an HTTP status (0: closed without an answer).
static inline void stats_request(enum stats_class class, unsigned status)
{
    if (!STATS_ON) {
        return;
    }
    _Atomic uint64_t *cell = &stats_here->request[class][stats_answer_of(status)];
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + 1, memory_order_relaxed);
}

// The bucket of a value, and the first value that is no longer in a bucket.
static inline unsigned stats_bucket(uint64_t value)
{
    if (value < STATS_SUB_BUCKETS) {
        return (unsigned)value;
    }
    unsigned octave = 63U - (unsigned)__builtin_clzll(value);
    if (octave >= STATS_OCTAVES) {
        return STATS_BUCKETS - 1;
    }
    return (octave - 2) * STATS_SUB_BUCKETS + (unsigned)((value >> (octave - 3)) & (STATS_SUB_BUCKETS - 1));
}
uint64_t stats_bucket_end(unsigned bucket);

static inline void stats_time(enum stats_histogram histogram, uint64_t duration_ns)
{
    if (!STATS_ON) {
        return;
    }
    struct stats_times *times = &stats_here->times[histogram];
    _Atomic uint64_t *cell = &times->bucket[stats_bucket(duration_ns)];
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&times->sum_ns,
                          atomic_load_explicit(&times->sum_ns, memory_order_relaxed) + duration_ns,
                          memory_order_relaxed);
}

void stats_time_shared(enum stats_histogram histogram, uint64_t duration_ns);

// The black box: which request this process is working on. Begin before its bytes are parsed further, end
// after it was answered or parked. Source: struct id16, IPv6 or v4-mapped; NULL when there is none.
static inline void stats_flight_begin(enum stats_class class, const struct id16 *source)
{
    if (!STATS_ON) {
        return;
    }
    uint64_t half[2] = {0, 0};
    if (source != NULL) {
        __builtin_memcpy(half, source->byte, sizeof half);
    }
    struct stats_flight *flight = &stats_here->flight;
    atomic_store_explicit(&flight->source[0], half[0], memory_order_relaxed);
    atomic_store_explicit(&flight->source[1], half[1], memory_order_relaxed);
    atomic_store_explicit(&flight->class, (uint32_t) class, memory_order_relaxed);
}

static inline void stats_flight_end(void)
{
    if (!STATS_ON) {
        return;
    }
    atomic_store_explicit(&stats_here->flight.class, (uint32_t)STATS_CLASS_none, memory_order_relaxed);
}

// Reading.
static inline uint64_t stats_read(const struct stats_page *page, enum stats_counter counter)
{
    return atomic_load_explicit(&page->counter[counter], memory_order_relaxed);
}
// The value below which `quantile` (0..1) of the recorded times lie, in ns; 0 when there are none.
uint64_t stats_quantile_ns(const struct stats_times *times, double quantile);
uint64_t stats_times_count(const struct stats_times *times);

static inline const struct stats_crowd *stats_crowd_shown(const struct stats_page *page)
{
    return &page->crowd[atomic_load_explicit(&page->crowd_shown, memory_order_acquire) % 2];
}

// Tables of names. The pointers are to constants.
const struct stats_row *stats_counter_row(enum stats_counter counter);
const struct stats_row *stats_histogram_row(enum stats_histogram histogram);
const char *stats_class_label(uint32_t class); // "other" for a number it does not know
const char *stats_role_name(uint32_t role);    // the executable's name; "?" for a number it does not know
const char *stats_address_text(uint32_t address);

#endif
