/* poll(2), ppoll(2), select(2), pselect6(2). */
#include <linux/personality.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/poll.h"

#define RLIMIT_NOFILE_INDEX 7
#define NO_TIMEOUT          UINT64_MAX

enum timeout_kind { TIMEOUT_TIMESPEC, TIMEOUT_TIMEVAL };

/* A guest's timeout and where its rest goes when the call ends. */
struct timeout {
    gaddr at; /* null: none */
    enum timeout_kind kind;
};

/* Nanoseconds, NO_TIMEOUT without one; -EFAULT, -EINVAL. Only needed on the first attempt. */
static int timeout_read(struct task *t, const struct timeout *to, uint64_t *ns)
{
    struct abi_timespec ts;

    *ns = NO_TIMEOUT;
    if (gaddr_null(to->at)) {
        return 0;
    }
    if (user_read(t, &ts, to->at, sizeof ts)) {
        return -EFAULT;
    }
    if (to->kind == TIMEOUT_TIMEVAL) {
        ts.sec += ts.nsec / 1000000; /* a timeval: select(2) tolerates big microseconds */
        ts.nsec = ts.nsec % 1000000 * 1000;
    }
    if (!timespec_valid(&ts)) {
        return -EINVAL;
    }
    *ns = timespec_ns(&ts);
    return 0;
}

/* Linux tells the time left, best effort (poll_select_finish). */
static void timeout_finish(struct task *t, const struct timeout *to)
{
    vtime now = machine_now(t->m), end = t->call.deadline;
    struct abi_timespec left = timespec_of_ns(end > now && end != VTIME_NEVER ? end - now : 0);
    int ignored;

    if (gaddr_null(to->at) || (t->personality & STICKY_TIMEOUTS)) {
        return;
    }
    if (to->kind == TIMEOUT_TIMEVAL) {
        left.nsec /= 1000;
    }
    ignored = user_write(t, to->at, &left, sizeof left);
    (void)ignored;
}

/* Fixes the deadline on the first attempt; later ones keep it. */
static void begin(struct task *t, uint64_t timeout_ns)
{
    if (timeout_ns == NO_TIMEOUT) {
        t->call.deadline = VTIME_NEVER;
    } else {
        task_call_deadline(t, timeout_ns);
    }
}

static bool timed_out(const struct task *t)
{
    return machine_now(t->m) >= t->call.deadline;
}

/* One attempt. 0 or more: the result; negative errno; -EAGAIN: registered, go to sleep. */
static int64_t poll_attempt(struct task *t, gaddr fds, uint64_t nfds, uint64_t timeout_ns)
{
    int64_t n;

    if (nfds > t->process->rlimits[RLIMIT_NOFILE_INDEX].soft) {
        return -EINVAL;
    }
    begin(t, timeout_ns);
    n = poll_look(t, fds, (uint32_t)nfds);
    if (n != 0 || timed_out(t)) {
        return n;
    }
    if (poll_register(t, fds, (uint32_t)nfds)) {
        return -EFAULT;
    }
    task_wait_until(t, t->call.deadline);
    return -EAGAIN;
}

struct sysret sys_poll(struct task *t, const struct sysargs *a)
{
    int timeout_ms = (int)a->a[2];
    uint64_t ns = timeout_ms < 0 ? NO_TIMEOUT : (uint64_t)timeout_ms * NSEC_PER_MSEC;
    int64_t n = poll_attempt(t, gaddr_of(a->a[0]), (uint32_t)a->a[1], ns);

    if (n != -EAGAIN) {
        return sys_done(n);
    }
    /* Goes on towards the same deadline after a stop, but not after a handler (signal(7)). */
    t->restart_nr = a->nr;
    for (unsigned i = 0; i < ARRAY_LEN(t->restart_args); i++) {
        t->restart_args[i] = a->a[i];
    }
    t->restart_deadline = t->call.deadline;
    return sys_block_or(-ERESTART_RESTARTBLOCK);
}

struct sysret sys_ppoll(struct task *t, const struct sysargs *a)
{
    struct timeout to = {gaddr_of(a->a[2]), TIMEOUT_TIMESPEC};
    uint64_t ns = 0;
    int64_t n = t->call.retry ? 0 : timeout_read(t, &to, &ns);

    if (n < 0) {
        return sys_done(n);
    }
    if (t->call.retry && t->call.deadline == VTIME_NEVER) {
        ns = NO_TIMEOUT;
    }
    n = signal_call_mask(t, a->a[3], a->a[4]);
    if (n < 0) {
        return sys_done(n);
    }
    n = poll_attempt(t, gaddr_of(a->a[0]), (uint32_t)a->a[1], ns);
    if (n == -EAGAIN) {
        return sys_block_or(-ERESTARTNOHAND);
    }
    signal_call_mask_end(t);
    timeout_finish(t, &to);
    return sys_done(n);
}

static int64_t select_attempt(struct task *t, const struct select_sets *s, uint64_t timeout_ns)
{
    int64_t n = select_look(t, s);

    begin(t, timeout_ns);
    if (n == 0 && !timed_out(t)) {
        if (select_register(t, s)) {
            return -EFAULT;
        }
        task_wait_until(t, t->call.deadline);
        return -EAGAIN;
    }
    if (n >= 0 && select_store(t, s, n == 0)) {
        return -EFAULT;
    }
    return n;
}

static struct sysret do_select(struct task *t, const struct sysargs *a, const struct timeout *to)
{
    struct select_sets s = {{gaddr_of(a->a[1]), gaddr_of(a->a[2]), gaddr_of(a->a[3])}, 0};
    uint64_t ns = t->call.deadline == VTIME_NEVER ? NO_TIMEOUT : 0;
    int nfds = (int)a->a[0];
    int64_t n = t->call.retry ? 0 : timeout_read(t, to, &ns);

    if (n < 0) {
        return sys_done(n);
    }
    if (nfds < 0) {
        return sys_done(-EINVAL);
    }
    /* Descriptors beyond the table are not looked at (select(2), BUGS). */
    s.nfds = (uint32_t)min_u64((uint32_t)nfds, max_u64(64, t->fds->cap));
    n = select_attempt(t, &s, ns);
    if (n == -EAGAIN) {
        return sys_block_or(-ERESTARTNOHAND);
    }
    timeout_finish(t, to);
    return sys_done(n);
}

struct sysret sys_select(struct task *t, const struct sysargs *a)
{
    struct timeout to = {gaddr_of(a->a[4]), TIMEOUT_TIMEVAL};

    return do_select(t, a, &to);
}

struct sysret sys_pselect6(struct task *t, const struct sysargs *a)
{
    struct timeout to = {gaddr_of(a->a[4]), TIMEOUT_TIMESPEC};
    uint64_t mask[2] = {0, 0}; /* address and size (select(2), "Linux notes") */
    struct sysret r;
    int err;

    if (a->a[5] && user_read(t, mask, gaddr_of(a->a[5]), sizeof mask)) {
        return sys_done(-EFAULT);
    }
    err = signal_call_mask(t, mask[0], mask[1]);
    if (err) {
        return sys_done(err);
    }
    r = do_select(t, a, &to);
    if (r.kind == SYSRET_DONE) {
        signal_call_mask_end(t);
    }
    return r;
}
