/* System V semaphores (semget(2), semop(2), semctl(2)). Waiters of a set sleep on one queue and try
 * again in order of arrival whenever a value changes. */
#include "kernel/ipc/ipc_priv.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

#define SEM_NSEMS_MAX 32000u /* SEMMSL: EINVAL */
#define SEM_OPS_MAX   500u   /* SEMOPM: E2BIG */
#define SEM_VALUE_MAX 32767  /* SEMVMX: ERANGE */
#define SEM_UNDO_     0x1000

#define GETPID_       11
#define GETVAL_       12
#define GETALL_       13
#define GETNCNT_      14
#define GETZCNT_      15
#define SETVAL_       16
#define SETALL_       17
#define SEM_STAT_     18
#define SEM_INFO_     19
#define SEM_STAT_ANY_ 20

struct sem {
    int32_t value;
    int32_t pid; /* last to change it */
};

struct sem_set {
    struct ipc_object ipc; /* first */
    struct waitq wait;
    uint32_t count;
    int64_t otime, ctime;
    struct sem sems[];
};

/* What a process's end adds back to the semaphores of a set. */
struct sem_undo {
    struct sem_undo *next;
    uint64_t process_id;
    int32_t set_id;
    uint32_t count;
    int32_t adjust[];
};

struct abi_sembuf {
    uint16_t num;
    int16_t op, flags;
};

struct abi_semid_ds {
    struct abi_ipc_perm perm;
    int64_t otime, unused1, ctime, unused2;
    uint64_t nsems, unused3, unused4;
};

_Static_assert(sizeof(struct abi_semid_ds) == 104, "semid64_ds layout");

/* Call state of a sleeping semop. */
enum {
    SLEEP_SET = 0,  /* id + 1: sleeps on that set */
    SLEEP_SEM = 1,  /* for that semaphore ... */
    SLEEP_ZERO = 2, /* ... to become zero */
};

/* --- undo
 * ------------------------------------------------------------------------------------------- */

static struct sem_undo *undo_of(struct task *t, const struct sem_set *s)
{
    struct sem_undo **u = &ipc_of(t->node)->undo;
    for (; *u; u = &(*u)->next) {
        if ((*u)->process_id == t->process->id && (*u)->set_id == s->ipc.id) {
            return *u;
        }
    }
    *u = kalloc(t->m, sizeof **u + s->count * sizeof(int32_t));
    (*u)->process_id = t->process->id;
    (*u)->set_id = s->ipc.id;
    (*u)->count = s->count;
    return *u;
}

static void forget_undo(struct machine *m, struct ipc_namespace *ns, int32_t set_id)
{
    struct sem_undo **u = &ns->undo;
    while (*u) {
        struct sem_undo *here = *u;
        if (here->set_id == set_id) {
            *u = here->next;
            kfree(m, here);
        } else {
            u = &here->next;
        }
    }
}

static void clear_undo(struct ipc_namespace *ns, int32_t set_id, int first, int last)
{
    for (struct sem_undo *u = ns->undo; u; u = u->next) {
        for (int i = first; u->set_id == set_id && i <= last; i++) {
            u->adjust[i] = 0;
        }
    }
}

static struct sem_set *set_by_id(struct ipc_namespace *ns, int32_t id)
{
    const struct ipc_table *table = &ns->tables[IPC_KIND_SEM];
    uint32_t index = (uint32_t)id & ((1u << IPC_ID_SHIFT) - 1);
    struct ipc_object *o = index < table->cap ? table->slots[index] : NULL;
    return o && o->id == id ? (struct sem_set *)o : NULL;
}

static void apply_undo(struct process *p, struct ipc_namespace *ns, struct sem_undo *u)
{
    struct sem_set *s = set_by_id(ns, u->set_id);
    for (uint32_t i = 0; s && i < u->count; i++) {
        int32_t v = s->sems[i].value + u->adjust[i];
        if (!u->adjust[i]) {
            continue;
        }
        s->sems[i].value = v < 0 ? 0 : v > SEM_VALUE_MAX ? SEM_VALUE_MAX : v;
        s->sems[i].pid = p->pid;
    }
    if (s) {
        s->otime = ipc_seconds(p->node);
        waitq_wake(p->m, &s->wait, 0);
    }
}

