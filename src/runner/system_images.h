/* The images a system under test is made of, opened once, in the order of the plan's image table:
 * first those of the services, then packed binds, then what Everett itself injects. */
#ifndef EVERETT_RUNNER_SYSTEM_IMAGES_H
#define EVERETT_RUNNER_SYSTEM_IMAGES_H

#include "base/err.h"
#include "image/digest.h"

struct compose_project;
struct image;
struct image_pins;
struct image_store;

enum system_image_kind {
    SYSTEM_IMAGE_STORED = 1, /* in the image store under its name */
    SYSTEM_IMAGE_BIND,       /* a packed host directory or file, in the image store by its id */
    SYSTEM_IMAGE_INJECTED,   /* in memory only; a run keeps a copy */
};

struct system_image {
    enum system_image_kind kind;
    char *name;          /* owned: reference, path below the compose directory, or "everett" */
    char id[DIGEST_HEX]; /* what its content is known by */
    struct image *image; /* owned */
};

struct system_images {
    struct system_image *items; /* owned */
    size_t count, cap;
};

/* Opens the image of every active service, each once, in the order of the containers. Finds all
 * that is missing before it fails (ERR_USAGE): the message lists every missing image with the
 * services that want it, the hint says what to type. `pins` may be NULL. */
int system_images_open(struct system_images *s, struct image_store *store,
                       const struct image_pins *pins, const struct compose_project *project,
                       struct err *err) must_check;
/* Takes the image. An image without an id gets that of its index, which names all
 * content by digest. */
size_t system_images_add(struct system_images *s, enum system_image_kind kind, const char *name,
                         struct image *image);
/* Position, or SIZE_MAX. */
size_t system_images_find(const struct system_images *s, enum system_image_kind kind,
                          const char *name);
void system_images_fini(struct system_images *s);

#endif
