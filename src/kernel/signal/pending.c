/* Queues of pending signals: one a thread, one a process (signal(7), "Queueing and delivery").
 * Standard signals are pending once, with the information of the first; real-time signals queue. */
#include "kernel/signal/signal_priv.h"

#include "kernel/machine.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

#define RLIMIT_SIGPENDING_ 11

void sigpending_init(struct sigpending *p)
{
    p->set = 0;
    list_init(&p->queue);
}

static bool is_legacy_duplicate(const struct sigpending *q, int signo)
{
    return signo < SIGRT_MIN && (q->set & SIG_BIT(signo));
}

int sigpending_add(struct sigpending *q, struct process *owner, const struct siginfo *info)
{
    if (is_legacy_duplicate(q, info->signo)) {
        return 0;
    }
    uint64_t limit = min_u64(rlimit_soft(owner, RLIMIT_SIGPENDING_), LIMIT_SIGQUEUE);
    if (info->signo >= SIGRT_MIN && owner->sig.queued >= limit) {
        if (info->code != ABI_SI_USER) {
            return -EAGAIN;
        }
        /* kill(2) never fails for lack of room: the signal arrives without its information. */
        q->set |= SIG_BIT(info->signo);
        return 0;
    }
    struct sigqueue *e = KALLOC(owner->m, struct sigqueue);
    e->info = *info;
    e->owner = owner;
    owner->sig.queued++;
    list_add_tail(&q->queue, &e->link);
    q->set |= SIG_BIT(info->signo);
    return 0;
}

bool sigpending_add_timer(struct sigpending *q, struct process *owner, struct sigqueue *entry)
{
    if (is_legacy_duplicate(q, entry->info.signo)) {
        return false;
    }
    entry->owner = owner;
    entry->timer->queued = true;
    entry->timer->queue = q;
    list_add_tail(&q->queue, &entry->link);
    q->set |= SIG_BIT(entry->info.signo);
    return true;
}

static void release(struct sigqueue *e)
{
    list_del(&e->link);
    if (e->timer) {
        return;
    }
    ASSERT(e->owner->sig.queued > 0);
    e->owner->sig.queued--;
    kfree(e->owner->m, e);
}

int sigset_lowest(uint64_t set)
{
    uint64_t first = set & SIG_SYNCHRONOUS;
    if (first) {
        set = first;
    }
    return set ? __builtin_ctzll(set) + 1 : 0;
}

bool sigpending_take(struct sigpending *q, uint64_t set, struct siginfo *out)
{
    int signo = sigset_lowest(q->set & set);
    if (!signo) {
        return false;
    }
    struct sigqueue *e, *found = NULL;
    bool more = false;
    list_for_each_entry (e, &q->queue, link) {
        if (e->info.signo != signo) {
            continue;
        }
        if (found) {
            more = true;
            break;
        }
        found = e;
    }
    if (!more) {
        q->set &= ~SIG_BIT(signo);
    }
    if (!found) {
        *out = (struct siginfo){.signo = signo};
        return true;
    }
    *out = found->info;
    struct posix_timer *timer = found->timer;
    release(found);
    if (timer) {
        posix_timer_signal_taken(timer, out);
    }
    return true;
}

void sigpending_remove(struct sigpending *q, struct sigqueue *entry)
{
    struct sigqueue *e;
    list_del(&entry->link);
    list_for_each_entry (e, &q->queue, link) {
        if (e->info.signo == entry->info.signo) {
            return;
        }
    }
    q->set &= ~SIG_BIT(entry->info.signo);
}

void sigpending_flush(struct sigpending *q, uint64_t set)
{
    struct sigqueue *e, *next;
    list_for_each_entry_safe (e, next, &q->queue, link) {
        if (set & SIG_BIT(e->info.signo)) {
            struct posix_timer *timer = e->timer;
            struct siginfo unseen = e->info;
            release(e);
            if (timer) { /* its period goes on */
                posix_timer_signal_taken(timer, &unseen);
            }
        }
    }
    q->set &= ~set;
}

uint64_t signal_pending_set(const struct task *t)
{
    return t->sig.pending.set | t->process->sig.pending.set;
}

bool signal_dequeue(struct task *t, uint64_t set, struct siginfo *out)
{
    /* Synchronous signals of the thread first, then the thread's, then the process's
     * (kernel/signal.c: dequeue_signal). */
    if (!(signal_pending_set(t) & set)) {
        return false;
    }
    if (!sigpending_take(&t->sig.pending, set, out) &&
        !sigpending_take(&t->process->sig.pending, set, out)) {
        return false;
    }
    if (out->signo == SIGNAL_ALRM) {
        itimer_real_signal_taken(t->process);
    }
    return true;
}

bool task_signal_pending(const struct task *t)
{
    if (t->exiting) {
        return false;
    }
    return (signal_pending_set(t) & ~t->sig.blocked) || t->sig.stop_pending ||
           t->process->group_exit;
}
