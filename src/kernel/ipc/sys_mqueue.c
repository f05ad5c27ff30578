/* mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2). */
#include "abi/signal_abi.h"
#include "base/str.h"
#include "kernel/ipc/ipc_priv.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/machine.h"
#include "kernel/net/netlink.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define CLOCK_REALTIME_ 0
#define PATH_BYTES_MAX  4096u

/* The name as the kernel takes it: without the slash that the library removes. */
static int read_name(struct task *t, uint64_t addr, char name[MQ_NAME_MAX + 1])
{
    char *path = kalloc(t->m, PATH_BYTES_MAX);
    int64_t n = user_read_str(t, path, gaddr_of(addr), PATH_BYTES_MAX);
    int error = n < 0 ? (int)n : n == 0 ? -ENOENT : 0;
    if (!error && (str_eq(path, ".") || str_eq(path, ".."))) {
        error = -EACCES;
    }
    for (int64_t i = 0; i < n && !error; i++) {
        error = path[i] == '/' ? -EACCES : 0;
    }
    if (!error && n > MQ_NAME_MAX) {
        error = -ENAMETOOLONG;
    }
    if (!error) {
        memcpy(name, path, (size_t)n + 1);
    }
    kfree(t->m, path);
    return error;
}

static int may_open(struct task *t, const struct mqueue *q, uint32_t flags)
{
    static const uint32_t wanted[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE};
    if ((flags & O_CREAT) && (flags & O_EXCL)) {
        return -EEXIST;
    }
    if ((flags & O_ACCMODE) == O_ACCMODE) {
        return -EINVAL;
    }
    return inode_permission(t, q->inode, wanted[flags & O_ACCMODE]);
}

struct sysret sys_mq_open(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[1];
    char name[MQ_NAME_MAX + 1];
    struct abi_mq_attr attr;
    if (a->a[3] && user_read(t, &attr, gaddr_of(a->a[3]), sizeof attr)) {
        return sys_done(-EFAULT);
    }
    int error = read_name(t, a->a[0], name);
    if (error) {
        return sys_done(error);
    }
    if (!fd_room(t)) {
        return sys_done(-EMFILE);
    }
    struct mqueue *q = mqueue_find(ipc_of(t->node), name);
    if (q) {
        error = may_open(t, q, flags);
    } else if (!(flags & O_CREAT)) {
        error = -ENOENT;
    } else {
        uint32_t mode = (uint32_t)a->a[2] & ~t->fs->umask;
        error = mqueue_create(t, name, mode, a->a[3] ? &attr : NULL, &q);
    }
    if (error) {
        return sys_done(error);
    }
    struct file *f = mqueue_open(q, flags & (O_ACCMODE | O_NONBLOCK));
    int fd = fd_install(t, f, 0, true);
    ASSERT(fd >= 0); /* there was room */
    return sys_done(fd);
}

struct sysret sys_mq_unlink(struct task *t, const struct sysargs *a)
{
    char name[MQ_NAME_MAX + 1];
    int error = read_name(t, a->a[0], name);
    if (error) {
        return sys_done(error);
    }
    struct mqueue *q = mqueue_find(ipc_of(t->node), name);
    if (!q) {
        return sys_done(-ENOENT);
    }
    /* The directory of all queues is as /tmp: sticky, and root's. */
    if (!inode_owner_or_capable(t, q->inode)) {
        return sys_done(-EPERM);
    }
    mqueue_unlink(q);
    return sys_done(0);
}

/* The instant at which to give up; VTIME_NEVER without one. */
static int read_deadline(struct task *t, uint64_t addr, vtime *when)
{
    struct abi_timespec ts;
    *when = VTIME_NEVER;
    if (!addr) {
        return 0;
    }
    if (user_read(t, &ts, gaddr_of(addr), sizeof ts)) {
        return -EFAULT;
    }
    if (!timespec_valid(&ts)) {
        return -EINVAL;
    }
    return clock_to_vtime(t, CLOCK_REALTIME_, timespec_ns(&ts), when);
}

/* Nothing to take, or no room: waits as the description and the deadline allow. */
static struct sysret wait_for(struct task *t, const struct file *f, struct waitq *q, vtime when)
{
    if (f->flags & O_NONBLOCK) {
        return sys_done(-EAGAIN);
    }
    if (when != VTIME_NEVER && machine_now(t->m) >= when) {
        return sys_done(-ETIMEDOUT);
    }
    task_wait_on(t, q, 0);
    task_wait_until(t, when);
    return sys_block();
}

