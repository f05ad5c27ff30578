/* mmap, munmap, mprotect, mremap, brk: layout, protection and errors. */
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest_test.h"

enum { PAGE = 4096 };

static sigjmp_buf fault_jump;
static volatile sig_atomic_t fault_signal, fault_code;
static void *volatile fault_address;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = signo;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(fault_jump, 1);
}

static void catch_faults(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGSEGV, &sa, NULL), 0);
    CHECK_EQ(sigaction(SIGBUS, &sa, NULL), 0);
}

/* The signal that touching the address raises; 0 when none. */
static int touch(volatile char *at, bool store)
{
    fault_signal = 0;
    if (sigsetjmp(fault_jump, 1) == 0) {
        if (store) {
            *at = 1;
        } else {
            (void)*at;
        }
    }
    return fault_signal;
}

static char *map(size_t len, int prot, int flags)
{
    char *p = mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

TEST(anonymous_is_zero)
{
    char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQ((uintptr_t)p % PAGE, 0);
    for (size_t i = 0; i < 16 * PAGE; i++) {
        CHECK_EQ(p[i], 0);
    }
    memset(p, 0xa5, 16 * PAGE);
    CHECK_EQ(munmap(p, 16 * PAGE), 0);
}

TEST(mmap_errors)
{
    CHECK_ERR((intptr_t)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 100),
              EINVAL);
    CHECK_ERR((intptr_t)mmap((void *)100, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                             -1, 0),
              EINVAL);
    CHECK_ERR(syscall(SYS_mmap, NULL, ~0ul - PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
              ENOMEM);
    int pipes[2];
    CHECK_EQ(pipe(pipes), 0);
    CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
}

TEST(mmap_file_access)
{
    close(guest_file_with("f", "text"));
    int wo = open("f", O_WRONLY), ro = open("f", O_RDONLY);
    CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
    CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_WRITE | PROT_READ, MAP_SHARED, ro, 0), EACCES);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(memcmp(p, "text", 5), 0);
    CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
    CHECK(q != MAP_FAILED);
    q[0] = 'T';
    CHECK_EQ(p[0], 't');
}

TEST(fixed_replaces)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 1, 4 * PAGE);
    char *q = mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0);
    CHECK(q == p + PAGE);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(p[0], 1);
    CHECK_EQ(p[2 * PAGE], 1);
}

TEST(fixed_noreplace)
{
    char *p = map(PAGE, PROT_READ, MAP_PRIVATE);
    CHECK_ERR((intptr_t)mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                             -1, 0),
              EEXIST);
    CHECK_EQ(munmap(p, PAGE), 0);
    char *q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(q == p);
}

TEST(hint_is_taken_when_free)
{
    char *p = map(8 * PAGE, PROT_READ, MAP_PRIVATE);
    CHECK_EQ(munmap(p, 8 * PAGE), 0);
    char *q = mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(q == p + 2 * PAGE);
    char *r = mmap(q, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(r != q && r != MAP_FAILED);
}

TEST(munmap_hole_and_errors)
{
    catch_faults();
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQ(munmap(p + PAGE, PAGE), 0);
    CHECK_EQ(touch(p, true), 0);
    CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
    CHECK_EQ(fault_code, SEGV_MAPERR);
    CHECK(fault_address == p + PAGE);
    CHECK_EQ(touch(p + 2 * PAGE, true), 0);
    CHECK_EQ(munmap(p, 3 * PAGE), 0); /* the hole is no error */
    CHECK_EQ(munmap(p, 3 * PAGE), 0);
    CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
    CHECK_ERR(munmap(p, 0), EINVAL);
}

TEST(mprotect_read_only)
{
    catch_faults();
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[PAGE] = 7;
    CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(touch(p + PAGE, false), 0);
    CHECK_EQ(touch(p + PAGE, true), SIGSEGV);
    CHECK_EQ(fault_code, SEGV_ACCERR);
    CHECK(fault_address == p + PAGE);
    CHECK_EQ(p[PAGE], 7);
    CHECK_EQ(touch(p + 2 * PAGE - 1, false), 0);
    CHECK_EQ(touch(p + 2 * PAGE, true), 0);
    CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(touch(p + PAGE, true), 0);
}

TEST(mprotect_none_keeps_content)
{
    catch_faults();
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    strcpy(p, "kept");
    CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
    CHECK_EQ(touch(p, false), SIGSEGV);
    CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
    CHECK_EQ(strcmp(p, "kept"), 0);
}

TEST(mprotect_errors)
{
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE);
    CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
    CHECK_EQ(munmap(p + PAGE, PAGE), 0);
    CHECK_ERR(mprotect(p, 2 * PAGE, PROT_READ), ENOMEM);
    CHECK_EQ(mprotect(p, 0, PROT_READ), 0);
    CHECK_ERR(mprotect(p, PAGE, PROT_READ | 0x40000), EINVAL);
}