void ipc_process_exit(struct process *p)
{
    struct ipc_namespace **all = p->m->shm;
    if (!all || !all[p->node->index]) {
        return;
    }
    struct ipc_namespace *ns = all[p->node->index];
    struct sem_undo **u = &ns->undo;
    while (*u) {
        struct sem_undo *here = *u;
        if (here->process_id != p->id) {
            u = &here->next;
            continue;
        }
        *u = here->next;
        apply_undo(p, ns, here);
        kfree(p->m, here);
    }
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

static void destroy(struct machine *m, struct ipc_namespace *ns, struct sem_set *s)
{
    ipc_remove(&ns->tables[IPC_KIND_SEM], &s->ipc);
    forget_undo(m, ns, s->ipc.id);
    waitq_fini(m, &s->wait); /* sleepers find the id gone: EIDRM */
    kfree(m, s);
}

void sem_destroy_all(struct node *n, struct ipc_namespace *ns)
{
    struct ipc_table *table = &ns->tables[IPC_KIND_SEM];
    for (uint32_t i = 0; i < table->cap; i++) {
        if (table->slots[i]) {
            destroy(n->m, ns, (struct sem_set *)table->slots[i]);
        }
    }
}

struct sysret sys_semget(struct task *t, const struct sysargs *a)
{
    int nsems = (int)a->a[1];
    void *found;
    if (nsems < 0 || nsems > (int)SEM_NSEMS_MAX) {
        return sys_done(-EINVAL);
    }
    int error = ipc_get(t, IPC_KIND_SEM, (int32_t)a->a[0], (uint32_t)a->a[2], &found);
    if (error) {
        return sys_done(error);
    }
    struct sem_set *s = found;
    if (s) {
        return sys_done((uint32_t)nsems > s->count ? -EINVAL : s->ipc.id);
    }
    if (nsems == 0) {
        return sys_done(-EINVAL);
    }
    s = kalloc(t->m, sizeof *s + (size_t)nsems * sizeof(struct sem));
    int id = ipc_add(t, IPC_KIND_SEM, &s->ipc, (int32_t)a->a[0], (uint32_t)a->a[2]);
    if (id < 0) {
        kfree(t->m, s);
        return sys_done(id);
    }
    waitq_init(&s->wait);
    s->count = (uint32_t)nsems;
    s->ctime = ipc_seconds(t->node);
    return sys_done(id);
}

/* --- operations
 * --------------------------------------------------------------------------------------- */

/* All or nothing: 0 done, 1 would block (at *blocker), -ERANGE. */
static int try_ops(struct task *t, struct sem_set *s, const struct abi_sembuf *ops, uint32_t n,
                   uint32_t *blocker)
{
    uint32_t i;
    int result = 0;
    struct sem_undo *undo = NULL;
    for (i = 0; i < n; i++) {
        struct sem *sem = &s->sems[ops[i].num];
        int32_t v = sem->value + ops[i].op;
        if ((ops[i].op == 0 && sem->value != 0) || v < 0) {
            result = 1;
            break;
        }
        if (v > SEM_VALUE_MAX) {
            result = -ERANGE;
            break;
        }
        sem->value = v;
        if (ops[i].flags & SEM_UNDO_) {
            undo = undo ? undo : undo_of(t, s);
            undo->adjust[ops[i].num] -= ops[i].op;
        }
    }
    if (result == 0) {
        for (i = 0; i < n; i++) {
            s->sems[ops[i].num].pid = t->process->pid;
        }
        s->otime = ipc_seconds(t->node);
        return 0;
    }
    *blocker = i;
    while (i-- > 0) {
        s->sems[ops[i].num].value -= ops[i].op;
        if (ops[i].flags & SEM_UNDO_) {
            undo->adjust[ops[i].num] += ops[i].op;
        }
    }
    return result;
}

static bool changes(const struct abi_sembuf *ops, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ops[i].op) {
            return true;
        }
    }
    return false;
}

