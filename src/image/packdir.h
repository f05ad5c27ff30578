/* Packing host files: directories (bind mounts next to the compose file) and files that Everett
 * itself injects. */
#ifndef EVERETT_IMAGE_PACKDIR_H
#define EVERETT_IMAGE_PACKDIR_H

#include "image/image.h"
#include "image/limits.h"

/* A universe must not depend on who checked the sources out and when, so owners and times are
 * replaced unless told otherwise. */
struct image_pack_options {
    bool keep_owner; /* else everything belongs to uid:gid */
    bool keep_mtime; /* else every mtime is mtime_s */
    uint32_t uid, gid;
    int64_t mtime_s;
    const struct image_limits *limits; /* NULL: the default */
};

/* Packs the tree at `path` and puts it into the store (named by the digest of its index). A path
 * that is a single file gives a root directory with that file in it. Symbolic links are kept as
 * links; sockets are left out. Takes the store lock, shared. `options` NULL: all defaults. The
 * caller closes the image. NULL on error, which names the file. */
struct image *image_pack_dir(struct image_store *store, const char *path,
                             const struct image_pack_options *options, struct err *err);

struct image_pack_file {
    const char *path; /* in the image; parents appear as 0755 root:root */
    uint32_t mode;    /* permission bits; a regular file unless S_IFDIR or S_IFLNK is set */
    const void *data; /* contents; link target */
    size_t len;
};

/* Packs bytes that are already in memory; nothing is written to disk (the image lives in memfds).
 * Owner root, times `mtime_s`. The caller closes the image. */
struct image *image_pack_files(const struct image_pack_file *files, size_t count, int64_t mtime_s,
                               struct err *err);

#endif
