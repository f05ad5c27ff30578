/* Opening images and looking into them. */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/data_file.h"
#include "image/refs.h"
#include "image/tree.h"

static int map_index(struct image *image, struct err *err)
{
    struct stat st;
    if (fstat(image->index_fd, &st) < 0) {
        return err_errno(err, errno, "cannot read a packed image");
    }
    if (st.st_size < (off_t)sizeof(struct pack_header)) {
        return err_set(err, ERR_USAGE, "packed image is damaged: too short");
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, image->index_fd, 0);
    if (map == MAP_FAILED) {
        return err_errno(err, errno, "cannot map a packed image");
    }
    image->index = map;
    image->index_len = (size_t)st.st_size;
    return image_check(map, image->index_len, err);
}

static int check_data(const struct image *image, struct err *err)
{
    const struct pack_header *h = image_header(image);
    const struct pack_data *data = (const void *)((const char *)image->index + h->data_off);
    for (size_t i = 0; i < image->data_count; i++) {
        struct stat st;
        if (fstat(image->data_fds[i], &st) < 0) {
            return err_errno(err, errno, "cannot read data file %zu of an image", i);
        }
        if ((uint64_t)st.st_size != data[i].pages * PACK_PAGE) {
            return err_set(err, ERR_USAGE, "data file %zu of the image has the wrong length", i);
        }
    }
    return 0;
}

static struct image *image_create(int index_fd)
{
    struct image *image = mem_zalloc(sizeof *image);
    image->index_fd = index_fd;
    return image;
}

static int open_data(struct image *image, struct image_store *store, struct err *err)
{
    const struct pack_header *h = image_header(image);
    const struct pack_data *data = (const void *)((const char *)image->index + h->data_off);
    image->data_fds = mem_zalloc(h->data_count * sizeof *image->data_fds);
    for (uint32_t i = 0; i < h->data_count; i++) {
        char path[DATA_PATH_LEN];
        data_file_path(data[i].sha256, path);
        int fd = openat(image_store_dirfd(store), path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            err_errno(err, errno, "cannot open %s/%s", image_store_path(store), path);
            return err_hint(err, "load the image again");
        }
        image->data_fds[image->data_count++] = fd;
    }
    return check_data(image, err);
}

static int open_config(struct image *image, struct image_store *store, struct err *err)
{
    char path[sizeof "blobs/sha256/" + DIGEST_HEX];
    cleanup_buf struct buf text = {0};
    if (image->record.directory) {
        return image_config_init(&image->config, "{}", 2, err);
    }
    snprintf(path, sizeof path, "blobs/sha256/%s", image->record.id);
    int found = store_read_file(store, path, &text, err);
    if (found == 0) {
        err_set(err, ERR_HOST, "%s/%s is missing", image_store_path(store), path);
        return err_hint(err, "load the image again");
    }
    return found < 0 ? -1 : image_config_init(&image->config, text.data, text.len, err);
}

struct image *image_open_id(struct image_store *store, const char *id, struct err *err)
{
    char path[INDEX_PATH_LEN];
    struct image_record record;
    /* Held only while opening: a removal must not come between index and data files. */
    cleanup_close int lock = image_store_lock(store, IMAGE_STORE_SHARED, err);
    int found = lock < 0 ? -1 : image_record_read(store, id, &record, err);
    if (found == 0) {
        err_set(err, ERR_USAGE, "image sha256:%s is not in the store, or packed by another version",
                id);
        err_hint(err, "load it again: everett image load FILE");
    }
    if (found <= 0) {
        return NULL;
    }
    image_index_path(id, path);
    struct image *image =
        image_create(openat(image_store_dirfd(store), path, O_RDONLY | O_CLOEXEC));
    image->record = record;
    int r = image->index_fd < 0
                ? err_errno(err, errno, "cannot open %s/%s", image_store_path(store), path)
                : map_index(image, err);
    r = r < 0 ? r : open_data(image, store, err);
    r = r < 0 ? r : open_config(image, store, err);
    if (r < 0) {
        err_wrap(err, "image sha256:%.12s", id);
        image_close(image);
        return NULL;
    }
    return image;
}

struct image *image_open(struct image_store *store, const char *ref, struct err *err)
{
    char id[DIGEST_HEX];
    return image_resolve(store, ref, id, err) < 0 ? NULL : image_open_id(store, id, err);
}

struct image *image_adopt(int index_fd, int *data_fds, size_t data_count, struct err *err)
{
    struct image *image = image_create(index_fd);
    image->data_fds = data_fds;
    image->data_count = data_count;
    int r = map_index(image, err);
    if (r == 0 && image_header(image)->data_count != data_count) {
        r = err_set(err, ERR_ENGINE, "a packed image does not fit its data files");
    }
    r = r < 0 ? r : check_data(image, err);
    r = r < 0 ? r : image_config_init(&image->config, "{}", 2, err);
    if (r < 0) {
        image_close(image);
        return NULL;
    }
    return image;
}

