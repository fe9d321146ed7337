// SPDX-License-Identifier: ISC
// The round of an open-model load test. Runs in stayctl storm; one thread.
//
//   schedule ──due──▶ ready ──connection──▶ under way ──answer──▶ tally
//                       ▲                                  │ refused, failed
//                       └──────────── later ◀──────────────┘ (with retries)
//
// Invariants: 1. a request is in exactly one of: free, ready, later, under way; 2. its time counts from when
// it was due, never from when it was sent; 3. each attempt is tallied once.
#include "drill/storm.h"

#include "base/clock.h"

#include <assert.h>
#include <sodium.h>
#include <sys/resource.h>

enum { EXPIRE_EVERY_NS = 20000000, ARRIVALS_A_TURN = 512, WAIT_MAX_NS = 20000000, SETTLE_NS = 200000000 };

// ---- requests

uint32_t storm_request_new(struct storm *storm)
{
    uint32_t number = storm->free_first;
    if (number != LINK_NONE) {
        storm->free_first = storm->request[number].next;
        storm->under_way++;
        storm->request[number] = (struct storm_request){.next = LINK_NONE};
        if (storm->under_way > storm->tally.in_flight_max) {
            storm->tally.in_flight_max = storm->under_way;
        }
    }
    return number;
}

void storm_request_free(struct storm *storm, uint32_t number)
{
    storm->request[number].next = storm->free_first;
    storm->free_first = number;
    storm->under_way--;
}

void storm_ready(struct storm *storm, uint32_t number)
{
    struct storm_list *ready = &storm->ready;
    storm->request[number].next = LINK_NONE;
    *(ready->count == 0 ? &ready->first : &storm->request[ready->last].next) = number;
    ready->last = number;
    ready->count++;
}

static uint32_t take_ready(struct storm *storm)
{
    uint32_t number = storm->ready.first;
    storm->ready.first = storm->request[number].next;
    storm->ready.count--;
    return number;
}

static uint64_t due_at(const struct storm *storm, uint32_t place)
{
    return storm->request[storm->later[place]].due_ns;
}

static void swap_later(struct storm *storm, uint32_t a, uint32_t b)
{
    uint32_t kept = storm->later[a];
    storm->later[a] = storm->later[b];
    storm->later[b] = kept;
}

void storm_later(struct storm *storm, uint32_t number)
{
    uint32_t at = storm->later_count++;
    storm->later[at] = number;
    for (; at > 0 && due_at(storm, at) < due_at(storm, (at - 1) / 2); at = (at - 1) / 2) {
        swap_later(storm, at, (at - 1) / 2);
    }
}

static uint32_t take_later(struct storm *storm)
{
    uint32_t number = storm->later[0];
    storm->later[0] = storm->later[--storm->later_count];
    for (uint32_t at = 0;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < storm->later_count && due_at(storm, child + 1) < due_at(storm, child)) {
            child++;
        }
        if (child >= storm->later_count || due_at(storm, at) <= due_at(storm, child)) {
            return number;
        }
        swap_later(storm, at, child);
        at = child;
    }
}

bool storm_stopping(const struct storm *storm)
{
    return storm->options->stop != NULL && *storm->options->stop != 0;
}

// ---- what came of an attempt

static enum storm_outcome judge(struct storm *storm, const struct storm_request *request,
                                const struct answer *answer, uint64_t took_ns, enum storm_cause *cause)
{
    char name[PEOPLE_NAME_SIZE];
    unsigned good = request->class == STORM_change ? 204 : request->class == STORM_register ? 201 : 200;
    *cause = STORM_CAUSE_none;
    if (answer->status == good) {
        if (request->class == STORM_check && people_name(storm->people, request->person, name) &&
            strcmp(name, answer->user) != 0) {
            return STORM_wrong;
        }
        return took_ns > storm->options->deadline_ns[request->class] ? STORM_late : STORM_ok;
    }
    if (answer->status == 429 || answer->status == 503) {
        *cause = answer->retry_after_s == ANSWER_NO_RETRY ? STORM_CAUSE_no_retry_after : STORM_CAUSE_none;
        return *cause == STORM_CAUSE_none ? STORM_refused : STORM_failed;
    }
    *cause = answer->status == 401 ? STORM_CAUSE_not_recognised : STORM_CAUSE_status;
    return STORM_failed;
}

