#include "compose/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "compose/pool.h"

/* Appends the components of `s` to `out`, each behind a '/'. Returns -1 when `..` meets the top
 * and `clamp` is false. */
static int walk(const char *s, bool clamp, struct buf *out)
{
    while (*s) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') {
            char *last = out->len ? strrchr(out->data, '/') : NULL;
            if (!last && !clamp) {
                return -1;
            }
            if (last) {
                out->len = (size_t)(last - out->data);
                out->data[out->len] = 0;
            }
        } else if (n && !(n == 1 && s[0] == '.')) {
            buf_putc(out, '/');
            buf_append(out, s, n);
        }
        s += n + (s[n] == '/');
    }
    return 0;
}

char *path_normalise(struct pool *pool, const char *absolute)
{
    struct buf out cleanup_buf = {0};
    walk(absolute, true, &out);
    return pool_strdup(pool, out.len ? out.data : "/");
}

char *path_below(struct pool *pool, const char *relative)
{
    struct buf out cleanup_buf = {0};
    if (walk(relative, false, &out)) {
        return NULL;
    }
    return pool_strdup(pool, out.len ? out.data + 1 : ".");
}

static int open_below(int dirfd, const char *path, uint64_t flags)
{
    if (dirfd < 0) {
        return -ENOENT;
    }
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int dir_read(int dirfd, const char *path, struct buf *out)
{
    int fd cleanup_close = open_below(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0) {
        return fd;
    }
    if (fstat(fd, &st)) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    }
    for (;;) {
        buf_reserve(out, 65536);
        ssize_t n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        out->len += (size_t)n;
        out->data[out->len] = 0;
        if (out->len > FILE_BYTES_MAX) {
            return -EFBIG;
        }
        if (n == 0) {
            return 0;
        }
    }
}

int dir_check(int dirfd, const char *path)
{
    int fd cleanup_close = open_below(dirfd, path, O_PATH);
    return fd < 0 ? fd : 0;
}
