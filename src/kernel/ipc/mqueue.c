#include "kernel/ipc/mqueue.h"

#include <linux/capability.h>

#include "abi/signal_abi.h"
#include "base/str.h"
#include "kernel/ipc/ipc_priv.h"
#include "kernel/machine.h"
#include "kernel/net/netlink.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/text.h"
#include "kernel/vfs/vfs.h"

/* The values that /proc/sys/fs/mqueue shows, and the hard limits of a privileged process. */
#define QUEUES_MAX        256u
#define COUNT_DEFAULT     10
#define SIZE_DEFAULT      8192
#define COUNT_HARD        65536
#define SIZE_HARD         (16 << 20)
#define RLIMIT_MSGQUEUE_  12
#define MESSAGE_OVERHEAD  48u /* what Linux charges for a message and for a priority in use */
#define PRIORITY_OVERHEAD 48u
#define STATUS_SIZE       80 /* FILENT_SIZE of ipc/mqueue.c: st_size */
#define NOTIFY_WOKENUP    1
#define NOTIFY_REMOVED    2

static void put(struct mqueue *q)
{
    struct machine *m = q->node->m;
    struct mq_message *msg, *next;
    ASSERT(q->refs > 0);
    if (--q->refs) {
        return;
    }
    list_for_each_entry_safe (msg, next, &q->messages, link) {
        kfree(m, msg);
    }
    list_del(&q->link);
    waitq_fini(m, &q->readers);
    waitq_fini(m, &q->writers);
    waitq_fini(m, &q->poll);
    inode_put(q->inode);
    kfree(m, q);
}

struct mqueue *mqueue_find(const struct ipc_namespace *ns, const char *name)
{
    struct mqueue *q;
    list_for_each_entry (q, &ns->mqueues, link) {
        if (q->named && str_eq(q->name, name)) {
            return q;
        }
    }
    return NULL;
}

static int check_attr(const struct task *t, int64_t maxmsg, int64_t msgsize)
{
    bool privileged = task_capable(t, CAP_SYS_RESOURCE);
    if (maxmsg <= 0 || maxmsg > (privileged ? COUNT_HARD : COUNT_DEFAULT) || msgsize <= 0 ||
        msgsize > (privileged ? SIZE_HARD : SIZE_DEFAULT)) {
        return -EINVAL;
    }
    return 0;
}

/* ENOSPC: too many queues; EMFILE: too many bytes for this user. */
static int check_limits(const struct task *t, const struct ipc_namespace *ns, uint64_t charge)
{
    const struct mqueue *q;
    uint64_t queues = 0, charged = 0;
    list_for_each_entry (q, &ns->mqueues, link) {
        queues++;
        charged += q->charged_uid == t->cred.uid ? q->charge : 0;
    }
    if (queues >= QUEUES_MAX && !task_capable(t, CAP_SYS_RESOURCE)) {
        return -ENOSPC;
    }
    return charged + charge > t->process->rlimits[RLIMIT_MSGQUEUE_].soft ? -EMFILE : 0;
}

int mqueue_create(struct task *t, const char *name, uint32_t mode, const struct abi_mq_attr *attr,
                  struct mqueue **out)
{
    struct ipc_namespace *ns = ipc_of(t->node);
    int64_t maxmsg = attr ? attr->maxmsg : COUNT_DEFAULT;
    int64_t msgsize = attr ? attr->msgsize : SIZE_DEFAULT;
    int error = check_attr(t, maxmsg, msgsize);
    if (error) {
        return error;
    }
    uint64_t each = MESSAGE_OVERHEAD + (uint64_t)msgsize;
    uint64_t charge =
        (uint64_t)maxmsg * each + min_u64((uint64_t)maxmsg, MQ_PRIO_MAX) * PRIORITY_OVERHEAD;
    error = check_limits(t, ns, charge);
    if (error) {
        return error;
    }
    struct mqueue *q = KALLOC(t->m, struct mqueue);
    q->node = t->node;
    q->refs = 1;
    q->named = true;
    memcpy(q->name, name, str_len(name) + 1);
    q->inode = anon_inode_create(t->m, "mqueue", ABI_S_IFREG | (mode & 07777));
    q->inode->uid = t->cred.fsuid;
    q->inode->gid = t->cred.fsgid;
    q->inode->size = STATUS_SIZE;
    q->count_max = (uint64_t)maxmsg;
    q->size_max = (uint64_t)msgsize;
    q->charge = charge;
    q->charged_uid = t->cred.uid;
    list_init(&q->messages);
    waitq_init(&q->readers);
    waitq_init(&q->writers);
    waitq_init(&q->poll);
    list_add_tail(&ns->mqueues, &q->link);
    *out = q;
    return 0;
}

void mqueue_unlink(struct mqueue *q)
{
    q->named = false;
    put(q);
}

