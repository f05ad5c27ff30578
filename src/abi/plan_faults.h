/* The part of the boot plan that says how links behave and what the fault injector may do. */
#ifndef EVERETT_ABI_PLAN_FAULTS_H
#define EVERETT_ABI_PLAN_FAULTS_H

#include <stdint.h>

/* Link quality where no fault acts. Jitter is uniform in [0, jitter_ns]. */
struct plan_link {
    uint64_t latency_ns, jitter_ns;
    uint32_t loss_ppm;
    uint32_t reserved;
};

/* Fault intensities; every duration uniform in [min, max]. Zero mean interval: that fault is off */
struct plan_fault {
    uint64_t mean_interval_ns;
    uint64_t min_duration_ns, max_duration_ns;
};

struct plan_faults {
    uint32_t enabled;
    uint32_t reserved;
    struct plan_fault partition, clog, pause, kill;
};

#endif
