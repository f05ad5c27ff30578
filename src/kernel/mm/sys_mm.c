/* mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), msync(2), mlock(2), mincore(2) */
#include <linux/mman.h>

#include "abi/layout.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/mm_priv.h"
#include "kernel/port.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/mapping.h"

#ifndef RLIMIT_DATA
#define RLIMIT_DATA 2
#define RLIMIT_AS   9
#endif

#define ALL_FLAGS                                                                                  \
    (MAP_SHARED | MAP_PRIVATE | MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT |      \
     MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |  \
     MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE)

/* The checks of do_mmap (mm/mmap.c) for a file. */
static int check_file(const struct file *f, const struct map_request *r)
{
    uint32_t access = f->flags & O_ACCMODE;
    if (f->flags & O_PATH) {
        return -EBADF;
    }
    if (access == O_WRONLY || (r->flags & MAP_SHARED && r->prot & PROT_WRITE && access != O_RDWR)) {
        return -EACCES;
    }
    if (f->mount && f->mount->flags & 8 /* MS_NOEXEC */ && r->prot & PROT_EXEC) {
        return -EPERM;
    }
    return f->ops->mmap ? 0 : -ENODEV;
}

static int check_type(struct task *t, uint64_t flags)
{
    uint32_t type = (uint32_t)flags & MAP_TYPE;
    if (type == MAP_SHARED_VALIDATE) {
        if (flags & ~(uint64_t)ALL_FLAGS) {
            if (flags & ~(uint64_t)(ALL_FLAGS | MAP_SYNC)) {
                trace_unknown(t, "mmap flags", flags, 0, -EOPNOTSUPP);
            }
            return -EOPNOTSUPP; /* MAP_SYNC: as for every file that is not in persistent memory */
        }
        return 0;
    }
    if (type != MAP_SHARED && type != MAP_PRIVATE) {
        return -EINVAL;
    }
    return flags & MAP_HUGETLB ? -ENOMEM : 0; /* no huge page is ever free */
}

static bool over_address_space(const struct task *t, uint64_t len)
{
    return (t->mm->total_pages << PAGE_SHIFT) + len > rlimit_soft(t->process, RLIMIT_AS);
}

static int64_t map_anonymous(struct task *t, struct map_request *r)
{
    if (!(r->flags & MAP_SHARED)) {
        r->backing = VMA_ANON;
        r->pgoff = 0;
        return mm_map(t, r);
    }
    struct file *f = shmem_file_create(t->m, "dev/zero", r->len, O_RDWR);
    r->file = f;
    r->backing = VMA_FILE;
    r->pgoff = 0;
    int64_t addr = mm_map(t, r);
    file_put(f);
    return addr;
}

/* The file may refuse, narrow what mprotect allows later, or (like /dev/zero) turn out to be plain
 * memory. */
static int64_t map_with_file(struct task *t, struct map_request *r, struct file *f)
{
    struct vma v = {.end = r->len,
                    .prot = r->prot,
                    .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
                    .flags = r->flags,
                    .backing = VMA_FILE,
                    .file = f,
                    .pgoff = r->pgoff};
    int err = check_file(f, r);
    if (err == 0) {
        err = f->ops->mmap(t, f, &v);
    }
    if (err) {
        return err;
    }
    if (v.backing == VMA_ANON) {
        return map_anonymous(t, r);
    }
    r->file = f;
    r->backing = VMA_FILE;
    int64_t addr = mm_map(t, r);
    if (addr >= 0) {
        mm_find(t->mm, (uint64_t)addr)->max_prot &= v.max_prot;
    }
    return addr;
}

