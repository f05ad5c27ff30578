#include "image/tree.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"

static int compare_dirent(const void *a, const void *b)
{
    return strcmp(((const struct tree_dirent *)a)->name, ((const struct tree_dirent *)b)->name);
}

static void free_dirent(void *p)
{
    struct tree_dirent *d = p;
    tree_inode_put(d->inode);
    free(d->name);
    free(d);
}

struct tree_inode *tree_inode_create(uint32_t mode)
{
    struct tree_inode *i = mem_zalloc(sizeof *i);
    i->refs = 1;
    i->mode = mode;
    return i;
}

void tree_inode_get(struct tree_inode *inode)
{
    inode->refs++;
}

static void free_xattrs(struct tree_inode *inode)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        free(inode->xattrs[i].name);
        free(inode->xattrs[i].value);
    }
    free(inode->xattrs);
    inode->xattrs = NULL;
    inode->xattr_count = inode->xattr_cap = 0;
}

static void drop_children(struct tree_inode *dir)
{
    tdestroy(dir->children, free_dirent); /* no deeper than TREE_DEPTH_MAX */
    dir->children = NULL;
    dir->child_count = 0;
}

void tree_inode_put(struct tree_inode *inode)
{
    if (!inode || --inode->refs) {
        return;
    }
    drop_children(inode);
    free_xattrs(inode);
    free(inode->link);
    free(inode->patches);
    free(inode);
}

static struct tree_xattr *find_xattr(const struct tree_inode *inode, const char *name)
{
    for (size_t i = 0; i < inode->xattr_count; i++) {
        if (strcmp(inode->xattrs[i].name, name) == 0) {
            return &inode->xattrs[i];
        }
    }
    return NULL;
}

void tree_inode_set_xattr(struct tree_inode *inode, const char *name, const void *value, size_t len)
{
    struct tree_xattr *x = find_xattr(inode, name);
    if (!x) {
        x = ARRAY_PUSH(inode->xattrs, inode->xattr_count, inode->xattr_cap);
        x->name = mem_strdup(name);
    }
    free(x->value);
    x->value = mem_zalloc(len);
    x->len = (uint32_t)len;
    if (len) {
        memcpy(x->value, value, len);
    }
}

void tree_init(struct tree *t)
{
    t->root = tree_inode_create(S_IFDIR | 0755);
    t->root->parent = t->root;
}

void tree_fini(struct tree *t)
{
    tree_inode_put(t->root);
    t->root = NULL;
}

static struct tree_inode *child(const struct tree_inode *dir, const char *name)
{
    struct tree_dirent key = {.name = (char *)(uintptr_t)name};
    void *hit = tfind(&key, &dir->children, compare_dirent);
    return hit ? (*(struct tree_dirent **)hit)->inode : NULL;
}

static void unlink_child(struct tree_inode *dir, const char *name)
{
    struct tree_dirent key = {.name = (char *)(uintptr_t)name};
    void *hit = tfind(&key, &dir->children, compare_dirent);
    if (hit) {
        struct tree_dirent *d = *(struct tree_dirent **)hit;
        tdelete(d, &dir->children, compare_dirent);
        free_dirent(d);
        dir->child_count--;
    }
}

static void link_child(struct tree_inode *dir, const char *name, struct tree_inode *inode)
{
    struct tree_dirent *d = mem_zalloc(sizeof *d);
    d->name = mem_strdup(name);
    d->inode = inode;
    tree_inode_get(inode);
    void *at = tsearch(d, &dir->children, compare_dirent);
    ASSERT(at);
    ASSERT(*(struct tree_dirent **)at == d);
    dir->child_count++;
    if (S_ISDIR(inode->mode)) {
        inode->parent = dir;
        inode->depth = dir->depth + 1;
    }
}

char *tree_normalise(const char *path, struct err *err)
{
    struct buf out = {0};
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, "/");
        bool dots = len == 2 && at[0] == '.' && at[1] == '.';
        if (dots || len > TREE_NAME_MAX) {
            err_set(err, ERR_USAGE,
                    dots ? "entry '%.300s' leaves its directory by '..'"
                         : "entry '%.300s' has a name longer than 255 bytes",
                    path);
            buf_free(&out);
            return NULL;
        }
        if (len && !(len == 1 && at[0] == '.')) {
            if (out.len) {
                buf_putc(&out, '/');
            }
            buf_append(&out, at, len);
        }
        at += len;
        at += *at == '/';
    }
    if (out.len > TREE_PATH_MAX) {
        err_set(err, ERR_USAGE, "entry '%.300s...' has a path longer than 4095 bytes", path);
        buf_free(&out);
        return NULL;
    }
    return buf_steal(&out);
}

enum walk_missing { WALK_FIND, WALK_CREATE };

struct walk {
    const struct tree *t;
    enum walk_missing missing;
    unsigned links;
    const char *fault; /* why it failed, when not simply missing */
};

static struct tree_inode *walk_dirs(struct walk *w, struct tree_inode *from, const char *path);

