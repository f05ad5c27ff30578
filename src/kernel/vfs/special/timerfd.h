/* timerfd_create(2): a timer as a file. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_TIMERFD_H
#define EVERETT_KERNEL_VFS_SPECIAL_TIMERFD_H

#include "abi/linux.h"
#include "base/base.h"

struct file;
struct task;
struct text;

/* struct itimerspec */
struct abi_itimerspec {
    struct abi_timespec interval, value;
};

struct file *timerfd_create(struct task *t, int clock_id, uint32_t flags); /* O_NONBLOCK */
bool file_is_timerfd(const struct file *f);
/* `absolute`: TFD_TIMER_ABSTIME. Both values have been checked. Fills *old. */
void timerfd_set(struct task *t, struct file *f, bool absolute, const struct abi_itimerspec *value,
                 struct abi_itimerspec *old);
void timerfd_get(struct file *f, struct abi_itimerspec *out);
void timerfd_info(struct text *x, const struct file *f);

#endif
