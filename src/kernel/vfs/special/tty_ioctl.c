/* ioctl_tty(2). */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/pty.h"
#include "kernel/vfs/vfs.h"

#define CAP_SYS_ADMIN_BIT 21
#define PKT_FLUSHREAD     1u
#define PKT_FLUSHWRITE    2u
#define PKT_NOSTOP        16u
#define PKT_DOSTOP        32u

/* --- termios ---------------------------------------------------------------------------------- */

static int64_t get_termios(struct task *t, const struct tty *y, gaddr at, bool second)
{
    struct termios old;

    if (second) { /* struct termios2 and the kernel's own are the same */
        return user_write(t, at, &y->termios, sizeof y->termios);
    }
    memset(&old, 0, sizeof old);
    old.c_iflag = y->termios.c_iflag;
    old.c_oflag = y->termios.c_oflag;
    old.c_cflag = y->termios.c_cflag;
    old.c_lflag = y->termios.c_lflag;
    old.c_line = y->termios.c_line;
    memcpy(old.c_cc, y->termios.c_cc, sizeof old.c_cc);
    return user_write(t, at, &old, sizeof old);
}

static void apply_termios(struct tty *y, const struct ktermios *k)
{
    uint32_t old_lflag = y->termios.c_lflag, old_iflag = y->termios.c_iflag;

    y->termios = *k;
    /* A pseudo-terminal has no modem lines and always eight bits (pty_set_termios). */
    y->termios.c_cflag = (k->c_cflag & ~(uint32_t)(CSIZE | PARENB)) | CS8 | CREAD;
    tty_mode_changed(y, old_lflag);
    if (!tty_flag(k->c_iflag, IXON)) {
        y->output_stopped = false;
    }
    if (y->packet && (old_iflag ^ k->c_iflag) & IXON) {
        y->packet_status |= k->c_iflag & IXON ? PKT_DOSTOP : PKT_NOSTOP;
    }
    tty_wake(y);
}

static int64_t set_termios(struct task *t, struct tty *y, gaddr at, bool second, bool flush)
{
    struct ktermios k = y->termios;
    int err = tty_check_foreground(t, y, SIGNAL_TTOU);

    if (err) {
        return err;
    }
    /* The common part lies at the same offsets in both forms. */
    if (user_read(t, &k, at, second ? sizeof k : sizeof(struct termios))) {
        return -EFAULT;
    }
    if (!second) {
        k.c_ispeed = y->termios.c_ispeed;
        k.c_ospeed = y->termios.c_ospeed;
    }
    if (flush) {
        tty_flush_input(y);
    }
    apply_termios(y, &k);
    return 0;
}

static int64_t flush(struct task *t, struct tty *y, bool master, uint64_t which)
{
    bool input = which == TCIFLUSH || which == TCIOFLUSH;
    bool output = which == TCOFLUSH || which == TCIOFLUSH;
    int err = master ? 0 : tty_check_foreground(t, y, SIGNAL_TTOU);

    if (err) {
        return err;
    }
    if (!input && !output) {
        return -EINVAL;
    }
    /* What is the slave's input is the master's output. */
    if (master ? output : input) {
        tty_flush_input(y);
        y->packet_status |= y->packet ? PKT_FLUSHREAD : 0;
    }
    if (master ? input : output) {
        tty_flush_output(y);
        y->packet_status |= y->packet ? PKT_FLUSHWRITE : 0;
    }
    tty_wake(y);
    return 0;
}

/* --- sessions and sizes ----------------------------------------------------------------------- */

static int64_t set_winsize(struct task *t, struct tty *y, gaddr at)
{
    struct tty_winsize w;

    if (user_read(t, &w, at, sizeof w)) {
        return -EFAULT;
    }
    if (memcmp(&w, &y->winsize, sizeof w) != 0) {
        y->winsize = w;
        tty_signal_foreground(y, SIGNAL_WINCH);
    }
    return 0;
}

static int64_t get_pgrp(struct task *t, struct tty *y, bool master, gaddr at)
{
    if (!master && tty_controlling(t) != y) {
        return -ENOTTY;
    }
    return user_write_u32(t, at, (uint32_t)y->pgrp);
}

static int64_t set_pgrp(struct task *t, struct tty *y, gaddr at)
{
    int err = tty_check_foreground(t, y, SIGNAL_TTOU);
    uint32_t v;

    if (err == -EIO) {
        return -ENOTTY;
    }
    if (err) {
        return err;
    }
    if (tty_controlling(t) != y || y->session != t->process->sid) {
        return -ENOTTY;
    }
    if (user_read_u32(t, &v, at)) {
        return -EFAULT;
    }
    if ((int32_t)v < 0) {
        return -EINVAL;
    }
    if (!session_group_exists(t->node, (abi_pid)v, t->process->sid)) {
        return -EPERM; /* ESRCH when there is no such group at all, which callers treat alike */
    }
    y->pgrp = (abi_pid)v;
    return 0;
}

static int64_t get_sid(struct task *t, const struct tty *y, bool master, gaddr at)
{
    if ((!master && tty_controlling(t) != y) || y->session == TTY_NO_SESSION) {
        return -ENOTTY;
    }
    return user_write_u32(t, at, (uint32_t)y->session);
}

