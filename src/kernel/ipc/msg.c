/* System V message queues (msgget(2), msgop(2), msgctl(2)). */
#include "kernel/ipc/ipc_priv.h"

#include <linux/capability.h>

#include "base/list.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

#define MSG_BYTES_MAX 8192u  /* MSGMAX: EINVAL */
#define MSG_QUEUE_MAX 16384u /* MSGMNB */
#define MSG_NOERROR_  010000u
#define MSG_EXCEPT_   020000u
#define MSG_COPY_     040000u
#define MSG_STAT_     11
#define MSG_INFO_     12
#define MSG_STAT_ANY_ 13

struct message {
    struct list_head link;
    int64_t type;
    uint64_t len;
    unsigned char text[];
};

struct msg_queue {
    struct ipc_object ipc;     /* first */
    struct list_head messages; /* by arrival */
    struct waitq readers, writers;
    uint64_t bytes, count, bytes_max;
    int64_t stime, rtime, ctime;
    int32_t lspid, lrpid;
};

struct abi_msqid_ds {
    struct abi_ipc_perm perm;
    int64_t stime, rtime, ctime;
    uint64_t bytes, count, bytes_max;
    int32_t lspid, lrpid;
    uint64_t unused[2];
};

_Static_assert(sizeof(struct abi_msqid_ds) == 120, "msqid64_ds layout");

static void destroy(struct machine *m, struct ipc_table *table, struct msg_queue *q)
{
    struct message *msg, *next;
    ipc_remove(table, &q->ipc);
    list_for_each_entry_safe (msg, next, &q->messages, link) {
        list_del(&msg->link);
        kfree(m, msg);
    }
    waitq_fini(m, &q->readers);
    waitq_fini(m, &q->writers);
    kfree(m, q);
}

void msg_destroy_all(struct node *n, struct ipc_table *table)
{
    for (uint32_t i = 0; i < table->cap; i++) {
        if (table->slots[i]) {
            destroy(n->m, table, (struct msg_queue *)table->slots[i]);
        }
    }
}

struct sysret sys_msgget(struct task *t, const struct sysargs *a)
{
    void *found;
    int error = ipc_get(t, IPC_KIND_MSG, (int32_t)a->a[0], (uint32_t)a->a[1], &found);
    if (error) {
        return sys_done(error);
    }
    struct msg_queue *q = found;
    if (q) {
        return sys_done(q->ipc.id);
    }
    q = KALLOC(t->m, struct msg_queue);
    int id = ipc_add(t, IPC_KIND_MSG, &q->ipc, (int32_t)a->a[0], (uint32_t)a->a[1]);
    if (id < 0) {
        kfree(t->m, q);
        return sys_done(id);
    }
    list_init(&q->messages);
    waitq_init(&q->readers);
    waitq_init(&q->writers);
    q->bytes_max = MSG_QUEUE_MAX;
    q->ctime = ipc_seconds(t->node);
    return sys_done(id);
}

