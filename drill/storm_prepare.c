// SPDX-License-Identifier: ISC
// Makes the accounts ready, a few at a time, as politely as a person would. Runs in stayctl storm.
//
//   register ──201──▶ logged in already
//      │ 409 (there already)
//      ▼
//   log in ──200──▶ logged in;   429, 503: again when the answer says
//
// Any other answer ends the run: a load on accounts that are not as they are thought to be measures nothing.
#include "drill/storm.h"

#include "base/clock.h"

#include <stdarg.h>

enum { AT_ONCE = 16, FAILURES_MAX = 50 };

[[gnu::format(printf, 2, 3)]] static void refuse(struct storm *storm, const char *format, ...)
{
    if (storm->problem[0] == '\0') {
        va_list list;
        va_start(list, format);
        vsnprintf(storm->problem, sizeof(storm->problem), format, list);
        va_end(list);
    }
}

static void explain(struct storm *storm, const struct storm_request *request, unsigned status)
{
    char name[PEOPLE_NAME_SIZE];
    people_name(storm->people, request->person, name);
    if (request->class == STORM_register && status == 403) {
        refuse(
            storm,
            "stayd lets nobody register: on a test system set \"registration = open\" and make a first "
            "administrator (stayctl user add), or make the accounts yourself and name them with --accounts.");
    } else if (request->class == STORM_login && status == 401) {
        refuse(storm,
               "%s can't log in with the password given: make the accounts with --prepare, or give theirs "
               "with --accounts or --password-file.",
               name);
    } else {
        refuse(storm, "%s could not be %s: the answer was %u.", name,
               request->class == STORM_register ? "registered" : "logged in", status);
    }
}

static void try_again(struct storm *storm, uint32_t number, uint64_t wait_ns)
{
    storm->request[number].due_ns = clock_mono_ns() + wait_ns;
    storm_later(storm, number);
}

void storm_prepared(struct storm *storm, uint32_t number, enum link_end end, const struct answer *answer)
{
    struct storm_request *request = &storm->request[number];
    unsigned status = answer == NULL ? 0 : answer->status;
    if (end != LINK_ANSWERED) {
        if (++request->fresh > FAILURES_MAX || (end == LINK_NOT_CONNECTED && storm->prepared == 0)) {
            refuse(storm, "%s does not answer.", storm->options->target->authority);
            storm_request_free(storm, number);
        } else {
            try_again(storm, number, 200000000);
        }
        return;
    }
    if (status == 429 || status == 503) {
        uint32_t wait_s = answer->retry_after_s == ANSWER_NO_RETRY ? 1 : answer->retry_after_s;
        try_again(storm, number, wait_s * 1000000000ull);
        return;
    }
    if (status == 409 && request->class == STORM_register) {
        request->class = STORM_login;
        try_again(storm, number, 0);
        return;
    }
    if (status == 200 || status == 201) {
        storm->registered += status == 201;
        storm->signed_in_now++;
        storm->prepared++;
        if (answer->token[0] != '\0') {
            people_sign_in(storm->people, request->person, answer->token);
            memcpy(storm->cookie_name, answer->cookie_name, sizeof(storm->cookie_name));
        }
    } else {
        explain(storm, request, status);
    }
    storm_request_free(storm, number);
}

// The next account that is not ready yet, if any.
static bool start_next(struct storm *storm)
{
    const struct storm_options *options = storm->options;
    for (; storm->prepare_next < storm->prepare_end; storm->prepare_next++) {
        if (storm->people->person[storm->prepare_next].token[0] == '\0') {
            uint32_t number = storm_request_new(storm);
            struct storm_request *request = &storm->request[number];
            request->preparing = true;
            request->class = options->prepare ? STORM_register : STORM_login;
            request->person = request->source = storm->prepare_next++;
            request->due_ns = clock_mono_ns();
            storm_ready(storm, number);
            return true;
        }
    }
    return false;
}

static void show(const struct storm *storm, uint64_t now_ns, uint64_t *shown_ns)
{
    if (storm->options->progress != NULL && now_ns > *shown_ns + 500000000) {
        *shown_ns = now_ns;
        fprintf(storm->options->progress, "\rmaking ready: %u of %u accounts\x1b[K", storm->prepared,
                storm->prepare_end);
        fflush(storm->options->progress);
    }
}

// Which accounts do what, once it is known which have sessions.
static bool divide(struct storm *storm)
{
    const struct plan *plan = storm->options->plan;
    bool changes = plan_count(plan, STORM_change) > 0;
    bool others = plan_count(plan, STORM_login) > 0;
    struct people *people = storm->people;
    if ((changes || plan_count(plan, STORM_check) > 0) && people->signed_in_count == 0) {
        refuse(storm,
               "There is no session to check: log some accounts in with --signed-in, or give --sessions.");
        return false;
    }
    if (changes && others && people->count < 4) {
        refuse(storm, "Changes and log-ins need accounts of their own: at least 4 in all.");
        return false;
    }
    uint32_t most = !changes ? 0 : others ? people->count / 4 : people->count;
    while (storm->changers < most && people->person[storm->changers].token[0] != '\0') {
        storm->changers++;
    }
    if (changes && storm->changers == 0) {
        refuse(storm, "The first account has no session to change: log it in with --signed-in.");
        return false;
    }
    return true;
}

enum storm_result storm_prepare(struct storm *storm)
{
    const struct storm_options *options = storm->options;
    uint32_t wanted = options->prepare ? storm->people->count : options->signed_in;
    uint64_t shown_ns = 0;
    storm->prepare_end = wanted < storm->people->count ? wanted : storm->people->count;
    for (;;) {
        while (storm->under_way < AT_ONCE && storm->problem[0] == '\0' && start_next(storm)) {
        }
        if (storm->under_way == 0 || storm->problem[0] != '\0' || storm_stopping(storm)) {
            break;
        }
        storm_turn(storm, UINT64_MAX);
        show(storm, clock_mono_ns(), &shown_ns);
    }
    if (storm_stopping(storm)) {
        refuse(storm, "Stopped before the accounts were ready.");
    }
    if (storm->problem[0] != '\0') {
        return storm->prepared == 0 && storm->registered == 0 &&
                       strstr(storm->problem, "does not answer") != NULL
                   ? STORM_UNAVAILABLE
                   : STORM_REFUSED_TO;
    }
    return divide(storm) ? STORM_RAN : STORM_REFUSED_TO;
}
