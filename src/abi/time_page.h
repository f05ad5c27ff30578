/* The page the vDSO reads time from. It lies in the engine's private range, one per process. Only
 * the kernel sets base and offset; the vDSO counts its reads, each of which costs modelled time.
 * Nothing here is trusted: the kernel bounds `reads` before it adds them up. */
#ifndef EVERETT_ABI_TIME_PAGE_H
#define EVERETT_ABI_TIME_PAGE_H

#include <stdint.h>

#include "abi/layout.h"

struct time_page {
    uint64_t base_ns;    /* CLOCK_MONOTONIC at the last return from the kernel */
    int64_t realtime_ns; /* to add for CLOCK_REALTIME */
    uint64_t cost_ns;    /* of one read */
    uint64_t reads;      /* since the last return from the kernel */
    uint64_t reads_max;  /* then the vDSO makes a real call, so that others can run */
    uint32_t cpu, node;  /* getcpu */
};

#define TIME_PAGE_ADDR ENGINE_PRIVATE

#endif
