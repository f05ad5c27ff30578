/* The object behind a pseudo-terminal pair, shared by tty*.c and pty.c only.
 *
 * The master is the terminal's outside: what is written there is input, typed; what is read there
 * is output, displayed. The slave is the terminal that programs see. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PTY_H
#define EVERETT_KERNEL_VFS_SPECIAL_PTY_H

#include <asm/termbits.h>

#include "abi/linux.h"
#include "kernel/sched/wait.h"

struct file;
struct node;
struct ptys;
struct task;

#define TTY_INPUT_BYTES  4096u  /* N_TTY_BUF_SIZE, a power of two */
#define TTY_OUTPUT_BYTES 16384u /* a power of two */
#define TTY_NO_SESSION   0

struct tty_winsize {
    uint16_t rows, cols, xpixel, ypixel;
};

/* Counted: open ends, controlling-terminal handles, its place in `ptys`. */
struct tty {
    struct machine *m;
    struct node *node;
    struct ptys *ptys; /* where it is listed; NULL once the file system is gone */
    uint32_t refs, index;
    uint32_t masters, slaves; /* open files */
    bool locked;              /* TIOCSPTLCK: the slave cannot be opened */
    bool closed;              /* the master is gone for good */
    uint32_t generation;      /* hang-ups so far: a slave file of an older one is dead */
    bool slave_was_open;
    bool output_stopped; /* ^S */
    bool literal_next;   /* ^V */
    bool packet;         /* TIOCPKT */
    uint8_t packet_status;
    struct ktermios termios;
    struct tty_winsize winsize;
    uint32_t uid, gid;
    abi_pid session, pgrp; /* TTY_NO_SESSION: nobody's controlling terminal */
    uint32_t column;       /* of the cursor, for tabs and erasing */

    /* Input ring: [read, line) is whole lines (canonical mode), [line, tail) is being edited. */
    unsigned char in[TTY_INPUT_BYTES];
    unsigned char in_end[TTY_INPUT_BYTES]; /* 1: a line ends here; 2: ... and it is VEOF itself */
    uint32_t in_read, in_line, in_tail;
    unsigned char out[TTY_OUTPUT_BYTES];
    uint32_t out_read, out_tail;

    struct waitq master_wq, slave_wq;
};

/* An open slave; owned by file->priv. */
struct tty_end {
    struct tty *tty; /* counted */
    uint32_t generation;
};

/* The pseudo-terminals of one devpts instance. */
struct ptys {
    struct machine *m;
    struct node *node;
    struct tty **items; /* by number */
    uint32_t cap;
};

struct tty *tty_create(struct ptys *p, uint32_t index, uint32_t uid);
void tty_get(struct tty *y);
void tty_put(struct tty *y);

/* --- line discipline (tty_ldisc.c): pure state, no task --------------------------------------- */

static inline uint32_t tty_out_used(const struct tty *y)
{
    return y->out_tail - y->out_read;
}

static inline bool tty_flag(uint32_t word, uint32_t bit)
{
    return (word & bit) != 0;
}

/* One byte typed at the terminal: edits, echoes, signals the foreground group, or stores it. False:
 * no room, nothing happened. */
bool tty_input(struct tty *y, unsigned char c);
/* One byte displayed, after output processing. False: no room for all of it. */
bool tty_output(struct tty *y, unsigned char c);
/* Bytes a read would get now; canonical mode counts only whole lines. */
uint32_t tty_readable(const struct tty *y);
void tty_flush_input(struct tty *y);
void tty_flush_output(struct tty *y);
/* ICANON was switched: what is buffered stays readable (n_tty_set_termios). */
void tty_mode_changed(struct tty *y, uint32_t old_lflag);
void tty_wake(struct tty *y);

/* --- ioctls and job control (tty_ioctl.c, tty.c) ---------------------------------------------- */

int64_t tty_ioctl(struct task *t, struct tty *y, bool master, uint32_t cmd, uint64_t arg);
/* Linux's tty_check_change: 0, or the error after SIGTTOU (or SIGTTIN) was sent. */
int tty_check_foreground(struct task *t, struct tty *y, int signo);
/* Makes y the controlling terminal of the caller's session. 0 or -EPERM. */
int tty_set_controlling(struct task *t, struct tty *y, bool steal);
struct tty *tty_controlling(const struct task *t); /* borrowed or NULL */
/* The session has no terminal any more. */
void tty_disassociate(struct tty *y);
/* Every open slave file is dead from now on (vhangup(2)); SIGHUP and SIGCONT to the session. */
void tty_hangup(struct tty *y);
/* Makes f an open slave of y. 0, -EIO (locked, or the master is gone). */
int tty_open_slave(struct task *t, struct file *f, struct tty *y);
/* Opens a new pair and makes f its master. */
int tty_open_master(struct task *t, struct file *f, struct ptys *p);
void tty_signal_foreground(struct tty *y, int signo);

#endif
