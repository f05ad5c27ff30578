/* File helpers of the run directory. */
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

int files_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int files_errno(struct err *err, int host_errno, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = mem_vprintf(fmt, ap);
    va_end(ap);
    err_errno(err, host_errno, "%s", what);
    free(what);
    if (host_errno == ENOSPC || host_errno == EDQUOT || host_errno == EFBIG) {
        err_hint(err, "every universe that had finished is kept; free some space, or choose "
                      "another place with --out");
    }
    return -1;
}

int files_sync_parent(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *dir =
        slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) {
        return files_errno(err, errno, "cannot sync directory %s", dir);
    }
    return 0;
}

int files_replace(const char *path, const void *data, size_t len, struct err *err)
{
    cleanup_buf struct buf part = {0};
    buf_printf(&part, "%s.part", path);
    cleanup_close int fd = open(part.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return files_errno(err, errno, "cannot create %s", part.data);
    }
    if (files_write_all(fd, data, len) || fsync(fd) || rename(part.data, path)) {
        int saved = errno;
        unlink(part.data);
        return files_errno(err, saved, "cannot write %s", path);
    }
    return files_sync_parent(path, err);
}

int files_read(const char *path, struct buf *out, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, errno, "cannot open %s", path);
    }
    for (;;) {
        buf_reserve(out, 65536);
        ssize_t n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(err, errno, "cannot read %s", path);
        }
        out->len += (size_t)n;
        out->data[out->len] = 0;
        if (n == 0) {
            return 0;
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

int files_remove_tree(const char *path)
{
    enum { DIRECTORIES_OPEN_MAX = 16 };
    struct stat st;
    if (lstat(path, &st)) {
        return errno == ENOENT ? 0 : -1;
    }
    return nftw(path, remove_one, DIRECTORIES_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}
