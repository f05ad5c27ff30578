#include "image/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/image.h"

#define DEPTH_MAX 100u

struct extract {
    const struct image *image;
    const struct image_extract_limits *limits;
    uint64_t bytes;
    uint32_t entries;
    struct err *err;
};

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int copy_contents(const struct extract *x, const struct pack_inode *i, int fd,
                         const char *name)
{
    char chunk[65536];
    for (uint64_t done = 0; done < i->size;) {
        size_t want = (size_t)min_u64(sizeof chunk, i->size - done);
        ssize_t n = pread(x->image->data_fds[i->reg.data], chunk, want,
                          (off_t)(i->reg.page * PACK_PAGE + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || write_all(fd, chunk, (size_t)n)) {
            return err_errno(x->err, n == 0 ? EIO : errno, "cannot copy %s out of the image", name);
        }
        done += (uint64_t)n;
    }
    return 0;
}

static int put_file(struct extract *x, const struct pack_inode *i, int dirfd, const char *name)
{
    if (i->size > x->limits->bytes_max - x->bytes) {
        return err_set(x->err, ERR_USAGE, "the image holds more than %" PRIu64 " bytes",
                       x->limits->bytes_max);
    }
    x->bytes += i->size;
    cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                  (i->mode & 0777) | 0600);
    if (fd < 0) {
        return err_errno(x->err, errno, "cannot write %s", name);
    }
    return copy_contents(x, i, fd, name);
}

static int put_tree(struct extract *x, uint32_t ino, int dirfd, unsigned depth);

static int put_dir(struct extract *x, uint32_t ino, int dirfd, const char *name, unsigned depth)
{
    if (mkdirat(dirfd, name, (image_inode(x->image, ino)->mode & 0777) | 0700)) {
        return err_errno(x->err, errno, "cannot make directory %s", name);
    }
    cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(x->err, errno, "cannot open directory %s", name);
    }
    return put_tree(x, ino, fd, depth + 1);
}

static int put_entry(struct extract *x, uint32_t ino, int dirfd, const char *name, unsigned depth)
{
    const struct pack_inode *i = image_inode(x->image, ino);
    if (++x->entries > x->limits->entries_max) {
        return err_set(x->err, ERR_USAGE, "the image holds more than %u files",
                       x->limits->entries_max);
    }
    switch (i->mode & S_IFMT) {
    case S_IFDIR:
        return put_dir(x, ino, dirfd, name, depth);
    case S_IFREG:
        return put_file(x, i, dirfd, name);
    case S_IFLNK:
        return symlinkat(image_string(x->image, i->link.off), dirfd, name)
                   ? err_errno(x->err, errno, "cannot make link %s", name)
                   : 0;
    default:
        return 0;
    }
}

/* A checked index has no cycles of directories, and names without slashes that are not "." or
 * ".."; the depth alone is open. */
static int put_tree(struct extract *x, uint32_t ino, int dirfd, unsigned depth)
{
    const struct pack_inode *dir = image_inode(x->image, ino);
    const struct pack_dirent *d = image_dirents(x->image, dir);
    if (depth > DEPTH_MAX) {
        return err_set(x->err, ERR_USAGE, "the image nests more than %u directories", DEPTH_MAX);
    }
    for (uint32_t i = 0; i < dir->dir.count; i++) {
        if (put_entry(x, d[i].ino, dirfd, image_string(x->image, d[i].name_off), depth)) {
            return -1;
        }
    }
    return 0;
}

int image_extract(const struct image *image, int dirfd, const struct image_extract_limits *limits,
                  struct err *err)
{
    struct extract x = {.image = image, .limits = limits, .err = err};
    return put_tree(&x, PACK_ROOT_INO, dirfd, 0);
}
