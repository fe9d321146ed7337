// SPDX-License-Identifier: ISC
// A verdict in words: what a cause says about itself, the evidence around it, what to do. Used by
// stayd-watch. Owns nothing.
#ifndef WATCH_EXPLAIN_H
#define WATCH_EXPLAIN_H

#include "watch/scene.h"
#include "watch/verdict.h"

// Sentence, predicates and details of one cause, which holds now (or is "unknown").
void explain_cause(const struct scene *scene, enum cause cause, struct verdict_cause *said);
// All else that follows from the causes already in the verdict: sentence, evidence, stages, load, what
// sustains it, what stayd did, what to do, who is affected.
void explain_all(const struct scene *scene, struct verdict *verdict);

#endif
