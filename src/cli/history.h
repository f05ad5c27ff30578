/* A stored history made ready to run again: its run, its plan with the strategy of its universe,
 * and the digests of the records that the run stored, to compare with. */
#ifndef EVERETT_CLI_HISTORY_H
#define EVERETT_CLI_HISTORY_H

#include "abi/event.h"
#include "runner/compose_plan.h"
#include "store/store.h"

struct run_identity;

struct history_record {
    uint8_t sum[DIGEST_LEN];
    bool is_hidden; /* stored without its text (store/hide.h) */
};

struct history {
    struct store *store;
    struct image_store *images;
    struct compose_plan plan; /* ready: seed, address and scheduling are the universe's */
    struct store_universe universe;
    char *engine;                  /* path */
    uint64_t at_ns;                /* of the moment; UINT64_MAX: the whole history */
    struct run_identity *identity; /* owned */

    struct history_record *stored; /* owned: the records of the run, by position */
    size_t stored_count, stored_cap;
    uint64_t stored_end_ns;
    struct plan_spin *spins; /* the loops without calls that it found */
    size_t spin_count, spin_cap;
    bool is_cut; /* the run itself stopped it: the last record is the runner's word */
};

/* `moment` as log_find takes it; `engine` NULL: this build's. Warns on standard error when another
 * engine build made the run. 0, or -1 with `err`; history_fini in both cases. */
int history_open(struct history *h, const char *run, const char *moment, const char *engine,
                 struct err *err) must_check;
void history_fini(struct history *h);

/* Record number `at` of a run of this history is the one that was stored there. */
bool history_has(const struct history *h, size_t at, const struct event *e);

#endif
