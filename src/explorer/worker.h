/* A worker: a process that runs universes one after the other on its own core, records and judges
 * each, and tells the explorer. A crash of a worker takes only its running universe with it. */
#ifndef EVERETT_EXPLORER_WORKER_H
#define EVERETT_EXPLORER_WORKER_H

#include "base/base.h"

struct hide;
struct plan_builder;

/* Shared with the explorer; only ever set, never cleared. */
struct worker_slot {
    volatile int stop; /* end the running universe at once; what it showed so far counts */
};

struct worker_setup {
    struct plan_builder *plan; /* finished; its head is changed for each universe */
    const char *engine_path;
    const char *run_dir;
    struct hide *hide; /* lines to leave out of the stored log; or NULL */
    const char *const *node_names;
    size_t node_count;
    uint64_t wall_limit_ns; /* of a universe; universe.h */
    int core;               /* -1: not pinned */
    int socket;             /* to the explorer */
    struct worker_slot *slot;
};

/* Serves jobs until the explorer closes the socket, then exits with 0. */
_Noreturn void worker_main(const struct worker_setup *setup);

#endif
