#include "image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define RATIO_EXEMPT    (64u << 20)
#define WHITEOUT        ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define WHITEOUT_META   ".wh..wh." /* bookkeeping of old union file systems */

/* stored bytes -> [digest] -> decompressor -> [digest] -> tar reader */
struct pipeline {
    struct layer *layer;
    struct source_stream *stream;
    const struct image_limits *limits;
    struct digest blob, diff;
    struct archive *raw, *tar;
    struct err *err; /* filled by the callbacks */
    bool failed;
};

static la_ssize_t read_stored(struct archive *a, void *closure, const void **block)
{
    struct pipeline *p = closure;
    ssize_t n = source_stream_next(p->stream, block, p->err);
    if (n < 0) {
        p->failed = true;
        archive_set_error(a, EIO, "unreadable");
        return ARCHIVE_FATAL;
    }
    digest_update(&p->blob, *block, (size_t)n);
    p->layer->blob_len += (uint64_t)n;
    return n;
}

static la_ssize_t read_plain(struct archive *a, void *closure, const void **block)
{
    struct pipeline *p = closure;
    struct layer *l = p->layer;
    size_t len;
    la_int64_t off;
    int r;
    do {
        r = archive_read_data_block(p->raw, block, &len, &off);
    } while (r == ARCHIVE_OK && len == 0);
    if (r == ARCHIVE_EOF) {
        return 0;
    }
    if (r != ARCHIVE_OK && !p->failed) {
        const char *why = archive_error_string(p->raw);
        err_set(p->err, ERR_USAGE, "cannot decompress: %s", why ? why : "damaged");
        p->failed = true;
    }
    if (!p->failed) {
        digest_update(&p->diff, *block, len);
        l->diff_len += len;
        bool bomb = l->diff_len > RATIO_EXEMPT && l->diff_len / p->limits->ratio_max > l->blob_len;
        if (bomb || l->diff_len / 2 > p->limits->bytes_max) {
            err_set(p->err, ERR_USAGE,
                    "unpacks to far more than a layer should (%llu bytes so far)",
                    (unsigned long long)l->diff_len);
            p->failed = true;
        }
    }
    if (p->failed) {
        archive_set_error(a, EIO, "unreadable");
        return ARCHIVE_FATAL;
    }
    return (la_ssize_t)len;
}

static int tar_fail(struct pipeline *p)
{
    if (!p->failed) {
        const char *why = archive_error_string(p->tar);
        err_set(p->err, ERR_USAGE, "%s", why ? why : "damaged archive");
    }
    return -1;
}

static int pipeline_open(struct pipeline *p)
{
    struct archive_entry *e;
    digest_init(&p->blob);
    digest_init(&p->diff);
    p->raw = archive_read_new();
    p->tar = archive_read_new();
    ASSERT(p->raw && p->tar);
    archive_read_support_filter_gzip(p->raw);
    archive_read_support_filter_zstd(p->raw);
    archive_read_support_format_raw(p->raw);
    archive_read_support_format_tar(p->tar);
    if (archive_read_open(p->raw, p, NULL, read_stored, NULL) != ARCHIVE_OK ||
        archive_read_next_header(p->raw, &e) != ARCHIVE_OK) {
        if (!p->failed) {
            const char *why = archive_error_string(p->raw);
            err_set(p->err, ERR_USAGE, "cannot decompress: %s", why ? why : "empty or damaged");
        }
        return -1;
    }
    if (archive_read_open(p->tar, p, NULL, read_plain, NULL) != ARCHIVE_OK) {
        return tar_fail(p);
    }
    return 0;
}

static void pipeline_close(struct pipeline *p)
{
    archive_read_free(p->tar);
    archive_read_free(p->raw);
    digest_fini(&p->blob);
    digest_fini(&p->diff);
}

/* What follows the end of the archive counts for the digests. */
static int pipeline_drain(struct pipeline *p)
{
    uint8_t sum[DIGEST_LEN];
    const void *block;
    la_ssize_t n;
    while ((n = read_plain(p->tar, p, &block)) > 0) {
    }
    while (n == 0 && (n = read_stored(p->raw, p, &block)) > 0) {
        n = 0;
    }
    if (n < 0) {
        return -1;
    }
    digest_final(&p->blob, sum);
    digest_hex(sum, p->layer->blob);
    digest_final(&p->diff, sum);
    digest_hex(sum, p->layer->diff);
    return 0;
}

static struct layer_change *push(struct layer *l, enum layer_change_kind kind, char *path)
{
    struct layer_change *c = ARRAY_PUSH(l->changes, l->count, l->cap);
    c->kind = kind;
    c->path = path;
    return c;
}

