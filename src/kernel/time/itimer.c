/* Interval timers of a process: getitimer(2), setitimer(2), alarm(2). ITIMER_REAL is a virtual
 * timer; its next period begins when SIGALRM is taken, counted from the last expiry, so that it
 * never drifts and a blocked signal does not pile up. VIRTUAL and PROF count modelled CPU time. */
#include "kernel/time/clock.h"

#include <linux/time.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"

struct abi_itimerval {
    struct abi_timeval interval, value;
};

/* First multiple behind `now` of a period that expired at `when`. */
static vtime next_period(vtime when, vtime interval, vtime now)
{
    if (now < when) {
        return when;
    }
    return when + ((now - when) / interval + 1) * interval;
}

static void real_fired(struct machine *m, struct timer *timer)
{
    (void)m;
    struct process *p = container_of(timer, struct process, sig.itimer_real);
    signal_kernel(p, SIGNAL_ALRM);
}

static void arm_real(struct process *p, vtime when)
{
    timer_arm(p->m, &p->sig.itimer_real, when, p->node->index, real_fired);
}

void itimer_real_signal_taken(struct process *p)
{
    if (p->sig.itimer_real_interval && !timer_armed(&p->sig.itimer_real)) {
        arm_real(p, next_period(p->sig.itimer_real.when, p->sig.itimer_real_interval,
                                machine_now(p->m)));
    }
}

void itimers_stop(struct process *p)
{
    timer_disarm(p->m, &p->sig.itimer_real);
    p->sig.itimer_real_interval = 0;
    p->sig.itimer_cpu[0] = p->sig.itimer_cpu[1] = (struct cpu_itimer){0};
}

vtime itimers_check_cpu(struct process *p, vtime cpu_ns)
{
    static const int signals[2] = {SIGNAL_VTALRM, SIGNAL_PROF};
    vtime next = VTIME_NEVER;
    for (unsigned i = 0; i < 2; i++) {
        struct cpu_itimer *it = &p->sig.itimer_cpu[i];
        if (it->expires_ns && cpu_ns >= it->expires_ns) {
            it->expires_ns =
                it->interval_ns ? next_period(it->expires_ns, it->interval_ns, cpu_ns) : 0;
            signal_kernel(p, signals[i]);
        }
        if (it->expires_ns) {
            next = min_u64(next, it->expires_ns);
        }
    }
    return next;
}

struct itimer_state {
    uint64_t value_ns, interval_ns;
};

static struct itimer_state get_timer(struct process *p, int which)
{
    struct itimer_state s = {0};
    if (which == ITIMER_REAL) {
        vtime now = machine_now(p->m);
        s.interval_ns = p->sig.itimer_real_interval;
        if (timer_armed(&p->sig.itimer_real)) {
            vtime when = p->sig.itimer_real.when;
            s.value_ns = when > now ? when - now : NSEC_PER_USEC; /* armed is never zero */
        }
        return s;
    }
    const struct cpu_itimer *it = &p->sig.itimer_cpu[which - ITIMER_VIRTUAL];
    vtime cpu = process_cpu_ns(p);
    s.interval_ns = it->interval_ns;
    if (it->expires_ns) {
        s.value_ns = it->expires_ns > cpu ? it->expires_ns - cpu : NSEC_PER_USEC;
    }
    return s;
}

static void set_timer(struct process *p, int which, struct itimer_state s)
{
    if (which == ITIMER_REAL) {
        timer_disarm(p->m, &p->sig.itimer_real);
        p->sig.itimer_real_interval = s.value_ns ? s.interval_ns : 0;
        if (s.value_ns) {
            arm_real(p, machine_now(p->m) + s.value_ns);
        }
        return;
    }
    struct cpu_itimer *it = &p->sig.itimer_cpu[which - ITIMER_VIRTUAL];
    it->interval_ns = s.interval_ns;
    it->expires_ns = s.value_ns ? process_cpu_ns(p) + s.value_ns : 0;
    if (s.value_ns) {
        cpu_timers_watch(p);
    }
}

static struct abi_timeval timeval_of(uint64_t ns)
{
    return (struct abi_timeval){(int64_t)(ns / NSEC_PER_SEC),
                                (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static bool to_ns(const struct abi_timeval *tv, uint64_t *ns)
{
    if (tv->sec < 0 || (uint64_t)tv->usec >= 1000000) {
        return false;
    }
    struct abi_timespec ts = {tv->sec, tv->usec * 1000};
    *ns = timespec_ns(&ts);
    return true;
}

static int put_state(struct task *t, uint64_t addr, struct itimer_state s)
{
    struct abi_itimerval v = {timeval_of(s.interval_ns), timeval_of(s.value_ns)};
    return user_write(t, gaddr_of(addr), &v, sizeof v);
}

struct sysret sys_getitimer(struct task *t, const struct sysargs *a)
{
    int which = (int)a->a[0];
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
        return sys_done(-EINVAL);
    }
    return sys_done(put_state(t, a->a[1], get_timer(t->process, which)));
}

struct sysret sys_setitimer(struct task *t, const struct sysargs *a)
{
    int which = (int)a->a[0];
    struct abi_itimerval in = {0}; /* a null pointer stops the timer, as in Linux */
    struct itimer_state new;
    if (a->a[1] && user_read(t, &in, gaddr_of(a->a[1]), sizeof in)) {
        return sys_done(-EFAULT);
    }
    if (!to_ns(&in.value, &new.value_ns) || !to_ns(&in.interval, &new.interval_ns) ||
        which < ITIMER_REAL || which > ITIMER_PROF) {
        return sys_done(-EINVAL);
    }
    struct itimer_state old = get_timer(t->process, which);
    set_timer(t->process, which, new);
    return sys_done(a->a[2] ? put_state(t, a->a[2], old) : 0);
}

/* alarm(2): the rest is rounded to the nearest second, but never down to 0. */
struct sysret sys_alarm(struct task *t, const struct sysargs *a)
{
    struct itimer_state old = get_timer(t->process, ITIMER_REAL);
    set_timer(t->process, ITIMER_REAL,
              (struct itimer_state){.value_ns = (uint64_t)(uint32_t)a->a[0] * NSEC_PER_SEC});
    uint64_t seconds = old.value_ns / NSEC_PER_SEC, rest = old.value_ns % NSEC_PER_SEC;
    if ((seconds == 0 && rest) || rest >= NSEC_PER_SEC / 2) {
        seconds++;
    }
    return sys_done((int64_t)seconds);
}