static struct tree_inode *step(struct walk *w, struct tree_inode *dir, const char *name)
{
    if (strcmp(name, ".") == 0) {
        return dir;
    }
    if (strcmp(name, "..") == 0) {
        return dir->parent; /* the root is its own parent */
    }
    struct tree_inode *next = child(dir, name);
    if (next && S_ISLNK(next->mode)) {
        if (++w->links > TREE_LINKS_MAX) {
            w->fault = "goes through too many symbolic links";
            return NULL;
        }
        return walk_dirs(w, next->link[0] == '/' ? w->t->root : dir, next->link);
    }
    if (next && S_ISDIR(next->mode)) {
        return next;
    }
    if (w->missing == WALK_FIND) {
        return NULL;
    }
    if (strlen(name) > TREE_NAME_MAX || dir->depth >= TREE_DEPTH_MAX) {
        w->fault = "is nested too deeply";
        return NULL;
    }
    /* A file where a directory is needed gives way, as when the layer is unpacked on disk. */
    unlink_child(dir, name);
    next = tree_inode_create(S_IFDIR | 0755);
    link_child(dir, name, next);
    tree_inode_put(next);
    return next;
}

static struct tree_inode *walk_dirs(struct walk *w, struct tree_inode *from, const char *path)
{
    struct tree_inode *dir = from;
    for (const char *at = path; dir && *at;) {
        size_t len = strcspn(at, "/");
        if (len) {
            char *name = mem_strndup(at, len);
            dir = step(w, dir, name);
            free(name);
        }
        at += len;
        at += *at == '/';
    }
    return dir;
}

/* The directory that holds the last component of `path`, and that component. */
static struct tree_inode *walk_parent(struct walk *w, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash) {
        return w->t->root;
    }
    char *dir = mem_strndup(path, (size_t)(slash - path));
    struct tree_inode *found = walk_dirs(w, w->t->root, dir);
    free(dir);
    return found;
}

struct tree_inode *tree_find(const struct tree *t, const char *path)
{
    struct walk w = {.t = t, .missing = WALK_FIND};
    const char *name;
    if (!*path) {
        return t->root;
    }
    struct tree_inode *dir = walk_parent(&w, path, &name);
    return dir ? child(dir, name) : NULL;
}

/* A directory entry of an upper layer over an existing directory. */
static void take_attributes(struct tree_inode *dir, struct tree_inode *from)
{
    dir->mode = from->mode;
    dir->uid = from->uid;
    dir->gid = from->gid;
    dir->mtime_s = from->mtime_s;
    dir->mtime_ns = from->mtime_ns;
    free_xattrs(dir);
    for (size_t i = 0; i < from->xattr_count; i++) {
        const struct tree_xattr *x = &from->xattrs[i];
        tree_inode_set_xattr(dir, x->name, x->value, x->len);
    }
}

int tree_put(struct tree *t, const char *path, struct tree_inode *inode, struct err *err)
{
    struct walk w = {.t = t, .missing = WALK_CREATE};
    const char *name;
    struct tree_inode *dir = *path ? walk_parent(&w, path, &name) : t->root->parent;
    if (!dir) {
        return err_set(err, ERR_USAGE, "entry '%s' %s", path, w.fault ? w.fault : "has no parent");
    }
    struct tree_inode *old = *path ? child(dir, name) : t->root;
    if (old && S_ISDIR(old->mode) && S_ISDIR(inode->mode)) {
        take_attributes(old, inode);
        return 0;
    }
    if (!*path) {
        return err_set(err, ERR_USAGE, "the root of the image must be a directory");
    }
    if (old == inode) {
        return 0; /* a hard link to itself */
    }
    if (dir->depth >= TREE_DEPTH_MAX) {
        return err_set(err, ERR_USAGE, "entry '%s' is nested too deeply", path);
    }
    unlink_child(dir, name);
    link_child(dir, name, inode);
    return 0;
}

void tree_remove(struct tree *t, const char *path)
{
    struct walk w = {.t = t, .missing = WALK_FIND};
    const char *name;
    struct tree_inode *dir = *path ? walk_parent(&w, path, &name) : NULL;
    if (dir) {
        unlink_child(dir, name);
    }
}

void tree_remove_children(struct tree *t, const char *path)
{
    struct walk w = {.t = t, .missing = WALK_FIND};
    struct tree_inode *dir = walk_dirs(&w, t->root, path);
    if (dir) {
        drop_children(dir);
    }
}

struct collect {
    struct tree_dirent **entries;
    size_t count;
};

static void collect_entry(const void *node, VISIT which, void *closure)
{
    struct collect *c = closure;
    if (which == postorder || which == leaf) {
        c->entries[c->count++] = *(struct tree_dirent *const *)node;
    }
}

struct tree_dirent **tree_entries(const struct tree_inode *dir)
{
    struct collect c = {.entries = mem_zalloc(dir->child_count * sizeof *c.entries)};
    twalk_r(dir->children, collect_entry, &c);
    ASSERT(c.count == dir->child_count);
    return c.entries;
}
