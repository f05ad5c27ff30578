/* The container registry: OCI distribution specification 1.1 under /v2/.
 *
 *   DIR/registry/blobs/sha256/HEX   blobs and manifests, byte for byte (also sha512/)
 *   DIR/registry/uploads/ID         uploads in progress, and manifests being written
 *
 * Names (repositories, tags, which blob belongs to which repository, manifests and what they refer
 * to) are rows of server.db. A blob is visible when its row commits, after its file is durable;
 * uploads survive a restart. Bodies stream through a digest into a file: memory is constant. */
#ifndef EVERETT_SERVER_REGISTRY_REGISTRY_H
#define EVERETT_SERVER_REGISTRY_REGISTRY_H

#include "base/buf.h"
#include "base/err.h"

struct registry;
struct server;

struct registry *registry_open(struct server *s, struct err *err) must_check;
/* No request may be using it any more. Accepts NULL. */
void registry_close(struct registry *r);

/* Looks a reference of a user up as a compose file or launch request writes it: with our host or
 * any other host, with or without the tenant's repository in front, with tag (default latest) or
 * digest. Rule: the host is left out; an exact repository path wins; else the one repository whose
 * last part is the name; two such are ERR_USAGE with both named. 1: `repository` and `digest`
 * ("sha256:HEX" of the manifest) are filled; 0: not here; -1: error. */
int registry_resolve(struct registry *r, const char *ref, struct buf *repository,
                     struct buf *digest, struct err *err) must_check;
/* Makes an OCI layout at `dir` (which must not exist) with hard links to the blobs of one manifest
 * (of an index: the index and its linux/amd64 entries), named `ref` in index.json, so that
 * image_load() can take it. ERR_USAGE: no linux/amd64 image, a blob is missing. On failure `dir`
 * may be left behind. */
int registry_export(struct registry *r, const char *repository, const char *digest, const char *ref,
                    const char *dir, struct err *err) must_check;

struct registry_gc {
    uint64_t blobs, bytes; /* removed */
};
/* Removes blobs that no manifest refers to and that are older than an hour, uploads without
 * activity for a day. Safe beside pushes. */
int registry_collect(struct registry *r, struct registry_gc *out, struct err *err) must_check;

struct registry_totals {
    uint64_t repositories, tags, blobs, bytes;
};
int registry_totals(struct registry *r, struct registry_totals *out, struct err *err) must_check;

#endif
