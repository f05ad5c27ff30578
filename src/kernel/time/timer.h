/* Virtual timers. Total order of expiry: (when, node, seq), seq being the order of arming; nothing
 * ties. Callbacks run in kernel context of whatever task is current and must not touch guest
 * memory or block: they change arena state and wake tasks. */
#ifndef EVERETT_KERNEL_TIME_TIMER_H
#define EVERETT_KERNEL_TIME_TIMER_H

#include "base/base.h"

struct machine;

typedef uint64_t vtime; /* nanoseconds since the universe booted */
#define VTIME_NEVER UINT64_MAX

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

struct timer {
    vtime when;
    uint64_t seq;
    uint32_t node;  /* index; TIMER_NO_NODE sorts last */
    uint32_t index; /* position in the heap + 1; 0 = not armed */
    void (*fire)(struct machine *m, struct timer *t);
};

#define TIMER_NO_NODE 0xffffffffu

struct timer_heap {
    struct timer **items;
    uint32_t count, cap;
    uint64_t next_seq;
};

static inline bool timer_armed(const struct timer *t)
{
    return t->index != 0;
}

/* `t` must stay valid until it fired or was disarmed. Arming an armed timer moves it. A time that
 * has passed fires at the next scheduling point. */
void timer_arm(struct machine *m, struct timer *t, vtime when, uint32_t node,
               void (*fire)(struct machine *m, struct timer *t));
void timer_disarm(struct machine *m, struct timer *t);
/* Earliest expiry or VTIME_NEVER. */
vtime timer_next(const struct machine *m);
/* Fires everything due at the machine's current time, in order. Returns how many. */
unsigned timer_run_due(struct machine *m);

#endif
