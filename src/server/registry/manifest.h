/* What the registry reads in a manifest: its kind, what it refers to, its subject. The bytes
 * themselves are kept as they came. Pure functions.
 *
 * Sources: OCI image specification 1.1 (manifest, index), Docker image manifest version 2 schema 2.
 */
#ifndef EVERETT_SERVER_REGISTRY_MANIFEST_H
#define EVERETT_SERVER_REGISTRY_MANIFEST_H

#include "base/err.h"
#include "server/registry/names.h"

#define MANIFEST_BYTES_MAX                                                                         \
    (4u << 20) /* what the specification asks a registry to take at least                          \
                */
#define MANIFEST_TYPE_MAX 255u

#define TYPE_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define TYPE_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define TYPE_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"

struct manifest_ref {
    char digest[CONTENT_DIGEST];
    bool of_index; /* an entry of an index: a manifest or a blob; else it must be a blob */
};

struct manifest {
    char *media_type; /* owned; what it is served as */
    bool is_index;
    struct manifest_ref *refs; /* owned: what must be in the repository */
    size_t ref_count, ref_cap;
    char subject[CONTENT_DIGEST]; /* empty: none */
    char *artifact_type;          /* owned or NULL; the configuration's type when none is given */
    char *annotations;            /* owned JSON object or NULL */
};

/* `content_type` is the request's header, or NULL: then the manifest's own mediaType counts.
 * ERR_USAGE with what is wrong. Layers that lie elsewhere (foreign, non-distributable) are no
 * references. */
int manifest_parse(const void *bytes, size_t len, const char *content_type, struct manifest *m,
                   struct err *err) must_check;
void manifest_fini(struct manifest *m);

#endif
