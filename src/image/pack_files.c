/* Small injected files, packed in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/data_file.h"
#include "image/index_write.h"
#include "image/packdir.h"

static int add_contents(const struct image_pack_file *f, struct tree_inode *inode,
                        struct data_file *data, struct err *err)
{
    if (data_file_begin(data, f->len, err) < 0 ||
        (f->len && data_file_write(data, 0, f->data, f->len, err) < 0)) {
        return -1;
    }
    return data_file_end(data, inode, err);
}

static int add_file(const struct image_pack_file *f, int64_t mtime_s, struct tree *tree,
                    struct data_file *data, struct err *err)
{
    uint32_t type = f->mode & S_IFMT ? f->mode & S_IFMT : S_IFREG;
    char *path = tree_normalise(f->path, err);
    if (!path) {
        return -1;
    }
    struct tree_inode *inode = tree_inode_create(type | (f->mode & 07777));
    inode->mtime_s = mtime_s;
    int r = 0;
    if (type == S_IFREG) {
        r = add_contents(f, inode, data, err);
    } else if (type == S_IFLNK) {
        inode->mode |= 0777;
        inode->link = mem_strndup(f->data, f->len);
        r = inode->link[0] && strlen(inode->link) <= TREE_PATH_MAX
                ? 0
                : err_set(err, ERR_ENGINE, "link '%s' has no valid target", path);
    } else if (type != S_IFDIR) {
        r = err_set(err, ERR_ENGINE, "'%s' is of a kind that cannot be injected", path);
    }
    r = r < 0 ? r : tree_put(tree, path, inode, err);
    tree_inode_put(inode);
    free(path);
    return r;
}

static int write_all(int fd, const char *data, size_t len, struct err *err)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return err_errno(err, errno, "cannot write a packed image");
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

struct image *image_pack_files(const struct image_pack_file *files, size_t count, int64_t mtime_s,
                               struct err *err)
{
    struct tree tree;
    struct data_file data;
    struct pack_data sealed;
    cleanup_buf struct buf index = {0};
    cleanup_close int data_fd = memfd_create("everett-pack-data", MFD_CLOEXEC);
    cleanup_close int index_fd = memfd_create("everett-pack-index", MFD_CLOEXEC);
    if (data_fd < 0 || index_fd < 0) {
        err_errno(err, errno, "cannot create a packed image in memory");
        return NULL;
    }
    tree_init(&tree);
    tree.root->mtime_s = mtime_s;
    data_file_init(&data, data_fd, image_limits_default().bytes_max);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = add_file(&files[i], mtime_s, &tree, &data, err);
    }
    r = r < 0 ? r : data_file_seal(&data, &sealed, err);
    r = r < 0 ? r : index_write(&tree, &sealed, 1, &index, err);
    r = r < 0 ? r : write_all(index_fd, index.data, index.len, err);
    data_file_fini(&data);
    tree_fini(&tree);
    if (r < 0) {
        return NULL;
    }
    int *fds = mem_zalloc(sizeof *fds);
    fds[0] = data_fd;
    int taken = index_fd;
    data_fd = index_fd = -1;
    return image_adopt(taken, fds, 1, err);
}
