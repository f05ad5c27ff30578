/* POSIX timers (timer_create(2), timer_settime(2), timer_getoverrun(2)).
 *
 * A timer has one queue entry of its own. While that waits to be taken the timer rests; taking it
 * counts the periods that passed meanwhile as overruns and arms the next one. */
#include "kernel/signal/signal_priv.h"

#include <linux/capability.h>
#include <linux/time.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

#define RLIMIT_SIGPENDING_ 11
/* An ignored signal must not keep a fast timer firing: at most one expiry a tick (HZ = 250). */
#define TICK_NS 4000000ull

struct abi_itimerspec {
    struct abi_timespec interval, value;
};

static struct posix_timer *find(struct task *t, int32_t id)
{
    struct posix_timer *pt;
    list_for_each_entry (pt, &t->process->sig.posix_timers, link) {
        if (pt->id == id) {
            return pt;
        }
    }
    return NULL;
}

static struct task *thread_by_id(struct process *p, uint64_t id)
{
    struct task *t;
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->id == id && !t->exiting && t->state != TASK_DEAD) {
            return t;
        }
    }
    return NULL;
}

static bool on_cpu_time(const struct posix_timer *pt)
{
    return pt->kind == CLOCK_KIND_THREAD || pt->kind == CLOCK_KIND_PROCESS;
}

/* The timer's own clock: virtual time, or CPU time (0 if the thread is gone). */
static uint64_t clock_now(const struct posix_timer *pt)
{
    if (pt->kind == CLOCK_KIND_PROCESS) {
        return process_cpu_ns(pt->process);
    }
    if (pt->kind == CLOCK_KIND_THREAD) {
        const struct task *of = thread_by_id(pt->process, pt->cpu_task_id);
        return of ? of->cpu_time_ns : 0;
    }
    return machine_now(pt->process->m);
}

static void fired(struct machine *m, struct timer *timer);

static void start(struct posix_timer *pt)
{
    if (pt->notify == ABI_SIGEV_NONE) {
        return; /* only ever read */
    }
    if (on_cpu_time(pt)) {
        cpu_timers_watch(pt->process);
    } else {
        timer_arm(pt->process->m, &pt->timer, pt->expires_ns, pt->process->node->index, fired);
    }
}

/* Moves the expiry behind `now` by whole periods; how many. */
static uint64_t forward(struct posix_timer *pt, uint64_t now)
{
    if (now < pt->expires_ns) {
        return 0;
    }
    uint64_t periods = (now - pt->expires_ns) / pt->interval_ns + 1;
    pt->expires_ns += periods * pt->interval_ns;
    return periods;
}

static int32_t add_overrun(int32_t old, uint64_t more)
{
    uint64_t sum = (uint64_t)old + more;
    return sum > INT32_MAX ? INT32_MAX : (int32_t)sum; /* DELAYTIMER_MAX, timer_getoverrun(2) */
}

static void expire(struct posix_timer *pt)
{
    struct task *target = NULL;
    if (pt->queued) { /* set again while its last signal still waited */
        pt->entry.info.timer.overrun = add_overrun(pt->entry.info.timer.overrun, 1);
        return;
    }
    if (pt->notify & ABI_SIGEV_THREAD_ID) {
        target = thread_by_id(pt->process, pt->target_id);
        if (!target) {
            return; /* nobody to tell, now or later */
        }
    }
    pt->entry.info = (struct siginfo){.signo = pt->signo, .code = ABI_SI_TIMER};
    pt->entry.info.timer.timerid = pt->id;
    pt->entry.info.timer.value = pt->value;
    if (signal_send_timer(pt, target) || !pt->interval_ns) {
        if (!pt->queued && !pt->interval_ns) {
            pt->expires_ns = 0;
        }
        return;
    }
    uint64_t now = clock_now(pt);
    forward(pt, pt->interval_ns < TICK_NS ? now + TICK_NS : now);
    start(pt);
}

static void fired(struct machine *m, struct timer *timer)
{
    (void)m;
    expire(container_of(timer, struct posix_timer, timer));
}

