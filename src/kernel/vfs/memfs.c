/* memfs: life of inodes, attributes, contents. Names are in memfs_dir.c. */
#include "kernel/vfs/memfs.h"

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define DIR_BYTES 4096u

/* --- table of inodes that come from the lower layer ------------------------------------------- */

static struct memfs_inode **bucket(struct memfs *fs, uint64_t lower)
{
    return &fs->table[stream_mix(lower) & fs->mask];
}

static void table_insert(struct machine *m, struct memfs *fs, struct memfs_inode *mi)
{
    if (!fs->table || fs->count > fs->mask) {
        struct memfs_inode **old = fs->table;
        uint32_t n = old ? fs->mask + 1 : 0;
        fs->mask = n ? 2 * n - 1 : 63;
        fs->table = kalloc(m, (fs->mask + 1ul) * sizeof *fs->table);
        for (uint32_t i = 0; i < n; i++) {
            while (old[i]) {
                struct memfs_inode *k = old[i];
                old[i] = k->hash_next;
                struct memfs_inode **b = bucket(fs, k->lower);
                k->hash_next = *b;
                *b = k;
            }
        }
        kfree(m, old);
    }
    struct memfs_inode **b = bucket(fs, mi->lower);
    mi->hash_next = *b;
    *b = mi;
    fs->count++;
}

static void table_remove(struct memfs *fs, struct memfs_inode *mi)
{
    struct memfs_inode **b = bucket(fs, mi->lower);
    while (*b != mi) {
        b = &(*b)->hash_next;
    }
    *b = mi->hash_next;
    fs->count--;
}

static struct memfs_inode *table_find(struct memfs *fs, uint64_t lower)
{
    struct memfs_inode *mi = fs->table ? *bucket(fs, lower) : NULL;
    while (mi && mi->lower != lower) {
        mi = mi->hash_next;
    }
    return mi;
}

/* --- inodes ----------------------------------------------------------------------------------- */

struct memfs_inode *memfs_new_inode(struct superblock *sb, uint32_t mode, uint64_t ino)
{
    struct memfs_inode *mi = KALLOC(sb->m, struct memfs_inode);
    inode_init(&mi->inode, sb, &memfs_inode_ops, mode, ino);
    list_init(&mi->xattrs);
    list_add_tail(&memfs_sb(sb)->inodes, &mi->link);
    if (inode_is(&mi->inode, ABI_S_IFDIR)) {
        mi->inode.size = DIR_BYTES;
    }
    return mi;
}

static void take_attributes(struct inode *i, const struct lower_inode *l)
{
    i->mode = l->mode;
    i->uid = l->uid;
    i->gid = l->gid;
    i->nlink = l->nlink;
    i->size = inode_is(i, ABI_S_IFDIR) ? DIR_BYTES : l->size;
    i->rdev_major = l->rdev_major;
    i->rdev_minor = l->rdev_minor;
    i->atime = i->mtime = i->ctime = i->btime = l->mtime;
}

int memfs_iget(struct superblock *sb, uint64_t lower, struct inode **out)
{
    struct memfs *fs = memfs_sb(sb);
    struct memfs_inode *mi = table_find(fs, lower);
    if (mi) {
        *out = inode_get(&mi->inode);
        return 0;
    }
    struct lower_inode l = {0};
    int r = fs->lower->inode(fs->lower_data, lower, &l);
    if (r) {
        return r;
    }
    mi = memfs_new_inode(sb, l.mode, lower);
    mi->lower = lower;
    take_attributes(&mi->inode, &l);
    table_insert(sb->m, fs, mi);
    *out = &mi->inode;
    return 0;
}

void memfs_pin(struct memfs_inode *mi)
{
    if (mi->lower && !mi->pinned && mi->inode.nlink > 0) {
        mi->pinned = true;
        inode_get(&mi->inode);
    }
}

void memfs_evict(struct inode *i)
{
    struct memfs_inode *mi = memfs_of(i);
    struct memfs *fs = memfs_sb(i->sb);
    list_del(&mi->link);
    if (mi->lower) {
        table_remove(fs, mi);
    }
    memdir_clear(i->sb->m, &mi->dir); /* whiteouts only: rmdir and memfs_kill saw to that */
    memfs_free_xattrs(mi);
    kfree(i->sb->m, mi->target);
}

int memfs_load(struct inode *i)
{
    struct memfs_inode *mi = memfs_of(i);
    if (i->data) {
        return 0;
    }
    struct lower_inode l = {0};
    if (mi->lower) {
        const struct memfs *fs = memfs_sb(i->sb);
        int (*get)(void *, uint64_t, struct lower_inode *) =
            fs->lower->load ? fs->lower->load : fs->lower->inode;
        int r = get(fs->lower_data, mi->lower, &l);
        if (r) {
            return r;
        }
    }
    i->data = filedata_create(i->sb->m, i);
    if (l.contents) {
        uint64_t pages = (i->size + PAGE_SIZE - 1) / PAGE_SIZE;
        filedata_set_base(i->data, l.contents, l.file, l.offset, pages);
    }
    return 0;
}

uint32_t inode_patches(const struct inode *inode, const struct pack_patch **first)
{
    struct inode *i = (struct inode *)(uintptr_t)inode;
    if (i->ops != &memfs_inode_ops || !memfs_of(i)->lower || !i->data ||
        i->data->opened_for_write) {
        return 0;
    }
    const struct memfs *fs = memfs_sb(i->sb);
    return fs->lower->patches ? fs->lower->patches(fs->lower_data, memfs_of(i)->lower, first) : 0;
}