TEST(execute_from_memory)
{
    /* mov $42,%eax; ret */
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memcpy(p, code, sizeof code);
    CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(((int (*)(void))(uintptr_t)p)(), 42);
    CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_WRITE), 0);
    p[1] = 43;
    CHECK_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(((int (*)(void))(uintptr_t)p)(), 43);
}

TEST(execute_fault)
{
    catch_faults();
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    *p = (char)0xc3;
    fault_signal = 0;
    if (sigsetjmp(fault_jump, 1) == 0) {
        ((void (*)(void))(uintptr_t)p)();
    }
    CHECK_EQ(fault_signal, SIGSEGV);
    CHECK_EQ(fault_code, SEGV_ACCERR);
    CHECK(fault_address == p);
}

TEST(generated_syscall_instruction)
{
    /* mov $39,%eax; syscall; ret: getpid from memory that no image scan has seen */
    static const unsigned char code[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
    char *p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    memcpy(p, code, sizeof code);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(((long (*)(void))(uintptr_t)p)(), getpid());
    }
    p[1] = 102; /* getuid: the same site, rewritten */
    CHECK_EQ(((long (*)(void))(uintptr_t)p)(), getuid());
    CHECK_EQ(p[5], 0x0f);
    CHECK_EQ(p[6], 0x05);
}

TEST(mremap_grows_and_shrinks)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 3, 2 * PAGE);
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    CHECK_EQ(q[0] + q[2 * PAGE - 1], 6);
    CHECK_EQ(q[2 * PAGE], 0);
    q[64 * PAGE - 1] = 1;
    char *r = mremap(q, 64 * PAGE, PAGE, 0);
    CHECK(r == q);
    catch_faults();
    CHECK_EQ(touch(r + PAGE, false), SIGSEGV);
    CHECK_EQ(r[0], 3);
}

TEST(mremap_fixed)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *there = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    *p = 9;
    there[PAGE] = 5;
    char *q = mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there);
    CHECK(q == there);
    CHECK_EQ(there[0], 9);
    CHECK_EQ(there[PAGE], 5);
    catch_faults();
    CHECK_EQ(touch(p, false), SIGSEGV);
}

TEST(mremap_errors)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_ERR((intptr_t)mremap(p + 1, PAGE, PAGE, 0), EINVAL);
    CHECK_ERR((intptr_t)mremap(p, PAGE, 0, 0), EINVAL);
    CHECK_ERR((intptr_t)mremap(p, PAGE, PAGE, MREMAP_FIXED, p + PAGE), EINVAL);
    CHECK_ERR((intptr_t)mremap(p, PAGE, 2 * PAGE, 0), ENOMEM); /* the next page is taken */
    CHECK_EQ(munmap(p, 2 * PAGE), 0);
    CHECK_ERR((intptr_t)mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(brk_moves)
{
    char *start = (char *)syscall(SYS_brk, 0);
    char *end = (char *)syscall(SYS_brk, start + 5 * PAGE + 10);
    CHECK(end == start + 5 * PAGE + 10);
    for (int i = 0; i < 5 * PAGE + 10; i++) {
        CHECK_EQ(start[i], 0);
        start[i] = 1;
    }
    CHECK((char *)syscall(SYS_brk, start + PAGE) == start + PAGE);
    CHECK((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
    CHECK_EQ(start[2 * PAGE + 16], 0);                      /* given back and taken again: zero */
    CHECK((char *)syscall(SYS_brk, 1) == start + 3 * PAGE); /* refused: the old end is told */
    CHECK((char *)syscall(SYS_brk, start) == start);
}

TEST(madvise_dontneed)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 1, 2 * PAGE);
    CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(p[0], 0);
    CHECK_EQ(p[PAGE], 1);
    int fd = guest_file_with("f", "file");
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    q[0] = 'F';
    CHECK_EQ(madvise(q, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(q[0], 'f');
    CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERR(madvise(p, PAGE, 9999), EINVAL);
    CHECK_EQ(munmap(p, 2 * PAGE), 0);
    CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
}

TEST(madvise_free_and_willneed)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    CHECK_EQ(madvise(p, 2 * PAGE, MADV_FREE), 0);
    CHECK(p[0] == 0 || p[0] == 1);
    p[0] = 2;
    CHECK_EQ(p[0], 2);
    CHECK_EQ(madvise(p, 2 * PAGE, MADV_WILLNEED), 0);
    CHECK_EQ(madvise(p, 2 * PAGE, MADV_NORMAL), 0);
}

TEST(mincore_and_msync)
{
    unsigned char vec[2];
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 1, 2 * PAGE);
    CHECK_EQ(mincore(p, 2 * PAGE, vec), 0);
    CHECK_EQ((vec[0] & 1) + (vec[1] & 1), 2);
    CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
    CHECK_EQ(msync(p, PAGE, MS_SYNC), 0);
    CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_EQ(munmap(p, 2 * PAGE), 0);
    CHECK_ERR(mincore(p, PAGE, vec), ENOMEM);
    CHECK_ERR(msync(p, PAGE, MS_SYNC), ENOMEM);
}

TEST(mlock)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQ(mlock(p, PAGE), 0);
    CHECK_EQ(munlock(p, PAGE), 0);
    CHECK_EQ(munmap(p, 2 * PAGE), 0);
    CHECK_ERR(mlock(p, PAGE), ENOMEM);
    CHECK_ERR(mlockall(0), EINVAL);
    CHECK_ERR(mlock((void *)0x7ffffffffffff000, 8), ENOMEM);
    CHECK_ERR(munlock((void *)0x7ffffffffffff000, 8), ENOMEM);
}

