/* What is chosen for a universe before it begins: its seed, its address, its scheduling. Pure
 * functions, so that a replay comes to the same. */
#ifndef EVERETT_EXPLORER_STRATEGY_H
#define EVERETT_EXPLORER_STRATEGY_H

#include "base/base.h"

struct plan;
struct run_identity;

struct strategy {
    uint64_t seed;
    int64_t input_hash;          /* never 0, which means "no moment" */
    uint32_t preempt_mean_calls; /* 0: no extra preemptions */
};

uint64_t strategy_seed(uint64_t run_seed, uint64_t universe);
struct strategy strategy_of(const struct run_identity *id, uint64_t seed);
void strategy_apply(const struct strategy *s, struct plan *plan);

#endif
