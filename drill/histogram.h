// SPDX-License-Identifier: ISC
// A log-linear histogram of durations: exact below HISTOGRAM_SUB ns, then HISTOGRAM_SUB buckets an octave, so
// that a quantile is at most 1/64 too large. Used by stayctl storm. Owns nothing. Bounds: values beyond
// 2^HISTOGRAM_OCTAVES ns (18 minutes) count in the last bucket; the largest and the sum are kept exactly.
#ifndef DRILL_HISTOGRAM_H
#define DRILL_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 6,
    HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS,
    HISTOGRAM_OCTAVES = 40,
    HISTOGRAM_BUCKETS = (HISTOGRAM_OCTAVES - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB,
};

struct histogram {
    uint64_t count, sum_ns, max_ns;
    uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value_ns);
// Adds all of `from`.
void histogram_merge(struct histogram *histogram, const struct histogram *from);
void histogram_reset(struct histogram *histogram);
// The smallest bound that `share` (0 to 1) of the values do not exceed, never above the largest; 0 when
// empty.
uint64_t histogram_quantile_ns(const struct histogram *histogram, double share);

// Which bucket a value is in, and the largest value that is in a bucket.
unsigned histogram_bucket(uint64_t value_ns);
uint64_t histogram_bucket_top_ns(unsigned bucket);

#endif
