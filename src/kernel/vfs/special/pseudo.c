/* Table-driven file systems: look-up, listing, reading and writing of generated files. */
#include "kernel/vfs/special/pseudo.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

#define FIRST_POS     2u
#define GENERATED_POS (1u << 20) /* positions of generated children begin here */
#define WRITE_MAX     4096u

struct pseudo_open {
    const struct pseudo_ref *ref; /* lives in the inode, which the file holds */
    struct text text;
    bool filled;
};

static const struct inode_ops dir_ops, regular_ops, link_ops, jump_ops;

const struct pseudo_ref *pseudo_ref_of(const struct inode *inode)
{
    bool ours = inode->ops == &dir_ops || inode->ops == &regular_ops || inode->ops == &link_ops ||
                inode->ops == &jump_ops;

    return ours ? inode->priv : NULL;
}

bool pseudo_resolve(const struct pseudo_ref *ref, struct task *t, struct pseudo_ctx *c)
{
    *c = (struct pseudo_ctx){.t = t, .ref = ref, .m = ref->node->m, .node = ref->node};
    if (ref->pid == 0) {
        return true;
    }
    c->process = process_find(ref->node, ref->pid);
    if (!c->process) {
        return false;
    }
    c->target = ref->tid ? task_find(ref->node, ref->tid) : c->process->leader;
    return c->target && c->target->process == c->process;
}

/* --- inodes ----------------------------------------------------------------------------------- */

/* Stable for a path and unlikely to collide, as the names are few. Below 2^32, as procfs'. */
static uint64_t ino_of(uint64_t parent, const char *name, uint32_t len)
{
    uint64_t h = parent;

    for (uint32_t i = 0; i < len; i++) {
        h = stream_mix(h * 131 + (unsigned char)name[i]);
    }
    return 0x10000 + (h & 0x7fffffff);
}

static struct inode *make_inode(struct superblock *sb, const struct pseudo_ref *ref, uint64_t ino)
{
    uint32_t type = ref->entry->mode & ABI_S_IFMT;
    const struct inode_ops *ops = type == ABI_S_IFDIR   ? &dir_ops
                                  : type == ABI_S_IFREG ? &regular_ops
                                  : ref->entry->jump    ? &jump_ops
                                                        : &link_ops;
    uint32_t perm = ref->perm ? ref->perm : ref->entry->mode & 07777;
    struct inode *inode = inode_create(sb, ops, type | perm, ino);
    struct pseudo_ref *copy = KALLOC(sb->m, struct pseudo_ref);
    struct pseudo_ctx c;

    *copy = *ref;
    copy->ino = ino;
    inode->priv = copy;
    inode->nlink = type == ABI_S_IFDIR ? 2 : 1;
    if (ref->pid && pseudo_resolve(ref, NULL, &c)) {
        inode->uid = c.target->cred.euid;
        inode->gid = c.target->cred.egid;
    }
    return inode;
}

static void pseudo_evict(struct inode *inode)
{
    kfree(inode->sb->m, inode->priv);
}

static int pseudo_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    const struct pseudo_ref *d = dir->priv;
    struct pseudo_ref ref = *d;
    struct pseudo_child child = {0};
    struct pseudo_ctx c;

    if (!pseudo_resolve(d, NULL, &c)) {
        return -ENOENT;
    }
    for (const struct pseudo_entry *e = d->entry->table; e && e->name; e++) {
        if (str_len(e->name) == len && memcmp(e->name, name, len) == 0) {
            ref.entry = e;
            ref.perm = 0;
            *out = make_inode(dir->sb, &ref, ino_of(dir->ino, name, len));
            return 0;
        }
    }
    if (d->entry->children && d->entry->children->find(d, name, len, &child)) {
        ref.entry = child.entry;
        ref.pid = child.pid;
        ref.tid = child.tid;
        ref.num = child.num;
        ref.perm = child.perm;
        *out = make_inode(dir->sb, &ref, ino_of(dir->ino, name, len));
        return 0;
    }
    return -ENOENT;
}

static int pseudo_readdir(struct inode *dir, uint64_t pos, dir_emit_fn emit, void *ctx)
{
    const struct pseudo_ref *d = dir->priv;
    struct pseudo_child child = {0};
    struct pseudo_ctx c;
    uint64_t i = 0, key;

    if (!pseudo_resolve(d, NULL, &c)) {
        return -ENOENT;
    }
    for (const struct pseudo_entry *e = d->entry->table; e && e->name; e++, i++) {
        uint32_t len = (uint32_t)str_len(e->name);

        if (FIRST_POS + i >= pos && !emit(ctx, e->name, len, ino_of(dir->ino, e->name, len),
                                          e->mode & ABI_S_IFMT, FIRST_POS + i + 1)) {
            return 0;
        }
    }
    if (!d->entry->children) {
        return 0;
    }
    key = pos > GENERATED_POS ? pos - GENERATED_POS : 0;
    while (d->entry->children->next(d, &key, &child)) {
        uint32_t len = (uint32_t)str_len(child.name);

        if (!emit(ctx, child.name, len, ino_of(dir->ino, child.name, len),
                  child.entry->mode & ABI_S_IFMT, GENERATED_POS + key)) {
            return 0;
        }
    }
    return 0;
}

