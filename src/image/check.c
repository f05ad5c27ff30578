/* image_check: verifies an INDEX file before anything in it is used. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "image/image.h"

struct check {
    const char *base;
    const struct pack_header *h;
    uint32_t *links; /* owned; directory entries that name each inode */
    struct err *err;
};

static int bad(struct check *c, const char *what, uint64_t number)
{
    return err_set(c->err, ERR_USAGE, "packed image is damaged: %s (%llu)", what,
                   (unsigned long long)number);
}

static bool section(const struct check *c, uint64_t off, uint64_t count, uint64_t size)
{
    return off % 8 == 0 && off >= sizeof *c->h && off <= c->h->total_len &&
           count <= (c->h->total_len - off) / size;
}

static int check_header(struct check *c, size_t len)
{
    const struct pack_header *h = c->h;
    if (len < sizeof *h || memcmp(h->magic, PACK_MAGIC, sizeof h->magic) != 0) {
        return bad(c, "not a packed image of this version", len);
    }
    if (h->total_len != len || h->reserved) {
        return bad(c, "length", h->total_len);
    }
    if (!section(c, h->inodes_off, h->inode_count, sizeof(struct pack_inode)) ||
        !section(c, h->dirents_off, h->dirent_count, sizeof(struct pack_dirent)) ||
        !section(c, h->xattrs_off, h->xattr_count, sizeof(struct pack_xattr)) ||
        !section(c, h->patches_off, h->patch_count, sizeof(struct pack_patch)) ||
        !section(c, h->data_off, h->data_count, sizeof(struct pack_data)) ||
        !section(c, h->strings_off, h->strings_len, 1)) {
        return bad(c, "a section leaves the file", 0);
    }
    return h->inode_count ? 0 : bad(c, "no root", 0);
}

static const void *at(const struct check *c, uint64_t off)
{
    return c->base + off;
}

static const struct pack_inode *inode(const struct check *c, uint32_t ino)
{
    return (const struct pack_inode *)at(c, c->h->inodes_off) + (ino - 1);
}

/* `len` bytes and a NUL within the string area; `text`: no other NUL. */
static bool string_ok(const struct check *c, uint64_t off, uint64_t len, bool text)
{
    const char *s = at(c, c->h->strings_off);
    if (off >= c->h->strings_len || len >= c->h->strings_len - off || s[off + len] != '\0') {
        return false;
    }
    return !text || !memchr(s + off, '\0', len);
}

static const char *name(const struct check *c, const struct pack_dirent *d)
{
    return (const char *)at(c, c->h->strings_off) + d->name_off;
}

static int check_dir(struct check *c, uint32_t ino, const struct pack_inode *dir)
{
    const struct pack_dirent *all = at(c, c->h->dirents_off), *prev = NULL;
    if (dir->dir.first > c->h->dirent_count ||
        dir->dir.count > c->h->dirent_count - dir->dir.first) {
        return bad(c, "directory entries out of range", ino);
    }
    for (uint32_t i = 0; i < dir->dir.count; i++) {
        const struct pack_dirent *d = &all[dir->dir.first + i];
        if (!d->ino || d->ino > c->h->inode_count || !d->name_len || d->name_len > 255 ||
            !string_ok(c, d->name_off, d->name_len, true)) {
            return bad(c, "directory entry", dir->dir.first + i);
        }
        const char *s = name(c, d);
        if (memchr(s, '/', d->name_len) || strcmp(s, ".") == 0 || strcmp(s, "..") == 0) {
            return bad(c, "directory entry name", dir->dir.first + i);
        }
        if (prev && strcmp(name(c, prev), s) >= 0) {
            return bad(c, "order of directory entries", dir->dir.first + i);
        }
        /* The numbering (parents first) rules out cycles and directories in two places. */
        const struct pack_inode *child = inode(c, d->ino);
        if (S_ISDIR(child->mode) && (child->parent != ino || d->ino <= ino)) {
            return bad(c, "parent of a directory", d->ino);
        }
        c->links[d->ino - 1]++;
        prev = d;
    }
    return 0;
}

static int check_file(struct check *c, uint32_t ino, const struct pack_inode *file)
{
    const struct pack_data *data = at(c, c->h->data_off);
    if (!file->size) {
        return 0;
    }
    if (file->reg.data >= c->h->data_count || file->size > UINT64_MAX - PACK_PAGE) {
        return bad(c, "data file of an inode", ino);
    }
    uint64_t pages = (file->size + PACK_PAGE - 1) / PACK_PAGE;
    uint64_t have = data[file->reg.data].pages;
    if (file->reg.page > have || pages > have - file->reg.page) {
        return bad(c, "pages of an inode", ino);
    }
    return 0;
}