void image_close(struct image *image)
{
    if (!image) {
        return;
    }
    if (image->index) {
        munmap((void *)(uintptr_t)image->index, image->index_len);
    }
    if (image->index_fd >= 0) {
        close(image->index_fd);
    }
    for (size_t i = 0; i < image->data_count; i++) {
        close(image->data_fds[i]);
    }
    free(image->data_fds);
    image_config_fini(&image->config);
    image_record_fini(&image->record);
    free(image);
}

const struct pack_inode *image_inode(const struct image *image, uint32_t ino)
{
    const struct pack_header *h = image_header(image);
    ASSERT(ino >= 1);
    ASSERT(ino <= h->inode_count);
    return (const struct pack_inode *)(const void *)((const char *)image->index + h->inodes_off) +
           (ino - 1);
}

const struct pack_dirent *image_dirents(const struct image *image, const struct pack_inode *dir)
{
    const struct pack_header *h = image_header(image);
    return (const struct pack_dirent *)(const void *)((const char *)image->index + h->dirents_off) +
           dir->dir.first;
}

const char *image_string(const struct image *image, uint64_t off)
{
    return (const char *)image->index + image_header(image)->strings_off + off;
}

static uint32_t find_child(const struct image *image, const struct pack_inode *dir,
                           const char *name)
{
    const struct pack_dirent *d = image_dirents(image, dir);
    uint32_t lo = 0, hi = dir->dir.count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = strcmp(image_string(image, d[mid].name_off), name);
        if (order == 0) {
            return d[mid].ino;
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return 0;
}

struct lookup {
    const struct image *image;
    unsigned links;
};

static uint32_t walk(struct lookup *l, uint32_t from, const char *path, bool follow);

static uint32_t walk_link(struct lookup *l, uint32_t dir, const struct pack_inode *link)
{
    const char *target = image_string(l->image, link->link.off);
    if (++l->links > TREE_LINKS_MAX) {
        return 0;
    }
    return walk(l, target[0] == '/' ? PACK_ROOT_INO : dir, target, true);
}

static uint32_t walk(struct lookup *l, uint32_t from, const char *path, bool follow)
{
    uint32_t at = from;
    while (*path) {
        char name[TREE_NAME_MAX + 1];
        size_t len = strcspn(path, "/");
        bool last = path[len + strspn(path + len, "/")] == '\0';
        if (len > TREE_NAME_MAX) {
            return 0;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        path += len + (path[len] == '/');
        const struct pack_inode *dir = image_inode(l->image, at);
        if (!len || strcmp(name, ".") == 0) {
            continue;
        }
        if (!S_ISDIR(dir->mode)) {
            return 0;
        }
        uint32_t next = strcmp(name, "..") == 0 ? dir->parent : find_child(l->image, dir, name);
        if (next && S_ISLNK(image_inode(l->image, next)->mode) && (!last || follow)) {
            next = walk_link(l, at, image_inode(l->image, next));
        }
        if (!next) {
            return 0;
        }
        at = next;
    }
    return at;
}

uint32_t image_lookup(const struct image *image, const char *path, bool follow)
{
    struct lookup l = {.image = image};
    return walk(&l, PACK_ROOT_INO, path, follow);
}

int image_read_file(const struct image *image, const char *path, uint64_t len_max, struct buf *out,
                    struct err *err)
{
    uint32_t ino = image_lookup(image, path, true);
    if (!ino) {
        return 0;
    }
    const struct pack_inode *i = image_inode(image, ino);
    if (!S_ISREG(i->mode)) {
        return err_set(err, ERR_USAGE, "%s in the image is not a regular file", path);
    }
    if (i->size > len_max) {
        return err_set(err, ERR_USAGE, "%s in the image is longer than %llu bytes", path,
                       (unsigned long long)len_max);
    }
    buf_reserve(out, i->size);
    for (uint64_t done = 0; done < i->size;) {
        ssize_t n = pread(image->data_fds[i->reg.data], out->data + out->len, i->size - done,
                          (off_t)(i->reg.page * PACK_PAGE + done));
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            return err_errno(err, n < 0 ? errno : EIO, "cannot read %s of the image", path);
        }
        done += n > 0 ? (uint64_t)n : 0;
        out->len += n > 0 ? (size_t)n : 0;
    }
    buf_append(out, "", 0); /* NUL-terminate */
    return 1;
}