/* 1: `path` was a whiteout and is recorded (or is bookkeeping to be left out); 0: it is not. Takes
 * `path` when it answers 1 or -1. */
static int read_whiteout(struct layer *l, char *path, struct err *err)
{
    char *slash = strrchr(path, '/');
    char *name = slash ? slash + 1 : path;
    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0) {
        return 0;
    }
    if (strcmp(name, WHITEOUT_OPAQUE) == 0) {
        *(slash ? slash : path) = '\0';
        push(l, LAYER_OPAQUE, path);
        return 1;
    }
    const char *hidden = name + strlen(WHITEOUT);
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0) {
        err_set(err, ERR_USAGE, "whiteout '%s' would remove its own directory", path);
        free(path);
        return -1;
    }
    if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0) {
        free(path);
        return 1;
    }
    memmove(name, hidden, strlen(hidden) + 1);
    push(l, LAYER_WHITEOUT, path);
    return 1;
}

/* Whether the kind of file can stand in an image. Sockets cannot be archived. */
static bool known_type(unsigned type)
{
    return type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK || type == AE_IFCHR ||
           type == AE_IFBLK || type == AE_IFIFO;
}

static int check_entry(struct archive_entry *e, const char *path, struct err *err)
{
    la_int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX) {
        return err_set(err, ERR_USAGE, "'%s' has an owner that Linux cannot have", path);
    }
    if (!known_type(archive_entry_filetype(e))) {
        return err_set(err, ERR_USAGE, "'%s' is of a kind that images cannot have", path);
    }
    if (archive_entry_size(e) < 0) {
        return err_set(err, ERR_USAGE, "'%s' has a negative size", path);
    }
    return 0;
}

static int read_symlink(struct archive_entry *e, const char *path, struct tree_inode *inode,
                        struct err *err)
{
    const char *target = archive_entry_symlink(e);
    if (!target || !*target || strlen(target) > TREE_PATH_MAX) {
        return err_set(err, ERR_USAGE, "symbolic link '%s' has an empty or overlong target", path);
    }
    inode->link = mem_strdup(target);
    return 0;
}

static int read_xattrs(struct archive_entry *e, const char *path, struct tree_inode *inode,
                       struct err *err)
{
    const char *name;
    const void *value;
    size_t len;
    archive_entry_xattr_reset(e);
    while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK) {
        if (!name || !*name || strlen(name) > TREE_NAME_MAX || len > 65536 ||
            inode->xattr_count >= TREE_XATTRS_MAX) { /* xattr(7) */
            return err_set(err, ERR_USAGE, "'%s' has an attribute that Linux cannot have", path);
        }
        tree_inode_set_xattr(inode, name, value, len);
    }
    return 0;
}

static int read_contents(struct pipeline *p, struct data_file *data, uint64_t size)
{
    if (data_file_begin(data, size, p->err) < 0) {
        return -1;
    }
    for (;;) {
        const void *block;
        size_t len;
        la_int64_t off;
        int r = archive_read_data_block(p->tar, &block, &len, &off);
        if (r == ARCHIVE_EOF) {
            return 0;
        }
        if (r != ARCHIVE_OK) {
            return tar_fail(p);
        }
        if (len && data_file_write(data, (uint64_t)off, block, len, p->err) < 0) {
            return -1;
        }
    }
}

static struct tree_inode *read_attributes(struct archive_entry *e)
{
    unsigned type = archive_entry_filetype(e);
    uint32_t perm = (uint32_t)archive_entry_perm(e) & 07777;
    struct tree_inode *inode = tree_inode_create(type | (type == AE_IFLNK ? 0777 : perm));
    inode->uid = (uint32_t)archive_entry_uid(e);
    inode->gid = (uint32_t)archive_entry_gid(e);
    inode->mtime_s = archive_entry_mtime(e);
    inode->mtime_ns = (uint32_t)archive_entry_mtime_nsec(e);
    if (type == AE_IFCHR || type == AE_IFBLK) {
        inode->rdev_major = (uint32_t)archive_entry_rdevmajor(e);
        inode->rdev_minor = (uint32_t)archive_entry_rdevminor(e);
    }
    return inode;
}

