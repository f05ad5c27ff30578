/* Listing, describing, naming and removing stored images. */
#ifndef EVERETT_IMAGE_LIST_H
#define EVERETT_IMAGE_LIST_H

#include "image/config.h"
#include "image/record.h"
#include "image/store.h"

struct image_info {
    struct image_record record;
    struct image_strings refs; /* sorted */
    char *created;             /* owned; as the config says, may be empty */
};

struct image_infos {
    struct image_info *items; /* owned; named ones first by first name, then the others by id */
    size_t count, cap;
};

/* Images packed by another version are left out: they have to be loaded again. */
int image_list(struct image_store *store, struct image_infos *infos, struct err *err);
void image_infos_fini(struct image_infos *infos);

struct buf;
/* Append one JSON document (an array; an object), with a stable order of keys. */
int image_list_json(struct image_store *store, struct buf *out, struct err *err);
int image_inspect_json(struct image_store *store, const char *ref, struct buf *out,
                       struct err *err);

/* Removes a name; the image goes with its last name. Given by id or digest, the image and all its
 * names. Waits for loads to end; runs that have the image open keep it. */
int image_rm(struct image_store *store, const char *ref, struct err *err);

#endif
