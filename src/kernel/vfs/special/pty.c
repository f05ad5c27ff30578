/* Pseudo-terminal pairs (pty(7)): reading and writing of both ends, opening, closing. */
#include "kernel/vfs/special/pty.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

#define READ_BITS  (ABI_POLLIN | ABI_POLLRDNORM)
#define WRITE_BITS (ABI_POLLOUT | ABI_POLLWRNORM)
#define PTYS_MAX   4096u /* kernel.pty.max */
#define CHUNK      256u
#define DECISECOND 100000000ull /* of VTIME */

static const struct ktermios initial_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 3,
             [VQUIT] = 28,
             [VERASE] = 127,
             [VKILL] = 21,
             [VEOF] = 4,
             [VTIME] = 0,
             [VMIN] = 1,
             [VSTART] = 17,
             [VSTOP] = 19,
             [VSUSP] = 26,
             [VREPRINT] = 18,
             [VDISCARD] = 15,
             [VWERASE] = 23,
             [VLNEXT] = 22},
    .c_ispeed = 38400,
    .c_ospeed = 38400,
};

struct tty *tty_create(struct ptys *p, uint32_t index, uint32_t uid)
{
    struct tty *y = KALLOC(p->m, struct tty);

    y->m = p->m;
    y->node = p->node;
    y->ptys = p;
    y->refs = 1;
    y->index = index;
    y->uid = uid;
    y->gid = 5; /* group tty, as Docker mounts devpts */
    y->locked = true;
    y->termios = initial_termios;
    waitq_init(&y->master_wq);
    waitq_init(&y->slave_wq);
    return y;
}

void tty_get(struct tty *y)
{
    y->refs++;
}

void tty_put(struct tty *y)
{
    if (--y->refs == 0) {
        waitq_fini(y->m, &y->master_wq);
        waitq_fini(y->m, &y->slave_wq);
        kfree(y->m, y);
    }
}

/* --- slave ------------------------------------------------------------------------------------ */

static bool is_dead(const struct tty_end *e)
{
    return e->tty->closed || e->generation != e->tty->generation;
}

/* How many bytes must be there before a read returns (termios(3), "Canonical and noncanonical
 * mode"). */
static uint32_t wanted(const struct tty *y)
{
    if (tty_flag(y->termios.c_lflag, ICANON)) {
        return 1;
    }
    return y->termios.c_cc[VTIME] == 0 && y->termios.c_cc[VMIN] > 0 ? y->termios.c_cc[VMIN] : 1;
}

/* Up to n bytes, but never beyond the end of a line. */
static uint32_t take_input(struct tty *y, unsigned char *dst, uint32_t n, bool *line_end)
{
    uint32_t got = 0;

    *line_end = false;
    while (got < n && y->in_read != y->in_line && !*line_end) {
        uint32_t at = y->in_read++ & (TTY_INPUT_BYTES - 1);

        *line_end = y->in_end[at] != 0 && tty_flag(y->termios.c_lflag, ICANON);
        if (!(y->in_end[at] & 2)) {
            dst[got++] = y->in[at];
        }
        y->in_end[at] = 0;
    }
    return got;
}

static int64_t copy_input(struct tty *y, struct uio *to)
{
    int64_t total = 0;
    bool line_end = false;

    while (to->left > 0 && y->in_read != y->in_line && !line_end) {
        unsigned char buf[CHUNK];
        uint32_t n = take_input(y, buf, (uint32_t)min_u64(to->left, CHUNK), &line_end);
        int64_t r = uio_copy_to(to, buf, n);

        if (n > 0 && r < 0) {
            return total ? total : r;
        }
        total += n > 0 ? r : 0;
    }
    /* A VEOF right behind a full read belongs to it: the next read must not be an end of file. */
    if (!line_end && to->left == 0 && y->in_read != y->in_line &&
        tty_flag(y->termios.c_lflag, ICANON) &&
        (y->in_end[y->in_read & (TTY_INPUT_BYTES - 1)] & 2)) {
        y->in_end[y->in_read & (TTY_INPUT_BYTES - 1)] = 0;
        y->in_read++;
    }
    tty_wake(y);
    return total;
}

