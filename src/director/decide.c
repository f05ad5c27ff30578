#include "director/decide.h"

#include "kernel/machine.h"
#include "kernel/trace/trace.h"

static uint64_t record(struct machine *m, enum stream_id stream, uint64_t value, const char *what)
{
    trace_decision(m, stream, NULL, m->streams[stream].count - 1, value, what);
    return value;
}

uint64_t decide_below(struct machine *m, enum stream_id stream, uint64_t n, const char *what)
{
    return record(m, stream, stream_below(&m->streams[stream], n), what);
}

uint64_t decide_range(struct machine *m, enum stream_id stream, uint64_t low, uint64_t high,
                      const char *what)
{
    return record(m, stream, stream_range(&m->streams[stream], low, max_u64(low, high)), what);
}

/* -ln(U) = -log2(U) * ln(2). The whole part of -log2 is the number of leading zeros, the fraction
 * is taken to be linear in between (at most 6% off); in 16.16, for want of floating point. */
uint64_t decide_gap(struct machine *m, enum stream_id stream, uint64_t mean_ns, const char *what)
{
    uint64_t u = stream_next(&m->streams[stream]) | 1u << 31;
    unsigned zeros = (unsigned)__builtin_clzll(u);
    uint64_t fraction = u << zeros << 1 >> 48;
    uint64_t log2_16 = ((uint64_t)zeros << 16) + 65536 - fraction;
    uint64_t ln_16 = log2_16 * 45426 >> 16; /* ln(2) in 0.16 */
    uint64_t gap = (uint64_t)((unsigned __int128)mean_ns * ln_16 >> 16);
    return record(m, stream, gap, what);
}
