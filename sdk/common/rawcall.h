/* System calls without a libc, for code that is injected into guest containers: it must load beside
 * any C library or none. Results are Linux's: a value, or a negative errno. */
#ifndef EVERETT_SDK_RAWCALL_H
#define EVERETT_SDK_RAWCALL_H

#include <stddef.h>
#include <stdint.h>

enum raw_number {
    RAW_READ = 0,
    RAW_WRITE = 1,
    RAW_OPEN = 2,
    RAW_CLOSE = 3,
    RAW_MMAP = 9,
    RAW_MUNMAP = 11,
    RAW_READLINK = 89,
    RAW_EXIT_GROUP = 231,
    RAW_GETRANDOM = 318,
};

enum raw_errno {
    RAW_EINTR = 4,
    RAW_ENOSYS = 38,
};

/* The 64-bit call convention of syscall(2): rcx and r11 are lost, everything else is kept. */
static inline long raw_call6(long number, const long args[6])
{
    long result;
    register long r10 __asm__("r10") = args[3];
    register long r8 __asm__("r8") = args[4];
    register long r9 __asm__("r9") = args[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long raw_call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long raw_call2(long number, long a, long b)
{
    return raw_call3(number, a, b, 0);
}

static inline long raw_call1(long number, long a)
{
    return raw_call3(number, a, 0, 0);
}

static inline long raw_pointer(const volatile void *p)
{
    return (long)(uintptr_t)p;
}

static inline size_t raw_strlen(const char *s)
{
    size_t n = 0;
    while (s[n] != '\0') {
        n++;
    }
    return n;
}

_Noreturn static inline void raw_exit(int code)
{
    for (;;) {
        raw_call1(RAW_EXIT_GROUP, code);
    }
}

#endif
