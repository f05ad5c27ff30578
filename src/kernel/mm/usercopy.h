/* The one checked way between kernel and guest memory.
 *
 * The kernel runs inside the guest's address space, so a copy is a plain copy with a range check
 * and a fault fixup. All functions work on the memory of the machine's current task; `t` must be
 * that task. 0 or -EFAULT unless said otherwise. */
#ifndef EVERETT_KERNEL_MM_USERCOPY_H
#define EVERETT_KERNEL_MM_USERCOPY_H

#include "abi/linux.h"
#include "base/base.h"

struct task;

/* A guest address: never dereferenced directly. */
typedef struct {
    uint64_t va;
} gaddr;

static inline gaddr gaddr_of(uint64_t va)
{
    return (gaddr){va};
}

static inline gaddr gaddr_add(gaddr a, uint64_t n)
{
    return (gaddr){a.va + n};
}

static inline bool gaddr_null(gaddr a)
{
    return a.va == 0;
}

/* True if [a, a + n) lies inside the ranges a guest may map. */
bool gaddr_range_ok(gaddr a, uint64_t n);

int user_read(struct task *t, void *dst, gaddr src, size_t n) must_check;
int user_write(struct task *t, gaddr dst, const void *src, size_t n) must_check;
int user_zero(struct task *t, gaddr dst, size_t n) must_check;
/* Copies as much as is accessible; returns the count (possibly short). */
size_t user_read_some(struct task *t, void *dst, gaddr src, size_t n);
size_t user_write_some(struct task *t, gaddr dst, const void *src, size_t n);
/* NUL-terminated string into dst[cap]; returns its length, -EFAULT, or -ENAMETOOLONG when no NUL
 * came within cap bytes. */
int64_t user_read_str(struct task *t, char *dst, gaddr src, size_t cap) must_check;

static inline int must_check user_read_u32(struct task *t, uint32_t *v, gaddr a)
{
    return user_read(t, v, a, sizeof *v);
}

static inline int must_check user_write_u32(struct task *t, gaddr a, uint32_t v)
{
    return user_write(t, a, &v, sizeof v);
}

static inline int must_check user_read_u64(struct task *t, uint64_t *v, gaddr a)
{
    return user_read(t, v, a, sizeof *v);
}

static inline int must_check user_write_u64(struct task *t, gaddr a, uint64_t v)
{
    return user_write(t, a, &v, sizeof v);
}

/* --- scatter/gather ------------------------------------------------------------------------- */

struct uio_seg {
    uint64_t base; /* guest address, or kernel pointer when !user */
    uint64_t len;
};

/* A cursor over a list of segments of guest (or kernel) memory. */
struct uio {
    struct task *task;
    bool user;
    uint32_t nsegs;
    uint32_t seg;               /* current segment */
    uint64_t off;               /* within it */
    uint64_t left;              /* bytes until the end */
    const struct uio_seg *segs; /* borrowed */
    struct uio_seg one;         /* storage for the single-segment forms */
};

void uio_init_user(struct uio *u, struct task *t, gaddr base, uint64_t len);
void uio_init_kernel(struct uio *u, void *base, uint64_t len);
/* segs must outlive u. The sum must have been checked not to overflow. */
void uio_init_segs(struct uio *u, struct task *t, const struct uio_seg *segs, uint32_t nsegs);
/* Reads an iovec array from the guest into freshly kalloc'ed segments (*segs, freed by the caller
 * with kfree). Linux's rules: EINVAL above UIO_MAXIOV or a negative length, EFAULT. */
int uio_read_iovec(struct task *t, gaddr iov, uint64_t count, struct uio_seg **segs) must_check;

/* Moves up to n bytes at the cursor and advances it. Returns the count; fewer than min(n, left)
 * only at an inaccessible address, and -EFAULT if that happens at the very first byte. */
int64_t uio_copy_to(struct uio *u, const void *src, uint64_t n); /* kernel -> segments */
int64_t uio_copy_from(struct uio *u, void *dst, uint64_t n);     /* segments -> kernel */
int64_t uio_zero(struct uio *u, uint64_t n);

#endif
