/* memfd_create(2). */
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/mapping.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* since Linux 6.3 */
#define MFD_EXEC        0x0010u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#define MEMFD_NAME_MAX  249u /* NAME_MAX less "memfd:" */
#define O_LARGEFILE_BIT 0100000u

struct sysret sys_memfd_create(struct task *t, const struct sysargs *a)
{
    char name[6 + MEMFD_NAME_MAX + 1] = "memfd:";
    uint32_t flags = (uint32_t)a->a[1];
    const uint32_t known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if (flags & MFD_HUGETLB) {
        trace_unknown(t, "memfd_create flag MFD_HUGETLB", flags, 0, -ENOSYS);
        return sys_done(-ENOSYS); /* a kernel without hugetlbfs */
    }
    if (flags & ~known || (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL)) {
        return sys_done(-EINVAL);
    }
    int64_t n = user_read_str(t, name + 6, gaddr_of(a->a[0]), MEMFD_NAME_MAX + 1);
    if (n < 0) {
        return sys_done(n == -ENAMETOOLONG ? -EINVAL : n);
    }
    struct file *f = shmem_file_create(t->m, name, 0, O_RDWR | O_LARGEFILE_BIT);
    f->inode->uid = t->cred.fsuid;
    f->inode->gid = t->cred.fsgid;
    if (flags & MFD_NOEXEC_SEAL) {
        f->inode->mode &= ~0111u;
        f->inode->data->seals = F_SEAL_EXEC;
    } else if (!(flags & MFD_ALLOW_SEALING)) {
        f->inode->data->seals = F_SEAL_SEAL;
    }
    int fd = fd_install(t, f, 0, flags & MFD_CLOEXEC);
    if (fd < 0) {
        file_put(f);
    }
    return sys_done(fd);
}
