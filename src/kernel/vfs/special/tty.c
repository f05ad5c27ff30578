/* Terminals as sessions and opening see them (tty(4), credentials(7)). */
#include "kernel/vfs/special/tty.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/devpts.h"
#include "kernel/vfs/special/pty.h"
#include "kernel/vfs/vfs.h"

#define MAJOR_TTY      5u
#define MAJOR_PTS      136u
#define SI_KERNEL_CODE 0x80
#define SIG_IGN_VALUE  1u

/* --- the controlling terminal ----------------------------------------------------------------- */

/* A process's handle on its terminal: not an open slave, so it keeps nothing from hanging up. */
static void handle_release(struct machine *m, struct file *f)
{
    tty_put(f->priv);
}

static const struct file_ops handle_ops = {.name = "controlling tty", .release = handle_release};

static struct file *handle_create(struct tty *y)
{
    struct file *f = file_create(y->m, &handle_ops, O_RDWR);

    tty_get(y);
    f->priv = y;
    return f;
}

static struct tty *tty_of(const struct process *p)
{
    return p->tty ? p->tty->priv : NULL;
}

struct tty *tty_controlling(const struct task *t)
{
    return tty_of(t->process);
}

static void drop(struct process *p)
{
    file_put(p->tty);
    p->tty = NULL;
}

void tty_disassociate(struct tty *y)
{
    struct process *p;

    tty_get(y);
    list_for_each_entry (p, &y->node->processes, node_link) {
        if (tty_of(p) == y) {
            drop(p);
        }
    }
    y->session = TTY_NO_SESSION;
    y->pgrp = 0;
    tty_put(y);
}

int tty_set_controlling(struct task *t, struct tty *y, bool steal)
{
    struct process *p = t->process, *other;

    if (p->sid == p->pid && y->session == p->sid && tty_of(p) == y) {
        return 0;
    }
    if (p->sid != p->pid || p->tty || (y->session != TTY_NO_SESSION && !steal)) {
        return -EPERM;
    }
    tty_disassociate(y);
    y->session = p->sid;
    y->pgrp = p->pgid;
    p->tty = handle_create(y);
    list_for_each_entry (other, &p->node->processes, node_link) {
        if (other != p && other->sid == p->sid && !other->zombie && !other->tty) {
            other->tty = file_get(p->tty);
        }
    }
    return 0;
}

/* --- job control ------------------------------------------------------------------------------ */

static void signal_group(struct tty *y, abi_pid pgrp, int signo)
{
    struct siginfo info = {.signo = signo, .code = SI_KERNEL_CODE};

    if (pgrp > 0) {
        signal_send_group(y->node, pgrp, &info);
    }
}

void tty_signal_foreground(struct tty *y, int signo)
{
    signal_group(y, y->pgrp, signo);
}

/* drivers/tty/tty_jobctrl.c, __tty_check_change(). */
int tty_check_foreground(struct task *t, struct tty *y, int signo)
{
    const struct process *p = t->process;
    bool ignored;

    if (tty_of(p) != y || y->pgrp == 0 || y->pgrp == p->pgid) {
        return 0;
    }
    ignored =
        (t->sig.blocked & SIG_BIT(signo)) || p->sig.actions[signo - 1].handler == SIG_IGN_VALUE;
    if (ignored) {
        return signo == SIGNAL_TTIN ? -EIO : 0;
    }
    if (session_group_orphaned(p->node, p->pgid, NULL)) {
        return -EIO;
    }
    signal_group(y, p->pgid, signo);
    return -ERESTARTSYS;
}

void tty_hangup(struct tty *y)
{
    struct process *leader = y->session ? process_find(y->node, y->session) : NULL;

    if (leader && !leader->zombie) {
        signal_kernel(leader, SIGNAL_HUP);
        signal_kernel(leader, SIGNAL_CONT);
    }
    signal_group(y, y->pgrp, SIGNAL_HUP);
    signal_group(y, y->pgrp, SIGNAL_CONT);
    tty_disassociate(y);
    y->generation++;
    y->slaves = 0;
    tty_flush_input(y);
    waitq_wake(y->m, &y->slave_wq, 0);
    waitq_wake(y->m, &y->master_wq, 0);
}

void tty_session_leader_exit(struct process *p)
{
    struct tty *y = tty_of(p);

    if (!y || p->sid != p->pid) {
        return;
    }
    /* disassociate_ctty(): a pseudo-terminal itself does not hang up, its master may go on. */
    tty_signal_foreground(y, SIGNAL_HUP);
    tty_disassociate(y);
}

uint32_t tty_number(const struct process *p)
{
    const struct tty *y = tty_of(p);

    return y ? MAJOR_PTS << 8 | (y->index & 0xff) | (y->index & ~0xffu) << 12 : 0;
}

int32_t tty_foreground(const struct process *p)
{
    const struct tty *y = tty_of(p);

    return y ? y->pgrp : -1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_slave(struct task *t, struct file *f, struct tty *y)
{
    bool no_ctty = (f->flags & O_NOCTTY) != 0;
    int err = tty_open_slave(t, f, y);

    if (err == 0 && !no_ctty && t->process->sid == t->process->pid && !t->process->tty &&
        y->session == TTY_NO_SESSION) {
        err = tty_set_controlling(t, y, false);
        ASSERT(err == 0);
    }
    return err;
}

int tty_open(struct task *t, struct inode *inode, struct file *f)
{
    struct ptys *p = devpts_of(inode);

    if (inode->rdev_major == MAJOR_TTY && inode->rdev_minor == 0) {
        struct tty *y = tty_controlling(t);

        return y ? tty_open_slave(t, f, y) : -ENXIO;
    }
    if (inode->rdev_major == MAJOR_TTY && inode->rdev_minor == 2) {
        return p ? tty_open_master(t, f, p) : -ENODEV;
    }
    if (inode->rdev_major == MAJOR_PTS && p) {
        uint32_t n = inode->rdev_minor;

        return n < p->cap && p->items[n] ? open_slave(t, f, p->items[n]) : -EIO;
    }
    return -ENXIO; /* /dev/console: a container without a terminal has none */
}
