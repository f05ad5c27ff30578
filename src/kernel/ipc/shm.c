/* System V shared memory (shmget(2), shmop(2), shmctl(2)). A segment is an unlinked file of the
 * data store; the mappings of that file are its attachments, so their number is the file's
 * references but one. A removed segment goes when the last attachment has gone, which is noticed at
 * the next call. */
#include "kernel/ipc/ipc_priv.h"

#include <linux/capability.h>
#include <linux/mman.h>

#include "abi/layout.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/mapping.h"

#define SHM_RDONLY_   010000
#define SHM_RND_      020000
#define SHM_REMAP_    040000
#define SHM_EXEC_     0100000
#define SHM_HUGETLB_  04000u
#define SHM_LOCK_     11
#define SHM_UNLOCK_   12
#define SHM_STAT_     13
#define SHM_INFO_     14
#define SHM_STAT_ANY_ 15
#define SHM_DEST_     01000u
#define SHM_LOCKED_   02000u
#define SHM_MAX       (UINT64_MAX - (1ull << 24))

struct segment {
    struct ipc_object ipc; /* first */
    struct file *file;
    uint64_t size;
    int64_t atime, dtime, ctime;
    int32_t cpid, lpid;
};

struct abi_shmid_ds {
    struct abi_ipc_perm perm;
    uint64_t size;
    int64_t atime, dtime, ctime;
    int32_t cpid, lpid;
    uint64_t nattch, unused[2];
};

_Static_assert(sizeof(struct abi_shmid_ds) == 112, "shmid64_ds layout");

static uint64_t attachments(const struct segment *s)
{
    return s->file->refs - 1;
}

static void destroy(struct machine *m, struct ipc_table *table, struct segment *s)
{
    ipc_remove(table, &s->ipc);
    file_put(s->file);
    kfree(m, s);
}

void shm_destroy_all(struct node *n, struct ipc_table *table)
{
    for (uint32_t i = 0; i < table->cap; i++) {
        if (table->slots[i]) {
            destroy(n->m, table, (struct segment *)table->slots[i]);
        }
    }
}

static void reap(struct task *t)
{
    struct ipc_table *table = ipc_table(t, IPC_KIND_SHM);
    for (uint32_t i = 0; i < table->cap; i++) {
        struct segment *s = (struct segment *)table->slots[i];
        if (s && (s->ipc.mode & SHM_DEST_) && attachments(s) == 0) {
            destroy(t->m, table, s);
        }
    }
}

static int64_t create(struct task *t, int32_t key, uint64_t size, uint32_t flags)
{
    if (size == 0 || size > SHM_MAX) {
        return -EINVAL;
    }
    uint64_t bytes = round_up_u64(size, PAGE_SIZE);
    if (bytes > t->m->plan->memory_bytes) {
        return -ENOMEM;
    }
    struct segment *s = KALLOC(t->m, struct segment);
    int id = ipc_add(t, IPC_KIND_SHM, &s->ipc, key, flags);
    if (id < 0) {
        kfree(t->m, s);
        return id;
    }
    s->size = size;
    s->file = shmem_file_create(t->m, "SYSV", bytes, O_RDWR);
    s->ctime = ipc_seconds(t->node);
    s->cpid = t->process->pid;
    return id;
}

struct sysret sys_shmget(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[2];
    void *found;
    reap(t);
    if (flags & SHM_HUGETLB_) {
        return sys_done(-ENOMEM); /* no huge pages are reserved, as on most hosts */
    }
    int error = ipc_get(t, IPC_KIND_SHM, (int32_t)a->a[0], flags, &found);
    if (error) {
        return sys_done(error);
    }
    struct segment *s = found;
    if (!s) {
        return sys_done(create(t, (int32_t)a->a[0], a->a[1], flags));
    }
    return sys_done(a->a[1] > s->size ? -EINVAL : s->ipc.id);
}

static bool range_free(const struct mm *mm, uint64_t addr, uint64_t len)
{
    for (uint32_t i = 0; i < mm->vma_count; i++) {
        if (mm->vmas[i]->start < addr + len && addr < mm->vmas[i]->end) {
            return false;
        }
    }
    return true;
}

static int64_t attach(struct task *t, struct segment *s, uint64_t addr, int flags)
{
    uint64_t len = round_up_u64(s->size, PAGE_SIZE);
    struct map_request r = {
        .len = len, .flags = MAP_SHARED, .backing = VMA_FILE, .file = s->file, .prot = PROT_READ};
    if (addr) {
        if (addr & (PAGE_SIZE - 1)) {
            if (!(flags & SHM_RND_)) {
                return -EINVAL;
            }
            addr = round_down_u64(addr, PAGE_SIZE);
            if (!addr && (flags & SHM_REMAP_)) {
                return -EINVAL;
            }
        }
        r.flags |= MAP_FIXED;
    } else if (flags & SHM_REMAP_) {
        return -EINVAL;
    }
    uint32_t want = 0444;
    if (!(flags & SHM_RDONLY_)) {
        r.prot |= PROT_WRITE;
        want |= 0222;
    }
    if (flags & SHM_EXEC_) {
        r.prot |= PROT_EXEC;
        want |= 0111;
    }
    int error = ipc_permission(t, &s->ipc, want);
    if (error) {
        return error;
    }
    if (addr && !(flags & SHM_REMAP_) && !range_free(t->mm, addr, len)) {
        return -EINVAL;
    }
    r.addr = addr;
    return mm_map(t, &r);
}

