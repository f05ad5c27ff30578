/* Host side of one universe: starts the engine on a plan, drains its events, serves host files,
 * notices its end or its death, and leaves no process behind. */
#ifndef EVERETT_RUNNER_UNIVERSE_H
#define EVERETT_RUNNER_UNIVERSE_H

#include "abi/event.h"
#include "abi/plan.h"
#include "base/err.h"

struct hostimport;
struct plan_builder;

struct universe_options {
    const char *engine_path; /* the everett-engine executable */
    int core; /* host CPU to pin universe and caller to meanwhile; -1: the current one */
    uint64_t wall_limit_ns;        /* 0: none; then the universe is stopped (`out_of_time`) */
    const struct plan_spin *spins; /* of a recorded history (universe_note_spin) */
    size_t spin_count;
    uint64_t recorded_ns;      /* ... up to here: before, no other spins are looked for */
    struct hostimport *import; /* host root, or NULL */
    /* Called for each event in order, in the caller's thread. A universe that is run again because
     * of a loop without calls (kernel/sched/spin.h) goes on where it was: nothing is told twice. */
    void (*on_event)(void *ctx, const struct event *e);
    /* Called a few times a second with the progress so far; may be NULL. */
    void (*on_tick)(void *ctx, uint64_t vtime_ns, uint64_t calls);
    void *ctx;
    const volatile int *stop; /* not NULL: ends the universe at once when it becomes nonzero */
};

struct universe_result {
    struct event_end end; /* zero when engine_error is set */
    char end_text[1024];
    char *engine_error;        /* owned; NULL when the universe ended by itself */
    bool stopped, out_of_time; /* by `stop`, by the wall limit: no end was reached */
    uint32_t attempts;         /* how often it was begun */
    uint64_t virtual_ns, wall_ns;
};

void universe_result_fini(struct universe_result *r);

/* Enters a record of a history, if it is about a spin, into a list that universe_options takes. The
 * caller frees it. */
void universe_note_spin(const struct event *e, struct plan_spin **spins, size_t *count,
                        size_t *cap);

/* Runs a universe to its end. 0, or -1 with err when it could not even be started; trouble inside
 * the engine is a result with engine_error. The plan must be finished. */
int universe_run(const struct plan_builder *plan, const struct universe_options *o,
                 struct universe_result *r, struct err *err);

#endif
