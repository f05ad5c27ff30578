/* Path walk: one loop over components; targets of symbolic links are pushed on a small stack. */
#include "kernel/vfs/path.h"

#include <linux/fcntl.h>
#include <linux/openat2.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

int64_t path_arg(struct task *t, uint64_t addr, unsigned which, const char **out)
{
    char *buf = which ? t->m->vfs->path_b : t->m->vfs->path_a;
    *out = buf;
    return user_read_str(t, buf, gaddr_of(addr), LIMIT_PATH);
}

static void set_at(struct walk *w, struct mount *m, struct dentry *d)
{
    struct path old = w->at;
    path_set(&w->at, m, d);
    if (old.dentry) {
        path_put(&old);
    }
}

/* The topmost of the mounts stacked on w->at. */
static int cross_mounts(struct walk *w)
{
    while (w->at.dentry->mounted) {
        struct mount *over = mount_covering(w->at.mount, w->at.dentry);
        if (!over) {
            break;
        }
        if (w->flags & RESOLVE_NO_XDEV) {
            return -EXDEV;
        }
        set_at(w, over, over->root);
    }
    return 0;
}

static bool same(const struct path *a, const struct path *b)
{
    return a->mount == b->mount && a->dentry == b->dentry;
}

static int go_to_root(struct walk *w)
{
    if (w->flags & RESOLVE_BENEATH) {
        return -EXDEV;
    }
    if (w->flags & RESOLVE_NO_XDEV && w->at.mount && w->at.mount != w->root.mount) {
        return -EXDEV;
    }
    set_at(w, w->root.mount, w->root.dentry);
    return 0;
}

static int start_at_fd(struct walk *w, int dirfd, bool empty)
{
    if (dirfd == AT_FDCWD) {
        set_at(w, w->t->fs->cwd_mount, w->t->fs->cwd);
        return 0;
    }
    struct file *f = fd_file(w->t, dirfd);
    if (!f) {
        return -EBADF;
    }
    struct path p;
    file_path(f, &p);
    set_at(w, p.mount, p.dentry);
    path_put(&p);
    return empty || inode_is(w->at.dentry->inode, ABI_S_IFDIR) ? 0 : -ENOTDIR;
}

int walk_init(struct walk *w, struct task *t, int dirfd, const char *path, uint32_t flags)
{
    memset(w, 0, sizeof *w);
    w->m = t->m;
    w->t = t;
    w->flags = flags;
    w->rest = path;
    if (!*path && !(flags & WALK_EMPTY)) {
        return -ENOENT;
    }
    path_set(&w->root, t->fs->root_mount, t->fs->root);
    w->has_root = true;
    bool absolute = *path == '/';
    if (absolute && !(flags & RESOLVE_IN_ROOT)) {
        return go_to_root(w);
    }
    int r = start_at_fd(w, dirfd, !*path);
    if (!r && flags & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) {
        path_put(&w->root); /* the starting directory is all there is */
        path_set(&w->root, w->at.mount, w->at.dentry);
    }
    return r;
}

int walk_init_node(struct walk *w, struct node *n, const char *path)
{
    memset(w, 0, sizeof *w);
    w->m = n->m;
    w->rest = path;
    if (!*path || !n->root) {
        return -ENOENT;
    }
    path_set(&w->root, n->root, n->root->root);
    w->has_root = true;
    set_at(w, w->root.mount, w->root.dentry);
    return 0;
}

void walk_fini(struct walk *w)
{
    for (uint32_t i = 0; i < w->depth; i++) {
        kfree(w->m, w->stack[i].text);
    }
    kfree(w->m, w->last_text);
    if (w->has_root) {
        path_put(&w->root);
    }
    if (w->at.dentry) {
        path_put(&w->at);
    }
}

