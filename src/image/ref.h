/* Names of images: [REGISTRY/]PATH[:TAG][@sha256:DIGEST] (OCI distribution specification, "Pulling
 * manifests"; Docker's familiar names).
 *
 * Normal form: the tag is always there (":latest"), "docker.io/" and its "library/" are left out,
 * other registries are kept. */
#ifndef EVERETT_IMAGE_REF_H
#define EVERETT_IMAGE_REF_H

#include "base/err.h"
#include "image/digest.h"

struct image_ref {
    char *name;              /* owned: registry and path */
    char *tag;               /* owned: never NULL */
    char digest[DIGEST_HEX]; /* hex, empty when none was given */
    char *normal;            /* owned: "name:tag" */
};

/* ERR_USAGE when the text is not a valid reference. */
int image_ref_init(struct image_ref *ref, const char *text, struct err *err);
void image_ref_fini(struct image_ref *ref);
/* The part of the name behind its last slash. */
const char *image_ref_last_part(const struct image_ref *ref);

#endif
