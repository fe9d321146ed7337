// SPDX-License-Identifier: ISC
// Counts durations in log-linear buckets. Runs in stayctl storm.
// Invariant: count is the sum of all buckets (each saturates at 2^32 - 1, far beyond what one run can ask).
#include "drill/histogram.h"

#include <string.h>

unsigned histogram_bucket(uint64_t value_ns)
{
    if (value_ns < HISTOGRAM_SUB) {
        return (unsigned)value_ns;
    }
    unsigned octave = 63U - (unsigned)__builtin_clzll(value_ns);
    if (octave >= HISTOGRAM_OCTAVES) {
        return HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift = octave - HISTOGRAM_SUB_BITS;
    return (shift + 1) * HISTOGRAM_SUB + (unsigned)(value_ns >> shift & (HISTOGRAM_SUB - 1));
}

uint64_t histogram_bucket_top_ns(unsigned bucket)
{
    if (bucket < HISTOGRAM_SUB) {
        return bucket;
    }
    unsigned shift = bucket / HISTOGRAM_SUB - 1;
    uint64_t begin = (uint64_t)(HISTOGRAM_SUB + bucket % HISTOGRAM_SUB) << shift;
    return begin + ((uint64_t)1 << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
    uint32_t *bucket = &histogram->bucket[histogram_bucket(value_ns)];
    *bucket += *bucket < UINT32_MAX;
    histogram->count++;
    histogram->sum_ns += value_ns;
    histogram->max_ns = value_ns > histogram->max_ns ? value_ns : histogram->max_ns;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->bucket[i] += from->bucket[i];
    }
    histogram->count += from->count;
    histogram->sum_ns += from->sum_ns;
    histogram->max_ns = from->max_ns > histogram->max_ns ? from->max_ns : histogram->max_ns;
}

void histogram_reset(struct histogram *histogram)
{
    if (histogram->count > 0) {
        memset(histogram, 0, sizeof(*histogram));
    }
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double share)
{
    // The rank is rounded up: p99 of 10 values is the largest of them.
    double exact = share * (double)histogram->count;
    uint64_t rank = (uint64_t)exact;
    uint64_t seen = 0;
    rank += (double)rank < exact;
    rank = rank == 0 ? 1 : rank;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank) {
            uint64_t top = histogram_bucket_top_ns(i);
            return top < histogram->max_ns && i + 1 < HISTOGRAM_BUCKETS ? top : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
