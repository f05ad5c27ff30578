/* Names in memory. The hash is keyed by (parent's identity, name), so that neither pointers nor
 * allocation order shape it; nothing ever iterates over it in an order a guest could see. A name
 * without users stays cached on an LRU list until the cache is full. */
#include "base/str.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/vfs/vfs_priv.h"

static uint64_t hash_of(uint64_t parent_id, const char *name, uint32_t len)
{
    uint64_t h = stream_mix(parent_id + 0x9e3779b97f4a7c15ull);
    for (uint32_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull; /* FNV-1a over a mixed start */
    }
    return h ^ h >> 32;
}

void dcache_init(struct machine *m)
{
    struct dcache *c = &m->vfs->dcache;
    c->mask = 1023;
    c->buckets = kalloc(m, (c->mask + 1) * sizeof *c->buckets);
    list_init(&c->lru);
}

static struct dentry **bucket_of(struct dcache *c, const struct dentry *d)
{
    return &c->buckets[hash_of(d->parent->id, d->name, d->name_len) & c->mask];
}

static void grow(struct machine *m, struct dcache *c)
{
    struct dentry **old = c->buckets;
    uint32_t n = c->mask + 1;
    c->mask = 2 * n - 1;
    c->buckets = kalloc(m, 2ul * n * sizeof *c->buckets);
    for (uint32_t i = 0; i < n; i++) {
        struct dentry *d = old[i];
        while (d) {
            struct dentry *next = d->hash_next;
            struct dentry **b = bucket_of(c, d);
            d->hash_next = *b;
            *b = d;
            d = next;
        }
    }
    kfree(m, old);
}

static struct machine *machine_of(const struct dentry *d)
{
    while (!d->inode) {
        d = d->parent;
    }
    return d->inode->sb->m;
}

static void hash_insert(struct machine *m, struct dentry *d)
{
    struct dcache *c = &m->vfs->dcache;
    if (c->count > c->mask) {
        grow(m, c);
    }
    struct dentry **b = bucket_of(c, d);
    d->hash_next = *b;
    *b = d;
    d->hashed = true;
    c->count++;
}

static void hash_remove(struct machine *m, struct dentry *d)
{
    struct dcache *c = &m->vfs->dcache;
    if (!d->hashed) {
        return;
    }
    struct dentry **b = bucket_of(c, d);
    while (*b != d) {
        b = &(*b)->hash_next;
    }
    *b = d->hash_next;
    d->hash_next = NULL;
    d->hashed = false;
    c->count--;
}

static struct dentry *dentry_alloc(struct machine *m, struct dentry *parent, const char *name,
                                   uint32_t len)
{
    struct dentry *d = KALLOC(m, struct dentry);
    d->refs = 1;
    d->id = ++m->vfs->dcache.next_id;
    d->name = kstrdup(m, name, len);
    d->name_len = len;
    d->parent = parent ? dentry_get(parent) : d;
    list_init(&d->lru);
    return d;
}

struct dentry *dentry_get(struct dentry *d)
{
    if (d->refs++ == 0) {
        struct machine *m = machine_of(d);
        list_del(&d->lru);
        m->vfs->dcache.unused--;
    }
    return d;
}

/* Frees an unused dentry; returns its parent, one of whose references is now the caller's. */
static struct dentry *dentry_free(struct machine *m, struct dentry *d)
{
    struct dentry *parent = d->parent == d ? NULL : d->parent;
    hash_remove(m, d);
    struct inode *inode = d->inode;
    kfree(m, d->name);
    kfree(m, d);
    inode_put(inode);
    return parent;
}

/* Without trimming the cache. */
static void release(struct dentry *d)
{
    while (d) {
        ASSERT(d->refs > 0);
        if (--d->refs > 0) {
            return;
        }
        struct machine *m = machine_of(d);
        bool cached = d->hashed && !(d->inode && d->inode->sb->no_dcache);
        if (cached) {
            list_add_tail(&m->vfs->dcache.lru, &d->lru);
            m->vfs->dcache.unused++;
            return;
        }
        d = dentry_free(m, d);
    }
}

static void drop_unused(struct machine *m, struct dentry *d)
{
    list_del(&d->lru);
    m->vfs->dcache.unused--;
    release(dentry_free(m, d));
}

void dentry_put(struct dentry *d)
{
    if (!d) {
        return;
    }
    if (d->refs > 1) {
        d->refs--;
        return;
    }
    struct machine *m = machine_of(d);
    struct dcache *c = &m->vfs->dcache;
    release(d);
    while (c->unused > DCACHE_UNUSED_MAX) {
        drop_unused(m, list_first_entry(&c->lru, struct dentry, lru));
    }
}

