/* The tree of an image as files below a directory of the host. */
#ifndef EVERETT_IMAGE_EXTRACT_H
#define EVERETT_IMAGE_EXTRACT_H

#include "base/err.h"

struct image;

struct image_extract_limits {
    uint64_t bytes_max;   /* of all files together */
    uint32_t entries_max; /* files, directories and links */
};

/* Writes directories, regular files and symbolic links (as they are: whoever reads them must take
 * `dirfd` for their root) into the directory `dirfd`, which should be empty. Nothing is written
 * outside it, whatever the image holds; modes lose their set-id bits and keep the owner's right to
 * read and write. Devices, pipes and sockets are left out. Hard links become copies. ERR_USAGE
 * when a limit is passed or a name is there already, ERR_HOST from the disk. What was written
 * before an error stays. */
int image_extract(const struct image *image, int dirfd, const struct image_extract_limits *limits,
                  struct err *err) must_check;

#endif