void mqueue_destroy_all(struct ipc_namespace *ns)
{
    struct mqueue *q, *next;
    list_for_each_entry_safe (q, next, &ns->mqueues, link) {
        list_del(&q->link); /* one that is still open outlives the namespace */
        if (q->named) {
            mqueue_unlink(q);
        }
    }
}

/* --- notification
 * ------------------------------------------------------------------------------- */

static void tell_socket(struct mqueue *q, unsigned char what)
{
    q->notify.cookie[MQ_COOKIE - 1] = what;
    netlink_deliver(q->notify.socket, q->notify.cookie, MQ_COOKIE);
}

static void end_notification(struct mqueue *q)
{
    file_put(q->notify.socket);
    q->notify = (struct mq_notification){0};
}

void mqueue_forget(struct mqueue *q)
{
    if (q->notify.pid && q->notify.method == ABI_SIGEV_THREAD) {
        tell_socket(q, NOTIFY_REMOVED);
    }
    end_notification(q);
}

static void notify(struct task *t, struct mqueue *q)
{
    struct process *p = process_find(q->node, q->notify.pid);
    if (q->notify.method == ABI_SIGEV_THREAD) {
        tell_socket(q, NOTIFY_WOKENUP);
    } else if (q->notify.method == ABI_SIGEV_SIGNAL && q->notify.signo && p &&
               p->id == q->notify.process_id) {
        struct siginfo info = {.signo = q->notify.signo, .code = ABI_SI_MESGQ};
        info.kill.pid = t->process->pid;
        info.kill.uid = t->cred.uid;
        info.kill.value = q->notify.value;
        signal_send_process(p, &info);
    }
    end_notification(q);
}

/* --- messages
 * ----------------------------------------------------------------------------------- */

void mqueue_put_message(struct task *t, struct mqueue *q, struct mq_message *msg)
{
    struct list_head *before = &q->messages;
    struct mq_message *other;
    list_for_each_entry (other, &q->messages, link) {
        if (other->prio < msg->prio) {
            before = &other->link;
            break;
        }
    }
    list_add_tail(before, &msg->link);
    q->count++;
    q->bytes += msg->len;
    /* A message that someone waits for is as good as received: nobody is told. */
    if (!list_empty(&q->readers.waiters)) {
        waitq_wake(t->m, &q->readers, 0);
    } else if (q->count == 1 && q->notify.pid) {
        notify(t, q);
    }
    waitq_wake(t->m, &q->poll, ABI_POLLIN | ABI_POLLRDNORM);
}

struct mq_message *mqueue_take_message(struct mqueue *q)
{
    struct mq_message *msg = list_first_entry(&q->messages, struct mq_message, link);
    list_del(&msg->link);
    q->count--;
    q->bytes -= msg->len;
    waitq_wake(q->node->m, &q->writers, 0);
    waitq_wake(q->node->m, &q->poll, ABI_POLLOUT | ABI_POLLWRNORM);
    return msg;
}

/* --- open descriptions
 * -------------------------------------------------------------------------- */

/* What reading a descriptor gives: the state in one line (mq_overview(7)). */
static int64_t mqueue_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    const struct mqueue *q = f->priv;
    bool registered = q->notify.pid != 0;
    struct text x;
    int64_t n = 0;
    text_init(&x, t->m);
    text_printf(&x, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
                registered ? q->notify.method : 0,
                registered && q->notify.method == ABI_SIGEV_SIGNAL ? q->notify.signo : 0,
                q->notify.pid);
    if (*pos < x.len) {
        n = uio_copy_to(to, x.buf + *pos, min_u64(to->left, x.len - *pos));
        *pos += n > 0 ? (uint64_t)n : 0;
    }
    text_fini(&x);
    return n;
}

static uint32_t mqueue_poll(struct file *f)
{
    const struct mqueue *q = f->priv;
    return (q->count ? ABI_POLLIN | ABI_POLLRDNORM : 0u) |
           (q->count < q->count_max ? ABI_POLLOUT | ABI_POLLWRNORM : 0u);
}

/* Whoever asked to be told and closes a descriptor no longer wants to know. */
static void mqueue_flush(struct task *t, struct file *f)
{
    struct mqueue *q = f->priv;
    if (q->notify.pid && q->notify.process_id == t->process->id) {
        mqueue_forget(q);
    }
}

static void mqueue_release(struct machine *m, struct file *f)
{
    put(f->priv);
}

static const struct file_ops mqueue_ops = {
    .name = "mqueue",
    .read = mqueue_read,
    .poll = mqueue_poll,
    .flush = mqueue_flush,
    .release = mqueue_release,
    .seekable = true,
};

struct file *mqueue_open(struct mqueue *q, uint32_t flags)
{
    struct file *f = file_create(q->node->m, &mqueue_ops, flags);
    f->inode = inode_get(q->inode);
    f->priv = q;
    f->wq = &q->poll;
    q->refs++;
    return f;
}

struct mqueue *mqueue_of(const struct file *f)
{
    return f->ops == &mqueue_ops ? f->priv : NULL;
}
