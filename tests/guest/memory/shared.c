/* Memory between processes: sharing, copy on write over fork, mapped files, System V segments. */
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "guest_test.h"

enum { PAGE = 4096 };

static int *shared_page(void)
{
    int *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

TEST(private_is_copied_by_fork)
{
    int *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *p = 1;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(*p, 1);
        *p = 2;
        _exit(5);
    }
    CHECK_EXIT(pid, 5);
    CHECK_EQ(*p, 1);
}

TEST(shared_is_seen_by_both)
{
    int *p = shared_page();
    pid_t pid = fork();
    if (pid == 0) {
        p[0] = 77;
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(p[0], 77);
}

TEST(parent_write_after_fork_is_unseen)
{
    static int value = 1;
    int go[2];
    CHECK_EQ(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        CHECK_EQ(read(go[0], &c, 1), 1);
        _exit(value);
    }
    value = 2;
    CHECK_EQ(write(go[1], "x", 1), 1);
    CHECK_EXIT(pid, 1);
}

TEST(shared_over_two_generations)
{
    int *p = shared_page();
    pid_t pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            p[1] = 9;
            _exit(0);
        }
        CHECK_EXIT(grandchild, 0);
        p[0] = p[1];
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(p[0], 9);
}

TEST(mapped_file_and_write_agree)
{
    int fd = guest_file_with("f", "0123456789");
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(pwrite(fd, "AB", 2, 3), 2);
    CHECK_EQ(memcmp(p, "012AB56789", 10), 0);
    p[0] = 'z';
    char buf[4] = "";
    CHECK_EQ(pread(fd, buf, 3, 0), 3);
    CHECK_EQ(strcmp(buf, "z12"), 0);
}

TEST(private_mapping_sees_file_until_written)
{
    int fd = guest_file_with("f", "abcdef");
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    p[0] = 'X';
    char c;
    CHECK_EQ(pread(fd, &c, 1, 0), 1);
    CHECK_EQ(c, 'a');
    CHECK_EQ(p[1], 'b');
}

TEST(mapping_outlives_close_and_unlink)
{
    int fd = guest_file_with("f", "alive");
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(unlink("f"), 0);
    CHECK_EQ(strcmp(p, "alive"), 0);
}

TEST(tail_of_last_page_is_zero)
{
    int fd = guest_file_with("f", "abc");
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 3; i < PAGE; i++) {
        CHECK_EQ(p[i], 0);
    }
    p[10] = 'x'; /* beyond the end: never reaches the file */
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 3);
}

static void expect_bus(const volatile char *at)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)*at;
        _exit(0);
    }
    CHECK_KILLED(pid, SIGBUS);
}

TEST(beyond_end_raises_bus)
{
    int fd = guest_file_with("f", "abc");
    char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    expect_bus(p + PAGE);
    CHECK_EQ(ftruncate(fd, PAGE + 1), 0);
    CHECK_EQ(p[PAGE], 0); /* now it is there */
    expect_bus(p + 2 * PAGE);
}

TEST(truncation_takes_pages_away)
{
    int fd = guest_file_with("f", "");
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[PAGE] = 1;
    CHECK_EQ(ftruncate(fd, 10), 0);
    expect_bus(p + PAGE);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    CHECK_EQ(p[PAGE], 0);
}

TEST(offset_mapping)
{
    int fd = guest_file_with("f", "");
    CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
    CHECK_EQ(pwrite(fd, "second", 6, PAGE), 6);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    CHECK_EQ(memcmp(p, "second", 6), 0);
}

TEST(two_mappings_of_one_file)
{
    int fd = guest_file_with("f", "x");
    char *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(a != b);
    *a = 'y';
    CHECK_EQ(*b, 'y');
}

