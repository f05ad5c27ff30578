/* A machine whose node has a small packed image, up and ready for file calls. */
#ifndef EVERETT_TESTS_VFS_FIXTURE_H
#define EVERETT_TESTS_VFS_FIXTURE_H

#include "fake_machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/vfs/inode.h"

/* The image, by inode number:
 *   1 /                   5 /data/seed "seed\n"         9 /hard1 = /hard2 "hard"
 *   2 /bin                6 /etc                       10 /tmp 01777
 *   3 /bin/sh 10000 bytes 7 /etc/link -> passwd
 *   4 /data 0750 uid 7    8 /etc/passwd "root:x:0:0\n" */
#define IMAGE_INODES 10u
#define SH_BYTES     10000u
unsigned char image_sh_byte(uint32_t i); /* contents of /bin/sh */

struct fake_machine *fixture_create(void);
void fixture_destroy(struct fake_machine *fm);
/* Node down and up again, with a fresh file system context for the task. */
void fixture_restart(struct fake_machine *fm);
/* The plan gets one more mount before the machine is made (at most 8). */
struct fixture_mount {
    uint32_t kind, source;
    const char *target, *subpath;
    uint32_t read_only;
    uint64_t size_bytes;
};
struct fake_machine *fixture_create_with(const struct fixture_mount *mounts, uint32_t count,
                                         uint32_t volumes);

/* A call whose first arguments are paths is written with STR(): the text is copied to the guest. */
extern struct fake_machine *fixture;
#define STR(s)          (fake_guest_str(fixture, (s)).va)
#define CALL(name, ...) fake_call(fixture, sys_##name, __VA_ARGS__)
int open_file(const char *path, int flags, int mode);
/* Whole-buffer helpers; bytes moved or -errno. */
int64_t write_fd(int fd, const void *data, size_t n);
int64_t read_fd(int fd, void *data, size_t n);
int64_t pread_fd(int fd, void *data, size_t n, uint64_t off);
int64_t pwrite_fd(int fd, const void *data, size_t n, uint64_t off);
/* stat(2) without following a last link. 0 or -errno. */
int stat_path(const char *path, struct stat *out);
/* Names of a directory in the order of getdents64, joined by spaces, without . and .. */
const char *list_dir(const char *path);

#endif