struct sysret sys_mmap(struct task *t, const struct sysargs *a)
{
    uint64_t flags = a->a[3], len = a->a[1];
    if (a->a[5] & (PAGE_SIZE - 1)) {
        return sys_done(-EINVAL);
    }
    struct file *f = NULL;
    if (!(flags & MAP_ANONYMOUS)) {
        f = fd_file(t, (int)a->a[4]);
        if (!f) {
            return sys_done(-EBADF);
        }
    }
    int err = len == 0 ? -EINVAL : check_type(t, flags);
    if (err) {
        return sys_done(err);
    }
    len = round_up_u64(len, PAGE_SIZE);
    if (len == 0 || len > GUEST_HIGH_END || over_address_space(t, len)) {
        return sys_done(-ENOMEM);
    }
    if ((a->a[5] >> PAGE_SHIFT) + (len >> PAGE_SHIFT) < (a->a[5] >> PAGE_SHIFT)) {
        return sys_done(-EOVERFLOW);
    }
    uint32_t share = (flags & MAP_TYPE) == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
    struct map_request r = {
        .addr = a->a[0],
        .len = len,
        .prot = (uint32_t)a->a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC),
        .flags = ((uint32_t)flags & ~(uint32_t)MAP_TYPE) | share,
        .pgoff = a->a[5] >> PAGE_SHIFT,
    };
    return sys_done(f ? map_with_file(t, &r, f) : map_anonymous(t, &r));
}

/* Rounds a range as munmap and mprotect do; false if it is no range of guest addresses. */
/* A range may span the engine's part of the address space: nothing of a guest is there. */
struct sysret sys_munmap(struct task *t, const struct sysargs *a)
{
    uint64_t addr = a->a[0], len = a->a[1];
    if (!mm_page_range(addr, &len) || len == 0) {
        return sys_done(-EINVAL);
    }
    struct mm *mm = t->mm;
    uint32_t i = mm_position(mm, addr);
    if (i < mm->vma_count && mm->vmas[i]->start < addr && mm->vmas[i]->end > addr + len &&
        mm->vma_count >= LIMIT_VMAS) {
        return sys_done(-ENOMEM);
    }
    if (!gaddr_range_ok(gaddr_of(addr), len)) {
        uint64_t low = addr < GUEST_LOW_END ? GUEST_LOW_END - addr : 0;
        int err = low ? mm_unmap(t, addr, low) : 0;
        uint64_t end = addr + len;
        if (!err && end > GUEST_HIGH_START) {
            err = mm_unmap(t, GUEST_HIGH_START, end - GUEST_HIGH_START);
        }
        return sys_done(err);
    }
    return sys_done(mm_unmap(t, addr, len));
}

struct sysret sys_mprotect(struct task *t, const struct sysargs *a)
{
    uint64_t addr = a->a[0], len = a->a[1];
    if (a->a[2] & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN |
                              PROT_GROWSUP)) {
        return sys_done(-EINVAL);
    }
    if (addr & (PAGE_SIZE - 1)) {
        return sys_done(-EINVAL);
    }
    if (len == 0) {
        return sys_done(0);
    }
    if (!mm_page_range(addr, &len) || !gaddr_range_ok(gaddr_of(addr), len)) {
        return sys_done(-ENOMEM);
    }
    return sys_done(mm_protect(t, addr, len, (uint32_t)a->a[2] & 7));
}

struct sysret sys_brk(struct task *t, const struct sysargs *a)
{
    struct mm *mm = t->mm;
    uint64_t want = a->a[0];
    if (want < mm->brk_start) {
        return sys_done((int64_t)mm->brk);
    }
    uint64_t old_end = round_up_u64(mm->brk, PAGE_SIZE), new_end = round_up_u64(want, PAGE_SIZE);
    if (new_end < old_end) {
        mm_unmap(t, new_end, old_end - new_end);
    } else if (new_end > old_end) {
        struct map_request r = {.addr = old_end,
                                .len = new_end - old_end,
                                .prot = PROT_READ | PROT_WRITE,
                                .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                                .backing = VMA_ANON,
                                .name = "[heap]"};
        if (want - mm->brk_start > rlimit_soft(t->process, RLIMIT_DATA) ||
            over_address_space(t, r.len) || !gaddr_range_ok(gaddr_of(r.addr), r.len + PAGE_SIZE) ||
            !mm_range_free(mm, r.addr, r.len + PAGE_SIZE) || mm_map(t, &r) < 0) {
            return sys_done((int64_t)mm->brk);
        }
    }
    mm->brk = want;
    return sys_done((int64_t)want);
}

/* --- mremap ----------------------------------------------------------------------------------- */

