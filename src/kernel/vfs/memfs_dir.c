/* memfs: names. A directory's own entries (and whiteouts) lie over those of the lower layer. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/durable.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define RENAME_EXCHANGE 2u

static bool sees_lower(const struct memfs_inode *dir)
{
    return dir->lower && !dir->opaque;
}

static int memfs_lookup(struct inode *i, const char *name, uint32_t len, struct inode **out)
{
    struct memfs_inode *dir = memfs_of(i);
    const struct mem_entry *e = memdir_find(&dir->dir, name, len);
    if (e) {
        if (!e->inode) {
            return -ENOENT;
        }
        *out = inode_get(e->inode);
        return 0;
    }
    if (!sees_lower(dir)) {
        return -ENOENT;
    }
    const struct memfs *fs = memfs_sb(i->sb);
    uint64_t ino;
    int r = fs->lower->lookup(fs->lower_data, dir->lower, name, len, &ino);
    return r ? r : memfs_iget(i->sb, ino, out);
}

static void touch_dir(struct memfs_inode *dir)
{
    memfs_pin(dir);
    dir->inode.mtime = dir->inode.ctime = vfs_now(dir->inode.sb->m);
}

/* Gives a name that nothing has (or a whiteout) to the inode; the reference moves in. */
static void add_name(struct memfs_inode *dir, const char *name, uint32_t len, struct inode *inode)
{
    memdir_set(dir->inode.sb->m, &dir->dir, name, len, inode);
    touch_dir(dir);
}

/* Gives a name in use to another inode. Without an entry of ours it is the lower layer's. */
static void replace_name(struct memfs_inode *dir, const char *name, uint32_t len,
                         struct inode *inode)
{
    bool ours = memdir_find(&dir->dir, name, len) != NULL;
    struct mem_entry *e = memdir_set(dir->inode.sb->m, &dir->dir, name, len, inode);
    e->hides = e->hides || !ours;
    touch_dir(dir);
}

static void remove_name(struct memfs_inode *dir, const char *name, uint32_t len)
{
    const struct mem_entry *e = memdir_find(&dir->dir, name, len);
    if (!e || e->hides) {
        replace_name(dir, name, len, NULL);
    } else {
        memdir_remove(dir->inode.sb->m, &dir->dir, name, len);
        touch_dir(dir);
    }
}

/* The inode lost a name (`drop` links at once, for a directory). */
static void lose_links(struct inode *i, uint32_t drop)
{
    struct memfs_inode *mi = memfs_of(i);
    memfs_pin(mi);
    i->nlink -= min_u64(drop, i->nlink);
    i->ctime = vfs_now(i->sb->m);
    if (i->nlink == 0 && mi->pinned) {
        mi->pinned = false;
        inode_put(i); /* the caller holds another reference */
    }
}

static void record(enum dir_op_kind kind, struct memfs_inode *dir, const char *name, uint32_t len,
                   uint64_t ino)
{
    struct dir_op_names names = {.name = name, .name_len = len};
    durable_record(kind, &dir->inode, NULL, &names, ino, 0);
}

/* A new inode owned by the caller of the call, in the group the directory demands (inode(7)). */
static struct memfs_inode *make(struct task *t, struct memfs_inode *dir, uint32_t mode)
{
    struct superblock *sb = dir->inode.sb;
    struct memfs_inode *mi = memfs_new_inode(sb, mode, ++memfs_sb(sb)->next_ino);
    mi->inode.uid = t ? t->cred.fsuid : 0;
    mi->inode.gid = t ? t->cred.fsgid : 0;
    if (dir->inode.mode & 02000) {
        mi->inode.gid = dir->inode.gid;
        if (inode_is(&mi->inode, ABI_S_IFDIR)) {
            mi->inode.mode |= 02000;
        }
    }
    return mi;
}

static int memfs_make_node(struct task *t, struct inode *d, const char *name, uint32_t len,
                           uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor,
                           struct inode **out)
{
    struct memfs_inode *dir = memfs_of(d), *mi = make(t, dir, mode);
    mi->inode.rdev_major = rdev_major;
    mi->inode.rdev_minor = rdev_minor;
    add_name(dir, name, len, inode_get(&mi->inode));
    record(DIR_OP_CREATE, dir, name, len, mi->inode.ino);
    *out = &mi->inode;
    return 0;
}