static int check_patches(struct check *c, uint32_t ino, const struct pack_inode *file)
{
    const struct pack_patch *all = at(c, c->h->patches_off);
    if (file->patch_first > c->h->patch_count ||
        file->patch_count > c->h->patch_count - file->patch_first) {
        return bad(c, "patches out of range", ino);
    }
    if (file->patch_count && !S_ISREG(file->mode)) {
        return bad(c, "patches of something that is no file", ino);
    }
    uint64_t free_from = 0;
    for (uint32_t i = 0; i < file->patch_count; i++) {
        const struct pack_patch *p = &all[file->patch_first + i];
        bool forward = p->form == PACK_PATCH_FORWARD && p->length >= 5 && p->length <= 20;
        bool jump = p->form == PACK_PATCH_SHORT && !p->length;
        bool trap = p->form == PACK_PATCH_TRAP && p->length >= 3 && p->length <= PACK_TRAP_MAX;
        uint64_t len = jump ? 2 : p->length;
        if (!(forward || jump || trap) || p->offset < free_from || p->offset > file->size ||
            len > file->size - p->offset) {
            return bad(c, "patch of an inode", ino);
        }
        int64_t slot = (int64_t)p->offset + 2 + p->delta;
        if (jump &&
            (slot < 0 || (uint64_t)slot + 5 > file->size || (p->delta < 0 && p->delta > -7))) {
            return bad(c, "patch of an inode", ino);
        }
        free_from = p->offset + len;
    }
    return 0;
}

static int check_xattrs(struct check *c, uint32_t ino, const struct pack_inode *i)
{
    const struct pack_xattr *all = at(c, c->h->xattrs_off);
    if (i->xattr_first > c->h->xattr_count || i->xattr_count > c->h->xattr_count - i->xattr_first) {
        return bad(c, "attributes out of range", ino);
    }
    for (uint32_t k = 0; k < i->xattr_count; k++) {
        const struct pack_xattr *x = &all[i->xattr_first + k];
        if (!x->name_len || !string_ok(c, x->name_off, x->name_len, true) ||
            !string_ok(c, x->value_off, x->value_len, false)) {
            return bad(c, "attribute", i->xattr_first + k);
        }
        const char *text = at(c, c->h->strings_off);
        if (k && strcmp(text + x[-1].name_off, text + x->name_off) >= 0) {
            return bad(c, "order of attributes", i->xattr_first + k);
        }
    }
    return 0;
}

static int check_inode(struct check *c, uint32_t ino)
{
    const struct pack_inode *i = inode(c, ino);
    int r;
    if (i->mtime_ns >= 1000000000u) {
        return bad(c, "time of an inode", ino);
    }
    switch (i->mode & S_IFMT) {
    case S_IFDIR:
        r = check_dir(c, ino, i);
        break;
    case S_IFREG:
        r = check_file(c, ino, i);
        break;
    case S_IFLNK:
        r = i->size && i->size < 4096 && string_ok(c, i->link.off, i->size, true)
                ? 0
                : bad(c, "symbolic link", ino);
        break;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        r = 0;
        break;
    default:
        r = bad(c, "kind of an inode", ino);
    }
    r = r < 0 ? r : check_patches(c, ino, i);
    return r < 0 ? r : check_xattrs(c, ino, i);
}

static int check_links(struct check *c)
{
    const struct pack_inode *root = inode(c, PACK_ROOT_INO);
    if (!S_ISDIR(root->mode) || root->parent != PACK_ROOT_INO || c->links[0]) {
        return bad(c, "root", 0);
    }
    for (uint32_t ino = 2; ino <= c->h->inode_count; ino++) {
        const struct pack_inode *i = inode(c, ino);
        uint32_t links = c->links[ino - 1];
        if (S_ISDIR(i->mode) ? links != 1 : !links || links != i->nlink) {
            return bad(c, "number of links of an inode", ino);
        }
    }
    return 0;
}

int image_check(const void *index, size_t len, struct err *err)
{
    struct check c = {.base = index, .h = index, .err = err};
    if (check_header(&c, len) < 0) {
        return -1;
    }
    c.links = mem_zalloc((size_t)c.h->inode_count * sizeof *c.links);
    int r = 0;
    for (uint32_t ino = 1; r == 0 && ino <= c.h->inode_count; ino++) {
        r = check_inode(&c, ino);
    }
    r = r < 0 ? r : check_links(&c);
    free(c.links);
    return r;
}
