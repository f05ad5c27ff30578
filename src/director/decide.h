/* Draws that shape a universe. Each is recorded as EVENT_DECISION, so that a history can be read,
 * and another one chosen, from its decisions. */
#ifndef EVERETT_DIRECTOR_DECIDE_H
#define EVERETT_DIRECTOR_DECIDE_H

#include "base/stream.h"

struct machine;

/* Uniform in [0, n); n > 0. `what` names the choice in the record. */
uint64_t decide_below(struct machine *m, enum stream_id stream, uint64_t n, const char *what);
/* Uniform in [low, high]; low when the range is empty. */
uint64_t decide_range(struct machine *m, enum stream_id stream, uint64_t low, uint64_t high,
                      const char *what);
/* Exponential with that mean, at most 23 times it: the gaps between events that have no memory. */
uint64_t decide_gap(struct machine *m, enum stream_id stream, uint64_t mean_ns, const char *what);

#endif
