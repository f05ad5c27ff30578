/* Mounts: a tree per node. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct mount *mount_create(struct machine *m, struct superblock *sb, struct dentry *root,
                           uint32_t flags, const char *source)
{
    struct mount *mnt = KALLOC(m, struct mount);
    mnt->sb = superblock_get(sb);
    mnt->root = dentry_get(root);
    mnt->flags = flags;
    mnt->id = ++m->vfs->next_mount_id;
    mnt->source = kstrdup(m, source, str_len(source));
    mnt->refs = 1;
    list_init(&mnt->children);
    list_init(&mnt->sibling);
    return mnt;
}

void mount_attach(struct mount *child, const struct path *at)
{
    child->parent = at->mount;
    child->mountpoint = dentry_get(at->dentry);
    at->dentry->mounted++;
    list_add_tail(&at->mount->children, &child->sibling);
}

struct mount *mount_get(struct mount *m)
{
    m->refs++;
    return m;
}

void mount_put(struct mount *m)
{
    if (!m) {
        return;
    }
    ASSERT(m->refs > 0);
    if (--m->refs > 0) {
        return;
    }
    ASSERT(list_empty(&m->children));
    struct machine *machine = m->sb->m;
    dentry_put(m->root);
    kfree(machine, m->source);
    superblock_put(m->sb);
    kfree(machine, m);
}

static void kill_superblock(struct superblock *sb)
{
    if (sb->root && sb->root->inode->ops == &memfs_inode_ops) {
        memfs_kill(sb);
        return;
    }
    dentry_put(sb->root);
    sb->root = NULL;
    dcache_purge(sb);
    superblock_put(sb);
}

void mount_tear_down(struct mount *m)
{
    while (!list_empty(&m->children)) { /* depth of mounts is bounded by the plan */
        mount_tear_down(list_last_entry(&m->children, struct mount, sibling));
    }
    if (m->parent) {
        list_del(&m->sibling);
        m->mountpoint->mounted--;
        dentry_put(m->mountpoint);
        m->parent = NULL;
        m->mountpoint = NULL;
    }
    struct superblock *sb = m->owns_sb ? m->sb : NULL;
    mount_put(m);
    if (sb) {
        kill_superblock(sb);
    }
}

struct mount *mount_covering(struct mount *m, const struct dentry *d)
{
    struct mount *found = NULL, *c;
    list_for_each_entry (c, &m->children, sibling) {
        if (c->mountpoint == d) {
            found = c; /* the latest one is on top */
        }
    }
    return found;
}

/* --- names of places -------------------------------------------------------------------------- */

struct backwards {
    char *buf;
    size_t at; /* first byte used so far */
    bool overflow;
};

static void prepend(struct backwards *b, const char *s, size_t len)
{
    if (len > b->at) {
        b->overflow = true;
        return;
    }
    b->at -= len;
    memcpy(b->buf + b->at, s, len);
}

/* Walks from p to the root (or to the top of what p hangs on). True if the root was met. */
static bool spell(struct backwards *b, struct path p, const struct path *root)
{
    for (;;) {
        if (root && p.mount == root->mount && p.dentry == root->dentry) {
            return true;
        }
        if (p.dentry == p.mount->root || p.dentry->parent == p.dentry) {
            bool top = p.dentry != p.mount->root || !p.mount->parent;
            if (top) {
                return !root;
            }
            p = (struct path){p.mount->parent, p.mount->mountpoint};
            continue;
        }
        prepend(b, p.dentry->name, p.dentry->name_len);
        prepend(b, "/", 1);
        p.dentry = p.dentry->parent;
    }
}

int64_t vfs_path_string(struct task *t, const struct path *p, char *buf, size_t cap,
                        bool mark_deleted)
{
    static const char deleted[] = " (deleted)";
    struct backwards b = {.buf = buf, .at = cap};
    const struct dentry *d = p->dentry;
    if (cap == 0) {
        return -ENAMETOOLONG;
    }
    prepend(&b, "", 1);
    if (mark_deleted && d->unlinked) {
        prepend(&b, deleted, sizeof deleted - 1);
    }
    size_t before = b.at;
    if (d->parent == d && d != p->mount->root) { /* memfd and the like: no tree */
        prepend(&b, d->name, d->name_len);
        prepend(&b, "/", 1);
    } else {
        struct path root = {NULL, NULL};
        if (t) {
            root = (struct path){t->fs->root_mount, t->fs->root};
        }
        bool met = spell(&b, *p, t ? &root : NULL);
        if (b.at == before) {
            prepend(&b, "/", 1);
        }
        if (!met && !mark_deleted) {
            prepend(&b, "(unreachable)", 13); /* getcwd(2) */
        }
    }
    if (b.overflow) {
        return -ENAMETOOLONG;
    }
    size_t len = cap - b.at; /* with the NUL */
    memmove(buf, buf + b.at, len);
    return (int64_t)len - 1;
}
