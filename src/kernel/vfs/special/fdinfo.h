/* Lines that kinds of descriptors add to /proc/PID/fdinfo/N (proc(5)). */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_FDINFO_H
#define EVERETT_KERNEL_VFS_SPECIAL_FDINFO_H

struct file;
struct text;

void fdinfo_extra(struct text *x, struct file *f); /* nothing for ordinary kinds */

#endif
