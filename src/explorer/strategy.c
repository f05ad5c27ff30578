#include "explorer/strategy.h"

#include <string.h>

#include "abi/plan.h"
#include "base/stream.h"
#include "runner/run_inputs.h"

/* Streams of the explorer's own, apart from those of the universe (enum stream_id). */
enum { EXPLORER_SEEDS = 0x45000001, EXPLORER_STRATEGY = 0x45000002 };

uint64_t strategy_seed(uint64_t run_seed, uint64_t universe)
{
    struct stream s;
    stream_init(&s, run_seed, EXPLORER_SEEDS, 0);
    s.count = universe;
    return stream_next(&s);
}

/* The hash of the list [(virtual time 0, seed)] with the run's identity: little-endian, with its
 * length in front. */
static int64_t hash_inputs(const struct run_identity *id, uint64_t seed)
{
    const uint64_t list[] = {1, 0, seed};
    uint8_t sum[DIGEST_LEN];
    int64_t hash;
    struct digest d;
    digest_init(&d);
    digest_update(&d, id->sum, sizeof id->sum);
    digest_update(&d, list, sizeof list);
    digest_final(&d, sum);
    digest_fini(&d);
    memcpy(&hash, sum, sizeof hash);
    return hash ? hash : 1;
}

/* A third runs without extra preemptions (bugs of the system's own timing), the others with a rate
 * drawn evenly over orders of magnitude: rare ones keep long stretches intact, frequent ones shake
 * short windows. */
static uint32_t draw_preemption(uint64_t seed)
{
    static const uint32_t means[] = {20, 50, 100, 200, 500, 1000, 2000, 5000};
    struct stream s;
    stream_init(&s, seed, EXPLORER_STRATEGY, 0);
    if (stream_below(&s, 3) == 0) {
        return 0;
    }
    return means[stream_below(&s, ARRAY_LEN(means))];
}

struct strategy strategy_of(const struct run_identity *id, uint64_t seed)
{
    return (struct strategy){seed, hash_inputs(id, seed), draw_preemption(seed)};
}

void strategy_apply(const struct strategy *s, struct plan *plan)
{
    plan->seed = s->seed;
    plan->input_hash = (uint64_t)s->input_hash;
    plan->preempt_mean_calls = s->preempt_mean_calls;
}
