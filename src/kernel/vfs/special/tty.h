/* Terminals (tty(4), pty(7), ioctl_tty(2)): pseudo-terminal pairs with a line discipline. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_TTY_H
#define EVERETT_KERNEL_VFS_SPECIAL_TTY_H

#include "base/base.h"

struct file;
struct inode;
struct machine;
struct node;
struct process;
struct task;

/* Opens /dev/tty, /dev/console, /dev/ptmx or /dev/pts/N by the inode's device numbers. 0, -ENXIO
 * (no such terminal), -EIO (locked or gone). */
int tty_open(struct task *t, struct inode *inode, struct file *f);

/* A session leader exits: SIGHUP to the foreground group, and the session loses its terminal
 * (credentials(7), exit(3)). Harmless without a terminal. */
void tty_session_leader_exit(struct process *p);

/* For /proc/PID/stat: device number (major << 8 | minor, 0 without) and foreground group (-1). */
uint32_t tty_number(const struct process *p);
int32_t tty_foreground(const struct process *p);

#endif
