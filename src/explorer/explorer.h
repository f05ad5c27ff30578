/* An exploration: many universes under a budget, run by worker processes, one a core. This process
 * gives out seeds, keeps the store and counts; it is the store's only writer. A store that holds
 * universes already is gone on with: numbers, budgets and counts continue. */
#ifndef EVERETT_EXPLORER_EXPLORER_H
#define EVERETT_EXPLORER_EXPLORER_H

#include "base/err.h"
#include "store/store.h"

struct hide;
struct plan_builder;
struct run_identity;

struct explorer_progress {
    uint64_t universes; /* finished */
    uint64_t setups;    /* of them: set-up completed */
    uint64_t virtual_ns, wall_ns;
    uint64_t behaviours, engine_errors;
    uint64_t properties_seen, properties, failures;
};

struct explorer_options {
    struct store *store;
    struct plan_builder *plan; /* finished; shared by all universes but for its head */
    const struct run_identity *identity;
    const char *engine_path;
    struct hide *hide; /* store/hide.h; NULL: every line is kept */
    uint64_t seed;
    uint32_t jobs;                           /* workers, at least 1 */
    uint64_t wall_ns, virtual_ns, universes; /* budgets; 0: none */
    uint64_t universe_wall_ns;               /* limit of one universe; 0: none */
    /* Set by signal handlers: 1, end running universes at once and report; 2, drop them. */
    const volatile int *interrupts;
    /* A few times a second, and after each universe. May be NULL. */
    void (*on_progress)(void *ctx, const struct explorer_progress *p);
    /* After a universe was committed; texts are borrowed. May be NULL. */
    void (*on_universe)(void *ctx, const struct store_universe *u, uint64_t new_behaviours);
    void *ctx;
};

enum explorer_outcome {
    EXPLORER_COMPLETED = 1, /* a budget is used up */
    EXPLORER_INTERRUPTED,   /* once */
    EXPLORER_ABANDONED,     /* twice */
    EXPLORER_SETUP_FAILED,  /* of the system under test, in the first universes */
    EXPLORER_BROKEN,        /* the host or Everett: `err` says */
};

struct explorer_summary {
    enum explorer_outcome outcome;
    struct explorer_progress last;
    char *setup_message; /* owned: which container, its exit code, its last lines */
    uint64_t digest[2];  /* of universe 0 */
};

/* 0, or -1 with `err` and outcome EXPLORER_BROKEN; what was finished is in the store either way.
 * Blocks until every worker is gone. */
int explorer_run(const struct explorer_options *o, struct explorer_summary *out, struct err *err);
void explorer_summary_fini(struct explorer_summary *s);

#endif