vtime posix_timers_check_cpu(struct process *p, vtime cpu_ns)
{
    struct posix_timer *pt;
    vtime next = VTIME_NEVER;
    list_for_each_entry (pt, &p->sig.posix_timers, link) {
        if (!on_cpu_time(pt) || !pt->expires_ns || pt->queued || pt->notify == ABI_SIGEV_NONE) {
            continue;
        }
        uint64_t now = clock_now(pt);
        if (now >= pt->expires_ns) {
            expire(pt);
        }
        if (pt->expires_ns > now && !pt->queued) {
            next = min_u64(next, cpu_ns + (pt->expires_ns - now));
        }
    }
    return next;
}

void posix_timer_signal_taken(struct posix_timer *pt, struct siginfo *info)
{
    pt->queued = false;
    pt->queue = NULL;
    uint64_t now = clock_now(pt);
    if (!pt->interval_ns) {
        if (pt->expires_ns && now >= pt->expires_ns) {
            pt->expires_ns = 0;
        }
    } else if (pt->expires_ns && !timer_armed(&pt->timer)) {
        uint64_t periods = forward(pt, now);
        if (periods > 1) {
            info->timer.overrun = add_overrun(info->timer.overrun, periods - 1);
        }
        start(pt);
    }
    pt->overrun_last = info->timer.overrun;
}

static void dequeue(struct posix_timer *pt)
{
    if (pt->queued) {
        sigpending_remove(pt->queue, &pt->entry);
        pt->queued = false;
        pt->queue = NULL;
    }
}

static void delete (struct posix_timer *pt)
{
    struct process *p = pt->process;
    timer_disarm(p->m, &pt->timer);
    dequeue(pt);
    list_del(&pt->link);
    ASSERT(p->sig.queued > 0);
    p->sig.queued--;
    kfree(p->m, pt);
}

void posix_timers_delete_all(struct process *p)
{
    struct posix_timer *pt, *next;
    list_for_each_entry_safe (pt, next, &p->sig.posix_timers, link) {
        delete (pt);
    }
}

/* --- calls
 * ----------------------------------------------------------------------------------------- */

static int check_sigevent(struct task *t, const struct abi_sigevent *ev, uint64_t *target_id)
{
    const struct task *to;
    switch (ev->notify) {
    case ABI_SIGEV_THREAD_ID:
        to = task_find(t->node, ev->tid);
        if (!to || to->process != t->process) {
            return -EINVAL;
        }
        *target_id = to->id;
        break;
    case ABI_SIGEV_SIGNAL:
    case ABI_SIGEV_THREAD:
        break;
    case ABI_SIGEV_NONE:
        return 0;
    default:
        return -EINVAL;
    }
    return ev->signo > 0 && ev->signo <= SIG_MAX ? 0 : -EINVAL;
}

static int check_clock(struct task *t, enum clock_kind kind)
{
    switch (kind) {
    case CLOCK_KIND_NONE:
        return -EINVAL;
    case CLOCK_KIND_READ:
        return -EOPNOTSUPP;
    case CLOCK_KIND_ALARM:
        return task_capable(t, CAP_WAKE_ALARM) ? 0 : -EPERM;
    default:
        return 0;
    }
}

struct sysret sys_timer_create(struct task *t, const struct sysargs *a)
{
    struct process *p = t->process;
    struct abi_sigevent ev = {.signo = SIGNAL_ALRM, .notify = ABI_SIGEV_SIGNAL};
    struct task *of;
    uint64_t target_id = 0;
    if (a->a[1] && user_read(t, &ev, gaddr_of(a->a[1]), sizeof ev)) {
        return sys_done(-EFAULT);
    }
    enum clock_kind kind = clock_classify(t, (int32_t)a->a[0], &of);
    int error = check_clock(t, kind);
    if (error) {
        return sys_done(error);
    }
    if (p->sig.queued >= rlimit_soft(p, RLIMIT_SIGPENDING_)) {
        return sys_done(-EAGAIN);
    }
    error = check_sigevent(t, &ev, &target_id);
    if (error) {
        return sys_done(error);
    }
    if (kind == CLOCK_KIND_PROCESS && of->process != p) {
        return sys_done(-EINVAL);
    }
    int32_t id = (int32_t)p->sig.next_timer_id;
    if (user_write(t, gaddr_of(a->a[2]), &id, sizeof id)) {
        return sys_done(-EFAULT);
    }
    struct posix_timer *pt = KALLOC(t->m, struct posix_timer);
    pt->process = p;
    pt->id = id;
    pt->clock_id = (int32_t)a->a[0];
    pt->kind = kind;
    pt->cpu_task_id = of->id;
    pt->notify = ev.notify;
    pt->signo = ev.signo;
    pt->value = a->a[1] ? ev.value : (uint64_t)(uint32_t)id;
    pt->target_id = target_id;
    pt->entry.timer = pt;
    p->sig.queued++; /* its entry, as in Linux */
    p->sig.next_timer_id++;
    list_add_tail(&p->sig.posix_timers, &pt->link);
    return sys_done(0);
}

