// SPDX-License-Identifier: ISC
// The stats pages as OpenMetrics text (version 1.0.0), for Prometheus and its like. Used by stayd-watch. Owns
// nothing. Bounds: those of `out`; METRICS_SIZE_MAX holds all pages that can be watched.
//
// Every sample has the labels `process` (the executable) and `index` (among several of a role). A row is
// written for the processes that use it, from zero on, and for any other once it is not zero there.
// Histograms have few buckets: each `le` is a power of two of nanoseconds, where the page's own buckets end
// exactly.
#ifndef WATCH_METRICS_H
#define WATCH_METRICS_H

#include "watch/saturation.h"
#include "watch/watched.h"

#define METRICS_SIZE_MAX     (4u << 20)
#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

// Appends the whole exposition, "# EOF" at its end; out->failed when it does not fit.
void metrics_write(struct bytes *out, const struct watched *watched, const struct saturation *saturation,
                   const struct watched_now *now);

#endif