static int go_up(struct walk *w)
{
    for (;;) {
        if (same(&w->at, &w->root)) {
            return w->flags & RESOLVE_BENEATH ? -EXDEV : 0;
        }
        if (w->at.dentry != w->at.mount->root) {
            set_at(w, w->at.mount, w->at.dentry->parent);
            return cross_mounts(w);
        }
        struct mount *m = w->at.mount;
        if (!m->parent) {
            return 0;
        }
        if (w->flags & RESOLVE_NO_XDEV) {
            return -EXDEV;
        }
        set_at(w, m->parent, m->mountpoint);
    }
}

int walk_into(struct walk *w, struct dentry *d)
{
    set_at(w, w->at.mount, d);
    dentry_put(d);
    return cross_mounts(w);
}

/* A link of /proc that leads to an object rather than to a text. */
static int jump(struct walk *w, struct inode *link)
{
    struct mount *mount = NULL;
    struct dentry *dentry = NULL;
    struct file *file = NULL;
    int r = link->ops->jump(w->t, link, &mount, &dentry, &file);
    if (r) {
        return r;
    }
    if (w->flags & RESOLVE_NO_MAGICLINKS) {
        r = -ELOOP;
    } else if (w->flags & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
        r = -EXDEV;
    } else if (file) {
        struct path p;
        file_path(file, &p);
        set_at(w, p.mount, p.dentry);
        path_put(&p);
    } else {
        set_at(w, mount, dentry);
    }
    file_put(file);
    dentry_put(dentry);
    mount_put(mount);
    return r;
}

/* Reads the target of a link into fresh memory. */
static int read_target(struct walk *w, struct inode *link, char **out)
{
    if (++w->links > LIMIT_SYMLINKS || w->flags & RESOLVE_NO_SYMLINKS) {
        return -ELOOP;
    }
    uint64_t cap = link->size > 0 && link->size < LIMIT_PATH ? link->size + 1 : LIMIT_PATH;
    char *text = kalloc(w->m, cap);
    int64_t n = link->ops->readlink(w->t, link, text, cap - 1);
    if (n <= 0) {
        kfree(w->m, text);
        return n ? (int)n : -ENOENT;
    }
    text[n] = '\0';
    *out = text;
    return 0;
}

/* Follows a link in the middle of the path. w->rest is what comes behind it. */
static int follow_middle(struct walk *w, struct dentry *d)
{
    struct inode *link = d->inode;
    if (link->ops->jump) {
        if (++w->links > LIMIT_SYMLINKS || w->flags & RESOLVE_NO_SYMLINKS) {
            return -ELOOP;
        }
        return jump(w, link);
    }
    char *text;
    int r = read_target(w, link, &text);
    if (r) {
        return r;
    }
    w->stack[w->depth].text = text;
    w->stack[w->depth].resume = w->rest;
    w->depth++;
    w->rest = text;
    return *text == '/' ? go_to_root(w) : 0;
}

static int step(struct walk *w, const char *name, uint32_t len)
{
    if (len == 1 && name[0] == '.') {
        return 0;
    }
    if (len == 2 && name[0] == '.' && name[1] == '.') {
        return go_up(w);
    }
    struct dentry *d;
    int r = dentry_lookup(w->at.dentry, name, len, &d);
    if (r) {
        return r;
    }
    if (!d->inode) {
        dentry_put(d);
        return -ENOENT;
    }
    if (inode_is(d->inode, ABI_S_IFLNK)) {
        r = follow_middle(w, d);
        dentry_put(d);
        return r;
    }
    return walk_into(w, d);
}

static uint32_t component(const char *s)
{
    uint32_t n = 0;
    while (s[n] && s[n] != '/') {
        n++;
    }
    return n;
}

static const char *skip_slashes(const char *s)
{
    while (*s == '/') {
        s++;
    }
    return s;
}

/* The texts of finished links are behind us. */
static void pop_finished(struct walk *w)
{
    w->rest = skip_slashes(w->rest);
    while (!*w->rest && w->depth > 0) {
        w->depth--;
        w->rest = skip_slashes(w->stack[w->depth].resume);
        kfree(w->m, w->stack[w->depth].text);
    }
}

static bool is_final(const struct walk *w, const char *behind)
{
    return !*skip_slashes(behind) && w->depth == 0;
}