static struct sysret operate(struct task *t, const struct sysargs *a, vtime deadline)
{
    uint32_t n = (uint32_t)a->a[2], blocker = 0;
    struct abi_sembuf ops[64];
    struct abi_sembuf *all = n <= 64 ? ops : t->call.held;
    if (n > 64 && !all) {
        all = t->call.held = kalloc(t->m, n * sizeof *all);
    }
    if (user_read(t, all, gaddr_of(a->a[1]), n * sizeof *all)) {
        return sys_done(-EFAULT);
    }
    struct sem_set *s = ipc_find(t, IPC_KIND_SEM, (int32_t)a->a[0]);
    if (!s) {
        return sys_done(t->call.retry ? -EIDRM : -EINVAL);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (all[i].num >= s->count) {
            return sys_done(-EFBIG);
        }
    }
    if (ipc_permission(t, &s->ipc, changes(all, n) ? 0222 : 0444)) {
        return sys_done(-EACCES);
    }
    int r = try_ops(t, s, all, n, &blocker);
    if (r <= 0) {
        if (r == 0 && changes(all, n)) {
            waitq_wake(t->m, &s->wait, 0);
        }
        return sys_done(r);
    }
    if ((uint16_t)all[blocker].flags & IPC_NOWAIT_) {
        return sys_done(-EAGAIN);
    }
    if (deadline != VTIME_NEVER && machine_now(t->m) >= deadline) {
        return sys_done(-EAGAIN);
    }
    t->call.scratch[SLEEP_SET] = (uint64_t)s->ipc.id + 1;
    t->call.scratch[SLEEP_SEM] = all[blocker].num;
    t->call.scratch[SLEEP_ZERO] = all[blocker].op == 0;
    task_wait_on(t, &s->wait, 0);
    task_wait_until(t, deadline);
    return sys_block_or(-EINTR); /* never restarted (signal(7)) */
}

