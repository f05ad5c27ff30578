/* epoll(7). Items become ready in the order of their wake-ups; epoll_wait takes from the front and
 * puts level-triggered ones back to the end, as Linux does. Waiting and waking allocate nothing. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_EPOLL_H
#define EVERETT_KERNEL_VFS_SPECIAL_EPOLL_H

#include "base/base.h"
#include "kernel/mm/usercopy.h"

struct epoll;
struct file;
struct machine;
struct task;

/* struct epoll_event of epoll_ctl(2): packed on x86-64. */
struct abi_epoll_event {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));

struct file *epoll_file_create(struct machine *m); /* owned by the caller */
bool file_is_epoll(const struct file *f);

/* EPOLL_CTL_*; `ev` is ignored for DEL. Linux's errnos of epoll_ctl(2). */
int epoll_control(struct file *ep_file, int op, int fd, struct file *target,
                  const struct abi_epoll_event *ev);
/* Fills the guest array with up to max ready events: their number, or -EFAULT. */
int64_t epoll_collect(struct task *t, struct file *ep_file, gaddr events, uint32_t max);
/* Makes the current call wait for readiness. */
void epoll_wait_on(struct task *t, struct file *ep_file);

/* The last reference to f goes away: called by file_put before ops->release. Ends every
 * registration of f. */
void epoll_file_released(struct file *f);

/* /proc/PID/fdinfo: calls fn for each registration, by order of registration. */
void epoll_for_each(struct file *ep_file,
                    void (*fn)(void *ctx, int fd, const struct file *target,
                               const struct abi_epoll_event *ev),
                    void *ctx);

#endif
