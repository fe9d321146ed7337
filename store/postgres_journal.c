// SPDX-License-Identifier: ISC
// Ends on their way through the journal. Runs in stayd-store on the event loop.
// 1. An end is answered OK only when the journal's disk or the database has it. With both it outlives a
//    failover, so the answer waits for the journal's disk even when the database was faster.
// 2. An acknowledgement counts for the server that the statement began on.
// 3. Replays are few at once, behind the gate like everything else; those of accounts one after the other.
// 4. No answer of the database is handed out before it was held against what has ended.
#include "store/postgres_journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "store/postgres_service.h"

#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define REPLAY_MS    5000u
#define SLOW_NS      50000000u // an end that takes so long is slow,
#define SLOW_TIMES   20u // and so many times what a trivial statement takes: then it is not the way there
#define WAITED_TIMES 1u  // so much longer the database is waited for
#define STANDING_NS  20000000u // none is done for so long: no more are begun
#define REST_TIMES   20u
#define REST_MOST_NS 5000000000u
#define PLAN_REST_NS 60000000000u

// ---- appending -------------------------------------------------------------------------------------------

static struct view packet_of(const struct postgres_job *job)
{
    return view_of(job->data, job->size);
}

static uint64_t append_end(struct journal *journal, struct view packet)
{
    struct wire_store_session_end session;
    struct wire_store_account_epoch account;
    if (wire_peek(packet) == WIRE_MESSAGE_store_session_end &&
        wire_store_session_end_decode(packet, &session)) {
        return journal_end_session(journal, session.selector);
    }
    if (wire_peek(packet) == WIRE_MESSAGE_store_account_epoch &&
        wire_store_account_epoch_decode(packet, &account)) {
        return journal_end_account(journal, account.id, account.epoch,
                                   account.has_keep ? &account.keep : NULL);
    }
    return 0;
}

static bool disables(struct view packet, const struct store_answer *answer, struct wire_account_row *row)
{
    struct wire_store_account_set set;
    struct view rows = bytes_view(&answer->rows);
    return wire_store_account_set_decode(packet, &set) && (set.fields & WIRE_SET_DISABLED) != 0 &&
           set.disabled && wire_account_row_next(&rows, row);
}

// Changes that end sessions among other things can't be known before the database has done them.
static uint64_t append_done(struct journal *journal, struct view packet, const struct store_answer *answer)
{
    struct wire_store_account_password password;
    struct wire_store_account_delete removed;
    struct wire_account_row row;
    if (answer->outcome != WIRE_STORE_OK) {
        return 0;
    }
    switch (wire_peek(packet)) {
    case WIRE_MESSAGE_store_account_password:
        return wire_store_account_password_decode(packet, &password)
                   ? journal_end_account(journal, password.account_id, password.epoch, NULL)
                   : 0;
    case WIRE_MESSAGE_store_account_set:
        return disables(packet, answer, &row) ? journal_end_account(journal, row.id, row.epoch, NULL) : 0;
    case WIRE_MESSAGE_store_account_delete:
        return wire_store_account_delete_decode(packet, &removed) && removed.epoch > 0
                   ? journal_end_account(journal, removed.id, removed.epoch, NULL)
                   : 0;
    default:
        return 0;
    }
}

bool postgres_journal_enter(struct postgres_service *service, struct postgres_job *job,
                            struct store_answer *answer)
{
    struct journal *journal = service->journal.journal;
    struct wire_store_session_by_selector look_up;
    if (wire_peek(packet_of(job)) == WIRE_MESSAGE_store_session_by_selector &&
        wire_store_session_by_selector_decode(packet_of(job), &look_up) &&
        ended_session(journal_ended(journal), look_up.selector)) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return false;
    }
    job->journaled.sequence = append_end(journal, packet_of(job));
    if (job->journaled.sequence != 0 && job->deadline_ns != UINT64_MAX) {
        // The asker is answered out of the journal while it still listens.
        job->deadline_ns = job->queued_ns + (job->deadline_ns - job->queued_ns) / 2;
    }
    return true;
}

// Ends that are waited for by nobody: the journal has them.
static bool is_end(const struct postgres_job *job)
{
    uint16_t number = wire_peek(packet_of(job));
    return number == WIRE_MESSAGE_store_session_end || number == WIRE_MESSAGE_store_account_epoch;
}

static uint64_t slow_from_ns(const struct postgres_service *service)
{
    uint64_t trivial_ns = service->eyes.network_us * 1000u * SLOW_TIMES;
    return trivial_ns > SLOW_NS ? trivial_ns : SLOW_NS;
}