static struct sysret check_and_operate(struct task *t, const struct sysargs *a, vtime deadline)
{
    uint32_t n = (uint32_t)a->a[2];
    if (n < 1 || (int32_t)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    return n > SEM_OPS_MAX ? sys_done(-E2BIG) : operate(t, a, deadline);
}

struct sysret sys_semop(struct task *t, const struct sysargs *a)
{
    return check_and_operate(t, a, VTIME_NEVER);
}

struct sysret sys_semtimedop(struct task *t, const struct sysargs *a)
{
    struct abi_timespec ts;
    vtime deadline = VTIME_NEVER;
    if (a->a[3]) {
        if (user_read(t, &ts, gaddr_of(a->a[3]), sizeof ts)) {
            return sys_done(-EFAULT);
        }
        if (!timespec_valid(&ts)) {
            return sys_done(-EINVAL);
        }
        deadline = task_call_deadline(t, timespec_ns(&ts));
    }
    return check_and_operate(t, a, deadline);
}

/* --- semctl
 * ------------------------------------------------------------------------------------------- */

static int64_t sleepers(const struct sem_set *s, uint64_t num, bool zero)
{
    const struct waiter *w;
    int64_t n = 0;
    list_for_each_entry (w, &s->wait.waiters, link) {
        const struct task *t = container_of(w, struct task_waiter, waiter)->task;
        n += t->call.scratch[SLEEP_SEM] == num && (t->call.scratch[SLEEP_ZERO] != 0) == zero;
    }
    return n;
}

static int64_t all_values(struct task *t, struct sem_set *s, int cmd, uint64_t buf)
{
    uint16_t *values = kalloc(t->m, s->count * sizeof *values);
    int64_t result = 0;
    if (cmd == GETALL_) {
        for (uint32_t i = 0; i < s->count; i++) {
            values[i] = (uint16_t)s->sems[i].value;
        }
        result = user_write(t, gaddr_of(buf), values, s->count * sizeof *values);
    } else if (user_read(t, values, gaddr_of(buf), s->count * sizeof *values)) {
        result = -EFAULT;
    } else {
        for (uint32_t i = 0; i < s->count && result == 0; i++) {
            result = values[i] > SEM_VALUE_MAX ? -ERANGE : 0;
        }
        for (uint32_t i = 0; i < s->count && result == 0; i++) {
            s->sems[i] = (struct sem){values[i], t->process->pid};
        }
        if (result == 0) {
            clear_undo(ipc_of(t->node), s->ipc.id, 0, (int)s->count - 1);
            s->ctime = ipc_seconds(t->node);
            waitq_wake(t->m, &s->wait, 0);
        }
    }
    kfree(t->m, values);
    return result;
}

static int64_t one_value(struct task *t, struct sem_set *s, uint32_t num, int cmd, uint64_t arg)
{
    if (num >= s->count) {
        return -EINVAL;
    }
    switch (cmd) {
    case GETVAL_:
        return s->sems[num].value;
    case GETPID_:
        return s->sems[num].pid;
    case GETNCNT_:
        return sleepers(s, num, false);
    case GETZCNT_:
        return sleepers(s, num, true);
    default: /* SETVAL */
        if ((int32_t)arg < 0 || (int32_t)arg > SEM_VALUE_MAX) {
            return -ERANGE;
        }
        s->sems[num] = (struct sem){(int32_t)arg, t->process->pid};
        clear_undo(ipc_of(t->node), s->ipc.id, (int)num, (int)num);
        s->ctime = ipc_seconds(t->node);
        waitq_wake(t->m, &s->wait, 0);
        return 0;
    }
}

static int64_t stat_set(struct task *t, const struct sem_set *s, uint64_t buf, int64_t result,
                        bool check)
{
    if (!s) {
        return -EINVAL;
    }
    if (check && ipc_permission(t, &s->ipc, 0444)) {
        return -EACCES;
    }
    struct abi_semid_ds ds = {
        .perm = ipc_perm_of(&s->ipc), .otime = s->otime, .ctime = s->ctime, .nsems = s->count};
    return user_write(t, gaddr_of(buf), &ds, sizeof ds) ? -EFAULT : result;
}

static int64_t info(struct task *t, int cmd, uint64_t buf)
{
    const struct ipc_table *table = ipc_table(t, IPC_KIND_SEM);
    /* struct seminfo: semmap semmni semmns semmnu semmsl semopm semume semusz semvmx semaem */
    int32_t si[10] = {1024000000,
                      (int32_t)IPC_LIMIT,
                      1024000000,
                      1024000000,
                      (int32_t)SEM_NSEMS_MAX,
                      (int32_t)SEM_OPS_MAX,
                      (int32_t)SEM_OPS_MAX,
                      20,
                      SEM_VALUE_MAX,
                      SEM_VALUE_MAX};
    if (cmd == SEM_INFO_) {
        si[7] = (int32_t)table->used;
        si[9] = 0;
        for (uint32_t i = 0; i < table->cap; i++) {
            const struct sem_set *s = (const struct sem_set *)table->slots[i];
            si[9] += s ? (int32_t)s->count : 0;
        }
    }
    int error = user_write(t, gaddr_of(buf), si, sizeof si);
    return error ? error : ipc_highest(table);
}

static int64_t change(struct task *t, struct sem_set *s, int cmd, uint64_t buf)
{
    struct abi_semid_ds ds;
    if (cmd == IPC_SET_ && user_read(t, &ds, gaddr_of(buf), sizeof ds)) {
        return -EFAULT;
    }
    if (!s) {
        return -EINVAL;
    }
    int error = ipc_owner(t, &s->ipc);
    if (error) {
        return error;
    }
    if (cmd == IPC_RMID_) {
        destroy(t->m, ipc_of(t->node), s);
        return 0;
    }
    ipc_set_perm(&s->ipc, &ds.perm);
    s->ctime = ipc_seconds(t->node);
    return 0;
}

struct sysret sys_semctl(struct task *t, const struct sysargs *a)
{
    int32_t id = (int32_t)a->a[0];
    int cmd = (int)a->a[2] & ~IPC_64_;
    if (id < 0) {
        return sys_done(-EINVAL);
    }
    struct sem_set *s = ipc_find(t, IPC_KIND_SEM, id);
    switch (cmd) {
    case IPC_INFO_:
    case SEM_INFO_:
        return sys_done(info(t, cmd, a->a[3]));
    case IPC_STAT_:
        return sys_done(stat_set(t, s, a->a[3], 0, true));
    case SEM_STAT_:
    case SEM_STAT_ANY_:
        s = ipc_at(t, IPC_KIND_SEM, id);
        return sys_done(stat_set(t, s, a->a[3], s ? s->ipc.id : 0, cmd == SEM_STAT_));
    case IPC_SET_:
    case IPC_RMID_:
        return sys_done(change(t, s, cmd, a->a[3]));
    case GETALL_:
    case SETALL_:
    case GETVAL_:
    case GETPID_:
    case GETNCNT_:
    case GETZCNT_:
    case SETVAL_:
        break;
    default:
        return sys_done(-EINVAL);
    }
    if (!s) {
        return sys_done(-EINVAL);
    }
    if (ipc_permission(t, &s->ipc, cmd == SETALL_ || cmd == SETVAL_ ? 0222 : 0444)) {
        return sys_done(-EACCES);
    }
    if (cmd == GETALL_ || cmd == SETALL_) {
        return sys_done(all_values(t, s, cmd, a->a[3]));
    }
    return sys_done(one_value(t, s, (uint32_t)a->a[1], cmd, a->a[3]));
}
