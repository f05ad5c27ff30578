#include "image/index_write.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

struct writer {
    struct tree_inode **inodes; /* by number; element 0 is inode 1 */
    size_t inode_count, inode_cap;
    struct buf inode_bytes, dirents, xattrs, patches, strings;
    uint32_t *nlinks; /* by number - 1 */
};

/* Depth first, names in order, a number at the first visit. No deeper than TREE_DEPTH_MAX. */
static void number(struct writer *w, struct tree_inode *inode)
{
    *ARRAY_PUSH(w->inodes, w->inode_count, w->inode_cap) = inode;
    inode->ino = (uint32_t)w->inode_count;
    if (!S_ISDIR(inode->mode)) {
        return;
    }
    struct tree_dirent **entries = tree_entries(inode);
    for (uint32_t i = 0; i < inode->child_count; i++) {
        if (!entries[i]->inode->ino) {
            number(w, entries[i]->inode);
        }
    }
    free(entries);
}

static void reset_numbers(struct tree_inode *inode)
{
    inode->ino = 0;
    if (S_ISDIR(inode->mode)) {
        struct tree_dirent **entries = tree_entries(inode);
        for (uint32_t i = 0; i < inode->child_count; i++) {
            reset_numbers(entries[i]->inode);
        }
        free(entries);
    }
}

static uint64_t add_string(struct writer *w, const void *s, size_t len)
{
    uint64_t off = w->strings.len;
    buf_append(&w->strings, s, len);
    buf_putc(&w->strings, '\0');
    return off;
}

static void add_dirents(struct writer *w, const struct tree_inode *dir, struct pack_inode *out)
{
    struct tree_dirent **entries = tree_entries(dir);
    out->dir.first = (uint32_t)(w->dirents.len / sizeof(struct pack_dirent));
    out->dir.count = dir->child_count;
    out->nlink = 2;
    for (uint32_t i = 0; i < dir->child_count; i++) {
        struct pack_dirent d = {.name_len = (uint32_t)strlen(entries[i]->name),
                                .ino = entries[i]->inode->ino};
        d.name_off = add_string(w, entries[i]->name, d.name_len);
        buf_append(&w->dirents, &d, sizeof d);
        w->nlinks[d.ino - 1]++;
        out->nlink += S_ISDIR(entries[i]->inode->mode);
    }
    free(entries);
}

static int compare_xattr(const void *a, const void *b)
{
    return strcmp(((const struct tree_xattr *)a)->name, ((const struct tree_xattr *)b)->name);
}

static void add_xattrs(struct writer *w, struct tree_inode *inode, struct pack_inode *out)
{
    out->xattr_first = (uint32_t)(w->xattrs.len / sizeof(struct pack_xattr));
    out->xattr_count = (uint32_t)inode->xattr_count;
    if (inode->xattr_count) {
        qsort(inode->xattrs, inode->xattr_count, sizeof *inode->xattrs, compare_xattr);
    }
    for (size_t i = 0; i < inode->xattr_count; i++) {
        const struct tree_xattr *x = &inode->xattrs[i];
        struct pack_xattr p = {.name_len = (uint32_t)strlen(x->name), .value_len = x->len};
        p.name_off = add_string(w, x->name, p.name_len);
        p.value_off = add_string(w, x->value, x->len);
        buf_append(&w->xattrs, &p, sizeof p);
    }
}

static void add_inode(struct writer *w, struct tree_inode *inode)
{
    struct pack_inode out = {
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .mtime_s = inode->mtime_s,
        .mtime_ns = inode->mtime_ns,
        .rdev_major = inode->rdev_major,
        .rdev_minor = inode->rdev_minor,
    };
    if (S_ISDIR(inode->mode)) {
        out.size = PACK_PAGE;
        out.parent = inode->parent->ino;
        add_dirents(w, inode, &out);
    } else if (S_ISREG(inode->mode)) {
        out.size = inode->size;
        out.reg.data = inode->data;
        out.reg.page = inode->page;
    } else if (S_ISLNK(inode->mode)) {
        out.size = strlen(inode->link);
        out.link.off = add_string(w, inode->link, out.size);
    }
    add_xattrs(w, inode, &out);
    out.patch_first = (uint32_t)(w->patches.len / sizeof(struct pack_patch));
    out.patch_count = (uint32_t)inode->patch_count;
    buf_append(&w->patches, inode->patches, inode->patch_count * sizeof(struct pack_patch));
    buf_append(&w->inode_bytes, &out, sizeof out);
}

static uint64_t place(struct buf *out, const void *data, size_t len)
{
    static const char zeros[8];
    uint64_t off = out->len;
    if (len) {
        buf_append(out, data, len);
        buf_append(out, zeros, round_up_u64(out->len, 8) - out->len);
    }
    return off;
}

static void assemble(struct writer *w, const struct pack_data *data, size_t data_count,
                     struct buf *out)
{
    struct pack_header h = {
        .inode_count = (uint32_t)w->inode_count,
        .dirent_count = (uint32_t)(w->dirents.len / sizeof(struct pack_dirent)),
        .xattr_count = (uint32_t)(w->xattrs.len / sizeof(struct pack_xattr)),
        .patch_count = (uint32_t)(w->patches.len / sizeof(struct pack_patch)),
        .data_count = (uint32_t)data_count,
        .strings_len = w->strings.len,
    };
    memcpy(h.magic, PACK_MAGIC, sizeof h.magic);
    buf_append(out, &h, sizeof h);
    h.inodes_off = place(out, w->inode_bytes.data, w->inode_bytes.len);
    h.dirents_off = place(out, w->dirents.data, w->dirents.len);
    h.xattrs_off = place(out, w->xattrs.data, w->xattrs.len);
    h.patches_off = place(out, w->patches.data, w->patches.len);
    h.data_off = place(out, data, data_count * sizeof *data);
    h.strings_off = place(out, w->strings.data, w->strings.len);
    h.total_len = out->len;
    memcpy(out->data, &h, sizeof h);
}

int index_write(struct tree *tree, const struct pack_data *data, size_t data_count, struct buf *out,
                struct err *err)
{
    struct writer w = {0};
    ASSERT(out->len == 0);
    reset_numbers(tree->root);
    number(&w, tree->root);
    w.nlinks = mem_zalloc(w.inode_count * sizeof *w.nlinks);
    for (size_t i = 0; i < w.inode_count; i++) {
        add_inode(&w, w.inodes[i]);
    }
    for (size_t i = 0; i < w.inode_count; i++) {
        if (!S_ISDIR(w.inodes[i]->mode)) {
            struct pack_inode *p = (struct pack_inode *)(void *)w.inode_bytes.data + i;
            p->nlink = w.nlinks[i];
        }
    }
    int r = 0;
    if (w.inode_count > UINT32_MAX || w.dirents.len / sizeof(struct pack_dirent) > UINT32_MAX ||
        w.xattrs.len / sizeof(struct pack_xattr) > UINT32_MAX ||
        w.patches.len / sizeof(struct pack_patch) > UINT32_MAX) {
        r = err_set(err, ERR_USAGE, "the image has more entries than a packed image can hold");
    } else {
        assemble(&w, data, data_count, out);
    }
    free(w.inodes);
    free(w.nlinks);
    buf_free(&w.inode_bytes);
    buf_free(&w.dirents);
    buf_free(&w.xattrs);
    buf_free(&w.patches);
    buf_free(&w.strings);
    return r;
}
