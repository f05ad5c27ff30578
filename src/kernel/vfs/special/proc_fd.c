/* /proc/PID/{fd,fdinfo,task,ns} and the links to files: generated children of a process. */
#include "base/str.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/epoll.h"
#include "kernel/vfs/special/eventfd.h"
#include "kernel/vfs/special/fdinfo.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/vfs.h"

/* --- descriptors ------------------------------------------------------------------------------ */

static struct file *file_of(const struct pseudo_ctx *c, uint32_t fd)
{
    const struct fd_table *ft = c->target->fds;

    return ft && fd < ft->cap ? ft->slots[fd].file : NULL;
}

static int64_t fd_readlink(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    struct file *f = file_of(c, c->ref->num);

    return f ? vfs_file_string(c->t, f, buf, cap) : -ENOENT;
}

static int fd_jump(struct pseudo_ctx *c, struct mount **mount, struct dentry **dentry,
                   struct file **file)
{
    struct file *f = file_of(c, c->ref->num);

    if (!f) {
        return -ENOENT;
    }
    *file = file_get(f);
    return 0;
}

static void epoll_line(void *ctx, int fd, const struct file *target,
                       const struct abi_epoll_event *ev)
{
    text_printf(ctx, "tfd: %8d events: %8x data: %16lx  pos:%lu ino:%lx sdev:%x\n", fd, ev->events,
                ev->data, target->pos, target->inode ? target->inode->ino : 0ul,
                target->inode ? target->inode->sb->dev_minor : 0u);
}

static void fdinfo_show(struct text *x, struct pseudo_ctx *c)
{
    struct file *f = file_of(c, c->ref->num);
    uint64_t count;
    uint32_t flags;

    if (!f) {
        c->err = -ENOENT;
        return;
    }
    flags = f->flags | (c->target->fds->slots[c->ref->num].cloexec ? O_CLOEXEC : 0);
    text_printf(x, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos, flags,
                f->mount ? f->mount->id : 15u, f->inode ? f->inode->ino : 0ul);
    if (eventfd_count(f, &count)) {
        text_printf(x, "eventfd-count: %16lx\n", count);
    } else if (file_is_epoll(f)) {
        epoll_for_each(f, epoll_line, x);
    } else {
        fdinfo_extra(x, f);
    }
}

static const struct pseudo_entry fd_entry = {
    .name = "", .mode = ABI_S_IFLNK | 0700, .readlink = fd_readlink, .jump = fd_jump};
static const struct pseudo_entry fdinfo_entry = {
    .name = "", .mode = ABI_S_IFREG | 0400, .show = fdinfo_show};

static bool fd_next_as(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out,
                       const struct pseudo_entry *entry)
{
    struct pseudo_ctx c;

    if (!pseudo_resolve(dir, NULL, &c) || !c.target->fds) {
        return false;
    }
    for (uint64_t fd = *key; fd < c.target->fds->cap; fd++) {
        const struct file *f = file_of(&c, (uint32_t)fd);

        if (f) {
            *out = (struct pseudo_child){
                .entry = entry, .pid = dir->pid, .tid = dir->tid, .num = (uint32_t)fd};
            if (entry == &fd_entry) { /* the link's bits tell the open mode */
                out->perm = 0100 | (file_readable(f) ? 0400 : 0) | (file_writable(f) ? 0200 : 0);
            }
            str_format(out->name, sizeof out->name, "%lu", fd);
            *key = fd + 1;
            return true;
        }
    }
    return false;
}

static bool number(const char *name, uint32_t len, uint64_t *out)
{
    return !(len > 1 && name[0] == '0') && str_to_u64(name, len, 10, out);
}

static bool fd_find_as(const struct pseudo_ref *dir, const char *name, uint32_t len,
                       struct pseudo_child *out, const struct pseudo_entry *entry)
{
    uint64_t key, fd;

    if (!number(name, len, &fd)) {
        return false;
    }
    key = fd;
    return fd_next_as(dir, &key, out, entry) && out->num == fd;
}

static bool fd_next(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    return fd_next_as(dir, key, out, &fd_entry);
}

static bool fd_find(const struct pseudo_ref *dir, const char *name, uint32_t len,
                    struct pseudo_child *out)
{
    return fd_find_as(dir, name, len, out, &fd_entry);
}

static bool fdinfo_next(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    return fd_next_as(dir, key, out, &fdinfo_entry);
}

static bool fdinfo_find(const struct pseudo_ref *dir, const char *name, uint32_t len,
                        struct pseudo_child *out)
{
    return fd_find_as(dir, name, len, out, &fdinfo_entry);
}

const struct pseudo_children proc_fd_children = {fd_next, fd_find};
const struct pseudo_children proc_fdinfo_children = {fdinfo_next, fdinfo_find};

/* --- threads ---------------------------------------------------------------------------------- */

static const struct pseudo_entry thread_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0555, .table = proc_thread_table};

static bool thread_next(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    const struct node *n = dir->node;

    for (uint64_t tid = *key ? *key : 1; tid < n->pid_cap; tid++) {
        const struct task *t = n->pids[tid];

        if (t && t->process->pid == dir->pid) {
            *out =
                (struct pseudo_child){.entry = &thread_entry, .pid = dir->pid, .tid = (abi_pid)tid};
            str_format(out->name, sizeof out->name, "%lu", tid);
            *key = tid + 1;
            return true;
        }
    }
    return false;
}

static bool thread_find(const struct pseudo_ref *dir, const char *name, uint32_t len,
                        struct pseudo_child *out)
{
    uint64_t key, tid;

    if (!number(name, len, &tid) || tid == 0) {
        return false;
    }
    key = tid;
    return thread_next(dir, &key, out) && (uint64_t)out->tid == tid;
}

const struct pseudo_children proc_task_children = {thread_next, thread_find};

/* --- namespaces ------------------------------------------------------------------------------- */

/* Each node has its own; numbers as Linux gives them out, from PROC_DYNAMIC_FIRST on. */
static int64_t ns_readlink(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    const struct pseudo_entry *e = c->ref->entry;
    uint64_t shared = e->value[0] == 'u' && e->value[1] == 's'; /* one user namespace for all */
    uint64_t ino = 4026531840u + (shared ? 0 : 16ul * (c->node->index + 1)) + e->num;
    char text[64];
    size_t n = str_format(text, sizeof text, "%s:[%lu]", e->value, ino);

    n = min_u64(n, cap);
    memcpy(buf, text, n);
    return (int64_t)n;
}

#define NS(file, kind, number)                                                                     \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFLNK | 0777, .readlink = ns_readlink, .value = (kind),      \
        .num = (number)                                                                            \
    }

const struct pseudo_entry proc_ns_table[] = {
    NS("cgroup", "cgroup", 1),
    NS("ipc", "ipc", 2),
    NS("mnt", "mnt", 3),
    NS("net", "net", 4),
    NS("pid", "pid", 5),
    NS("pid_for_children", "pid", 5),
    NS("time", "time", 6),
    NS("time_for_children", "time", 6),
    NS("user", "user", 7),
    NS("uts", "uts", 8),
    PSEUDO_END,
};