static struct abi_itimerspec get_spec(struct posix_timer *pt)
{
    struct abi_itimerspec spec = {.interval = timespec_of_ns(pt->interval_ns)};
    if (!pt->expires_ns) {
        return spec;
    }
    uint64_t now = clock_now(pt), expires = pt->expires_ns;
    if (now >= expires && pt->interval_ns && (pt->queued || pt->notify == ABI_SIGEV_NONE)) {
        expires += ((now - expires) / pt->interval_ns + 1) * pt->interval_ns;
    }
    if (expires > now) {
        spec.value = timespec_of_ns(expires - now);
    } else if (!pt->queued && pt->notify != ABI_SIGEV_NONE) {
        spec.value.nsec = 1; /* about to expire: not yet disarmed */
    }
    return spec;
}

static void set_spec(struct task *t, struct posix_timer *pt, const struct abi_itimerspec *spec,
                     bool absolute)
{
    timer_disarm(t->m, &pt->timer);
    pt->overrun_last = 0;
    pt->interval_ns = 0;
    pt->expires_ns = 0;
    uint64_t ns = timespec_ns(&spec->value);
    if (ns == 0) {
        return;
    }
    pt->interval_ns = timespec_ns(&spec->interval);
    if (!absolute) {
        pt->expires_ns = clock_now(pt) + ns;
    } else if (on_cpu_time(pt)) {
        pt->expires_ns = ns;
    } else {
        int error = clock_to_vtime(t, pt->clock_id, ns, &pt->expires_ns);
        ASSERT(error == 0);
    }
    pt->expires_ns = max_u64(pt->expires_ns, 1); /* 0 says "disarmed" */
    start(pt);
}

struct sysret sys_timer_settime(struct task *t, const struct sysargs *a)
{
    struct abi_itimerspec in;
    if (!a->a[2]) {
        return sys_done(-EINVAL);
    }
    if (user_read(t, &in, gaddr_of(a->a[2]), sizeof in)) {
        return sys_done(-EFAULT);
    }
    struct posix_timer *pt = find(t, (int32_t)a->a[0]);
    if (!timespec_valid(&in.interval) || !timespec_valid(&in.value) || !pt) {
        return sys_done(-EINVAL);
    }
    struct abi_itimerspec old = get_spec(pt);
    set_spec(t, pt, &in, (a->a[1] & TIMER_ABSTIME) != 0);
    return sys_done(a->a[3] ? user_write(t, gaddr_of(a->a[3]), &old, sizeof old) : 0);
}

struct sysret sys_timer_gettime(struct task *t, const struct sysargs *a)
{
    struct posix_timer *pt = find(t, (int32_t)a->a[0]);
    if (!pt) {
        return sys_done(-EINVAL);
    }
    struct abi_itimerspec spec = get_spec(pt);
    return sys_done(user_write(t, gaddr_of(a->a[1]), &spec, sizeof spec));
}

struct sysret sys_timer_getoverrun(struct task *t, const struct sysargs *a)
{
    const struct posix_timer *pt = find(t, (int32_t)a->a[0]);
    return sys_done(pt ? pt->overrun_last : -EINVAL);
}

struct sysret sys_timer_delete(struct task *t, const struct sysargs *a)
{
    struct posix_timer *pt = find(t, (int32_t)a->a[0]);
    if (!pt) {
        return sys_done(-EINVAL);
    }
    delete (pt);
    return sys_done(0);
}
