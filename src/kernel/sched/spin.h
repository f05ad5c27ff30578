/* Loops without system calls.
 *
 * A guest that computes keeps the only processor and no virtual time passes. If somebody else could
 * run, or something is due at some time, that may be for ever: a spin on what another task would
 * write, a busy wait for a timer. Only the host's clock can notice, and nothing the host's clock
 * says may enter a history. So the watchdog (entry/watchdog.c) merely finds out which *stretch*
 * does not end, named by the task and the number of its entries into the kernel so far, which are
 * the same in every attempt. The universe is then run again from its beginning with that stretch in
 * the plan, and this time the stretch is cut into slices from its first instruction on: SPIN_STEPS
 * instructions, single-stepped, then the task gives the processor away for a piece of virtual time
 * that doubles from slice to slice, as if it computed on a processor of its own. After `slices` of
 * them it runs freely to its next call; if that takes too long again, two slices more are planned.
 *
 * What spun once will again: a task whose spin has ended is sliced without being in the plan, until
 * SPIN_CREDIT stretches in a row were shorter than a slice, one came through all its slices and
 * then ended by itself (a computation), or the budget is used up, which grows with each spin that
 * had to be found. All of that depends on the task's history only. */
#ifndef EVERETT_KERNEL_SCHED_SPIN_H
#define EVERETT_KERNEL_SCHED_SPIN_H

#include "base/base.h"

struct machine;
struct task;

/* The task entered the kernel by itself: a call, a fault. */
void spin_entry(struct task *t);
/* At the end of every return to the guest once t->spin.entries has come to t->spin.watch. */
void spin_before_return(struct task *t);
/* The instructions of a slice are executed: the task gives way. Returns when it may go on. */
void spin_slice_end(struct task *t);

/* --- for the watchdog; change nothing ----------------------------------------------------------
 */

/* Processor time that the task may use without entering the kernel before it is suspected: longer
 * if the universe has an end but nobody waits, for ever if it has none. */
uint64_t spin_patience_ms(const struct task *t);
/* How many slices the task's stretch should have had. */
uint32_t spin_slices_wanted(const struct task *t);

#endif