// How long to wait before the next attempt; UINT64_MAX: there is none.
static uint64_t retry_after(struct storm *storm, const struct storm_request *request,
                            enum storm_outcome outcome, const struct answer *answer)
{
    const struct storm_options *options = storm->options;
    if ((outcome != STORM_refused && outcome != STORM_failed) || request->tries >= options->tries ||
        options->retries == STORM_RETRY_NONE) {
        return UINT64_MAX;
    }
    if (options->retries == STORM_RETRY_RUDE) {
        return 0;
    }
    double jitter = storm_random_share(&storm->random);
    if (outcome == STORM_refused) {
        return (uint64_t)(1e9 * answer->retry_after_s * (1 + jitter / 4) + 1e8 * jitter);
    }
    return (uint64_t)(1e9 * (double)(1u << (request->tries < 5 ? request->tries : 5)) * jitter);
}

static void settle(struct storm *storm, uint32_t number, enum storm_outcome outcome,
                   const struct answer *answer, uint64_t now_ns)
{
    struct storm_request *request = &storm->request[number];
    struct tally_cell *cell = tally_at(&storm->tally, request->phase, request->class);
    uint64_t wait_ns = retry_after(storm, request, outcome, answer);
    if (wait_ns != UINT64_MAX && !storm->stopped) {
        request->tries++;
        request->due_ns = now_ns + wait_ns;
        storm_later(storm, number);
        return;
    }
    if (outcome == STORM_ok || outcome == STORM_late) {
        cell->delayed += request->tries > 0;
        if (answer->token[0] != '\0' && request->class == STORM_login) {
            people_sign_in(storm->people, request->person, answer->token);
        }
    } else {
        cell->given_up++;
    }
    storm_request_free(storm, number);
}

static void tally_attempt(struct storm *storm, uint32_t number, enum link_end end,
                          const struct answer *answer)
{
    static const enum storm_cause cause_of[] = {
        [LINK_ANSWERED] = STORM_CAUSE_none,   [LINK_NOT_CONNECTED] = STORM_CAUSE_connect,
        [LINK_ENDED] = STORM_CAUSE_ended,     [LINK_MALFORMED] = STORM_CAUSE_malformed,
        [LINK_EXPIRED] = STORM_CAUSE_timeout,
    };
    struct storm_request *request = &storm->request[number];
    uint64_t now_ns = clock_mono_ns();
    uint64_t took_ns = now_ns - request->due_ns;
    enum storm_cause cause = cause_of[end];
    enum storm_outcome outcome = STORM_failed;
    if (end == LINK_ANSWERED) {
        outcome = judge(storm, request, answer, took_ns, &cause);
        storm->tally.status[answer->status < 600 ? answer->status : 0]++;
    }
    storm->tally.cause[cause] += cause != STORM_CAUSE_none;
    tally_at(&storm->tally, request->phase, request->class)->retries += request->tries > 0;
    tally_answer(&storm->tally, request->phase, request->class, outcome, now_ns - storm->begin_ns, took_ns);
    storm_log_attempt(storm, request, now_ns, outcome, answer);
    settle(storm, number, outcome, answer, now_ns);
}

static void on_done(void *owner, uint32_t number, enum link_end end, const struct answer *answer)
{
    struct storm *storm = owner;
    if (storm->request[number].preparing) {
        storm_prepared(storm, number, end, answer);
    } else {
        tally_attempt(storm, number, end, answer);
    }
}

// ---- arrivals

// Checks go to any session; log-ins and changes keep to accounts of their own, since a change ends the
// sessions that a log-in of the same account opens at the same time.
static uint32_t pick_person(struct storm *storm, enum storm_class class)
{
    const struct people *people = storm->people;
    if (class == STORM_check) {
        return people->signed_in[storm_random(&storm->random) % people->signed_in_count];
    }
    if (class == STORM_change) {
        return (uint32_t)(storm_random(&storm->random) % storm->changers);
    }
    uint32_t others = people->count - storm->changers;
    uint32_t number = (uint32_t)(storm_random(&storm->random) % others);
    return storm->changers > 0 ? storm->changers + number : number;
}