static int64_t grow_in_place(struct task *t, struct vma *v, uint64_t add)
{
    struct map_request r = {.addr = v->end,
                            .len = add,
                            .prot = v->prot,
                            .flags = v->flags | MAP_FIXED,
                            .backing = v->backing,
                            .file = v->file,
                            .pgoff = v->file ? v->pgoff + ((v->end - v->start) >> PAGE_SHIFT) : 0,
                            .name = v->name};
    int64_t r2 = mm_map(t, &r);
    return r2 < 0 ? r2 : 0;
}

/* Moves [old, old + old_len), one whole mapping by now, to `to` and makes it new_len long. */
static int64_t move_mapping(struct task *t, struct vma *v, uint64_t to, uint64_t new_len)
{
    struct mm *mm = t->mm;
    const struct port *port = mm->m->port;
    uint64_t old = v->start, old_len = v->end - v->start;
    struct map_request r = {.addr = to,
                            .len = new_len,
                            .prot = v->prot,
                            .flags = v->flags | MAP_FIXED,
                            .backing = v->backing,
                            .file = v->file,
                            .pgoff = v->pgoff,
                            .name = v->name};
    bool lazy = vma_is_lazy(v);
    int64_t addr = mm_map(t, &r);
    if (addr < 0) {
        return addr;
    }
    if (!lazy) {
        uint64_t keep = min_u64(old_len, new_len);
        if (port->move(old, keep, to, keep)) {
            port->panic("the host refused to move a mapping");
        }
    }
    mm_unmap(t, old, old_len);
    return addr;
}

struct sysret sys_mremap(struct task *t, const struct sysargs *a)
{
    uint64_t old = a->a[0], old_len = round_up_u64(a->a[1], PAGE_SIZE);
    uint64_t new_len = round_up_u64(a->a[2], PAGE_SIZE), flags = a->a[3], to = a->a[4];
    struct mm *mm = t->mm;
    if (flags & ~7ull || old & (PAGE_SIZE - 1) || new_len == 0 ||
        (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE))) {
        return sys_done(-EINVAL);
    }
    if (flags & MREMAP_DONTUNMAP) {
        trace_unknown(t, "mremap flag", MREMAP_DONTUNMAP, 0, -EINVAL);
        return sys_done(-EINVAL);
    }
    struct vma *v = mm_find(mm, old);
    if (!v || old + old_len > v->end || old_len == 0) {
        return sys_done(v && old_len == 0 ? -EINVAL : -EFAULT);
    }
    if (flags & MREMAP_FIXED) {
        if (to & (PAGE_SIZE - 1) || !gaddr_range_ok(gaddr_of(to), new_len) ||
            (to < old + old_len && old < to + new_len)) {
            return sys_done(-EINVAL);
        }
    } else if (new_len <= old_len) {
        if (new_len < old_len) {
            mm_unmap(t, old + new_len, old_len - new_len);
        }
        return sys_done((int64_t)old);
    }
    if (new_len > old_len && over_address_space(t, new_len - old_len)) {
        return sys_done(-ENOMEM);
    }
    mm_isolate(mm, old, old + old_len);
    v = mm_find(mm, old);
    if (!(flags & MREMAP_FIXED)) {
        uint64_t add = new_len - old_len;
        if (gaddr_range_ok(gaddr_of(v->end), add) && mm_range_free(mm, v->end, add) &&
            mm_choose(mm, v->end, add, 0) == v->end) {
            int64_t err = grow_in_place(t, v, add);
            return sys_done(err ? err : (int64_t)old);
        }
        if (!(flags & MREMAP_MAYMOVE)) {
            return sys_done(-ENOMEM);
        }
        to = mm_choose(mm, 0, new_len, 0);
        if (to == 0) {
            return sys_done(-ENOMEM);
        }
    }
    return sys_done(move_mapping(t, v, to, new_len));
}

/* --- advice and the like ---------------------------------------------------------------------- */

/* Stores through a mapping are not seen one by one: that there were some is assumed when the
 * program says so by msync, the latest time POSIX allows for the time stamps. */
static void file_mapping_written(const struct vma *v)
{
    if (v->file && v->flags & MAP_SHARED && v->prot & PROT_WRITE && v->file->inode) {
        inode_touch_mtime(v->file->inode);
    }
}