TEST(shared_file_over_exec_free_processes)
{
    int fd = guest_file_with("f", "....");
    pid_t pid = fork();
    if (pid == 0) {
        int own = open("f", O_RDWR);
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
        memcpy(p, "done", 4);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_EQ(memcmp(p, "done", 4), 0);
}

TEST(memfd)
{
    int fd = (int)syscall(SYS_memfd_create, "name", 3u); /* MFD_CLOEXEC | MFD_ALLOW_SEALING */
    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, PAGE), 0);
    char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    CHECK(w != MAP_FAILED && x != MAP_FAILED);
    memcpy(w, "\xb8\x07\x00\x00\x00\xc3", 6); /* mov $7,%eax; ret */
    CHECK_EQ(((int (*)(void))(uintptr_t)x)(), 7);
    enum { ADD_SEALS = 1033, GET_SEALS = 1034, SEAL_SHRINK = 2, SEAL_GROW = 4, SEAL_WRITE = 8 };
    CHECK_EQ(fcntl(fd, ADD_SEALS, SEAL_SHRINK | SEAL_GROW), 0);
    CHECK_EQ(fcntl(fd, GET_SEALS), SEAL_SHRINK | SEAL_GROW);
    CHECK_ERR(ftruncate(fd, 10), EPERM);
    CHECK_ERR(ftruncate(fd, 2 * PAGE), EPERM);
    CHECK_ERR(fcntl(fd, ADD_SEALS, SEAL_WRITE), EBUSY); /* a writable mapping exists */
    CHECK_ERR(syscall(SYS_memfd_create, "name", 0x1000u), EINVAL);
}

TEST(sysv_segment)
{
    int id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
    CHECK(id >= 0);
    char *p = shmat(id, NULL, 0);
    CHECK(p != (char *)-1);
    CHECK_EQ(p[0], 0);
    pid_t pid = fork();
    if (pid == 0) {
        strcpy(p, "child");
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(strcmp(p, "child"), 0);
    struct shmid_ds ds;
    CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
    CHECK_EQ(ds.shm_segsz, 100);
    CHECK_EQ(ds.shm_nattch, 1);
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
    CHECK_EQ(strcmp(p, "child"), 0); /* lives until the last detaches */
    CHECK_EQ(shmdt(p), 0);
    CHECK_ERR(shmdt(p), EINVAL);
    CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(sysv_errors)
{
    CHECK_ERR(shmget(0x77777, 100, 0), ENOENT);
    CHECK_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
    CHECK_ERR((intptr_t)shmat(-1, NULL, 0), EINVAL);
}

TEST(dev_zero_and_proc_self_mem)
{
    int fd = open("/dev/zero", O_RDWR);
    CHECK(fd >= 0);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(p[5], 0);
    p[5] = 1;
    CHECK_EQ(p[5], 1);
}

TEST(wipe_of_large_fork)
{
    enum { SIZE = 8 << 20 };
    unsigned char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < SIZE; i += PAGE) {
        p[i] = (unsigned char)(i / PAGE);
    }
    for (int child = 0; child < 4; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0; i < SIZE; i += PAGE) {
                CHECK_EQ(p[i], (unsigned char)(i / PAGE));
                p[i] = 0xff;
            }
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
    CHECK_EQ(p[PAGE], 1);
}

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

TEST(children_do_not_get_what_advice_keeps)
{
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 7, 3 * PAGE);
    CHECK_EQ(madvise(p + PAGE, PAGE, MADV_DONTFORK), 0);
    CHECK_EQ(madvise(p + 2 * PAGE, PAGE, MADV_WIPEONFORK), 0);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char vec[1];
        CHECK_EQ(p[0], 7);
        CHECK_EQ(p[2 * PAGE], 0);
        CHECK_ERR(mincore(p + PAGE, PAGE, vec), ENOMEM);
        CHECK_ERR(access(p + PAGE, F_OK), EFAULT);
        p[2 * PAGE] = 8;
        pid_t again = fork(); /* wiped in every child, and theirs */
        if (again == 0) {
            _exit(p[2 * PAGE]);
        }
        CHECK_EXIT(again, 0);
        p[PAGE] = 1;
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    CHECK(p[PAGE] == 7 && p[2 * PAGE] == 7);
    CHECK_EQ(madvise(p, 3 * PAGE, MADV_DOFORK), 0);
    CHECK_EQ(madvise(p, 3 * PAGE, MADV_KEEPONFORK), 0);
    pid = fork();
    if (pid == 0) {
        _exit(p[0] + p[PAGE] + p[2 * PAGE]);
    }
    CHECK_EXIT(pid, 21);
    CHECK_ERR(madvise(shared_page(), PAGE, MADV_WIPEONFORK), EINVAL);
}

