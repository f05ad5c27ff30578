/* A host directory as a packed image. */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/data_file.h"
#include "image/index_write.h"
#include "image/packdir.h"

#define COPY_LEN (128u << 10)

/* A file with more than one name, by host identity. */
struct hard_link {
    dev_t dev;
    ino_t ino;
    struct tree_inode *inode; /* holds a reference */
};

struct packer {
    struct image_pack_options options;
    struct image_limits limits;
    struct tree tree;
    struct data_file data;
    void *links; /* tsearch tree of struct hard_link; only looked up, never walked */
    uint64_t entries;
    char *buffer;
    struct err *err;
};

static int compare_link(const void *a, const void *b)
{
    const struct hard_link *x = a, *y = b;
    if (x->dev != y->dev) {
        return x->dev < y->dev ? -1 : 1;
    }
    return (x->ino > y->ino) - (x->ino < y->ino);
}

static void free_link(void *p)
{
    tree_inode_put(((struct hard_link *)p)->inode);
    free(p);
}

static int fail(struct packer *p, const char *path, const char *what)
{
    return err_errno(p->err, errno, "cannot %s %s", what, *path ? path : "the directory");
}

static struct tree_inode *known_link(struct packer *p, const struct stat *st)
{
    struct hard_link key = {.dev = st->st_dev, .ino = st->st_ino};
    void *hit = tfind(&key, &p->links, compare_link);
    return hit ? (*(struct hard_link **)hit)->inode : NULL;
}

static void note_link(struct packer *p, const struct stat *st, struct tree_inode *inode)
{
    struct hard_link *l = mem_zalloc(sizeof *l);
    l->dev = st->st_dev;
    l->ino = st->st_ino;
    l->inode = inode;
    tree_inode_get(inode);
    tsearch(l, &p->links, compare_link);
}

static struct tree_inode *attributes(const struct packer *p, const struct stat *st)
{
    struct tree_inode *inode = tree_inode_create(st->st_mode);
    inode->uid = p->options.keep_owner ? st->st_uid : p->options.uid;
    inode->gid = p->options.keep_owner ? st->st_gid : p->options.gid;
    inode->mtime_s = p->options.keep_mtime ? st->st_mtim.tv_sec : p->options.mtime_s;
    inode->mtime_ns = p->options.keep_mtime ? (uint32_t)st->st_mtim.tv_nsec : 0;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        inode->rdev_major = major(st->st_rdev);
        inode->rdev_minor = minor(st->st_rdev);
    }
    return inode;
}

/* Only what means something inside a container: user.* and file capabilities. */
static int copy_xattrs(struct packer *p, int fd, const char *path, struct tree_inode *inode)
{
    char names[4096];
    ssize_t len = flistxattr(fd, names, sizeof names);
    if (len < 0) {
        return errno == ENOTSUP ? 0 : fail(p, path, "list the attributes of");
    }
    for (const char *n = names; n < names + len; n += strlen(n) + 1) {
        if (strncmp(n, "user.", 5) != 0 && strcmp(n, "security.capability") != 0) {
            continue;
        }
        ssize_t size = fgetxattr(fd, n, p->buffer, COPY_LEN);
        if (size < 0) {
            return fail(p, path, "read an attribute of");
        }
        tree_inode_set_xattr(inode, n, p->buffer, (size_t)size);
    }
    return 0;
}

static int copy_contents(struct packer *p, int fd, const char *path, uint64_t size,
                         struct tree_inode *inode)
{
    if (data_file_begin(&p->data, size, p->err) < 0) {
        return err_wrap(p->err, "%s", path);
    }
    for (uint64_t off = 0; off < size;) {
        ssize_t n = read(fd, p->buffer, min_u64(COPY_LEN, size - off));
        if (n < 0 && errno != EINTR) {
            return fail(p, path, "read");
        }
        if (n == 0) {
            return err_set(p->err, ERR_HOST, "%s became shorter while it was read", path);
        }
        if (n > 0 && data_file_write(&p->data, off, p->buffer, (size_t)n, p->err) < 0) {
            return -1;
        }
        off += n > 0 ? (uint64_t)n : 0;
    }
    return data_file_end(&p->data, inode, p->err);
}

static int pack_regular(struct packer *p, int dirfd, const char *name, const char *path,
                        struct tree_inode *inode)
{
    struct stat st;
    cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return fail(p, path, "open");
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(p->err, ERR_HOST, "%s was replaced while it was read", path);
    }
    if (copy_xattrs(p, fd, path, inode) < 0) {
        return -1;
    }
    return copy_contents(p, fd, path, (uint64_t)st.st_size, inode);
}

static int pack_symlink(struct packer *p, int dirfd, const char *name, const char *path,
                        struct tree_inode *inode)
{
    ssize_t n = readlinkat(dirfd, name, p->buffer, TREE_PATH_MAX + 1);
    if (n <= 0 || n > (ssize_t)TREE_PATH_MAX) {
        errno = n < 0 ? errno : ENAMETOOLONG;
        return fail(p, path, "read the link");
    }
    inode->mode = S_IFLNK | 0777;
    inode->link = mem_strndup(p->buffer, (size_t)n);
    return 0;
}

static int pack_children(struct packer *p, int dirfd, const char *path, unsigned depth);