static bool fully_mapped(struct mm *mm, uint64_t addr, uint64_t end)
{
    for (uint32_t i = mm_position(mm, addr); addr < end; i++) {
        if (i >= mm->vma_count || mm->vmas[i]->start > addr) {
            return false;
        }
        addr = mm->vmas[i]->end;
    }
    return true;
}

struct sysret sys_msync(struct task *t, const struct sysargs *a)
{
    uint64_t addr = a->a[0], len = a->a[1], flags = a->a[2];
    if (flags & ~7ull || (flags & MS_ASYNC && flags & MS_SYNC) || !mm_page_range(addr, &len)) {
        return sys_done(-EINVAL);
    }
    for (uint32_t i = mm_position(t->mm, addr); i < t->mm->vma_count; i++) {
        struct vma *v = t->mm->vmas[i];
        if (v->start >= addr + len) {
            break;
        }
        if (flags & MS_INVALIDATE && v->locked) {
            return sys_done(-EBUSY);
        }
        file_mapping_written(v);
        if (flags & MS_SYNC && vma_is_lazy(v) && v->file->ops->fsync) {
            v->file->ops->fsync(t, v->file, true);
        }
    }
    return sys_done(fully_mapped(t->mm, addr, addr + len) ? 0 : -ENOMEM);
}

static struct sysret set_locked(struct task *t, uint64_t addr, uint64_t len, bool locked)
{
    uint64_t end;
    len = round_up_u64(len + (addr & (PAGE_SIZE - 1)), PAGE_SIZE);
    addr = round_down_u64(addr, PAGE_SIZE);
    if (__builtin_add_overflow(addr, len, &end)) {
        return sys_done(-EINVAL);
    }
    if (!fully_mapped(t->mm, addr, end)) { /* addresses that nobody can have included */
        return sys_done(-ENOMEM);
    }
    for (uint32_t i = mm_isolate(t->mm, addr, addr + len);
         i < t->mm->vma_count && t->mm->vmas[i]->start < addr + len; i++) {
        t->mm->vmas[i]->locked = locked;
    }
    mm_merge_around(t->mm, addr, addr + len);
    return sys_done(0);
}

struct sysret sys_mlock(struct task *t, const struct sysargs *a)
{
    return set_locked(t, a->a[0], a->a[1], true);
}

struct sysret sys_mlock2(struct task *t, const struct sysargs *a)
{
    return a->a[2] & ~1ull ? sys_done(-EINVAL) : set_locked(t, a->a[0], a->a[1], true);
}

struct sysret sys_munlock(struct task *t, const struct sysargs *a)
{
    return set_locked(t, a->a[0], a->a[1], false);
}

struct sysret sys_mlockall(struct task *t, const struct sysargs *a)
{
    if (a->a[0] == 0 || a->a[0] & ~7ull || a->a[0] == MCL_ONFAULT) {
        return sys_done(-EINVAL);
    }
    for (uint32_t i = 0; a->a[0] & MCL_CURRENT && i < t->mm->vma_count; i++) {
        t->mm->vmas[i]->locked = t->mm->vmas[i]->backing != VMA_SPECIAL;
    }
    return sys_done(0);
}

struct sysret sys_munlockall(struct task *t, const struct sysargs *a)
{
    (void)a;
    for (uint32_t i = 0; i < t->mm->vma_count; i++) {
        t->mm->vmas[i]->locked = false;
    }
    return sys_done(0);
}

/* Every mapped page is resident: nothing is ever swapped. */
struct sysret sys_mincore(struct task *t, const struct sysargs *a)
{
    static const unsigned char resident[256] = {[0 ... 255] = 1};
    uint64_t addr = a->a[0], len = a->a[1];
    if (addr & (PAGE_SIZE - 1)) {
        return sys_done(-EINVAL);
    }
    if (!mm_page_range(addr, &len) || !fully_mapped(t->mm, addr, addr + len)) {
        return sys_done(-ENOMEM);
    }
    for (uint64_t done = 0; done < len >> PAGE_SHIFT;) {
        uint64_t n = min_u64(sizeof resident, (len >> PAGE_SHIFT) - done);
        if (user_write(t, gaddr_of(a->a[2] + done), resident, (size_t)n)) {
            return sys_done(-EFAULT);
        }
        done += n;
    }
    return sys_done(0);
}
