/* memfs: extended attributes (xattr(7)). Those of the lower layer show until one is changed. */
#include <linux/xattr.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs_priv.h"

static struct mem_xattr *find_own(struct memfs_inode *mi, const char *name)
{
    struct mem_xattr *x;
    list_for_each_entry (x, &mi->xattrs, link) {
        if (str_eq(x->name, name)) {
            return x;
        }
    }
    return NULL;
}

static void add_own(struct memfs_inode *mi, const char *name, uint64_t name_len, const void *v,
                    uint64_t len)
{
    struct machine *m = mi->inode.sb->m;
    struct mem_xattr *n = KALLOC(m, struct mem_xattr), *x;
    n->name = kstrdup(m, name, name_len);
    n->value = kalloc(m, len + 1);
    memcpy(n->value, v, len);
    n->len = len;
    list_for_each_entry (x, &mi->xattrs, link) {
        if (str_cmp(x->name, str_len(x->name), name, name_len) > 0) {
            list_add_tail(&x->link, &n->link);
            return;
        }
    }
    list_add_tail(&mi->xattrs, &n->link);
}

static bool lower_xattr(struct memfs_inode *mi, uint32_t index, struct lower_dirent *name,
                        const void **value, uint32_t *len)
{
    const struct memfs *fs = memfs_sb(mi->inode.sb);
    return mi->lower && fs->lower->xattr &&
           fs->lower->xattr(fs->lower_data, mi->lower, index, &name->name, &name->len, value, len);
}

/* All attributes are in mi->xattrs after this. */
static void own(struct memfs_inode *mi)
{
    struct lower_dirent name;
    const void *value;
    uint32_t len;
    if (mi->own_xattrs) {
        return;
    }
    mi->own_xattrs = true;
    for (uint32_t i = 0; lower_xattr(mi, i, &name, &value, &len); i++) {
        add_own(mi, name.name, name.len, value, len);
    }
}

void memfs_free_xattrs(struct memfs_inode *mi)
{
    struct machine *m = mi->inode.sb->m;
    struct mem_xattr *x, *tmp;
    list_for_each_entry_safe (x, tmp, &mi->xattrs, link) {
        list_del(&x->link);
        kfree(m, x->name);
        kfree(m, x->value);
        kfree(m, x);
    }
}

int64_t memfs_getxattr(struct inode *i, const char *name, void *buf, uint64_t cap)
{
    own(memfs_of(i));
    const struct mem_xattr *x = find_own(memfs_of(i), name);
    if (!x) {
        return -ENODATA;
    }
    if (cap && x->len > cap) {
        return -ERANGE;
    }
    if (cap) {
        memcpy(buf, x->value, x->len);
    }
    return (int64_t)x->len;
}

int memfs_setxattr(struct inode *i, const char *name, const void *v, uint64_t len, int flags)
{
    struct memfs_inode *mi = memfs_of(i);
    own(mi);
    struct mem_xattr *x = find_own(mi, name);
    if (x && flags & XATTR_CREATE) {
        return -EEXIST;
    }
    if (!x && flags & XATTR_REPLACE) {
        return -ENODATA;
    }
    memfs_pin(mi);
    if (x) {
        struct machine *m = i->sb->m;
        kfree(m, x->value);
        x->value = kalloc(m, len + 1);
        memcpy(x->value, v, len);
        x->len = len;
    } else {
        add_own(mi, name, str_len(name), v, len);
    }
    i->ctime = vfs_now(i->sb->m);
    return 0;
}

int64_t memfs_listxattr(struct inode *i, void *buf, uint64_t cap)
{
    struct memfs_inode *mi = memfs_of(i);
    uint64_t n = 0;
    own(mi);
    const struct mem_xattr *x;
    list_for_each_entry (x, &mi->xattrs, link) {
        uint64_t k = str_len(x->name) + 1;
        if (cap && n + k > cap) {
            return -ERANGE;
        }
        if (cap) {
            memcpy((char *)buf + n, x->name, k);
        }
        n += k;
    }
    return (int64_t)n;
}

int memfs_removexattr(struct inode *i, const char *name)
{
    struct memfs_inode *mi = memfs_of(i);
    own(mi);
    struct mem_xattr *x = find_own(mi, name);
    if (!x) {
        return -ENODATA;
    }
    memfs_pin(mi);
    list_del(&x->link);
    kfree(i->sb->m, x->name);
    kfree(i->sb->m, x->value);
    kfree(i->sb->m, x);
    i->ctime = vfs_now(i->sb->m);
    return 0;
}
