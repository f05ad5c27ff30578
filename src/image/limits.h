/* What an image may cost before it is refused as a bomb. */
#ifndef EVERETT_IMAGE_LIMITS_H
#define EVERETT_IMAGE_LIMITS_H

#include "base/base.h"

struct image_limits {
    uint64_t bytes_max;   /* of file contents, and of an uncompressed layer, each */
    uint64_t entries_max; /* of one layer */
    uint64_t json_max;    /* bytes of a manifest, index or config */
    uint32_t layers_max;
    uint32_t members_max; /* of the archive that holds the image */
    uint32_t ratio_max;   /* uncompressed to compressed, judged from 64 MiB on */
};

struct image_limits image_limits_default(void);

#endif
