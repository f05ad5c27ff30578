/* An image that is open for use: its packed tree mapped, its data files open. */
#ifndef EVERETT_IMAGE_IMAGE_H
#define EVERETT_IMAGE_IMAGE_H

#include "abi/pack.h"
#include "image/config.h"
#include "image/record.h"
#include "image/store.h"

struct image {
    struct image_record record;
    struct image_config config; /* empty for packed directories and files */
    int index_fd;               /* owned; read-only, `index_len` bytes */
    const void *index;          /* owned; abi/pack.h, checked */
    size_t index_len;
    int *data_fds; /* owned; read-only, one for each struct pack_data, in order */
    size_t data_count;
};

/* Opens what image_resolve finds. The files stay usable while they are open, even when the image is
 * removed from the store. NULL on error. */
struct image *image_open(struct image_store *store, const char *ref, struct err *err);
struct image *image_open_id(struct image_store *store, const char *id, struct err *err);
void image_close(struct image *image);

/* Checks every count, offset, order and reference of an index; nothing in it is trusted before.
 * ERR_USAGE naming what is wrong. */
int image_check(const void *index, size_t len, struct err *err);

/* Views into a checked index. */
static inline const struct pack_header *image_header(const struct image *image)
{
    return image->index;
}

const struct pack_inode *image_inode(const struct image *image, uint32_t ino);
const struct pack_dirent *image_dirents(const struct image *image, const struct pack_inode *dir);
const char *image_string(const struct image *image, uint64_t off);

/* Inode number at an absolute path, 0 when there is none (or too many symbolic links). Symbolic
 * links are followed inside the image, the last one when `follow` says so. */
uint32_t image_lookup(const struct image *image, const char *path, bool follow);

struct buf;
/* Appends the contents of a regular file. 1 read; 0 no such file; -1 not a regular file, or longer
 * than `len_max`. */
int image_read_file(const struct image *image, const char *path, uint64_t len_max, struct buf *out,
                    struct err *err);

/* Who a process runs as. */
struct image_user {
    uint32_t uid, gid;
    uint32_t *groups; /* owned; the primary group first, then supplementary ones ascending */
    size_t group_count, group_cap;
    char *home; /* owned; "/" when the image does not say */
};

/* Resolves "name|uid[:group|gid]" by the image's /etc/passwd and /etc/group as Docker does; ""
 * means root. Supplementary groups count only when no group is given. */
int image_user_init(struct image_user *user, const struct image *image, const char *spec,
                    struct err *err);
void image_user_fini(struct image_user *user);

/* For builders: wraps files that are complete. Takes all descriptors, on failure too. */
struct image *image_adopt(int index_fd, int *data_fds, size_t data_count, struct err *err);

#endif