static int read_node(struct pipeline *p, struct archive_entry *e, struct layer_change *c,
                     struct data_file *data, uint32_t data_number)
{
    struct tree_inode *inode = c->inode = read_attributes(e);
    if (read_xattrs(e, c->path, inode, p->err) < 0) {
        return -1;
    }
    if (S_ISLNK(inode->mode)) {
        return read_symlink(e, c->path, inode, p->err);
    }
    if (!S_ISREG(inode->mode)) {
        return 0;
    }
    inode->data = data_number;
    if (read_contents(p, data, (uint64_t)archive_entry_size(e)) < 0 ||
        data_file_end(data, inode, p->err) < 0) {
        return err_wrap(p->err, "'%s'", c->path);
    }
    return 0;
}

static int read_entry(struct pipeline *p, struct archive_entry *e, struct data_file *data,
                      uint32_t data_number)
{
    const char *name = archive_entry_pathname(e);
    if (!name) {
        return err_set(p->err, ERR_USAGE, "an entry has a name that cannot be read");
    }
    char *path = tree_normalise(name, p->err);
    int r = path ? read_whiteout(p->layer, path, p->err) : -1;
    if (r != 0) {
        return r < 0 ? -1 : 0;
    }
    const char *target = archive_entry_hardlink(e);
    struct layer_change *c = push(p->layer, target ? LAYER_LINK : LAYER_PUT, path);
    if (target) {
        c->target = tree_normalise(target, p->err);
        return c->target ? 0 : -1;
    }
    return check_entry(e, path, p->err) < 0 ? -1 : read_node(p, e, c, data, data_number);
}

static int read_entries(struct pipeline *p, struct data_file *data, uint32_t data_number)
{
    struct archive_entry *e;
    for (uint64_t n = 0;; n++) {
        int r = archive_read_next_header(p->tar, &e);
        if (r == ARCHIVE_EOF) {
            return 0;
        }
        if (r != ARCHIVE_OK) {
            /* Warnings included: they mean that a name or attribute was not understood. */
            return tar_fail(p);
        }
        if (n >= p->limits->entries_max) {
            return err_set(p->err, ERR_USAGE, "more than %llu entries",
                           (unsigned long long)p->limits->entries_max);
        }
        if (read_entry(p, e, data, data_number) < 0) {
            return -1;
        }
    }
}

int layer_read(struct layer *layer, struct source_stream *stream, struct data_file *data,
               uint32_t data_number, const struct image_limits *limits, struct err *err)
{
    *layer = (struct layer){0};
    /* libarchive brings names from UTF-8 into the character set of the thread's locale; in C that
     * would turn every other letter into '?'. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!utf8) {
        err_set(err, ERR_HOST, "the host has no locale C.UTF-8");
        return err_hint(err, "install the locale (Debian: libc-bin) and try again");
    }
    locale_t before = uselocale(utf8);
    struct pipeline p = {.layer = layer, .stream = stream, .limits = limits, .err = err};
    int r = pipeline_open(&p);
    r = r < 0 ? r : read_entries(&p, data, data_number);
    r = r < 0 ? r : pipeline_drain(&p);
    pipeline_close(&p);
    uselocale(before);
    freelocale(utf8);
    if (r < 0) {
        layer_fini(layer);
    }
    return r;
}

void layer_fini(struct layer *layer)
{
    for (size_t i = 0; i < layer->count; i++) {
        free(layer->changes[i].path);
        free(layer->changes[i].target);
        tree_inode_put(layer->changes[i].inode);
    }
    free(layer->changes);
    *layer = (struct layer){0};
}

static int apply_link(const struct layer_change *c, struct tree *tree, struct err *err)
{
    struct tree_inode *inode = tree_find(tree, c->target);
    if (!inode || S_ISDIR(inode->mode)) {
        return err_set(err, ERR_USAGE, "hard link '%s' points to '%s', which is %s", c->path,
                       c->target, inode ? "a directory" : "not in the image");
    }
    tree_inode_get(inode); /* putting the link may remove the entry it was found by */
    int r = tree_put(tree, c->path, inode, err);
    tree_inode_put(inode);
    return r;
}

int layer_apply(const struct layer *layer, struct tree *tree, struct err *err)
{
    for (size_t i = 0; i < layer->count; i++) {
        const struct layer_change *c = &layer->changes[i];
        if (c->kind == LAYER_WHITEOUT) {
            tree_remove(tree, c->path);
        } else if (c->kind == LAYER_OPAQUE) {
            tree_remove_children(tree, c->path);
        }
    }
    for (size_t i = 0; i < layer->count; i++) {
        const struct layer_change *c = &layer->changes[i];
        int r = 0;
        if (c->kind == LAYER_PUT) {
            r = tree_put(tree, c->path, c->inode, err);
        } else if (c->kind == LAYER_LINK) {
            r = apply_link(c, tree, err);
        }
        if (r < 0) {
            return -1;
        }
    }
    return 0;
}
