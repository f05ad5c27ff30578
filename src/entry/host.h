/* Host system calls of the engine: the only ones a guest process can make. The seccomp filter
 * (filter.c) allows exactly those used here, and only from engine text. */
#ifndef EVERETT_ENTRY_HOST_H
#define EVERETT_ENTRY_HOST_H

#include <asm/unistd.h>

#include <linux/sched.h>

#include "base/base.h"

/* Processes of a universe are siblings below the runner; 17 is SIGCHLD. The filter lets nothing
 * else pass. */
#define HOST_CLONE_FLAGS (CLONE_PARENT | 17)

static inline long host6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

static inline long host3(long nr, long a, long b, long c)
{
    return host6(nr, a, b, c, 0, 0, 0);
}

static inline long host_mmap(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd,
                             uint64_t off)
{
    return host6(__NR_mmap, (long)addr, (long)len, prot, flags, fd, (long)off);
}

static inline long host_futex(uint32_t *word, int op, uint32_t value)
{
    return host6(__NR_futex, (long)(uintptr_t)word, op, value, 0, 0, 0);
}

#endif
