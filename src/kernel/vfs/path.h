/* Path walk (path_resolution(7), symlink(7), openat2(2)). Internal to the vfs and the file calls.
 */
#ifndef EVERETT_KERNEL_VFS_PATH_H
#define EVERETT_KERNEL_VFS_PATH_H

#include "kernel/limits.h"
#include "kernel/vfs/inode.h"

struct node;

enum walk_last {
    WALK_NAME, /* an ordinary last component */
    WALK_ROOT, /* the path was only slashes */
    WALK_DOT,
    WALK_DOTDOT,
    WALK_SELF, /* empty path with LOOKUP_EMPTY, or a jump: `at` is the object itself */
};

#define WALK_EMPTY 0x1000u /* AT_EMPTY_PATH; above openat2's RESOLVE_* bits */

/* Everything a walk holds; walk_fini releases it whatever happened. */
struct walk {
    struct machine *m;
    struct task *t; /* NULL: the kernel itself, everything allowed */
    struct path root, start;
    struct path at; /* counted: parent of the last component, or the result */
    const char *rest;
    const char *last; /* not terminated */
    uint32_t last_len;
    enum walk_last kind;
    bool trailing; /* a slash follows the last component */
    bool has_root;
    uint32_t flags; /* RESOLVE_* | WALK_EMPTY */
    uint32_t links;
    uint32_t depth;
    struct {
        char *text;         /* kalloc'ed link target being walked */
        const char *resume; /* what follows it */
    } stack[LIMIT_SYMLINKS];
    char *last_text; /* target of a link in last position */
};

/* Starts at the root, the working directory, or dirfd; path must stay valid until walk_fini.
 * 0, -ENOENT (empty), -EBADF, -ENOTDIR. */
int walk_init(struct walk *w, struct task *t, int dirfd, const char *path, uint32_t flags);
/* The kernel's own walk from a node's root. */
int walk_init_node(struct walk *w, struct node *n, const char *path);
void walk_fini(struct walk *w);

/* Walks all but the last component, with search permission on every directory. */
int walk_parent(struct walk *w);
/* The (possibly negative) entry of the last component; kind must be WALK_NAME. Counted. */
int walk_entry(struct walk *w, struct dentry **out);
/* Goes on to the last component: w->at is then the object. follow: a symbolic link there too.
 * -ENOENT, -ELOOP, -ENOTDIR (trailing slash on something else). */
int walk_last(struct walk *w, bool follow);
/* Replaces the last component, the symbolic link d, by its target and walks that up to its parent:
 * after this the walk is as after walk_parent. */
int walk_follow_last(struct walk *w, struct dentry *d);
/* Moves w->at to `d` (an entry of w->at) and whatever is mounted there. Consumes the reference. */
int walk_into(struct walk *w, struct dentry *d);
/* All of the above: the object at the end of the path, counted. */
int walk_to(struct task *t, int dirfd, const char *path, uint32_t lookup_flags, uint32_t resolve,
            struct path *out);
/* The copy of a path argument into one of the vfs's two buffers: length or -errno. */
int64_t path_arg(struct task *t, uint64_t addr, unsigned which, const char **out);

#endif