struct sysret sys_msgsnd(struct task *t, const struct sysargs *a)
{
    int64_t type;
    uint64_t len = a->a[2];
    if (len > MSG_BYTES_MAX || (int32_t)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    if (user_read(t, &type, gaddr_of(a->a[1]), sizeof type)) {
        return sys_done(-EFAULT);
    }
    if (type < 1) {
        return sys_done(-EINVAL);
    }
    struct msg_queue *q = ipc_find(t, IPC_KIND_MSG, (int32_t)a->a[0]);
    if (!q) {
        return sys_done(t->call.retry ? -EIDRM : -EINVAL);
    }
    if (ipc_permission(t, &q->ipc, 0222)) {
        return sys_done(-EACCES);
    }
    if (q->bytes + len > q->bytes_max || q->count + 1 > q->bytes_max) {
        if (a->a[3] & IPC_NOWAIT_) {
            return sys_done(-EAGAIN);
        }
        task_wait_on(t, &q->writers, 0);
        return sys_block_or(-ERESTARTNOHAND);
    }
    struct message *msg = kalloc(t->m, sizeof *msg + len);
    if (user_read(t, msg->text, gaddr_of(a->a[1] + sizeof type), len)) {
        kfree(t->m, msg);
        return sys_done(-EFAULT);
    }
    msg->type = type;
    msg->len = len;
    list_add_tail(&q->messages, &msg->link);
    q->bytes += len;
    q->count++;
    q->lspid = t->process->pid;
    q->stime = ipc_seconds(t->node);
    waitq_wake(t->m, &q->readers, 0);
    return sys_done(0);
}

/* msgrcv(2): 0 the first; > 0 the first of that type, or with MSG_EXCEPT of another; < 0 the first
 * of the lowest type up to its magnitude. */
static struct message *pick(const struct msg_queue *q, int64_t type, uint32_t flags)
{
    struct message *msg, *best = NULL;
    uint64_t limit = type < 0 ? 0 - (uint64_t)type : 0;
    list_for_each_entry (msg, &q->messages, link) {
        if (type == 0) {
            return msg;
        }
        if (type > 0) {
            if ((msg->type == type) != ((flags & MSG_EXCEPT_) != 0)) {
                return msg;
            }
        } else if ((uint64_t)msg->type <= limit && (!best || msg->type < best->type)) {
            best = msg;
        }
    }
    return best;
}

struct sysret sys_msgrcv(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[4];
    if ((int32_t)a->a[0] < 0 || (int64_t)a->a[2] < 0) {
        return sys_done(-EINVAL);
    }
    if (flags & MSG_COPY_) { /* CONFIG_CHECKPOINT_RESTORE */
        trace_unknown(t, "msgrcv flag", MSG_COPY_, 0, -ENOSYS);
        return sys_done(-ENOSYS);
    }
    struct msg_queue *q = ipc_find(t, IPC_KIND_MSG, (int32_t)a->a[0]);
    if (!q) {
        return sys_done(t->call.retry ? -EIDRM : -EINVAL);
    }
    if (ipc_permission(t, &q->ipc, 0444)) {
        return sys_done(-EACCES);
    }
    struct message *msg = pick(q, (int64_t)a->a[3], flags);
    if (!msg) {
        if (flags & IPC_NOWAIT_) {
            return sys_done(-ENOMSG);
        }
        task_wait_on(t, &q->readers, 0);
        return sys_block_or(-ERESTARTNOHAND);
    }
    if (msg->len > a->a[2] && !(flags & MSG_NOERROR_)) {
        return sys_done(-E2BIG);
    }
    uint64_t len = min_u64(msg->len, a->a[2]);
    list_del(&msg->link);
    q->bytes -= msg->len;
    q->count--;
    q->lrpid = t->process->pid;
    q->rtime = ipc_seconds(t->node);
    waitq_wake(t->m, &q->writers, 0);
    int bad = user_write(t, gaddr_of(a->a[1]), &msg->type, sizeof msg->type) ||
              user_write(t, gaddr_of(a->a[1] + sizeof msg->type), msg->text, len);
    kfree(t->m, msg); /* Linux too has lost it by now */
    return sys_done(bad ? -EFAULT : (int64_t)len);
}

static int64_t stat_queue(struct task *t, const struct msg_queue *q, uint64_t buf, int64_t result,
                          bool check)
{
    if (!q) {
        return -EINVAL;
    }
    if (check && ipc_permission(t, &q->ipc, 0444)) {
        return -EACCES;
    }
    struct abi_msqid_ds ds = {.perm = ipc_perm_of(&q->ipc),
                              .stime = q->stime,
                              .rtime = q->rtime,
                              .ctime = q->ctime,
                              .bytes = q->bytes,
                              .count = q->count,
                              .bytes_max = q->bytes_max,
                              .lspid = q->lspid,
                              .lrpid = q->lrpid};
    return user_write(t, gaddr_of(buf), &ds, sizeof ds) ? -EFAULT : result;
}

static int64_t info(struct task *t, int cmd, uint64_t buf)
{
    const struct ipc_table *table = ipc_table(t, IPC_KIND_MSG);
    /* struct msginfo: msgpool msgmap msgmax msgmnb msgmni msgssz msgtql msgseg */
    struct {
        int32_t pool, map, max, mnb, mni, ssz, tql;
        uint16_t seg, pad;
    } mi = {512000,
            (int32_t)MSG_QUEUE_MAX,
            (int32_t)MSG_BYTES_MAX,
            (int32_t)MSG_QUEUE_MAX,
            (int32_t)IPC_LIMIT,
            16,
            (int32_t)MSG_QUEUE_MAX,
            0xffff,
            0};
    if (cmd == MSG_INFO_) {
        mi.pool = (int32_t)table->used;
        mi.map = mi.tql = 0;
        for (uint32_t i = 0; i < table->cap; i++) {
            const struct msg_queue *q = (const struct msg_queue *)table->slots[i];
            mi.map += q ? (int32_t)q->count : 0;
            mi.tql += q ? (int32_t)q->bytes : 0;
        }
    }
    int error = user_write(t, gaddr_of(buf), &mi, sizeof mi);
    return error ? error : ipc_highest(table);
}

static int64_t change(struct task *t, struct msg_queue *q, int cmd, uint64_t buf)
{
    struct abi_msqid_ds ds;
    if (cmd == IPC_SET_ && user_read(t, &ds, gaddr_of(buf), sizeof ds)) {
        return -EFAULT;
    }
    if (!q) {
        return -EINVAL;
    }
    int error = ipc_owner(t, &q->ipc);
    if (error) {
        return error;
    }
    if (cmd == IPC_RMID_) {
        destroy(t->m, ipc_table(t, IPC_KIND_MSG), q);
        return 0;
    }
    if (ds.bytes_max > MSG_QUEUE_MAX && !task_capable(t, CAP_SYS_RESOURCE)) {
        return -EPERM;
    }
    ipc_set_perm(&q->ipc, &ds.perm);
    q->bytes_max = ds.bytes_max;
    q->ctime = ipc_seconds(t->node);
    waitq_wake(t->m, &q->readers, 0);
    waitq_wake(t->m, &q->writers, 0);
    return 0;
}

struct sysret sys_msgctl(struct task *t, const struct sysargs *a)
{
    int32_t id = (int32_t)a->a[0];
    int cmd = (int)a->a[1] & ~IPC_64_;
    struct msg_queue *q;
    if (id < 0 || cmd < 0) {
        return sys_done(-EINVAL);
    }
    switch (cmd) {
    case IPC_INFO_:
    case MSG_INFO_:
        return sys_done(info(t, cmd, a->a[2]));
    case IPC_STAT_:
        return sys_done(stat_queue(t, ipc_find(t, IPC_KIND_MSG, id), a->a[2], 0, true));
    case MSG_STAT_:
    case MSG_STAT_ANY_:
        q = ipc_at(t, IPC_KIND_MSG, id);
        return sys_done(stat_queue(t, q, a->a[2], q ? q->ipc.id : 0, cmd == MSG_STAT_));
    case IPC_SET_:
    case IPC_RMID_:
        return sys_done(change(t, ipc_find(t, IPC_KIND_MSG, id), cmd, a->a[2]));
    default:
        return sys_done(-EINVAL);
    }
}