/* With VTIME the read ends by itself: 0 bytes are a result then. */
static int64_t wait_input(struct task *t, const struct tty *y)
{
    uint64_t vtime_ns = y->termios.c_cc[VTIME] * DECISECOND;

    if (tty_flag(y->termios.c_lflag, ICANON)) {
        return -EAGAIN;
    }
    if (y->termios.c_cc[VMIN] == 0) {
        if (vtime_ns == 0 || machine_now(t->m) >= task_call_deadline(t, vtime_ns)) {
            return 0;
        }
        task_wait_until(t, t->call.deadline);
    }
    return -EAGAIN;
}

static int64_t slave_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct tty_end *e = f->priv;
    struct tty *y = e->tty;
    int err;

    if (is_dead(e) || to->left == 0) {
        return 0;
    }
    err = tty_check_foreground(t, y, SIGNAL_TTIN);
    if (err) {
        return err;
    }
    if (tty_readable(y) >= min_u64(wanted(y), to->left) && tty_readable(y) > 0) {
        return copy_input(y, to);
    }
    if (f->flags & O_NONBLOCK) {
        return tty_readable(y) ? copy_input(y, to) : -EAGAIN;
    }
    return wait_input(t, y);
}

static int64_t slave_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct tty_end *e = f->priv;
    struct tty *y = e->tty;
    int64_t total = 0;

    if (is_dead(e)) {
        return -EIO;
    }
    if (tty_flag(y->termios.c_lflag, TOSTOP)) {
        int err = tty_check_foreground(t, y, SIGNAL_TTOU);

        if (err) {
            return err;
        }
    }
    while (from->left > 0 && !y->output_stopped) {
        unsigned char buf[CHUNK];
        /* Each byte may need up to eight places (a tab): take only what surely fits. */
        uint64_t n = min_u64(min_u64(from->left, CHUNK), (TTY_OUTPUT_BYTES - tty_out_used(y)) / 8);
        int64_t r = n ? uio_copy_from(from, buf, n) : 0;

        if (r <= 0) {
            total = total || r == 0 ? total : r;
            break;
        }
        for (int64_t i = 0; i < r; i++) {
            tty_output(y, buf[i]);
        }
        total += r;
        if ((uint64_t)r < n) {
            break;
        }
    }
    tty_wake(y);
    return total ? total : -EAGAIN;
}

static uint32_t slave_poll(struct file *f)
{
    const struct tty_end *e = f->priv;
    const struct tty *y = e->tty;
    uint32_t ready = 0;

    if (is_dead(e)) {
        return READ_BITS | WRITE_BITS | ABI_POLLERR | ABI_POLLHUP;
    }
    ready |= tty_readable(y) >= wanted(y) ? READ_BITS : 0;
    ready |= tty_out_used(y) < TTY_OUTPUT_BYTES / 2 && !y->output_stopped ? WRITE_BITS : 0;
    return ready;
}

static int64_t slave_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    const struct tty_end *e = f->priv;

    return is_dead(e) ? -EIO : tty_ioctl(t, e->tty, false, cmd, arg);
}

static void slave_release(struct machine *m, struct file *f)
{
    struct tty_end *e = f->priv;
    struct tty *y = e->tty;

    if (!is_dead(e) && --y->slaves == 0) {
        waitq_wake(m, &y->master_wq, READ_BITS | WRITE_BITS | ABI_POLLHUP);
    }
    f->wq = NULL;
    kfree(m, e);
    tty_put(y);
}

static const struct file_ops slave_ops = {
    .name = "tty",
    .read = slave_read,
    .write = slave_write,
    .poll = slave_poll,
    .ioctl = slave_ioctl,
    .release = slave_release,
};

