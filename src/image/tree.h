/* The merged file tree of an image while it is being built.
 *
 * Layers are applied lowest first, in memory only: nothing is ever created on the host, so path
 * traversal, links out of the image and device nodes have nothing to act on. */
#ifndef EVERETT_IMAGE_TREE_H
#define EVERETT_IMAGE_TREE_H

#include "abi/pack.h"
#include "base/err.h"

#define TREE_NAME_MAX   255u  /* NAME_MAX; longer names cannot exist on Linux */
#define TREE_PATH_MAX   4095u /* PATH_MAX without its NUL */
#define TREE_DEPTH_MAX  1024u
#define TREE_XATTRS_MAX 1024u
#define TREE_LINKS_MAX  40u /* path_resolution(7) */

struct tree_xattr {
    char *name;  /* owned */
    void *value; /* owned */
    uint32_t len;
};

struct tree_inode {
    uint32_t refs; /* directory entries and other holders */
    uint32_t ino;  /* given by the index writer */
    uint32_t mode, uid, gid;
    uint32_t rdev_major, rdev_minor;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint64_t size;
    char *link;                /* owned: target of a symbolic link */
    struct tree_xattr *xattrs; /* owned; sorted by name by the index writer */
    size_t xattr_count, xattr_cap;
    struct pack_patch *patches; /* owned */
    size_t patch_count;
    uint32_t data; /* regular file: data file and first page */
    uint64_t page;
    struct tree_inode *parent; /* directory */
    void *children;            /* directory: tsearch(3) tree of struct tree_dirent by name */
    uint32_t child_count, depth;
};

struct tree_dirent {
    char *name;               /* owned */
    struct tree_inode *inode; /* holds a reference */
};

struct tree {
    struct tree_inode *root; /* holds a reference */
};

void tree_init(struct tree *t); /* a root directory 0755 root:root, times zero */
void tree_fini(struct tree *t);

/* A new inode with one reference. */
struct tree_inode *tree_inode_create(uint32_t mode);
void tree_inode_get(struct tree_inode *inode);
void tree_inode_put(struct tree_inode *inode); /* accepts NULL */
/* Replaces a value of the same name: archives may carry an attribute in two spellings. */
void tree_inode_set_xattr(struct tree_inode *inode, const char *name, const void *value,
                          size_t len);

/* Brings `path` into normal form: no leading "/" or "./", no empty or "." components; the root is
 * "". Returns an owned string, or NULL: ".." components, or longer than Linux allows. */
char *tree_normalise(const char *path, struct err *err);

/* All paths below are in normal form. Symbolic links in parent directories are followed inside the
 * image; the last component is not followed. */

/* Puts `inode` (reference borrowed) at `path`, replacing what is there; a directory over a
 * directory takes its attributes and keeps its children. Missing parents appear as 0755 root:root.
 */
int tree_put(struct tree *t, const char *path, struct tree_inode *inode, struct err *err);
/* NULL when there is no such entry; no reference is taken. */
struct tree_inode *tree_find(const struct tree *t, const char *path);
/* Harmless when there is nothing. */
void tree_remove(struct tree *t, const char *path);
void tree_remove_children(struct tree *t, const char *path);

/* The entries of a directory in bytewise order of names. The caller frees the array. */
struct tree_dirent **tree_entries(const struct tree_inode *dir);

#endif