int memfs_open(struct task *t, struct inode *i, struct file *f)
{
    if (!inode_is(i, ABI_S_IFREG)) {
        return file_open_by_type(t, i, f);
    }
    int r = memfs_load(i);
    if (r) {
        return r;
    }
    if (file_writable(f)) {
        i->data->opened_for_write = true;
        memfs_pin(memfs_of(i));
    }
    f->ops = &regular_file_ops;
    return 0;
}

static int set_size(struct inode *i, uint64_t size)
{
    int r = memfs_load(i);
    if (!r && size != i->size) {
        i->data->opened_for_write = true;
        r = filedata_truncate(i->data, size);
    }
    return r;
}

int memfs_setattr(struct task *t, struct inode *i, const struct setattr *sa)
{
    memfs_pin(memfs_of(i));
    struct abi_timespec now = vfs_now(i->sb->m);
    if (sa->valid & SETATTR_SIZE) {
        int r = set_size(i, sa->size);
        if (r) {
            return r;
        }
        i->mtime = now;
    }
    if (sa->valid & SETATTR_MODE) {
        i->mode = (i->mode & ABI_S_IFMT) | (sa->mode & 07777);
    }
    if (sa->valid & SETATTR_UID) {
        i->uid = sa->uid;
    }
    if (sa->valid & SETATTR_GID) {
        i->gid = sa->gid;
    }
    if (sa->valid & SETATTR_ATIME) {
        i->atime = sa->atime;
    }
    if (sa->valid & SETATTR_MTIME) {
        i->mtime = sa->mtime;
    }
    i->ctime = now;
    if (i->data) {
        filedata_meta_changed(i->data);
    }
    return 0;
}

static bool later(const struct abi_timespec *a, const struct abi_timespec *b)
{
    return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

void memfs_touch_atime(struct inode *i)
{
    struct memfs_inode *mi = memfs_of(i);
    if (mi->lower && !mi->pinned) {
        return; /* overlayfs leaves the lower layer's atime alone too */
    }
    struct abi_timespec now = vfs_now(i->sb->m);
    /* mount(8), relatime: only if not newer than the last change, or a day old. */
    if (!later(&i->atime, &i->mtime) || !later(&i->atime, &i->ctime) ||
        now.sec - i->atime.sec >= 24 * 3600) {
        i->atime = now;
    }
}

int64_t memfs_readlink(struct task *t, struct inode *i, char *buf, uint64_t cap)
{
    struct memfs_inode *mi = memfs_of(i);
    if (!mi->target) {
        const struct memfs *fs = memfs_sb(i->sb);
        return fs->lower->readlink(fs->lower_data, mi->lower, buf, cap);
    }
    uint64_t n = min_u64(cap, i->size);
    memcpy(buf, mi->target, n);
    memfs_touch_atime(i);
    return (int64_t)n;
}

/* --- file systems ----------------------------------------------------------------------------- */

static void release(struct superblock *sb)
{
    struct memfs *fs = sb->priv;
    ASSERT(list_empty(&fs->inodes));
    kfree(sb->m, fs->table);
    kfree(sb->m, fs);
}

struct superblock *memfs_create(struct machine *m, const char *type, uint64_t magic, uint32_t mode)
{
    struct superblock *sb = superblock_create(m, type, magic);
    struct memfs *fs = KALLOC(m, struct memfs);
    sb->priv = fs;
    sb->release = release;
    sb->relatime = true;
    fs->next_ino = 1;
    list_init(&fs->inodes);
    struct memfs_inode *root = memfs_new_inode(sb, ABI_S_IFDIR | (mode & 07777), fs->next_ino);
    superblock_set_root(sb, &root->inode);
    return sb;
}

void memfs_set_lower(struct superblock *sb, const struct lower_ops *ops, void *data,
                     uint64_t lower_root, uint64_t first_ino)
{
    struct memfs *fs = memfs_sb(sb);
    struct memfs_inode *root = memfs_of(sb->root->inode);
    struct lower_inode l = {0};
    ASSERT(!fs->lower);
    fs->lower = ops;
    fs->lower_data = data;
    fs->next_ino = max_u64(fs->next_ino, first_ino - 1);
    int r = ops->inode(data, lower_root, &l);
    ASSERT(r == 0);
    root->lower = lower_root;
    take_attributes(&root->inode, &l);
    table_insert(sb->m, fs, root);
    memfs_pin(root);
}

void memfs_kill(struct superblock *sb)
{
    struct memfs *fs = memfs_sb(sb);
    struct memfs_inode *mi;
    /* Everything gets a reference first, so that dropping directories frees nothing half-way. */
    list_for_each_entry (mi, &fs->inodes, link) {
        inode_get(&mi->inode);
    }
    list_for_each_entry (mi, &fs->inodes, link) {
        memdir_clear(sb->m, &mi->dir);
        mi->opaque = true;
        if (mi->pinned) {
            mi->pinned = false;
            mi->inode.refs--;
        }
    }
    dentry_put(sb->root);
    sb->root = NULL;
    dcache_purge(sb);
    struct memfs_inode *tmp;
    list_for_each_entry_safe (mi, tmp, &fs->inodes, link) {
        inode_put(&mi->inode);
    }
    superblock_put(sb);
}
