// SPDX-License-Identifier: ISC
// The raw log of a load test: a line for each attempt, so that others can count for themselves. Runs in
// stayctl storm. Times are microseconds since the load began; the first line has the monotonic clock of that
// moment. An arrival's last line is what became of it; one without a line had no answer when the run ended.
#include "drill/storm.h"

#include "base/clock.h"

void storm_log_begin(const struct storm *storm)
{
    FILE *out = storm->options->log;
    if (out != NULL) {
        fprintf(out,
                "# begin_mono_ns=%llu "
                "seed=%llu\narrival,class,due_us,tries,took_us,outcome,status,retry_after_s\n",
                (unsigned long long)storm->begin_ns, (unsigned long long)storm->options->seed);
        fflush(out);
    }
}

// due_us: of this attempt; tries: how many went before it.
void storm_log_attempt(const struct storm *storm, const struct storm_request *request, uint64_t now_ns,
                       enum storm_outcome outcome, const struct answer *answer)
{
    FILE *out = storm->options->log;
    if (out == NULL) {
        return;
    }
    fprintf(out, "%u,%s,%llu,%u,%llu,%s,%u,", request->arrival,
            storm_class_name((enum storm_class)request->class),
            (unsigned long long)((request->due_ns - storm->begin_ns) / 1000), request->tries,
            (unsigned long long)((now_ns - request->due_ns) / 1000), storm_outcome_name(outcome),
            answer == NULL ? 0 : answer->status);
    if (answer != NULL && answer->retry_after_s != ANSWER_NO_RETRY) {
        fprintf(out, "%u", answer->retry_after_s);
    }
    fputc('\n', out);
}
