/* The read-only tree of a packed image as a lower layer, read in place, and the overlay over it. */
#include <linux/magic.h>

#include "abi/pack.h"
#include "abi/plan.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/importfs.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs_priv.h"

static const void *at(const struct pack *p, uint64_t off)
{
    return (const char *)p->head + off;
}

static const char *text(const struct pack *p, uint64_t off)
{
    return (const char *)p->head + p->head->strings_off + off;
}

static const struct pack_inode *inode_of(const struct pack *p, uint64_t ino)
{
    ASSERT(ino >= 1 && ino <= p->head->inode_count);
    return &p->inodes[ino - 1];
}

static int pack_lookup(void *lower, uint64_t dir, const char *name, uint32_t len, uint64_t *ino)
{
    const struct pack *p = lower;
    const struct pack_inode *d = inode_of(p, dir);
    uint32_t lo = d->dir.first, hi = lo + d->dir.count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct pack_dirent *e = &p->dirents[mid];
        int order = str_cmp(text(p, e->name_off), e->name_len, name, len);
        if (order == 0) {
            *ino = e->ino;
            return 0;
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return -ENOENT;
}

static int pack_inode_info(void *lower, uint64_t ino, struct lower_inode *out)
{
    const struct pack *p = lower;
    const struct pack_inode *i = inode_of(p, ino);
    out->mode = i->mode;
    out->uid = i->uid;
    out->gid = i->gid;
    out->nlink = i->nlink;
    out->size = i->size;
    out->mtime = (struct abi_timespec){i->mtime_s, i->mtime_ns};
    out->rdev_major = i->rdev_major;
    out->rdev_minor = i->rdev_minor;
    if ((i->mode & ABI_S_IFMT) == ABI_S_IFREG && i->size > 0) {
        const struct machine *m = p->m;
        out->file = *PLAN_AT(m->plan, p->image->data_files, uint32_t, i->reg.data);
        const struct plan_file *f = PLAN_AT(m->plan, m->plan->files, struct plan_file, out->file);
        out->offset = i->reg.page * PACK_PAGE;
        ASSERT(out->offset + i->size <= f->length);
        out->contents = (const unsigned char *)(uintptr_t)(f->map_addr + out->offset);
    }
    return 0;
}

static bool pack_dirent_at(void *lower, uint64_t dir, uint32_t index, struct lower_dirent *out)
{
    const struct pack *p = lower;
    const struct pack_inode *d = inode_of(p, dir);
    if (index >= d->dir.count) {
        return false;
    }
    const struct pack_dirent *e = &p->dirents[d->dir.first + index];
    out->name = text(p, e->name_off);
    out->len = e->name_len;
    out->ino = e->ino;
    out->type = inode_of(p, e->ino)->mode & ABI_S_IFMT;
    return true;
}

static int64_t pack_readlink(void *lower, uint64_t ino, char *buf, uint64_t cap)
{
    const struct pack *p = lower;
    const struct pack_inode *i = inode_of(p, ino);
    uint64_t n = min_u64(cap, i->size);
    memcpy(buf, text(p, i->link.off), n);
    return (int64_t)n;
}

static bool pack_xattr_at(void *lower, uint64_t ino, uint32_t index, const char **name,
                          uint32_t *name_len, const void **value, uint32_t *value_len)
{
    const struct pack *p = lower;
    const struct pack_inode *i = inode_of(p, ino);
    if (index >= i->xattr_count) {
        return false;
    }
    const struct pack_xattr *x = at(p, p->head->xattrs_off);
    x += i->xattr_first + index;
    *name = text(p, x->name_off);
    *name_len = x->name_len;
    *value = text(p, x->value_off);
    *value_len = x->value_len;
    return true;
}

static uint32_t pack_patches(void *lower, uint64_t ino, const struct pack_patch **first)
{
    const struct pack *p = lower;
    const struct pack_inode *i = inode_of(p, ino);
    const struct pack_patch *all = at(p, p->head->patches_off);
    *first = all + i->patch_first;
    return i->patch_count;
}

static const struct lower_ops pack_lower = {
    .lookup = pack_lookup,
    .inode = pack_inode_info,
    .dirent = pack_dirent_at,
    .readlink = pack_readlink,
    .xattr = pack_xattr_at,
    .patches = pack_patches,
};

/* --- opening: a damaged index must fail here, by name, not as a wild read later --------------- */

static bool table_fits(const struct pack_header *h, uint64_t off, uint64_t count, uint64_t size)
{
    return off <= h->total_len && off % 8 == 0 && count <= (h->total_len - off) / size;
}

static const char *damage(const struct pack_header *h, uint64_t length, uint32_t data_files)
{
    if (length < sizeof *h || memcmp(h->magic, PACK_MAGIC, sizeof h->magic)) {
        return "is not a pack index of this version";
    }
    if (h->total_len > length || h->inode_count < 1) {
        return "is cut short";
    }
    if (!table_fits(h, h->inodes_off, h->inode_count, sizeof(struct pack_inode)) ||
        !table_fits(h, h->dirents_off, h->dirent_count, sizeof(struct pack_dirent)) ||
        !table_fits(h, h->xattrs_off, h->xattr_count, sizeof(struct pack_xattr)) ||
        !table_fits(h, h->patches_off, h->patch_count, sizeof(struct pack_patch)) ||
        !table_fits(h, h->strings_off, h->strings_len, 1)) {
        return "has a table outside of the file";
    }
    if (h->data_count != data_files) {
        return "names another number of data files than the plan";
    }
    return NULL;
}

int packs_open(struct machine *m, char *err, size_t err_cap)
{
    const struct plan *plan = m->plan;
    struct vfs *vfs = m->vfs;
    vfs->packs = kalloc(m, plan->images.count * sizeof *vfs->packs);
    for (uint32_t i = 0; i < plan->images.count; i++) {
        struct pack *p = &vfs->packs[i];
        p->m = m;
        p->image = PLAN_AT(plan, plan->images, struct plan_image, i);
        if (p->image->index_file == PLAN_NONE) {
            continue;
        }
        const struct plan_file *f =
            PLAN_AT(plan, plan->files, struct plan_file, p->image->index_file);
        const struct pack_header *h = (const struct pack_header *)(uintptr_t)f->map_addr;
        const char *what = damage(h, f->length, p->image->data_files.count);
        if (what) {
            str_format(err, err_cap, "image %s %s", PLAN_STR(plan, p->image->name), what);
            return -EINVAL;
        }
        p->head = h;
        p->inodes = at(p, h->inodes_off);
        p->dirents = at(p, h->dirents_off);
    }
    return 0;
}

uint64_t pack_find(const struct pack *p, const char *path)
{
    uint64_t ino = PACK_ROOT_INO;
    while (p->head) {
        while (*path == '/') {
            path++;
        }
        uint32_t len = 0;
        while (path[len] && path[len] != '/') {
            len++;
        }
        if (len == 0) {
            return ino;
        }
        if ((inode_of(p, ino)->mode & ABI_S_IFMT) != ABI_S_IFDIR ||
            pack_lookup((void *)(uintptr_t)p, ino, path, len, &ino)) {
            return 0;
        }
        path += len;
    }
    return 0;
}

uint32_t pack_dir_count(const struct pack *p, uint64_t dir)
{
    const struct pack_inode *i = inode_of(p, dir);
    return (i->mode & ABI_S_IFMT) == ABI_S_IFDIR ? i->dir.count : 0;
}

void pack_copy_owner(const struct pack *p, uint64_t dir, struct inode *to)
{
    const struct pack_inode *i = inode_of(p, dir);
    if ((i->mode & ABI_S_IFMT) == ABI_S_IFDIR) {
        to->mode = i->mode;
        to->uid = i->uid;
        to->gid = i->gid;
    }
}

struct superblock *overlay_create(struct machine *m, struct pack *p)
{
    struct superblock *sb = memfs_create(m, "overlay", OVERLAYFS_SUPER_MAGIC, 0755);
    sb->durable = true;
    sb->size_limit = DISK_BYTES;
    if (p->head) {
        memfs_set_lower(sb, &pack_lower, p, PACK_ROOT_INO, p->head->inode_count + 1ull);
    } else {
        importfs_attach(sb, p);
    }
    return sb;
}

void volume_fill(struct superblock *volume, struct pack *p, uint64_t dir_ino)
{
    if (p->head) {
        memfs_set_lower(volume, &pack_lower, p, dir_ino, p->head->inode_count + 1ull);
    }
}