static int memfs_mkdir(struct task *t, struct inode *d, const char *name, uint32_t len,
                       uint32_t mode, struct inode **out)
{
    struct memfs_inode *dir = memfs_of(d), *mi = make(t, dir, ABI_S_IFDIR | (mode & 07777));
    add_name(dir, name, len, inode_get(&mi->inode));
    d->nlink++;
    record(DIR_OP_CREATE, dir, name, len, mi->inode.ino);
    *out = &mi->inode;
    return 0;
}

static int memfs_symlink(struct task *t, struct inode *d, const char *name, uint32_t len,
                         const char *target)
{
    struct memfs_inode *dir = memfs_of(d), *mi = make(t, dir, ABI_S_IFLNK | 0777);
    mi->inode.size = str_len(target);
    mi->target = kstrdup(d->sb->m, target, mi->inode.size);
    add_name(dir, name, len, &mi->inode);
    record(DIR_OP_CREATE, dir, name, len, mi->inode.ino);
    return 0;
}

static int memfs_link(struct task *t, struct inode *d, const char *name, uint32_t len,
                      struct inode *target)
{
    memfs_pin(memfs_of(target));
    target->nlink++;
    target->ctime = vfs_now(d->sb->m);
    add_name(memfs_of(d), name, len, inode_get(target));
    record(DIR_OP_LINK, memfs_of(d), name, len, target->ino);
    return 0;
}

bool memfs_dir_empty(struct memfs_inode *dir)
{
    if (dir->dir.entries > dir->dir.whiteouts) {
        return false;
    }
    if (!sees_lower(dir)) {
        return true;
    }
    const struct memfs *fs = memfs_sb(dir->inode.sb);
    struct lower_dirent e;
    for (uint32_t i = 0; fs->lower->dirent(fs->lower_data, dir->lower, i, &e); i++) {
        if (!memdir_find(&dir->dir, e.name, e.len)) {
            return false;
        }
    }
    return true;
}

/* Takes the name away from what has it. 0, -ENOENT, -ENOTEMPTY. */
static int unname(struct inode *d, const char *name, uint32_t len, uint64_t *ino)
{
    struct inode *i;
    int r = memfs_lookup(d, name, len, &i);
    if (r) {
        return r;
    }
    bool is_dir = inode_is(i, ABI_S_IFDIR);
    if (is_dir && !memfs_dir_empty(memfs_of(i))) {
        inode_put(i);
        return -ENOTEMPTY;
    }
    *ino = i->ino;
    remove_name(memfs_of(d), name, len);
    if (is_dir) {
        d->nlink--;
    }
    lose_links(i, is_dir ? UINT32_MAX : 1);
    inode_put(i);
    return 0;
}

static int memfs_unlink(struct task *t, struct inode *d, const char *name, uint32_t len)
{
    uint64_t ino;
    int r = unname(d, name, len, &ino);
    if (!r) {
        record(DIR_OP_UNLINK, memfs_of(d), name, len, ino);
    }
    return r;
}

static void move_dir_link(struct inode *i, struct inode *from, struct inode *to)
{
    if (inode_is(i, ABI_S_IFDIR) && from != to) {
        from->nlink--;
        to->nlink++;
    }
}

static void exchange(struct memfs_inode *a_dir, struct memfs_inode *b_dir,
                     const struct dir_op_names *n, struct inode *a, struct inode *b)
{
    replace_name(a_dir, n->name, n->name_len, inode_get(b));
    replace_name(b_dir, n->new_name, n->new_name_len, inode_get(a));
    move_dir_link(a, &a_dir->inode, &b_dir->inode);
    move_dir_link(b, &b_dir->inode, &a_dir->inode);
    durable_record(DIR_OP_RENAME, &a_dir->inode, &b_dir->inode, n, a->ino, b->ino);
    durable_record(DIR_OP_RENAME, &b_dir->inode, &a_dir->inode,
                   &(struct dir_op_names){n->new_name, n->name, n->new_name_len, n->name_len},
                   b->ino, a->ino);
}