static enum walk_last kind_of(const char *name, uint32_t len)
{
    if (name[0] == '.' && len <= 2 && (len == 1 || name[1] == '.')) {
        return len == 1 ? WALK_DOT : WALK_DOTDOT;
    }
    return WALK_NAME;
}

int walk_parent(struct walk *w)
{
    if (!*w->rest) {
        w->kind = WALK_SELF;
        return 0;
    }
    w->kind = WALK_ROOT;
    for (;;) {
        pop_finished(w);
        if (!*w->rest) {
            return 0;
        }
        if (!inode_is(w->at.dentry->inode, ABI_S_IFDIR)) {
            return -ENOTDIR;
        }
        int r = inode_permission(w->t, w->at.dentry->inode, MAY_EXEC);
        if (r) {
            return r;
        }
        uint32_t len = component(w->rest);
        const char *name = w->rest;
        if (is_final(w, name + len)) {
            w->last = name;
            w->last_len = len;
            w->kind = kind_of(name, len);
            w->trailing = w->trailing || name[len] == '/';
            return 0;
        }
        w->rest = name + len;
        r = step(w, name, len);
        if (r) {
            return r;
        }
    }
}

int walk_entry(struct walk *w, struct dentry **out)
{
    return dentry_lookup(w->at.dentry, w->last, w->last_len, out);
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
    struct inode *link = d->inode;
    if (link->ops->jump) {
        if (++w->links > LIMIT_SYMLINKS || w->flags & RESOLVE_NO_SYMLINKS) {
            return -ELOOP;
        }
        w->kind = WALK_SELF;
        return jump(w, link);
    }
    char *text;
    int r = read_target(w, link, &text);
    if (r) {
        return r;
    }
    kfree(w->m, w->last_text);
    w->last_text = text;
    w->rest = text;
    r = *text == '/' ? go_to_root(w) : 0;
    return r ? r : walk_parent(w);
}

/* One attempt at the last component; *again says that it was a link. */
static int last_step(struct walk *w, bool follow, bool *again)
{
    struct dentry *d;
    int r = walk_entry(w, &d);
    if (r) {
        return r;
    }
    if (!d->inode) {
        dentry_put(d);
        return -ENOENT;
    }
    if (inode_is(d->inode, ABI_S_IFLNK) && (follow || w->trailing)) {
        *again = true;
        r = walk_follow_last(w, d);
        dentry_put(d);
        return r;
    }
    r = walk_into(w, d);
    w->kind = WALK_SELF;
    return r;
}

int walk_last(struct walk *w, bool follow)
{
    for (;;) {
        bool again = false;
        int r = 0;
        if (w->kind == WALK_DOTDOT) {
            r = go_up(w);
        } else if (w->kind == WALK_NAME) {
            r = last_step(w, follow, &again);
        }
        if (r) {
            return r;
        }
        if (!again) {
            break;
        }
    }
    if (w->trailing && !inode_is(w->at.dentry->inode, ABI_S_IFDIR)) {
        return -ENOTDIR;
    }
    return 0;
}

int walk_to(struct task *t, int dirfd, const char *path, uint32_t lookup_flags, uint32_t resolve,
            struct path *out)
{
    struct walk w;
    uint32_t flags = resolve | (lookup_flags & LOOKUP_EMPTY ? WALK_EMPTY : 0);
    int r = walk_init(&w, t, dirfd, path, flags);
    if (!r) {
        r = walk_parent(&w);
    }
    if (!r) {
        r = walk_last(&w, lookup_flags & LOOKUP_FOLLOW);
    }
    if (!r && lookup_flags & LOOKUP_DIRECTORY && !inode_is(w.at.dentry->inode, ABI_S_IFDIR)) {
        r = -ENOTDIR;
    }
    if (!r) {
        path_set(out, w.at.mount, w.at.dentry);
    }
    walk_fini(&w);
    return r;
}

int vfs_lookup(struct task *t, int dirfd, const char *path, uint32_t flags, struct path *out)
{
    return walk_to(t, dirfd, path, flags, 0, out);
}
