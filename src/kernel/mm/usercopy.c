#include "kernel/mm/usercopy.h"

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/port.h"
#include "kernel/task/task.h"

bool gaddr_range_ok(gaddr a, uint64_t n)
{
    uint64_t end;
    if (__builtin_add_overflow(a.va, n, &end)) {
        return false;
    }
    return end <= GUEST_LOW_END || (a.va >= GUEST_HIGH_START && end <= GUEST_HIGH_END);
}

size_t user_read_some(struct task *t, void *dst, gaddr src, size_t n)
{
    if (!gaddr_range_ok(src, n)) {
        return 0;
    }
    return n - t->m->port->copy_in(dst, src.va, n);
}

size_t user_write_some(struct task *t, gaddr dst, const void *src, size_t n)
{
    if (!gaddr_range_ok(dst, n)) {
        return 0;
    }
    return n - t->m->port->copy_out(dst.va, src, n);
}

int user_read(struct task *t, void *dst, gaddr src, size_t n)
{
    return user_read_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

int user_write(struct task *t, gaddr dst, const void *src, size_t n)
{
    return user_write_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

int user_zero(struct task *t, gaddr dst, size_t n)
{
    if (!gaddr_range_ok(dst, n) || t->m->port->zero_out(dst.va, n) != 0) {
        return -EFAULT;
    }
    return 0;
}

/* Reads page by page so that a string that ends before an unmapped page is fine. */
int64_t user_read_str(struct task *t, char *dst, gaddr src, size_t cap)
{
    size_t have = 0;
    while (have < cap) {
        uint64_t va = src.va + have;
        size_t n = (size_t)min_u64(cap - have, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
        n = (size_t)min_u64(n, 256);
        size_t got = user_read_some(t, dst + have, gaddr_of(va), n);
        const char *nul = str_chr(dst + have, 0, got);
        if (nul) {
            return nul - dst;
        }
        if (got < n) {
            return -EFAULT;
        }
        have += n;
    }
    return -ENAMETOOLONG;
}

void uio_init_user(struct uio *u, struct task *t, gaddr base, uint64_t len)
{
    *u = (struct uio){.task = t, .user = true, .nsegs = 1, .left = len, .one = {base.va, len}};
    u->segs = &u->one;
}

void uio_init_kernel(struct uio *u, void *base, uint64_t len)
{
    *u = (struct uio){.nsegs = 1, .left = len, .one = {(uint64_t)(uintptr_t)base, len}};
    u->segs = &u->one;
}

void uio_init_segs(struct uio *u, struct task *t, const struct uio_seg *segs, uint32_t nsegs)
{
    *u = (struct uio){.task = t, .user = true, .nsegs = nsegs, .segs = segs};
    for (uint32_t i = 0; i < nsegs; i++) {
        u->left += segs[i].len;
    }
}

int uio_read_iovec(struct task *t, gaddr iov, uint64_t count, struct uio_seg **segs)
{
    *segs = NULL;
    if (count > LIMIT_IOV) {
        return -EINVAL;
    }
    struct uio_seg *s = kalloc(t->m, count ? count * sizeof *s : sizeof *s);
    if (user_read(t, s, iov, count * sizeof *s)) {
        kfree(t->m, s);
        return -EFAULT;
    }
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        if ((int64_t)s[i].len < 0) {
            kfree(t->m, s);
            return -EINVAL;
        }
        /* Linux truncates the sum to MAX_RW_COUNT (lib/iov_iter.c). */
        s[i].len = min_u64(s[i].len, LIMIT_IO_BYTES - total);
        total += s[i].len;
    }
    *segs = s;
    return 0;
}

enum move {
    MOVE_OUT,
    MOVE_IN,
    MOVE_ZERO,
};

static size_t move_piece(struct uio *u, enum move kind, uint64_t at, unsigned char *buf, size_t n)
{
    if (!u->user) {
        void *p = (void *)(uintptr_t)at;
        if (kind == MOVE_OUT) {
            memcpy(p, buf, n);
        } else if (kind == MOVE_IN) {
            memcpy(buf, p, n);
        } else {
            memset(p, 0, n);
        }
        return n;
    }
    if (kind == MOVE_OUT) {
        return user_write_some(u->task, gaddr_of(at), buf, n);
    }
    if (kind == MOVE_IN) {
        return user_read_some(u->task, buf, gaddr_of(at), n);
    }
    if (!gaddr_range_ok(gaddr_of(at), n)) {
        return 0;
    }
    return n - u->task->m->port->zero_out(at, n);
}

static int64_t move(struct uio *u, enum move kind, unsigned char *buf, uint64_t n)
{
    uint64_t done = 0;
    n = min_u64(n, u->left);
    while (done < n) {
        const struct uio_seg *s = &u->segs[u->seg];
        uint64_t k = min_u64(s->len - u->off, n - done);
        if (k == 0) {
            u->seg++;
            u->off = 0;
            continue;
        }
        uint64_t got = move_piece(u, kind, s->base + u->off, buf ? buf + done : NULL, (size_t)k);
        u->off += got;
        u->left -= got;
        done += got;
        if (got < k) {
            return done ? (int64_t)done : -EFAULT;
        }
    }
    return (int64_t)done;
}

int64_t uio_copy_to(struct uio *u, const void *src, uint64_t n)
{
    return move(u, MOVE_OUT, (unsigned char *)(uintptr_t)src, n);
}

int64_t uio_copy_from(struct uio *u, void *dst, uint64_t n)
{
    return move(u, MOVE_IN, dst, n);
}

int64_t uio_zero(struct uio *u, uint64_t n)
{
    return move(u, MOVE_ZERO, NULL, n);
}