static int memfs_rename(struct task *t, struct inode *old_dir, const char *old_name,
                        uint32_t old_len, struct inode *new_dir, const char *new_name,
                        uint32_t new_len, uint32_t flags)
{
    struct dir_op_names n = {old_name, new_name, old_len, new_len};
    struct inode *i, *target = NULL;
    int r = memfs_lookup(old_dir, old_name, old_len, &i);
    if (r) {
        return r;
    }
    memfs_pin(memfs_of(i));
    r = memfs_lookup(new_dir, new_name, new_len, &target);
    if (r && (r != -ENOENT || flags & RENAME_EXCHANGE)) {
        inode_put(i);
        return r;
    }
    r = 0;
    if (flags & RENAME_EXCHANGE) {
        memfs_pin(memfs_of(target));
        exchange(memfs_of(old_dir), memfs_of(new_dir), &n, i, target);
    } else {
        uint64_t replaced = 0;
        r = target ? unname(new_dir, new_name, new_len, &replaced) : 0;
        if (!r) {
            add_name(memfs_of(new_dir), new_name, new_len, inode_get(i));
            remove_name(memfs_of(old_dir), old_name, old_len);
            move_dir_link(i, old_dir, new_dir);
            durable_record(DIR_OP_RENAME, old_dir, new_dir, &n, i->ino, replaced);
        }
    }
    if (!r) {
        i->ctime = vfs_now(i->sb->m);
    }
    inode_put(target);
    inode_put(i);
    return r;
}

/* --- listing: the two sorted lists merged; a name of ours hides the same name below ----------- */

struct merge {
    struct memfs_inode *dir;
    struct memdir_pos upper;
    uint32_t lower;
    bool has_lower;
    struct lower_dirent low;
};

static void load_lower(struct merge *g)
{
    const struct memfs *fs = memfs_sb(g->dir->inode.sb);
    g->has_lower =
        sees_lower(g->dir) && fs->lower->dirent(fs->lower_data, g->dir->lower, g->lower, &g->low);
}

/* The next name that shows. False at the end. */
static bool merge_next(struct merge *g, struct lower_dirent *out)
{
    for (;;) {
        const struct mem_entry *e = memdir_at(&g->dir->dir, &g->upper);
        int order = !e ? 1 : !g->has_lower ? -1 : str_cmp(e->name, e->len, g->low.name, g->low.len);
        if (!e && !g->has_lower) {
            return false;
        }
        if (order > 0) {
            *out = g->low;
            g->lower++;
            return true;
        }
        memdir_next(&g->dir->dir, &g->upper);
        if (order == 0) {
            g->lower++;
            load_lower(g);
        }
        if (e->inode) {
            *out =
                (struct lower_dirent){e->name, e->len, e->inode->mode & ABI_S_IFMT, e->inode->ino};
            return true;
        }
    }
}

int memfs_readdir(struct inode *i, uint64_t pos, dir_emit_fn emit, void *ctx)
{
    struct merge g = {.dir = memfs_of(i)};
    struct lower_dirent e;
    load_lower(&g);
    for (uint64_t at = 2; merge_next(&g, &e); at++) {
        bool from_lower = g.has_lower && e.name == g.low.name;
        if (at >= pos && !emit(ctx, e.name, e.len, e.ino, e.type, at + 1)) {
            break;
        }
        if (from_lower) {
            load_lower(&g);
        }
    }
    return 0;
}

const struct inode_ops memfs_inode_ops = {
    .lookup = memfs_lookup,
    .create = memfs_make_node,
    .mkdir = memfs_mkdir,
    .symlink = memfs_symlink,
    .link = memfs_link,
    .unlink = memfs_unlink,
    .rmdir = memfs_unlink,
    .rename = memfs_rename,
    .readdir = memfs_readdir,
    .readlink = memfs_readlink,
    .setattr = memfs_setattr,
    .open = memfs_open,
    .getxattr = memfs_getxattr,
    .setxattr = memfs_setxattr,
    .listxattr = memfs_listxattr,
    .removexattr = memfs_removexattr,
    .evict = memfs_evict,
};
