/* The host's monotonic clock, for limits and durations of host code. Nothing of it may reach a
 * guest, a record or a decision. */
#ifndef EVERETT_BASE_CLOCK_H
#define EVERETT_BASE_CLOCK_H

#include "base/base.h"

uint64_t clock_host_ns(void);

#endif