static int64_t pseudo_readlink(struct task *t, struct inode *inode, char *buf, uint64_t cap)
{
    const struct pseudo_ref *ref = inode->priv;
    struct pseudo_ctx c;

    if (!pseudo_resolve(ref, t, &c)) {
        return -ENOENT;
    }
    return ref->entry->readlink(&c, buf, cap);
}

static int pseudo_jump(struct task *t, struct inode *inode, struct mount **mount,
                       struct dentry **dentry, struct file **file)
{
    const struct pseudo_ref *ref = inode->priv;
    struct pseudo_ctx c;

    if (!pseudo_resolve(ref, t, &c)) {
        return -ENOENT;
    }
    return ref->entry->jump(&c, mount, dentry, file);
}

/* Modes, owners and times may be set by root and vanish with the inode; sizes stay 0. */
static int pseudo_setattr(struct task *t, struct inode *inode, const struct setattr *sa)
{
    if (sa->valid & SETATTR_SIZE) {
        return 0; /* O_TRUNC on /proc/sys/...: accepted */
    }
    return -EPERM;
}

/* --- files ------------------------------------------------------------------------------------ */

static int64_t fill(struct task *t, struct pseudo_open *o)
{
    struct pseudo_ctx c;

    if (!o->ref->entry->show) {
        return -EIO;
    }
    if (!pseudo_resolve(o->ref, t, &c)) {
        return -ESRCH;
    }
    o->text.len = 0;
    o->ref->entry->show(&o->text, &c);
    o->filled = c.err == 0;
    return c.err;
}

static int64_t pseudo_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct pseudo_open *o = f->priv;
    int64_t n;

    if (*pos == 0 || !o->filled) {
        n = fill(t, o);
        if (n < 0) {
            return n;
        }
    }
    if (*pos >= o->text.len) {
        return 0;
    }
    n = uio_copy_to(to, o->text.buf + *pos, o->text.len - *pos);
    if (n > 0) {
        *pos += (uint64_t)n;
    }
    return n;
}

static int64_t pseudo_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct pseudo_open *o = f->priv;
    struct pseudo_ctx c;
    uint64_t n = min_u64(from->left, WRITE_MAX - 1);
    char *buf;
    int64_t r;

    if (!o->ref->entry->store) {
        return -EIO;
    }
    if (!pseudo_resolve(o->ref, t, &c)) {
        return -ESRCH;
    }
    buf = kalloc(f->m, WRITE_MAX);
    r = uio_copy_from(from, buf, n);
    if (r >= 0) {
        r = o->ref->entry->store(&c, buf, (size_t)r);
    }
    kfree(f->m, buf);
    if (r > 0) {
        *pos += (uint64_t)r;
    }
    return r;
}

static int64_t pseudo_lseek(struct task *t, struct file *f, int64_t off, int whence)
{
    int64_t base = whence == 1 ? (int64_t)f->pos : 0;

    if (whence != 0 && whence != 1) {
        return -EINVAL; /* as seq_file */
    }
    if (off + base < 0) {
        return -EINVAL;
    }
    f->pos = (uint64_t)(off + base);
    return off + base;
}

static uint32_t pseudo_poll(struct file *f)
{
    return ABI_POLLIN | ABI_POLLOUT | ABI_POLLRDNORM | ABI_POLLWRNORM;
}

static void pseudo_release(struct machine *m, struct file *f)
{
    struct pseudo_open *o = f->priv;

    text_fini(&o->text);
    kfree(m, o);
}

static const struct file_ops pseudo_file_ops = {
    .name = "pseudo",
    .read = pseudo_read,
    .write = pseudo_write,
    .poll = pseudo_poll,
    .lseek = pseudo_lseek,
    .release = pseudo_release,
    .seekable = true,
};

static int pseudo_open(struct task *t, struct inode *inode, struct file *f)
{
    struct pseudo_open *o = KALLOC(f->m, struct pseudo_open);

    o->ref = inode->priv;
    text_init(&o->text, f->m);
    f->ops = &pseudo_file_ops;
    f->priv = o;
    return 0;
}

static const struct inode_ops dir_ops = {
    .lookup = pseudo_lookup,
    .readdir = pseudo_readdir,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};

static const struct inode_ops regular_ops = {
    .open = pseudo_open,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};

static const struct inode_ops link_ops = {
    .readlink = pseudo_readlink,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};

static const struct inode_ops jump_ops = {
    .readlink = pseudo_readlink,
    .jump = pseudo_jump,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};

struct superblock *pseudo_create(struct node *n, const char *type, uint64_t magic,
                                 const struct pseudo_entry *root, void *priv, struct inode **out)
{
    struct superblock *sb = superblock_create(n->m, type, magic);
    struct pseudo_ref ref = {.entry = root, .node = n, .fs = priv};

    sb->no_dcache = true;
    sb->priv = priv;
    *out = make_inode(sb, &ref, 1);
    return sb;
}

/* --- shared functions ------------------------------------------------------------------------- */

void pseudo_show_value(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, c->ref->entry->value);
    text_puts(x, "\n");
}

void pseudo_show_num(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%lu\n", c->ref->entry->num);
}

void pseudo_show_empty(struct text *x, struct pseudo_ctx *c)
{
}

int64_t pseudo_readlink_value(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    uint64_t n = min_u64(str_len(c->ref->entry->value), cap);

    memcpy(buf, c->ref->entry->value, n);
    return (int64_t)n;
}