static void arrive(struct storm *storm, enum storm_class class, uint64_t at_ns)
{
    unsigned phase = plan_phase_at(storm->options->plan, (double)at_ns / 1e9);
    tally_offer(&storm->tally, phase, class, at_ns);
    uint32_t number = storm_request_new(storm);
    if (number == LINK_NONE) {
        storm->tally.unsent++;
        return;
    }
    struct storm_request *request = &storm->request[number];
    request->due_ns = storm->begin_ns + at_ns;
    request->arrival = storm->arrivals++;
    request->class = (uint8_t) class;
    request->phase = (uint8_t)phase;
    request->person = pick_person(storm, class);
    request->fresh = class == STORM_register ? storm->fresh++ : 0;
    // Everybody has an address; those who are new have any.
    request->source = class == STORM_register ? (uint32_t)storm_random(&storm->random) : request->person;
    histogram_add(&storm->tally.lag, clock_mono_ns() - request->due_ns);
    storm_ready(storm, number);
}

// Takes what is due, of all classes in the order of time; returns when the next one is.
static uint64_t arrivals(struct storm *storm, uint64_t now_ns)
{
    for (unsigned taken = 0;; taken++) {
        unsigned first = 0;
        for (unsigned i = 1; i < STORM_CLASSES; i++) {
            first = storm->next_ns[i] < storm->next_ns[first] ? i : first;
        }
        uint64_t at_ns = storm->next_ns[first];
        if (at_ns == UINT64_MAX || storm->begin_ns + at_ns > now_ns || taken == ARRIVALS_A_TURN) {
            return at_ns == UINT64_MAX ? UINT64_MAX : storm->begin_ns + at_ns;
        }
        arrive(storm, (enum storm_class)first, at_ns);
        if (!schedule_next(&storm->schedule[first], &storm->next_ns[first])) {
            storm->next_ns[first] = UINT64_MAX;
        }
    }
}

// ---- the round

static void send_ready(struct storm *storm, uint64_t now_ns)
{
    while (storm->ready.count > 0) {
        uint32_t number = storm->ready.first;
        struct storm_request *request = &storm->request[number];
        uint64_t deadline_ns = request->due_ns + storm->options->timeout_ns;
        if (deadline_ns <= now_ns && !request->preparing) {
            take_ready(storm);
            on_done(storm, number, LINK_EXPIRED, NULL);
            continue;
        }
        if (storm->links.busy == storm->links.count) {
            return;
        }
        // Taken off first: it may be over before links_start returns.
        take_ready(storm);
        uint64_t sent_ns = clock_mono_ns();
        histogram_add(&storm->tally.queued, sent_ns > request->due_ns ? sent_ns - request->due_ns : 0);
        if (links_start(&storm->links, number, request->source, deadline_ns, storm_write) ==
            LINK_IMPOSSIBLE) {
            on_done(storm, number, LINK_NOT_CONNECTED, NULL);
        }
    }
}

void storm_turn(struct storm *storm, uint64_t next_ns)
{
    uint64_t now_ns = clock_mono_ns();
    while (storm->later_count > 0 && due_at(storm, 0) <= now_ns) {
        storm_ready(storm, take_later(storm));
    }
    send_ready(storm, now_ns);
    if (now_ns >= storm->expire_ns) {
        links_expire(&storm->links, now_ns);
        storm->expire_ns = now_ns + EXPIRE_EVERY_NS;
    }
    if (storm->later_count > 0 && due_at(storm, 0) < next_ns) {
        next_ns = due_at(storm, 0);
    }
    uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
    links_poll(&storm->links, wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS);
}

static void show_progress(const struct storm *storm, size_t second)
{
    FILE *out = storm->options->progress;
    const struct tally_second *last = &storm->tally.second[second];
    if (out == NULL) {
        return;
    }
    fprintf(out, "\r%4zu s", second + 1);
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        const struct tally_instant *one = &last->class[i];
        if (plan_count(storm->options->plan, (enum storm_class)i) > 0) {
            fprintf(out, "  %s %u/s ok %u refused %u late %u failed %u p99 %.1f ms%s",
                    storm_class_name((enum storm_class)i), one->offered, one->answers[STORM_ok],
                    one->answers[STORM_refused], one->answers[STORM_late], one->answers[STORM_failed],
                    one->ok_p99_us / 1e3, one->answers[STORM_wrong] > 0 ? " WRONG IDENTITY" : "");
        }
    }
    fprintf(out, "  under way %u\x1b[K", storm->under_way);
    fflush(out);
}