TEST(locked_pages_are_not_invalidated)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK_EQ(msync(p, PAGE, MS_SYNC | MS_INVALIDATE), 0);
    CHECK_EQ(mlock(p, PAGE), 0);
    CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
    CHECK_EQ(munlockall(), 0);
    CHECK_EQ(msync(p, PAGE, MS_SYNC | MS_INVALIDATE), 0);
}

TEST(mapping_moves_file_times)
{
    struct stat before, after;
    int fd = guest_file_with("times", "0123456789");
    CHECK_EQ(fstat(fd, &before), 0);
    guest_nap(GUEST_NAP_MS);
    char *p = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(p[0], '0');
    p[1] = 'x';
    CHECK_EQ(msync(p, 10, MS_SYNC), 0);
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(fstat(fd, &after), 0);
    CHECK(memcmp(&before.st_mtim, &after.st_mtim, sizeof after.st_mtim) != 0);
    CHECK(memcmp(&before.st_ctim, &after.st_ctim, sizeof after.st_ctim) != 0);
    CHECK(memcmp(&before.st_atim, &after.st_atim, sizeof after.st_atim) != 0);
}

TEST(huge_reservation)
{
    char *p = mmap(NULL, 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(mprotect(p + (1ul << 39), PAGE, PROT_READ | PROT_WRITE), 0);
    p[1ul << 39] = 1;
    CHECK_EQ(munmap(p, 1ul << 40), 0);
}

TEST(stack_grows)
{
    volatile char big[3 << 20];
    for (size_t i = 0; i < sizeof big; i += PAGE) {
        big[sizeof big - 1 - i] = (char)i;
    }
    CHECK_EQ(big[sizeof big - 1], 0);
}

TEST(null_and_noncanonical)
{
    catch_faults();
    CHECK_EQ(touch(NULL, true), SIGSEGV);
    CHECK(fault_address == NULL);
    CHECK_EQ(touch((char *)0x8000000000000000ul, false), SIGSEGV);
    CHECK_EQ(fault_code, SI_KERNEL);
}

TEST(many_mappings)
{
    char *p[300];
    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = map(PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (i % 2 == 0) {
            p[i][0] = (char)i;
        }
    }
    for (size_t i = 0; i < COUNT(p); i += 2) {
        CHECK_EQ(p[i][0], (char)i);
        CHECK_EQ(munmap(p[i], PAGE), 0);
    }
    for (size_t i = 1; i < COUNT(p); i += 2) {
        CHECK_EQ(p[i][0], 0);
    }
}

static const struct guest_test tests[] = {
    ENTRY(anonymous_is_zero),
    ENTRY(mmap_errors),
    ENTRY(mmap_file_access),
    ENTRY(fixed_replaces),
    ENTRY(fixed_noreplace),
    ENTRY(hint_is_taken_when_free),
    ENTRY(munmap_hole_and_errors),
    ENTRY(mprotect_read_only),
    ENTRY(mprotect_none_keeps_content),
    ENTRY(mprotect_errors),
    ENTRY(execute_from_memory),
    ENTRY(execute_fault),
    ENTRY(generated_syscall_instruction),
    ENTRY(mremap_grows_and_shrinks),
    ENTRY(mremap_fixed),
    ENTRY(mremap_errors),
    ENTRY(brk_moves),
    ENTRY(madvise_dontneed),
    ENTRY(madvise_free_and_willneed),
    ENTRY(mincore_and_msync),
    ENTRY(mlock),
    ENTRY(locked_pages_are_not_invalidated),
    ENTRY(mapping_moves_file_times),
    ENTRY(huge_reservation),
    ENTRY(stack_grows),
    ENTRY(null_and_noncanonical),
    ENTRY(many_mappings),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
