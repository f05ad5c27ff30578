/* The kernel's own access to a node's tree, as root and past read-only mounts. */
#include "base/str.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/vfs/node_tree.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

int node_lookup(struct node *n, const char *path, struct path *out)
{
    struct walk w;
    int r = walk_init_node(&w, n, path);
    if (!r) {
        r = walk_parent(&w);
    }
    if (!r) {
        r = walk_last(&w, true);
    }
    if (!r) {
        path_set(out, w.at.mount, w.at.dentry);
    }
    walk_fini(&w);
    return r;
}

static int make_dir(struct node *n, const char *path, uint32_t mode)
{
    struct walk w;
    int r = walk_init_node(&w, n, path);
    if (!r) {
        r = tree_mkdir(&w, mode);
    }
    walk_fini(&w);
    return r;
}

int node_make_dirs(struct node *n, const char *path, uint32_t mode, struct path *out)
{
    struct path found = {NULL, NULL};
    int r = node_lookup(n, path, &found);
    size_t len = str_len(path);
    char *prefix = kstrdup(n->m, path, len);
    for (size_t i = 1; r == -ENOENT && i <= len; i++) {
        if ((path[i] == '/' || i == len) && path[i - 1] != '/') {
            prefix[i] = '\0';
            int made = make_dir(n, prefix, mode);
            prefix[i] = path[i];
            if (made && made != -EEXIST) {
                r = made;
            }
        }
    }
    kfree(n->m, prefix);
    if (r == -ENOENT) {
        r = node_lookup(n, path, &found);
    }
    if (!r && !inode_is(found.dentry->inode, ABI_S_IFDIR)) {
        path_put(&found);
        r = -ENOTDIR;
    }
    if (!r && out) {
        *out = found;
    } else if (!r) {
        path_put(&found);
    }
    return r;
}

int vfs_node_write_file(struct node *n, const char *path, const void *data, size_t len,
                        uint32_t mode)
{
    size_t dir_len = str_len(path);
    while (dir_len > 1 && path[dir_len - 1] != '/') {
        dir_len--;
    }
    char *dir = kstrdup(n->m, path, dir_len);
    int r = node_make_dirs(n, dir, 0755, NULL);
    kfree(n->m, dir);
    struct file *f;
    if (!r) {
        r = vfs_node_open(n, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &f);
    }
    if (r) {
        return r;
    }
    struct uio u;
    uint64_t pos = 0;
    uio_init_kernel(&u, (void *)(uintptr_t)data, len);
    int64_t w = len ? f->ops->write(NULL, f, &u, &pos) : 0;
    file_put(f);
    return w < 0 ? (int)w : (uint64_t)w == len ? 0 : -ENOSPC;
}

/* --- listing ---------------------------------------------------------------------------------- */

struct name {
    struct name *next;
    uint32_t len;
    char text[];
};

struct names {
    struct machine *m;
    struct name *first; /* bytewise ascending */
};

static bool insert_sorted(void *ctx, const char *name, uint32_t len, uint64_t ino, uint32_t type,
                          uint64_t next)
{
    struct names *l = ctx;
    struct name *n = kalloc(l->m, sizeof *n + len + 1), **at = &l->first;
    n->len = len;
    memcpy(n->text, name, len);
    while (*at && str_cmp((*at)->text, (*at)->len, name, len) < 0) {
        at = &(*at)->next;
    }
    n->next = *at;
    *at = n;
    return true;
}

int vfs_node_list(struct node *n, const char *path,
                  void (*fn)(void *ctx, const char *name, const struct attr *a), void *ctx)
{
    struct path dir;
    struct names l = {.m = n->m};
    int r = node_lookup(n, path, &dir);
    if (r) {
        return r;
    }
    struct inode *i = dir.dentry->inode;
    r = i->ops->readdir ? i->ops->readdir(i, 2, insert_sorted, &l) : -ENOTDIR;
    while (l.first) {
        struct name *e = l.first;
        struct dentry *d = NULL;
        struct attr a;
        l.first = e->next;
        if (!r && !dentry_lookup(dir.dentry, e->text, e->len, &d) && d->inode &&
            !inode_getattr(NULL, d->inode, &a)) {
            fn(ctx, e->text, &a);
        }
        dentry_put(d);
        kfree(n->m, e);
    }
    path_put(&dir);
    return r;
}