struct sysret sys_shmat(struct task *t, const struct sysargs *a)
{
    reap(t);
    struct segment *s = ipc_find(t, IPC_KIND_SHM, (int32_t)a->a[0]);
    if (!s) {
        return sys_done(-EINVAL);
    }
    int64_t addr = attach(t, s, a->a[1], (int)a->a[2]);
    if (addr >= 0 || addr < -4095) {
        s->atime = ipc_seconds(t->node);
        s->lpid = t->process->pid;
    }
    return sys_done(addr);
}

static struct segment *segment_of(struct task *t, const struct vma *v)
{
    const struct ipc_table *table = ipc_table(t, IPC_KIND_SHM);
    for (uint32_t i = 0; i < table->cap; i++) {
        struct segment *s = (struct segment *)table->slots[i];
        if (s && v->file == s->file) {
            return s;
        }
    }
    return NULL;
}

/* shmdt(2): every mapped piece of the attachment that begins at addr. */
struct sysret sys_shmdt(struct task *t, const struct sysargs *a)
{
    uint64_t addr = a->a[0];
    struct mm *mm = t->mm;
    struct segment *s = NULL;
    if (addr & (PAGE_SIZE - 1)) {
        return sys_done(-EINVAL);
    }
    for (uint32_t i = 0; i < mm->vma_count && !s; i++) {
        const struct vma *v = mm->vmas[i];
        if (v->file && v->start >= addr && (v->start - addr) >> PAGE_SHIFT == v->pgoff) {
            s = segment_of(t, v);
        }
    }
    if (!s) {
        return sys_done(-EINVAL);
    }
    uint64_t end = addr + round_up_u64(s->size, PAGE_SIZE);
    for (uint32_t i = 0; i < mm->vma_count;) {
        const struct vma *v = mm->vmas[i];
        if (v->file == s->file && v->start >= addr && v->start < end &&
            (v->start - addr) >> PAGE_SHIFT == v->pgoff) {
            mm_unmap(t, v->start, min_u64(v->end, end) - v->start);
            i = 0; /* the array changed */
        } else {
            i++;
        }
    }
    s->dtime = ipc_seconds(t->node);
    s->lpid = t->process->pid;
    reap(t);
    return sys_done(0);
}

static int64_t stat_segment(struct task *t, struct segment *s, uint64_t buf, int64_t result,
                            bool check)
{
    if (!s) {
        return -EINVAL;
    }
    if (check && ipc_permission(t, &s->ipc, 0444)) {
        return -EACCES;
    }
    struct abi_shmid_ds ds = {.perm = ipc_perm_of(&s->ipc),
                              .size = s->size,
                              .atime = s->atime,
                              .dtime = s->dtime,
                              .ctime = s->ctime,
                              .cpid = s->cpid,
                              .lpid = s->lpid,
                              .nattch = attachments(s)};
    return user_write(t, gaddr_of(buf), &ds, sizeof ds) ? -EFAULT : result;
}

static int64_t info(struct task *t, int cmd, uint64_t buf)
{
    const struct ipc_table *table = ipc_table(t, IPC_KIND_SHM);
    int error;
    if (cmd == IPC_INFO_) {
        uint64_t limits[9] = {SHM_MAX, 1, 4096, 4096, SHM_MAX};
        error = user_write(t, gaddr_of(buf), limits, sizeof limits);
    } else {
        struct {
            int32_t used, pad;
            uint64_t total, resident, swapped, attempts, successes;
        } si = {.used = (int32_t)table->used};
        for (uint32_t i = 0; i < table->cap; i++) {
            const struct segment *s = (const struct segment *)table->slots[i];
            si.total += s ? round_up_u64(s->size, PAGE_SIZE) >> PAGE_SHIFT : 0;
        }
        si.resident = si.total;
        error = user_write(t, gaddr_of(buf), &si, sizeof si);
    }
    return error ? error : ipc_highest(table);
}

static int64_t change(struct task *t, struct segment *s, int cmd, uint64_t buf)
{
    struct abi_shmid_ds ds;
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
    switch (cmd) {
    case IPC_SET_:
        ipc_set_perm(&s->ipc, &ds.perm);
        s->ctime = ipc_seconds(t->node);
        return 0;
    case IPC_RMID_:
        s->ipc.key = IPC_PRIVATE_;
        s->ipc.mode |= SHM_DEST_;
        reap(t);
        return 0;
    case SHM_LOCK_:
        s->ipc.mode |= SHM_LOCKED_;
        return 0;
    default:
        s->ipc.mode &= ~SHM_LOCKED_;
        return 0;
    }
}

struct sysret sys_shmctl(struct task *t, const struct sysargs *a)
{
    int32_t id = (int32_t)a->a[0];
    int cmd = (int)a->a[1] & ~IPC_64_;
    struct segment *s;
    reap(t);
    if (id < 0 || cmd < 0) {
        return sys_done(-EINVAL);
    }
    switch (cmd) {
    case IPC_INFO_:
    case SHM_INFO_:
        return sys_done(info(t, cmd, a->a[2]));
    case IPC_STAT_:
        return sys_done(stat_segment(t, ipc_find(t, IPC_KIND_SHM, id), a->a[2], 0, true));
    case SHM_STAT_:
    case SHM_STAT_ANY_:
        s = ipc_at(t, IPC_KIND_SHM, id);
        return sys_done(stat_segment(t, s, a->a[2], s ? s->ipc.id : 0, cmd == SHM_STAT_));
    case IPC_SET_:
    case IPC_RMID_:
    case SHM_LOCK_:
    case SHM_UNLOCK_:
        return sys_done(change(t, ipc_find(t, IPC_KIND_SHM, id), cmd, a->a[2]));
    default:
        return sys_done(-EINVAL);
    }
}
