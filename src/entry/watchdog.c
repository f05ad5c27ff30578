/* The watchdog: notices, by the host's clock, that guest code runs long without entering the
 * kernel. It finds where and changes nothing: the universe ends here and is run again
 * (kernel/sched/spin.h). */
#include "abi/signal_abi.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/machine.h"
#include "kernel/sched/spin.h"
#include "kernel/task/task.h"

#define ITIMER_VIRTUAL_ 1
#define TICK_MS         50

/* The stretch that ran at the last tick of this host process. */
static struct {
    uint64_t task, entries, ticks;
} last;

static void on_tick(int signo, struct host_siginfo *si, struct host_context *c)
{
    (void)signo;
    (void)si;
    const struct task *t = engine.current;
    if (trap_in_engine(c->rip) || engine.step.on || !t) {
        return;
    }
    const struct control *known = engine.control;
    if (engine.machine->sched.entries < known->watch_entries ||
        engine.machine->clock.now < known->watch_ns) {
        return;
    }
    if (t->id != last.task || t->spin.entries != last.entries) {
        last.task = t->id;
        last.entries = t->spin.entries;
        last.ticks = 0;
    }
    last.ticks++;
    if (last.ticks * TICK_MS < spin_patience_ms(t)) {
        return;
    }
    engine.control->spin = (struct plan_spin){t->id, t->spin.entries, spin_slices_wanted(t)};
    engine.control->spin_entries = engine.machine->sched.entries;
    engine_over(CONTROL_SPIN);
}

void watchdog_init(void)
{
    trap_install(SIGNAL_VTALRM, on_tick);
}

/* Processor time in guest and engine code: a busy host changes nothing. */
void watchdog_start(void)
{
    static const uint64_t every[4] = {0, TICK_MS * 1000, 0, TICK_MS * 1000};
    last.ticks = 0;
    host3(__NR_setitimer, ITIMER_VIRTUAL_, (long)(uintptr_t)every, 0);
}