static int64_t give_up(struct task *t, struct tty *y)
{
    if (tty_controlling(t) != y) {
        return -ENOTTY;
    }
    if (t->process->sid == t->process->pid) {
        tty_signal_foreground(y, SIGNAL_HUP);
        tty_signal_foreground(y, SIGNAL_CONT);
        tty_disassociate(y);
    } else {
        file_put(t->process->tty);
        t->process->tty = NULL;
    }
    return 0;
}

/* --- the master's own ------------------------------------------------------------------------- */

/* A descriptor of the slave, which never becomes the controlling terminal (TIOCGPTPEER). */
static int64_t open_peer(struct task *t, const struct tty *y, uint32_t flags)
{
    char path[32];
    struct file *f;
    int err;

    str_format(path, sizeof path, "/dev/pts/%u", y->index);
    err = vfs_open(t, AT_FDCWD, path, (flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY, 0, &f);
    return err ? err : anon_file_install(t, f, (flags & O_CLOEXEC) != 0);
}

static int64_t master_ioctl(struct task *t, struct tty *y, uint32_t cmd, uint64_t arg)
{
    uint32_t v;

    switch (cmd) {
    case TIOCGPTN:
        return user_write_u32(t, gaddr_of(arg), y->index);
    case TIOCGPTLCK:
        return user_write_u32(t, gaddr_of(arg), y->locked);
    case TIOCGPKT:
        return user_write_u32(t, gaddr_of(arg), y->packet);
    case TIOCSPTLCK:
    case TIOCPKT:
        if (user_read_u32(t, &v, gaddr_of(arg))) {
            return -EFAULT;
        }
        if (cmd == TIOCSPTLCK) {
            y->locked = v != 0;
        } else {
            y->packet = v != 0;
            y->packet_status = 0;
        }
        return 0;
    case TIOCSIG:
        if (arg != SIGNAL_INT && arg != SIGNAL_QUIT && arg != SIGNAL_TSTP) {
            return -EINVAL;
        }
        tty_signal_foreground(y, (int)arg);
        return 0;
    case TIOCGPTPEER:
        return open_peer(t, y, (uint32_t)arg);
    default:
        return 1; /* not one of these */
    }
}

/* --- dispatch --------------------------------------------------------------------------------- */

static int64_t flow(struct task *t, struct tty *y, uint64_t how)
{
    int err = tty_check_foreground(t, y, SIGNAL_TTOU);

    if (err) {
        return err;
    }
    if (how > TCION) {
        return -EINVAL;
    }
    if (how == TCOOFF || how == TCOON) {
        y->output_stopped = how == TCOOFF;
        tty_wake(y);
    }
    return 0;
}

static int64_t session_ioctl(struct task *t, struct tty *y, bool master, uint32_t cmd, uint64_t arg)
{
    switch (cmd) {
    case TIOCGWINSZ:
        return user_write(t, gaddr_of(arg), &y->winsize, sizeof y->winsize);
    case TIOCSWINSZ:
        return set_winsize(t, y, gaddr_of(arg));
    case TIOCGPGRP:
        return get_pgrp(t, y, master, gaddr_of(arg));
    case TIOCSPGRP:
        return set_pgrp(t, y, gaddr_of(arg));
    case TIOCGSID:
        return get_sid(t, y, master, gaddr_of(arg));
    case TIOCSCTTY:
        return tty_set_controlling(t, y, arg == 1 && task_capable(t, CAP_SYS_ADMIN_BIT));
    case TIOCNOTTY:
        return give_up(t, y);
    case TIOCVHANGUP:
        if (!task_capable(t, CAP_SYS_ADMIN_BIT)) {
            return -EPERM;
        }
        tty_hangup(y);
        return 0;
    default:
        return 1;
    }
}

static int64_t terminal_ioctl(struct task *t, struct tty *y, bool master, uint32_t cmd,
                              uint64_t arg)
{
    switch (cmd) {
    case TCGETS:
    case TCGETS2:
        return get_termios(t, y, gaddr_of(arg), cmd == TCGETS2);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_termios(t, y, gaddr_of(arg), false, cmd == TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return set_termios(t, y, gaddr_of(arg), true, cmd == TCSETSF2);
    case TCFLSH:
        return flush(t, y, master, arg);
    case TCXONC:
        return flow(t, y, arg);
    case TCSBRK:
    case TCSBRKP:
        return tty_check_foreground(t, y, SIGNAL_TTOU);
    case TIOCOUTQ:
        return user_write_u32(t, gaddr_of(arg), master ? 0 : tty_out_used(y));
    case FIONREAD:
        return user_write_u32(t, gaddr_of(arg), master ? tty_out_used(y) : tty_readable(y));
    case TIOCGETD:
        return user_write_u32(t, gaddr_of(arg), 0); /* N_TTY, the only one */
    case TIOCEXCL:
    case TIOCNXCL:
        return 0;
    case TIOCSTI:
        return -EIO; /* as with dev.tty.legacy_tiocsti = 0 */
    default:
        trace_unknown(t, "terminal ioctl", cmd, 0, -ENOTTY);
        return -ENOTTY;
    }
}

int64_t tty_ioctl(struct task *t, struct tty *y, bool master, uint32_t cmd, uint64_t arg)
{
    int64_t r = master ? master_ioctl(t, y, cmd, arg) : 1;

    r = r == 1 ? session_ioctl(t, y, master, cmd, arg) : r;
    return r == 1 ? terminal_ioctl(t, y, master, cmd, arg) : r;
}
