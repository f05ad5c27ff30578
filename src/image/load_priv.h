/* Shared by the readers of the archive formats (load_*.c) only. */
#ifndef EVERETT_IMAGE_LOAD_PRIV_H
#define EVERETT_IMAGE_LOAD_PRIV_H

#include <jansson.h>

#include "base/buf.h"
#include "image/load.h"
#include "image/source.h"

struct load {
    struct image_store *store;
    struct source *src;
    struct image_limits limits;
    struct image_load_result *result;
};

struct load_layer {
    char *member;            /* owned: name in the archive */
    char digest[DIGEST_HEX]; /* promised by the manifest, or empty */
};

/* One image to be packed. */
struct load_plan {
    struct buf config, manifest, list; /* bytes as they came; the last two may be empty */
    struct load_layer *layers;
    size_t layer_count, layer_cap;
};

void load_plan_fini(struct load_plan *plan);
/* Packs the image unless the store has it. Returns its entry in the result (valid until the next
 * call), or NULL. */
struct image_loaded *load_plan_run(struct load *load, const struct load_plan *plan,
                                   struct err *err);
/* Names an image that was loaded; a name in the archive that is not valid is an error. */
int load_name(struct load *load, struct image_loaded *image, const char *ref, struct err *err);

/* Parses a member; NULL on error. The bytes are kept in `text` too. */
json_t *load_json(struct load *load, const char *member, struct buf *text, struct err *err);

int load_oci(struct load *load, struct err *err);
int load_docker(struct load *load, struct err *err);
/* Adds the names in manifest.json to images that load_oci has loaded already. */
int load_docker_names(struct load *load, struct err *err);

#endif