struct sysret sys_mq_timedsend(struct task *t, const struct sysargs *a)
{
    uint64_t len = a->a[2];
    vtime when;
    int error = read_deadline(t, a->a[4], &when);
    if (error) {
        return sys_done(error);
    }
    if ((uint32_t)a->a[3] >= MQ_PRIO_MAX) {
        return sys_done(-EINVAL);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    struct mqueue *q = f ? mqueue_of(f) : NULL;
    if (!q || !file_writable(f)) {
        return sys_done(-EBADF);
    }
    if (len > q->size_max) {
        return sys_done(-EMSGSIZE);
    }
    struct mq_message *msg = kalloc(t->m, sizeof *msg + len);
    if (user_read(t, msg->text, gaddr_of(a->a[1]), len)) {
        kfree(t->m, msg);
        return sys_done(-EFAULT);
    }
    if (q->count >= q->count_max) {
        kfree(t->m, msg);
        return wait_for(t, f, &q->writers, when);
    }
    msg->prio = (uint32_t)a->a[3];
    msg->len = len;
    mqueue_put_message(t, q, msg);
    return sys_done(0);
}

struct sysret sys_mq_timedreceive(struct task *t, const struct sysargs *a)
{
    vtime when;
    int error = read_deadline(t, a->a[4], &when);
    if (error) {
        return sys_done(error);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    struct mqueue *q = f ? mqueue_of(f) : NULL;
    if (!q || !file_readable(f)) {
        return sys_done(-EBADF);
    }
    if (a->a[2] < q->size_max) {
        return sys_done(-EMSGSIZE);
    }
    if (q->count == 0) {
        return wait_for(t, f, &q->readers, when);
    }
    /* As on Linux, a message is lost when its reader's memory cannot take it. */
    struct mq_message *msg = mqueue_take_message(q);
    int64_t result = (int64_t)msg->len;
    if ((a->a[3] && user_write_u32(t, gaddr_of(a->a[3]), msg->prio)) ||
        user_write(t, gaddr_of(a->a[1]), msg->text, msg->len)) {
        result = -EFAULT;
    }
    kfree(t->m, msg);
    return sys_done(result);
}

/* What the caller wants, checked. A socket in it holds a reference. */
static int read_notification(struct task *t, uint64_t addr, struct mq_notification *n)
{
    struct abi_sigevent ev;
    if (user_read(t, &ev, gaddr_of(addr), sizeof ev)) {
        return -EFAULT;
    }
    *n = (struct mq_notification){.pid = t->process->pid,
                                  .process_id = t->process->id,
                                  .method = ev.notify,
                                  .signo = ev.signo,
                                  .value = ev.value};
    switch (ev.notify) {
    case ABI_SIGEV_NONE:
        return 0;
    case ABI_SIGEV_SIGNAL:
        return ev.signo >= 0 && ev.signo <= SIG_MAX ? 0 : -EINVAL;
    case ABI_SIGEV_THREAD:
        break;
    default:
        return -EINVAL;
    }
    /* The library waits at a netlink socket, and gave what it wants to read there. */
    if (user_read(t, n->cookie, gaddr_of(ev.value), sizeof n->cookie)) {
        return -EFAULT;
    }
    struct file *f = fd_file_io(t, ev.signo);
    int error = f ? netlink_check(f) : -EBADF;
    n->socket = error ? NULL : file_get(f);
    return error;
}

struct sysret sys_mq_notify(struct task *t, const struct sysargs *a)
{
    struct mq_notification n = {0};
    int error = a->a[1] ? read_notification(t, a->a[1], &n) : 0;
    if (error) {
        return sys_done(error);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    struct mqueue *q = f ? mqueue_of(f) : NULL;
    if (!q) {
        error = -EBADF;
    } else if (!a->a[1]) {
        if (q->notify.pid && q->notify.process_id == t->process->id) {
            mqueue_forget(q);
        }
    } else if (q->notify.pid) {
        error = -EBUSY;
    } else {
        q->notify = n;
        return sys_done(0);
    }
    file_put(n.socket);
    return sys_done(error);
}

struct sysret sys_mq_getsetattr(struct task *t, const struct sysargs *a)
{
    struct abi_mq_attr set, now = {0};
    if (a->a[1] && user_read(t, &set, gaddr_of(a->a[1]), sizeof set)) {
        return sys_done(-EFAULT);
    }
    if (a->a[1] && set.flags & ~(int64_t)O_NONBLOCK) {
        return sys_done(-EINVAL);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    const struct mqueue *q = f ? mqueue_of(f) : NULL;
    if (!q) {
        return sys_done(-EBADF);
    }
    now.flags = f->flags & O_NONBLOCK;
    now.maxmsg = (int64_t)q->count_max;
    now.msgsize = (int64_t)q->size_max;
    now.curmsgs = (int64_t)q->count;
    if (a->a[1]) {
        f->flags = (f->flags & ~(uint32_t)O_NONBLOCK) | ((uint32_t)set.flags & O_NONBLOCK);
    }
    return sys_done(a->a[2] ? user_write(t, gaddr_of(a->a[2]), &now, sizeof now) : 0);
}