static int pack_subdir(struct packer *p, int dirfd, const char *name, const char *path,
                       unsigned depth)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return fail(p, path, "open");
    }
    return pack_children(p, fd, path, depth);
}

static int pack_entry(struct packer *p, int dirfd, const char *name, const char *path,
                      unsigned depth)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return fail(p, path, "look at");
    }
    if (S_ISSOCK(st.st_mode)) {
        return 0;
    }
    if (++p->entries > p->limits.entries_max || depth > TREE_DEPTH_MAX) {
        return err_set(p->err, ERR_USAGE, "%s: too many or too deeply nested files", path);
    }
    bool linked = !S_ISDIR(st.st_mode) && st.st_nlink > 1;
    struct tree_inode *inode = linked ? known_link(p, &st) : NULL;
    if (inode) {
        return tree_put(&p->tree, path, inode, p->err);
    }
    inode = attributes(p, &st);
    int r = 0;
    if (S_ISREG(st.st_mode)) {
        r = pack_regular(p, dirfd, name, path, inode);
    } else if (S_ISLNK(st.st_mode)) {
        r = pack_symlink(p, dirfd, name, path, inode);
    }
    r = r < 0 ? r : tree_put(&p->tree, path, inode, p->err);
    if (r == 0 && linked) {
        note_link(p, &st, inode);
    }
    tree_inode_put(inode);
    return r == 0 && S_ISDIR(st.st_mode) ? pack_subdir(p, dirfd, name, path, depth) : r;
}

static int not_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* bytewise, whatever the locale */
}

/* Takes `dirfd`. */
static int pack_children(struct packer *p, int dirfd, const char *path, unsigned depth)
{
    struct dirent **list = NULL;
    int count = scandirat(dirfd, ".", &list, not_dots, by_name);
    int r = count < 0 ? fail(p, path, "list") : 0;
    for (int i = 0; i < count; i++) {
        struct buf below = {0};
        buf_printf(&below, "%s%s%s", path, *path ? "/" : "", list[i]->d_name);
        r = r < 0 ? r : pack_entry(p, dirfd, list[i]->d_name, below.data, depth + 1);
        buf_free(&below);
        free(list[i]);
    }
    free(list);
    close(dirfd);
    return r;
}

static int pack_root(struct packer *p, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return fail(p, path, "open");
    }
    if (!S_ISDIR(st.st_mode)) {
        cleanup_free char *whole = realpath(path, NULL);
        if (!whole) {
            return fail(p, path, "open");
        }
        /* The name asked for, the contents behind it when it is a link. */
        const char *slash = strrchr(path, '/');
        return pack_entry(p, AT_FDCWD, whole, slash ? slash + 1 : path, 0);
    }
    struct tree_inode *root = attributes(p, &st);
    int r = tree_put(&p->tree, "", root, p->err);
    tree_inode_put(root);
    int fd = r < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return r < 0 ? r : fail(p, path, "open");
    }
    return pack_children(p, fd, "", 0);
}

static int pack_into(struct packer *p, struct image_store *store, const char *path,
                     struct store_tmp *tmp, struct image_record *record)
{
    struct pack_data data;
    cleanup_buf struct buf index = {0};
    char data_path[DATA_PATH_LEN], index_path[INDEX_PATH_LEN];
    uint8_t sum[DIGEST_LEN];
    if (pack_root(p, path) < 0) {
        return err_wrap(p->err, "%s", path);
    }
    if (data_file_seal(&p->data, &data, p->err) < 0 ||
        index_write(&p->tree, &data, 1, &index, p->err) < 0) {
        return -1;
    }
    digest_bytes(index.data, index.len, sum);
    digest_hex(sum, record->id);
    record->directory = true;
    record->data_len = data.pages * PACK_PAGE;
    struct image_layer_record *l =
        ARRAY_PUSH(record->layers, record->layer_count, record->layer_cap);
    digest_hex(data.sha256, l->data);
    data_file_path(data.sha256, data_path);
    image_index_path(record->id, index_path);
    if (store_tmp_commit(tmp, data_path, p->err) < 0 ||
        store_write_file(store, index_path, index.data, index.len, p->err) < 0) {
        return -1;
    }
    return image_record_write(store, record, p->err);
}

struct image *image_pack_dir(struct image_store *store, const char *path,
                             const struct image_pack_options *options, struct err *err)
{
    struct packer p = {.err = err};
    struct store_tmp tmp;
    struct image_record record = {0};
    p.options = options ? *options : (struct image_pack_options){0};
    p.limits = p.options.limits ? *p.options.limits : image_limits_default();
    cleanup_close int lock = image_store_lock(store, IMAGE_STORE_SHARED, err);
    if (lock < 0 || store_tmp_init(&tmp, store, err) < 0) {
        return NULL;
    }
    tree_init(&p.tree);
    data_file_init(&p.data, tmp.fd, p.limits.bytes_max);
    p.buffer = mem_zalloc(COPY_LEN);
    int r = pack_into(&p, store, path, &tmp, &record);
    store_tmp_fini(&tmp);
    tdestroy(p.links, free_link);
    tree_fini(&p.tree);
    data_file_fini(&p.data);
    free(p.buffer);
    struct image *image = r < 0 ? NULL : image_open_id(store, record.id, err);
    image_record_fini(&record);
    return image;
}