static bool finds_no_index(const struct postgres_service *service, uint16_t number)
{
    const struct eyes_operation *operation = &service->eyes.eyes.operation[eyes_operation(number)];
    return operation->slow && operation->plan.known && !operation->plan.holds;
}

// Nobody waits for what the journal has; where it takes long, others live on what it would take.
static bool is_resting(const struct postgres_service *service)
{
    const struct postgres_journal *journal = &service->journal;
    uint64_t now_ns = clock_mono_ns();
    bool plan =
        now_ns < journal->plan_until_ns && (finds_no_index(service, WIRE_MESSAGE_store_session_end) ||
                                            finds_no_index(service, WIRE_MESSAGE_store_account_epoch));
    bool standing = journal->under_way > 0 && (journal->slow || now_ns >= journal->moved_ns + STANDING_NS);
    return now_ns < journal->rest_until_ns || plan || standing;
}

static void now_under_way(struct postgres_journal *journal, struct postgres_job *job)
{
    journal->moved_ns = journal->under_way == 0 ? clock_mono_ns() : journal->moved_ns;
    journal->under_way++;
    job->journaled.under_way = true;
}

bool postgres_journal_rests(struct postgres_service *service, struct postgres_job *job)
{
    if (job->journaled.sequence == 0 || is_resting(service)) {
        return job->journaled.sequence != 0;
    }
    now_under_way(&service->journal, job);
    return false;
}

static void no_longer_under_way(struct postgres_service *service, struct postgres_job *job)
{
    service->journal.under_way -= job->journaled.under_way;
    job->journaled.under_way = false;
}

static void rest_after(struct postgres_service *service, struct postgres_job *job)
{
    struct postgres_journal *journal = &service->journal;
    no_longer_under_way(service, job);
    if (job->journaled.run_ns == 0) {
        return;
    }
    uint64_t now_ns = clock_mono_ns(), took_ns = now_ns - job->journaled.run_ns;
    journal->moved_ns = now_ns;
    journal->slow = took_ns >= slow_from_ns(service);
    if (journal->slow) {
        uint64_t rest_ns = REST_TIMES * took_ns;
        journal->rest_until_ns = now_ns + (rest_ns < REST_MOST_NS ? rest_ns : REST_MOST_NS);
        journal->plan_until_ns = now_ns + PLAN_REST_NS;
    }
}

// ---- answers ---------------------------------------------------------------------------------------------

static bool is_done(const struct store_answer *answer)
{
    return answer->outcome == WIRE_STORE_OK || answer->outcome == WIRE_STORE_NOT_FOUND;
}

static void settle_entry(struct postgres_service *service, const struct postgres_job *job, bool done)
{
    struct postgres_journal *journal = &service->journal;
    if (done && job->journaled.server_number == journal->server_number) {
        journal_acknowledged(journal->journal, job->journaled.sequence, journal->server);
    } else {
        journal_postponed(journal->journal, job->journaled.sequence);
    }
}

static void hold(struct postgres_service *service, struct postgres_job *job, struct store_answer *answer,
                 uint64_t begun_ns)
{
    job->journaled.answer = *answer;
    store_answer_init(answer);
    job->journaled.begun_ns = begun_ns;
    job->journaled.held = true;
    job->journaled.next = NULL;
    if (service->journal.held_last != NULL) {
        service->journal.held_last->journaled.next = job;
    } else {
        service->journal.held_first = job;
    }
    service->journal.held_last = job;
}

// What the database did not do is done when it is on the disk.
static void stand_in(struct store_answer *answer)
{
    if (!is_done(answer) && answer->outcome != WIRE_STORE_CONFLICT) {
        store_answer_set(answer, WIRE_STORE_OK, WIRE_CONFLICT_NONE);
        answer->retry_after_s = 0;
    }
}

// True: to be handed out now.
static bool answer_end(struct postgres_service *service, struct postgres_job *job,
                       struct store_answer *answer, uint64_t begun_ns)
{
    settle_entry(service, job, is_done(answer));
    switch (journal_state(service->journal.journal, job->journaled.sequence)) {
    case JOURNAL_UNSETTLED:
        hold(service, job, answer, begun_ns);
        return false;
    case JOURNAL_DURABLE:
        stand_in(answer);
        return true;
    case JOURNAL_LOST:
    default:
        return true;
    }
}

