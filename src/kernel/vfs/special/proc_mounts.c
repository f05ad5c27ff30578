/* /proc/PID/{mounts,mountinfo,mountstats}: the node's mount tree (proc(5)). */
#include <linux/mount.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/vfs.h"

#define ESCAPED " \t\n\\"

typedef void (*mount_fn)(struct text *x, struct pseudo_ctx *c, struct mount *m, const char *at);

static void flags_text(struct text *x, uint32_t flags)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {MS_NOSUID, ",nosuid"},   {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
        {MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"}, {MS_SYNCHRONOUS, ",sync"},
    };

    text_puts(x, flags & MS_RDONLY ? "ro" : "rw");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        text_puts(x, flags & names[i].bit ? names[i].name : "");
    }
    if (!(flags & MS_NOATIME)) {
        text_puts(x, ",relatime");
    }
}

/* What the file system itself adds: what programs look for in memory file systems. */
static void super_text(struct text *x, const struct mount *m)
{
    text_puts(x, m->flags & MS_RDONLY ? "ro" : "rw");
    if (str_eq(m->sb->type, "tmpfs") && m->sb->size_limit) {
        text_printf(x, ",size=%luk", m->sb->size_limit / 1024);
    }
}

static const char *source_of(const struct mount *m)
{
    return m->source && m->source[0] ? m->source : m->sb->type;
}

static void line_mounts(struct text *x, struct pseudo_ctx *c, struct mount *m, const char *at)
{
    text_escaped(x, source_of(m), str_len(source_of(m)), ESCAPED);
    text_puts(x, " ");
    text_escaped(x, at, str_len(at), ESCAPED);
    text_printf(x, " %s ", m->sb->type);
    flags_text(x, m->flags);
    if (str_eq(m->sb->type, "tmpfs") && m->sb->size_limit) {
        text_printf(x, ",size=%luk", m->sb->size_limit / 1024);
    }
    text_puts(x, " 0 0\n");
}

/* Path of the mount's root within its file system: not "/" for binds of a subdirectory. */
static void root_text(struct text *x, const struct mount *m)
{
    const struct dentry *chain[64];
    unsigned n = 0;

    for (const struct dentry *d = m->root; d->parent != d && n < ARRAY_LEN(chain); d = d->parent) {
        chain[n++] = d;
    }
    if (n == 0) {
        text_puts(x, "/");
    }
    while (n > 0) {
        n--;
        text_puts(x, "/");
        text_escaped(x, chain[n]->name, chain[n]->name_len, ESCAPED);
    }
}

static void line_mountinfo(struct text *x, struct pseudo_ctx *c, struct mount *m, const char *at)
{
    text_printf(x, "%u %u 0:%u ", m->id, m->parent ? m->parent->id : 0, m->sb->dev_minor);
    root_text(x, m);
    text_puts(x, " ");
    text_escaped(x, at, str_len(at), ESCAPED);
    text_puts(x, " ");
    flags_text(x, m->flags);
    text_printf(x, " - %s ", m->sb->type);
    text_escaped(x, source_of(m), str_len(source_of(m)), ESCAPED);
    text_puts(x, " ");
    super_text(x, m);
    text_puts(x, "\n");
}

static void line_mountstats(struct text *x, struct pseudo_ctx *c, struct mount *m, const char *at)
{
    text_puts(x, "device ");
    text_escaped(x, source_of(m), str_len(source_of(m)), ESCAPED);
    text_puts(x, " mounted on ");
    text_escaped(x, at, str_len(at), ESCAPED);
    text_printf(x, " with fstype %s\n", m->sb->type);
}

/* Parents before children, in mount order. */
static void walk(struct text *x, struct pseudo_ctx *c, struct mount *m, char *path, mount_fn fn)
{
    struct path p = {m, m->root};
    struct mount *child;
    /* Seen from the reader's root, as Linux shows it; mounts outside are left out. */
    int64_t n = vfs_path_string(c->t, &p, path, LIMIT_PATH, false);

    if (n > 0) {
        path[n < LIMIT_PATH ? n : LIMIT_PATH - 1] = 0;
        fn(x, c, m, path);
    }
    list_for_each_entry (child, &m->children, sibling) {
        walk(x, c, child, path, fn);
    }
}

static void walk_all(struct text *x, struct pseudo_ctx *c, mount_fn fn)
{
    char *path = kalloc(c->m, LIMIT_PATH);

    if (c->node->root) {
        walk(x, c, c->node->root, path, fn);
    }
    kfree(c->m, path);
}

void proc_mounts(struct text *x, struct pseudo_ctx *c)
{
    walk_all(x, c, line_mounts);
}

void proc_mountinfo(struct text *x, struct pseudo_ctx *c)
{
    walk_all(x, c, line_mountinfo);
}

void proc_mountstats(struct text *x, struct pseudo_ctx *c)
{
    walk_all(x, c, line_mountstats);
}
