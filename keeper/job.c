// SPDX-License-Identifier: ISC
// Password jobs, run by the workers of stayd-hash: the only place of stayd where a password is in the clear.
// Unknown user and wrong password take the same way and the same time: both are one argon2id with the
// parameters in use.
#include "keeper/job.h"
#include "base/clock.h"

#include <sodium.h>

// What argon2id and the steps before it leave on the stack.
#define STACK_WIPE_SIZE 16384

// Without memory: nothing is known about the password.
static enum wire_hash_verdict verdict_of_text(enum text_result result)
{
    return result == TEXT_NO_MEMORY ? WIRE_HASH_UNAVAILABLE : WIRE_HASH_BAD;
}

static bool verify_stored(struct job *job, struct view password)
{
    const char *phc = job->stored[0] == 0 ? job->settings->dummy : job->stored;
    switch (phc_verify(view_of_cstr(phc), password)) {
    case PHC_RIGHT:
        job->verdict = WIRE_HASH_OK;
        return true;
    case PHC_WRONG:
        job->verdict = WIRE_HASH_WRONG;
        return false;
    case PHC_NO_MEMORY:
        job->verdict = WIRE_HASH_UNAVAILABLE;
        return false;
    case PHC_MALFORMED:
        break;
    }
    // Takes as long as a wrong password: that the stored hash is damaged is the administrator's business.
    job->stored_malformed = true;
    job->verdict = phc_verify(view_of_cstr(job->settings->dummy), password) == PHC_NO_MEMORY
                       ? WIRE_HASH_UNAVAILABLE
                       : WIRE_HASH_WRONG;
    return false;
}

// While the password is at hand and right: a new hash when the parameters changed. Without memory the old one
// will do.
static void hash_again(struct job *job, struct view password)
{
    if (phc_needs_rehash(view_of_cstr(job->stored), &job->settings->parameters) &&
        !phc_make(password, &job->settings->parameters, job->phc)) {
        job->phc[0] = 0;
    }
}

static void verify(struct job *job, struct view typed)
{
    struct secret normal = {0};
    enum text_result result = text_normalise(typed, &normal);
    if (result != TEXT_OK) {
        job->verdict = verdict_of_text(result);
        return;
    }
    struct view password = view_of(normal.data, normal.size);
    if (verify_stored(job, password)) {
        hash_again(job, password);
    }
    secret_release(&normal);
}

static enum wire_hash_verdict verdict_of_rules(enum rules_verdict verdict)
{
    switch (verdict) {
    case RULES_ACCEPTED:
        return WIRE_HASH_OK;
    case RULES_NOT_TEXT:
    case RULES_TOO_LONG:
        return WIRE_HASH_BAD;
    case RULES_TOO_SHORT:
    case RULES_COMMON:
    case RULES_PERSONAL:
    case RULES_GUESSABLE:
        return WIRE_HASH_WEAK;
    case RULES_UNAVAILABLE:
        return WIRE_HASH_UNAVAILABLE;
    }
    return WIRE_HASH_UNAVAILABLE;
}

static void judge_and_hash(struct job *job, struct view typed)
{
    const struct settings *settings = job->settings;
    struct rules rules = {.list_count = settings->list_count};
    struct rules_context context = {.user_name = view_of_cstr(job->username),
                                    .email = view_of_cstr(job->email),
                                    .service = view_of_cstr(settings->service)};
    struct rules_finding finding;
    struct secret normal = {0};
    for (size_t i = 0; i < settings->list_count; i++) {
        rules.lists[i] = &settings->list[i].common;
    }
    rules_judge(&rules, typed, &context, &normal, &finding);
    job->verdict = verdict_of_rules(finding.verdict);
    memcpy(job->advice, finding.advice, sizeof job->advice);
    if (job->verdict == WIRE_HASH_OK &&
        !phc_make(view_of(normal.data, normal.size), &settings->parameters, job->phc)) {
        job->verdict = WIRE_HASH_UNAVAILABLE;
    }
    secret_release(&normal);
}

static void open_and_do(struct job *job)
{
    uint8_t typed[WIRE_PASSWORD_MAX];
    const struct settings *settings = job->settings;
    if (job->sealed_size < crypto_box_SEALBYTES ||
        crypto_box_seal_open(typed, job->sealed, job->sealed_size, settings->public_key.byte,
                             settings->secret_key.byte) != 0) {
        job->verdict = WIRE_HASH_BAD;
        return;
    }
    struct view view = view_of(typed, job->sealed_size - crypto_box_SEALBYTES);
    if (job->kind == JOB_VERIFY) {
        verify(job, view);
    } else {
        judge_and_hash(job, view);
    }
    wipe(typed, sizeof typed);
}

static uint32_t microseconds(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns <= from_ns ? 0 : (to_ns - from_ns) / 1000;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void job_run(struct job *job)
{
    uint64_t begun_ns = clock_mono_ns();
    job->wait_us = microseconds(job->received_ns, begun_ns);
    job->verdict = WIRE_HASH_UNAVAILABLE;
    if (begun_ns < job->deadline_ns) {
        open_and_do(job);
        sodium_stackzero(STACK_WIPE_SIZE);
    }
    job->hash_us = microseconds(begun_ns, clock_mono_ns());
}