// Returns false when the tally has no room.
static bool seconds_turn(struct storm *storm, uint64_t now_ns)
{
    size_t second = (size_t)((now_ns - storm->begin_ns) / 1000000000u);
    if (second < storm->tally.seconds) {
        return true;
    }
    size_t ended = storm->tally.seconds - 1;
    bool done = tally_turn(&storm->tally, second);
    if (storm->options->log != NULL) {
        fflush(storm->options->log);
    }
    show_progress(storm, ended);
    return done;
}

// Retries that are not due by the end are given up.
static void drop_later(struct storm *storm)
{
    while (storm->later_count > 0) {
        uint32_t number = storm->later[--storm->later_count];
        const struct storm_request *request = &storm->request[number];
        tally_at(&storm->tally, request->phase, request->class)->given_up++;
        storm_request_free(storm, number);
    }
}

static void load(struct storm *storm)
{
    storm->begin_ns = clock_mono_ns();
    storm_log_begin(storm);
    uint64_t end_ns = storm->begin_ns + (uint64_t)(storm->options->plan->seconds * 1e9);
    uint64_t patience_ns = end_ns + storm->options->timeout_ns + SETTLE_NS;
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        schedule_init(&storm->schedule[i], storm->options->plan, (enum storm_class)i, storm->options->uniform,
                      storm->options->seed);
        if (!schedule_next(&storm->schedule[i], &storm->next_ns[i])) {
            storm->next_ns[i] = UINT64_MAX;
        }
    }
    for (;;) {
        uint64_t now_ns = clock_mono_ns();
        if (!seconds_turn(storm, now_ns) || now_ns > patience_ns ||
            (storm_stopping(storm) && !storm->stopped)) {
            storm->stopped = true;
            end_ns = now_ns < end_ns ? now_ns : end_ns;
            patience_ns = 0;
        }
        uint64_t next_ns = storm->stopped ? UINT64_MAX : arrivals(storm, now_ns);
        if (now_ns >= end_ns) {
            drop_later(storm);
        }
        if ((now_ns >= end_ns && storm->under_way == 0) || patience_ns == 0) {
            break;
        }
        storm_turn(storm, next_ns);
    }
    storm->ran_s = (double)(end_ns - storm->begin_ns) / 1e9;
}

// ---- life

static double own_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool init(struct storm *storm, const struct storm_options *options, struct people *people)
{
    *storm = (struct storm){.options = options, .people = people, .links.epoll = -1, .random = options->seed};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    snprintf(storm->cookie_name, sizeof(storm->cookie_name), "%s",
             options->target->tls ? "__Host-stayd" : "stayd");
    uint8_t run[4];
    randombytes_buf(run, sizeof(run));
    hex_encode(run, sizeof(run), storm->run_name);
    storm->request = calloc(STORM_REQUESTS_MAX, sizeof(*storm->request));
    storm->later = malloc(STORM_REQUESTS_MAX * sizeof(*storm->later));
    if (storm->request == NULL || storm->later == NULL || !tally_init(&storm->tally, options->plan->phases) ||
        !links_init(&storm->links, options->target, options->connections, options->sources, storm, on_done)) {
        snprintf(storm->problem, sizeof(storm->problem), "There is not enough memory for this load.");
        return false;
    }
    storm->links.first_source = options->first_source;
    for (uint32_t i = 0; i < STORM_REQUESTS_MAX; i++) {
        storm->request[i].next = i + 1 < STORM_REQUESTS_MAX ? i + 1 : LINK_NONE;
    }
    return true;
}

enum storm_result storm_run(struct storm *storm, const struct storm_options *options, struct people *people)
{
    if (!init(storm, options, people)) {
        return STORM_REFUSED_TO;
    }
    uint64_t began_ns = clock_mono_ns();
    enum storm_result result = storm_prepare(storm);
    storm->prepare_s = (double)(clock_mono_ns() - began_ns) / 1e9;
    if (result != STORM_RAN) {
        return result;
    }
    memset(&storm->tally.queued, 0, sizeof(storm->tally.queued));
    storm->tally.in_flight_max = 0;
    double cpu_s = own_cpu_s();
    uint64_t opened = storm->links.opened;
    load(storm);
    storm->own_cpu_s = own_cpu_s() - cpu_s;
    storm->tally.connections = storm->links.opened - opened;
    return STORM_RAN;
}

void storm_release(struct storm *storm)
{
    links_release(&storm->links);
    tally_release(&storm->tally);
    free(storm->request);
    free(storm->later);
    storm->request = NULL;
    storm->later = NULL;
}
