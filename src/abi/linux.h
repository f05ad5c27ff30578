/* The guest ABI is Linux x86-64, so its definitions are the kernel's own UAPI headers; no libc
 * header enters engine code. Here is what those headers leave to libc. */
#ifndef EVERETT_ABI_LINUX_H
#define EVERETT_ABI_LINUX_H

#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/time_types.h>
#include <stdint.h>

typedef int32_t abi_pid;

struct abi_timespec {
    int64_t sec;
    int64_t nsec;
};

struct abi_timeval {
    int64_t sec;
    int64_t usec;
};

struct abi_iovec {
    uint64_t base;
    uint64_t len;
};

/* Results a handler may return that a guest never sees (Linux include/linux/errno.h). */
#define ERESTARTSYS    512 /* restart if SA_RESTART or no handler ran, else EINTR */
#define ERESTARTNOINTR 513 /* always restart */
#define ERESTARTNOHAND 514 /* restart if no handler ran, else EINTR */
#define ERESTART_RESTARTBLOCK                                                                      \
    516 /* restart through restart_syscall if no handler ran, else EINTR */

/* File types, as in <linux/stat.h> but usable beside libc's <sys/stat.h> in tests. */
#define ABI_S_IFMT   0170000u
#define ABI_S_IFSOCK 0140000u
#define ABI_S_IFLNK  0120000u
#define ABI_S_IFREG  0100000u
#define ABI_S_IFBLK  0060000u
#define ABI_S_IFDIR  0040000u
#define ABI_S_IFCHR  0020000u
#define ABI_S_IFIFO  0010000u

/* poll(2) and epoll(7) readiness bits (asm-generic/poll.h, linux/eventpoll.h agree). */
#define ABI_POLLIN     0x001u
#define ABI_POLLPRI    0x002u
#define ABI_POLLOUT    0x004u
#define ABI_POLLERR    0x008u
#define ABI_POLLHUP    0x010u
#define ABI_POLLNVAL   0x020u
#define ABI_POLLRDNORM 0x040u
#define ABI_POLLRDBAND 0x080u
#define ABI_POLLWRNORM 0x100u
#define ABI_POLLWRBAND 0x200u
#define ABI_POLLRDHUP  0x2000u

#endif
