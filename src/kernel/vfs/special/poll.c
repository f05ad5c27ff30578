/* poll(2) and select(2) without the calls around them. */
#include "kernel/vfs/special/poll.h"

#include <linux/poll.h>

#include "kernel/task/task.h"
#include "kernel/vfs/special/anon.h"

#define ALWAYS (ABI_POLLERR | ABI_POLLHUP)

/* As fs/select.c has them. */
static const uint32_t select_mask[SELECT_SETS] = {
    ABI_POLLIN | ABI_POLLRDNORM | ABI_POLLRDBAND | ABI_POLLHUP | ABI_POLLERR,
    ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLWRBAND | ABI_POLLERR,
    ABI_POLLPRI,
};

static uint32_t entry_ready(struct task *t, const struct pollfd *p)
{
    struct file *f;

    if (p->fd < 0) {
        return 0;
    }
    f = fd_file_io(t, p->fd);
    return f ? file_poll(f) & ((uint16_t)p->events | ALWAYS) : ABI_POLLNVAL;
}

int64_t poll_look(struct task *t, gaddr fds, uint32_t nfds)
{
    int64_t ready = 0;

    for (uint32_t i = 0; i < nfds; i++) {
        gaddr at = gaddr_add(fds, (uint64_t)i * sizeof(struct pollfd));
        struct pollfd p;

        if (user_read(t, &p, at, sizeof p)) {
            return -EFAULT;
        }
        p.revents = (int16_t)entry_ready(t, &p);
        ready += p.revents != 0;
        if (user_write(t, gaddr_add(at, offsetof(struct pollfd, revents)), &p.revents,
                       sizeof p.revents)) {
            return -EFAULT;
        }
    }
    return ready;
}

int poll_register(struct task *t, gaddr fds, uint32_t nfds)
{
    for (uint32_t i = 0; i < nfds; i++) {
        struct pollfd p;
        struct file *f;

        if (user_read(t, &p, gaddr_add(fds, (uint64_t)i * sizeof p), sizeof p)) {
            return -EFAULT;
        }
        f = p.fd >= 0 ? fd_file_io(t, p.fd) : NULL;
        if (f && f->wq) {
            task_wait_on(t, f->wq, (uint16_t)p.events | ALWAYS);
        }
    }
    return 0;
}

/* The three words that hold descriptors 64 * word and up; unused bits are cleared. */
static int read_words(struct task *t, const struct select_sets *s, uint32_t word,
                      uint64_t out[SELECT_SETS])
{
    uint32_t bits = s->nfds - word * 64;
    uint64_t valid = bits >= 64 ? UINT64_MAX : (1ull << bits) - 1;

    for (unsigned k = 0; k < SELECT_SETS; k++) {
        out[k] = 0;
        if (!gaddr_null(s->set[k]) && user_read_u64(t, &out[k], gaddr_add(s->set[k], word * 8ul))) {
            return -EFAULT;
        }
        out[k] &= valid;
    }
    return 0;
}

/* Replaces the asked bits of one word by the ready ones. Their number or -EBADF. */
static int64_t words_ready(struct task *t, uint32_t word, uint64_t sets[SELECT_SETS])
{
    uint64_t any = sets[SELECT_IN] | sets[SELECT_OUT] | sets[SELECT_EX];
    int64_t count = 0;

    while (any) {
        uint32_t bit = (uint32_t)__builtin_ctzll(any);
        struct file *f = fd_file_io(t, (int)(word * 64 + bit));
        uint32_t ready;

        if (!f) {
            return -EBADF;
        }
        ready = file_poll(f);
        for (unsigned k = 0; k < SELECT_SETS; k++) {
            if (!(sets[k] >> bit & 1)) {
                continue;
            }
            if (ready & select_mask[k]) {
                count++;
            } else {
                sets[k] &= ~(1ull << bit);
            }
        }
        any &= any - 1;
    }
    return count;
}

int64_t select_look(struct task *t, const struct select_sets *s)
{
    int64_t total = 0;

    for (uint32_t w = 0; w * 64 < s->nfds; w++) {
        uint64_t sets[SELECT_SETS];
        int64_t n = read_words(t, s, w, sets);

        n = n < 0 ? n : words_ready(t, w, sets);
        if (n < 0) {
            return n;
        }
        total += n;
    }
    return total;
}

int select_register(struct task *t, const struct select_sets *s)
{
    for (uint32_t w = 0; w * 64 < s->nfds; w++) {
        uint64_t sets[SELECT_SETS], any;

        if (read_words(t, s, w, sets)) {
            return -EFAULT;
        }
        any = sets[SELECT_IN] | sets[SELECT_OUT] | sets[SELECT_EX];
        for (; any; any &= any - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(any), mask = 0;
            struct file *f = fd_file_io(t, (int)(w * 64 + bit));

            for (unsigned k = 0; k < SELECT_SETS; k++) {
                mask |= sets[k] >> bit & 1 ? select_mask[k] : 0;
            }
            if (f && f->wq) {
                task_wait_on(t, f->wq, mask | ALWAYS);
            }
        }
    }
    return 0;
}

int select_store(struct task *t, const struct select_sets *s, bool empty)
{
    for (uint32_t w = 0; w * 64 < s->nfds; w++) {
        uint64_t sets[SELECT_SETS] = {0};

        if (!empty) {
            if (read_words(t, s, w, sets)) {
                return -EFAULT;
            }
            (void)words_ready(t, w, sets); /* select_look has seen that every one is open */
        }
        for (unsigned k = 0; k < SELECT_SETS; k++) {
            if (!gaddr_null(s->set[k]) &&
                user_write_u64(t, gaddr_add(s->set[k], w * 8ul), sets[k])) {
                return -EFAULT;
            }
        }
    }
    return 0;
}