static void end_replay(struct postgres_service *service, struct postgres_job *job,
                       const struct store_answer *answer)
{
    struct postgres_journal *journal = &service->journal;
    bool done = is_done(answer);
    settle_entry(service, job, done);
    journal->replays--;
    journal->account_replays =
        journal->account_replays && wire_peek(packet_of(job)) != WIRE_MESSAGE_store_account_epoch;
    journal->replayed += done;
    if (done) {
        postgres_journal_replay(service);
    }
    if (done && journal->replays == 0 && journal_count(journal->journal).waiting == 0) {
        log_event(LOG_INFO, "journal_replayed", "%llu ends of the journal are in the database",
                  (unsigned long long)journal->replayed);
        journal->replayed = 0;
    }
    postgres_service_free_job(job);
}

// The same page from behind what has ended of it. The message has fields of fixed size only.
static bool go_on(struct postgres_job *job, const struct ended_cursor *cursor)
{
    struct wire_store_session_page page;
    struct bytes packet;
    bytes_init(&packet, job->size);
    bool fine = wire_store_session_page_decode(packet_of(job), &page);
    page.after_account = cursor->account;
    page.after_selector = cursor->selector;
    fine = fine && wire_store_session_page_encode(&packet, &page) && packet.size == job->size;
    if (fine) {
        memcpy(job->data, packet.data, packet.size);
        job->tries = 0;
    }
    bytes_release(&packet);
    return fine;
}

