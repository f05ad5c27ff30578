/* The registry's rows in server.db: which repository has which blob, manifests, tags, uploads.
 *
 * Each call borrows a connection for its length and is one transaction. None takes a lock of the
 * registry; a caller that needs r->publish takes it before, so that no thread waits for a lock
 * while it holds a connection. Errors: those of db.h. */
#ifndef EVERETT_SERVER_REGISTRY_ROWS_H
#define EVERETT_SERVER_REGISTRY_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "server/registry/names.h"

struct registry;
struct registry_totals;
struct manifest;

/* Uploads. `repository` NULL: any. */
int rows_upload_add(struct registry *r, const char *id, const char *repository, int64_t account,
                    struct err *err) must_check;
int rows_upload_exists(struct registry *r, const char *id, const char *repository,
                       struct err *err) must_check;
int rows_upload_delete(struct registry *r, const char *id, struct err *err) must_check;

/* 1, or 0 when the repository does not exist. */
int rows_repository_exists(struct registry *r, const char *repository, struct err *err) must_check;

/* Ends the upload `upload_id` as a blob of the repository. 1: the blob is new, 0: it was there. */
int rows_blob_add(struct registry *r, const char *repository, const char *digest, uint64_t size,
                  const char *upload_id, struct err *err) must_check;
/* 1, 0. */
int rows_blob_find(struct registry *r, const char *repository, const char *digest,
                   struct err *err) must_check;
/* Somebody counts on the blob: a collection within the next hour leaves it. */
int rows_blob_touch(struct registry *r, const char *digest, struct err *err) must_check;
/* Makes a blob of `from` (NULL: of any repository) one of `repository` too. 1, 0 not there. */
int rows_blob_mount(struct registry *r, const char *from, const char *repository,
                    const char *digest, struct err *err) must_check;
/* Takes the blob from the repository. 1, 0 not there. */
int rows_blob_unlink(struct registry *r, const char *repository, const char *digest,
                     struct err *err) must_check;

struct manifest_row {
    char digest[CONTENT_DIGEST];
    char *media_type; /* owned */
    uint64_t size;
};
void manifest_row_fini(struct manifest_row *row);
/* `reference` is a tag or a digest. 1, 0. */
int rows_manifest_find(struct registry *r, const char *repository, const char *reference,
                       struct manifest_row *row, struct err *err) must_check;
/* Appends a JSON list of the digests that the repository lacks; returns how many. */
int rows_manifest_missing(struct registry *r, const char *repository, const struct manifest *m,
                          struct buf *list, struct err *err) must_check;
/* Adds it with what it refers to. `tags` may be empty. 1: its bytes are new, 0: they were there. */
struct manifest_put {
    const char *repository, *digest;
    uint64_t size;
    const struct manifest *manifest;
    const char *const *tags;
    size_t tag_count;
};
int rows_manifest_put(struct registry *r, const struct manifest_put *put,
                      struct err *err) must_check;
/* The manifest and the tags on it, or one tag only. 1, 0 not there. */
int rows_manifest_delete(struct registry *r, const char *repository, const char *digest,
                         struct err *err) must_check;
int rows_tag_delete(struct registry *r, const char *repository, const char *tag,
                    struct err *err) must_check;

/* Bytewise after `last` (NULL: from the first), at most `limit`. A negative answer of `fn` ends the
 * walk. */
typedef int rows_name_fn(void *ctx, const char *name, struct err *err);
int rows_each_repository(struct registry *r, const char *last, int64_t limit, rows_name_fn *fn,
                         void *ctx, struct err *err) must_check;
int rows_each_tag(struct registry *r, const char *repository, const char *last, int64_t limit,
                  rows_name_fn *fn, void *ctx, struct err *err) must_check;
int rows_each_upload(struct registry *r, rows_name_fn *fn, void *ctx, struct err *err) must_check;

/* Manifests tagged or digested `reference` in repositories whose last part is `last_part`. */
typedef int rows_image_fn(void *ctx, const char *repository, const char *digest, struct err *err);
int rows_each_named(struct registry *r, const char *last_part, const char *reference,
                    rows_image_fn *fn, void *ctx, struct err *err) must_check;

struct referrer_row {
    const char *digest, *media_type, *artifact_type, *annotations; /* the last two may be NULL */
    uint64_t size;
};
typedef int rows_referrer_fn(void *ctx, const struct referrer_row *row, struct err *err);
struct referrer_query {
    const char *repository, *subject;
    const char *artifact_type; /* NULL: any */
    const char *last;          /* NULL: from the first */
    int64_t limit;
};
int rows_each_referrer(struct registry *r, const struct referrer_query *q, rows_referrer_fn *fn,
                       void *ctx, struct err *err) must_check;

/* For collections. Blobs that nothing refers to and that were last touched before `before_unix`, at
 * most `limit`. */
typedef int rows_blob_fn(void *ctx, const char *digest, uint64_t size, struct err *err);
int rows_each_garbage(struct registry *r, int64_t before_unix, int64_t limit, rows_blob_fn *fn,
                      void *ctx, struct err *err) must_check;
/* Removes the rows of a blob unless something refers to it by now. 1 removed, 0 in use. */
int rows_blob_forget(struct registry *r, const char *digest, int64_t before_unix,
                     struct err *err) must_check;
/* 1, 0: any repository has or refers to it. */
int rows_blob_known(struct registry *r, const char *digest, struct err *err) must_check;
int rows_forget_empty_repositories(struct registry *r, struct err *err) must_check;
int rows_totals(struct registry *r, struct registry_totals *out, struct err *err) must_check;

#endif