int tty_open_slave(struct task *t, struct file *f, struct tty *y)
{
    struct tty_end *e;

    if (y->closed || y->locked) {
        return -EIO;
    }
    e = KALLOC(f->m, struct tty_end);
    e->tty = y;
    e->generation = y->generation;
    tty_get(y);
    y->slaves++;
    y->slave_was_open = true;
    f->ops = &slave_ops;
    f->priv = e;
    f->wq = &y->slave_wq;
    return 0;
}

/* --- master ----------------------------------------------------------------------------------- */

static bool slave_gone(const struct tty *y)
{
    return y->slave_was_open && y->slaves == 0;
}

static int64_t master_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct tty *y = f->priv;
    int64_t total = 0;

    if (to->left == 0) {
        return 0;
    }
    if (y->packet && (y->packet_status || tty_out_used(y) > 0)) {
        unsigned char head = y->packet_status;
        int64_t r = uio_copy_to(to, &head, 1);

        y->packet_status = 0;
        if (head || r < 0 || to->left == 0) {
            return r;
        }
        total = r;
    }
    if (tty_out_used(y) == 0) {
        return slave_gone(y) ? -EIO : -EAGAIN;
    }
    while (to->left > 0 && tty_out_used(y) > 0) {
        uint32_t at = y->out_read & (TTY_OUTPUT_BYTES - 1);
        uint64_t n = min_u64(min_u64(to->left, tty_out_used(y)), TTY_OUTPUT_BYTES - at);
        int64_t r = uio_copy_to(to, y->out + at, n);

        if (r < 0) {
            total = total ? total : r;
            break;
        }
        y->out_read += (uint32_t)r;
        total += r;
        if ((uint64_t)r < n) {
            break;
        }
    }
    tty_wake(y);
    return total;
}

static int64_t master_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct tty *y = f->priv;
    int64_t total = 0;
    bool full = false;

    while (from->left > 0 && !full) {
        unsigned char buf[CHUNK];
        uint64_t room = TTY_INPUT_BYTES - (y->in_tail - y->in_read);
        uint64_t n = min_u64(min_u64(from->left, CHUNK), room);
        int64_t r = n ? uio_copy_from(from, buf, n) : 0;

        if (r <= 0) {
            total = total || r == 0 ? total : r;
            break;
        }
        for (int64_t i = 0; i < r && !full; i++) {
            full = !tty_input(y, buf[i]);
            total += !full;
        }
        full = full || (uint64_t)r < n;
    }
    tty_wake(y);
    return total ? total : -EAGAIN;
}

static uint32_t master_poll(struct file *f)
{
    const struct tty *y = f->priv;
    uint32_t ready = 0;

    ready |= tty_out_used(y) > 0 ? READ_BITS : 0;
    ready |= y->packet_status ? READ_BITS | ABI_POLLPRI : 0;
    ready |= y->in_tail - y->in_read < TTY_INPUT_BYTES ? WRITE_BITS : 0;
    ready |= slave_gone(y) ? ABI_POLLHUP : 0;
    return ready;
}

static int64_t master_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    return tty_ioctl(t, f->priv, true, cmd, arg);
}

static void master_release(struct machine *m, struct file *f)
{
    struct tty *y = f->priv;

    tty_hangup(y);
    y->closed = true;
    if (y->ptys) {
        y->ptys->items[y->index] = NULL;
        y->ptys = NULL;
        tty_put(y);
    }
    f->wq = NULL;
    tty_put(y);
}

static const struct file_ops master_ops = {
    .name = "ptmx",
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .release = master_release,
};

int tty_open_master(struct task *t, struct file *f, struct ptys *p)
{
    uint32_t i = 0;

    while (i < p->cap && p->items[i]) {
        i++;
    }
    if (i >= PTYS_MAX) {
        return -ENOSPC;
    }
    if (i == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 4;
        p->items = krealloc(p->m, p->items, p->cap * sizeof(struct tty *));
    }
    p->items[i] = tty_create(p, i, t->cred.fsuid);
    tty_get(p->items[i]);
    p->items[i]->masters = 1;
    f->ops = &master_ops;
    f->priv = p->items[i];
    f->wq = &p->items[i]->master_wq;
    return 0;
}