static bool answer_row(struct postgres_service *service, struct postgres_job *job,
                       struct store_answer *answer)
{
    struct ended_cursor cursor;
    const struct store_operation *operation = store_operation_find(wire_peek(packet_of(job)));
    switch (ended_apply(journal_ended(service->journal.journal), operation, answer, &cursor)) {
    case ENDED_AGAIN:
        if (go_on(job, &cursor)) {
            postgres_service_again(service, job);
            return false;
        }
        store_answer_set(answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
        return true;
    case ENDED_ANSWER:
    case ENDED_BROKEN:
    default:
        return true;
    }
}

bool postgres_journal_answer(struct postgres_service *service, struct postgres_job *job,
                             struct store_answer *answer, uint64_t begun_ns)
{
    if (job->journaled.held) {
        return true;
    }
    rest_after(service, job);
    if (job->journaled.replay) {
        end_replay(service, job, answer);
        return false;
    }
    if (job->journaled.sequence == 0) {
        job->journaled.sequence = append_done(service->journal.journal, packet_of(job), answer);
    }
    if (job->journaled.sequence != 0) {
        return answer_end(service, job, answer, begun_ns);
    }
    return answer_row(service, job, answer);
}

void postgres_journal_drop(struct postgres_service *service, struct postgres_job *job)
{
    if (job->journaled.sequence != 0 && !job->journaled.held) {
        journal_postponed(service->journal.journal, job->journaled.sequence);
    }
    no_longer_under_way(service, job);
    if (job->journaled.replay) {
        service->journal.replays--;
        service->journal.account_replays =
            service->journal.account_replays && wire_peek(packet_of(job)) != WIRE_MESSAGE_store_account_epoch;
    }
}

static void drop_held(struct postgres_service *service, bool all)
{
    struct postgres_job **at = &service->journal.held_first;
    service->journal.held_last = NULL;
    while (*at != NULL) {
        struct postgres_job *job = *at;
        if (all || job->generation != service->generation) {
            *at = job->journaled.next;
            store_answer_release(&job->journaled.answer);
            postgres_service_free_job(job);
        } else {
            service->journal.held_last = job;
            at = &job->journaled.next;
        }
    }
}

// Held ones are not in the order of their numbers: the database may have been slow with some.
static void on_settled(void *owner, uint64_t sequence, bool durable)
{
    struct postgres_service *service = owner;
    (void)durable;
    drop_held(service, false);
    struct postgres_job *rest = service->journal.held_first;
    service->journal.held_first = NULL;
    service->journal.held_last = NULL;
    while (rest != NULL) {
        struct postgres_job *job = rest;
        struct store_answer answer = job->journaled.answer;
        rest = job->journaled.next;
        job->journaled.held = false;
        if (job->journaled.sequence > sequence) {
            hold(service, job, &answer, job->journaled.begun_ns);
            store_answer_release(&answer);
            continue;
        }
        if (journal_state(service->journal.journal, job->journaled.sequence) == JOURNAL_DURABLE) {
            stand_in(&answer);
        }
        job->journaled.held = true;
        postgres_service_answer(service, job, &answer, job->journaled.begun_ns, clock_mono_ns());
        store_answer_release(&answer);
    }
    postgres_service_look(service);
}

bool postgres_journal_is_busy(const struct postgres_service *service)
{
    return service->journal.held_first != NULL;
}

// ---- the database ----------------------------------------------------------------------------------------

void postgres_journal_run(struct postgres_service *service, struct postgres_job *job)
{
    job->journaled.server_number = service->journal.server_number;
    if (job->journaled.sequence == 0 || !is_end(job)) {
        return;
    }
    job->journaled.run_ns = clock_mono_ns();
    if (!job->journaled.replay) {
        uint64_t until_ns = job->journaled.run_ns + WAITED_TIMES * slow_from_ns(service);
        job->deadline_ns = job->deadline_ns < until_ns ? job->deadline_ns : until_ns;
    }
}

void postgres_journal_server(struct postgres_service *service, const char *identity)
{
    struct postgres_journal *journal = &service->journal;
    struct id16 server;
    (void)crypto_generichash(server.byte, sizeof(server.byte), (const uint8_t *)identity, strlen(identity),
                             NULL, 0);
    if (memcmp(server.byte, journal->server.byte, sizeof(server.byte)) != 0) {
        journal->server_number++;
        journal->rest_until_ns = 0; // it may be quicker
        journal->plan_until_ns = 0;
    }
    journal->server = server;
    if (journal_server(journal->journal, server)) {
        log_event(
            LOG_INFO, "journal_replays",
            "the database is another one or was started anew: %llu ends that the journal keeps are said "
            "to it again",
            (unsigned long long)journal_count(journal->journal).waiting);
    }
}

static bool encode_replay(const struct journal_entry *entry, struct bytes *packet)
{
    if (entry->kind == JOURNAL_SESSION) {
        return wire_store_session_end_encode(
            packet, &(struct wire_store_session_end){
                        .op = entry->sequence, .deadline_ms = REPLAY_MS, .selector = entry->id});
    }
    return wire_store_account_epoch_encode(packet,
                                           &(struct wire_store_account_epoch){.op = entry->sequence,
                                                                              .deadline_ms = REPLAY_MS,
                                                                              .id = entry->id,
                                                                              .epoch = entry->epoch,
                                                                              .has_keep = entry->has_keep,
                                                                              .keep = entry->keep});
}

static bool begin_replay(struct postgres_service *service, const struct journal_entry *entry)
{
    struct bytes packet;
    bytes_init(&packet, 256);
    struct postgres_job *job =
        encode_replay(entry, &packet) ? postgres_service_job(service, bytes_view(&packet)) : NULL;
    bytes_release(&packet);
    if (job == NULL) {
        return false;
    }
    job->journaled.sequence = entry->sequence;
    job->journaled.replay = true;
    now_under_way(&service->journal, job);
    service->journal.replays++;
    service->journal.account_replays = service->journal.account_replays || entry->kind == JOURNAL_ACCOUNT;
    postgres_service_admit(service, job, job->queued_ns);
    return true;
}

void postgres_journal_replay(struct postgres_service *service)
{
    struct postgres_journal *journal = &service->journal;
    while (postgres_may_run(service) && !service->stopping && journal->replays < POSTGRES_REPLAYS_MAX &&
           !is_resting(service)) {
        if (!journal->has_next && !journal_next(journal->journal, &journal->next)) {
            return;
        }
        journal->has_next = true;
        if (journal->next.kind == JOURNAL_ACCOUNT && journal->account_replays) {
            return;
        }
        journal->has_next = false;
        struct journal_entry entry = journal->next;
        uint32_t before = journal->replays;
        if (!begin_replay(service, &entry)) {
            journal_postponed(journal->journal, entry.sequence);
            return;
        }
        if (journal->replays == before) {
            return; // refused: no use in asking again before the next tick
        }
    }
}

// ---- life ------------------------------------------------------------------------------------------------

bool postgres_journal_open(struct postgres_service *service, const char *folder,
                           char why[static JOURNAL_WHY_MAX])
{
    int fd = open(folder == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "the journal's folder can't be opened");
        return false;
    }
    enum journal_opened opened =
        journal_open(&service->journal.journal, fd, service->loop, on_settled, service, why);
    close(fd);
    return opened == JOURNAL_OPENED;
}

bool postgres_journal_start(struct postgres_service *service)
{
    return journal_start(service->journal.journal);
}

void postgres_journal_release(struct postgres_service *service)
{
    drop_held(service, true);
    journal_close(&service->journal.journal);
}