TEST(removed_pages_are_holes)
{
    int fd = memfd_create("f", 0);
    CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char c = 0;
    memset(p, 5, 3 * PAGE);
    CHECK_EQ(madvise(p + PAGE, PAGE, MADV_REMOVE), 0);
    CHECK(p[0] == 5 && p[PAGE] == 0 && p[2 * PAGE] == 5);
    CHECK_EQ(pread(fd, &c, 1, 2 * PAGE - 1), 1);
    CHECK_EQ(c, 0);
    p[PAGE] = 6;
    CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
    CHECK_EQ(c, 6);
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERR(madvise(q, PAGE, MADV_REMOVE), EINVAL);
}

static volatile void *bus_at;

static void on_bus(int signo, siginfo_t *info, void *context)
{
    (void)context;
    bus_at = info->si_addr;
    _exit(signo == SIGBUS && info->si_code == BUS_ADRERR ? 9 : 1);
}

/* Also where the page was used before the file shrank. */
TEST(a_shrunken_file_is_a_bus_error)
{
    int fd = memfd_create("f", 0);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    volatile char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[PAGE] = 1;
    CHECK_EQ(ftruncate(fd, PAGE / 2), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction a = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
        CHECK_EQ(sigaction(SIGBUS, &a, NULL), 0);
        p[PAGE - 1] = 1; /* the rest of the last page is there */
        _exit(p[PAGE]);
    }
    CHECK_EXIT(pid, 9);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    CHECK_EQ(p[PAGE], 0);
}

TEST(another_process_shrinks_a_mapped_file)
{
    int fd = memfd_create("f", 0), go[2];
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    CHECK_EQ(pipe(go), 0);
    volatile char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        p[0] = p[PAGE] = 1;
        CHECK_EQ(read(go[0], &c, 1), 1);
        p[0] = 2;
        CHECK_ERR(write(go[1], (const char *)p + PAGE, 1), EFAULT);
        _exit(p[PAGE]);
    }
    while (p[PAGE] == 0) {
        guest_nap(1);
    }
    CHECK_EQ(ftruncate(fd, PAGE), 0);
    CHECK_EQ(write(go[1], "x", 1), 1);
    CHECK_KILLED(pid, SIGBUS);
    CHECK_EQ(p[0], 2);
}

static const struct guest_test tests[] = {
    ENTRY(private_is_copied_by_fork),
    ENTRY(shared_is_seen_by_both),
    ENTRY(parent_write_after_fork_is_unseen),
    ENTRY(shared_over_two_generations),
    ENTRY(mapped_file_and_write_agree),
    ENTRY(private_mapping_sees_file_until_written),
    ENTRY(mapping_outlives_close_and_unlink),
    ENTRY(tail_of_last_page_is_zero),
    ENTRY(beyond_end_raises_bus),
    ENTRY(truncation_takes_pages_away),
    ENTRY(offset_mapping),
    ENTRY(two_mappings_of_one_file),
    ENTRY(shared_file_over_exec_free_processes),
    ENTRY(memfd),
    ENTRY(sysv_segment),
    ENTRY(sysv_errors),
    ENTRY(dev_zero_and_proc_self_mem),
    ENTRY(wipe_of_large_fork),
    ENTRY(children_do_not_get_what_advice_keeps),
    ENTRY(removed_pages_are_holes),
    ENTRY(a_shrunken_file_is_a_bus_error),
    ENTRY(another_process_shrinks_a_mapped_file),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