struct dentry *dentry_disconnected(struct inode *inode, const char *name, uint32_t len)
{
    struct dentry *d = dentry_alloc(inode->sb->m, NULL, name, len);
    d->inode = inode;
    return d;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, uint32_t len)
{
    struct dcache *c = &machine_of(parent)->vfs->dcache;
    struct dentry *d = c->buckets[hash_of(parent->id, name, len) & c->mask];
    for (; d; d = d->hash_next) {
        if (d->parent == parent && d->name_len == len && !memcmp(d->name, name, len)) {
            return d;
        }
    }
    return NULL;
}

/* Entries of such file systems change by themselves: the file system is asked every time, and the
 * cached object only keeps identity for mounts and working directories. */
static int lookup_uncached(struct dentry *parent, const char *name, uint32_t len,
                           struct dentry **out)
{
    struct machine *m = parent->inode->sb->m;
    struct inode *inode = NULL;
    int r = parent->inode->ops->lookup(parent->inode, name, len, &inode);
    struct dentry *d = dentry_find(parent, name, len);
    if (d) {
        dentry_get(d);
        if (r == 0 && d->inode && d->inode->ino == inode->ino && d->inode->mode == inode->mode) {
            struct inode *old = d->inode;
            d->inode = inode;
            inode_put(old);
            *out = d;
            return 0;
        }
        dentry_drop(d);
        dentry_put(d);
    }
    if (r && r != -ENOENT) {
        return r;
    }
    d = dentry_alloc(m, parent, name, len);
    d->inode = r ? NULL : inode;
    if (!r) {
        hash_insert(m, d);
    }
    *out = d;
    return 0;
}

int dentry_lookup(struct dentry *parent, const char *name, uint32_t len, struct dentry **out)
{
    if (len > LIMIT_NAME) {
        return -ENAMETOOLONG;
    }
    struct inode *dir = parent->inode;
    if (!dir->ops->lookup) {
        return -ENOTDIR;
    }
    if (dir->sb->no_dcache) {
        return lookup_uncached(parent, name, len, out);
    }
    struct dentry *d = dentry_find(parent, name, len);
    if (d) {
        *out = dentry_get(d);
        return 0;
    }
    struct inode *inode = NULL;
    int r = dir->ops->lookup(dir, name, len, &inode);
    if (r && r != -ENOENT) {
        return r;
    }
    struct machine *m = dir->sb->m;
    d = dentry_alloc(m, parent, name, len);
    d->inode = r ? NULL : inode;
    if (!parent->unlinked) {
        hash_insert(m, d);
    }
    *out = d;
    return 0;
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
    ASSERT(!d->inode);
    d->inode = inode;
    if (!d->hashed && !d->unlinked) {
        hash_insert(inode->sb->m, d);
    }
}

void dentry_drop(struct dentry *d)
{
    hash_remove(machine_of(d), d);
    d->unlinked = true;
}

/* Gives d the parent and name passed in, whose ownership moves to d. */
static void place(struct machine *m, struct dentry *d, struct dentry *parent, char *name,
                  uint32_t len)
{
    d->parent = parent;
    d->name = name;
    d->name_len = len;
    hash_insert(m, d);
}

void dentry_move(struct dentry *d, struct dentry *target)
{
    struct machine *m = machine_of(d);
    struct dentry *old_parent = d->parent;
    hash_remove(m, d);
    kfree(m, d->name);
    char *name = kstrdup(m, target->name, target->name_len);
    dentry_get(target->parent);
    dentry_drop(target);
    place(m, d, target->parent, name, target->name_len);
    dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
    struct machine *m = machine_of(a);
    hash_remove(m, a);
    hash_remove(m, b);
    struct dentry *parent = a->parent;
    char *name = a->name;
    uint32_t len = a->name_len;
    place(m, a, b->parent, b->name, b->name_len);
    place(m, b, parent, name, len);
}

void dcache_purge(struct superblock *sb)
{
    struct machine *m = sb->m;
    struct dcache *c = &m->vfs->dcache;
    bool again = true;
    while (again) { /* a parent becomes unused when its last child goes */
        again = false;
        struct dentry *d, *tmp;
        list_for_each_entry_safe (d, tmp, &c->lru, lru) {
            const struct dentry *p = d;
            while (!p->inode) {
                p = p->parent;
            }
            if (p->inode->sb == sb) {
                /* The cursor's next entry stays valid: all this frees besides is unhashed, hence
                 * not on the list, and a parent that becomes unused joins the tail. */
                drop_unused(m, d);
                again = true;
            }
        }
    }
}

bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor)
{
    for (; d->parent != d; d = d->parent) {
        if (d->parent == ancestor) {
            return true;
        }
    }
    return false;
}
