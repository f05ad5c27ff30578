/* Uploads: claims, writing, finishing. */
#include "server/registry/upload.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "server/registry/content.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

uint64_t upload_claim(struct upload *up, uint64_t *size)
{
    pthread_mutex_lock(&up->lock);
    uint64_t claim = ++up->claims;
    *size = up->size;
    pthread_mutex_unlock(&up->lock);
    return claim;
}

uint64_t upload_size(struct upload *up)
{
    pthread_mutex_lock(&up->lock);
    uint64_t size = up->size;
    pthread_mutex_unlock(&up->lock);
    return size;
}

/* File, row and bytes; the object stays until its last user has gone. */
static int discard(struct registry *r, struct upload *up, struct err *err)
{
    up->is_over = true;
    registry_release(r, up->size);
    return content_remove_upload(r, up->id, err) < 0 ? -1 : rows_upload_delete(r, up->id, err);
}

static enum upload_result write_locked(struct registry *r, struct upload *up, const void *data,
                                       size_t len, struct err *err)
{
    size_t done;
    if (len > r->blob_max || up->size > r->blob_max - len) {
        return discard(r, up, err) < 0 ? UPLOAD_FAILED : UPLOAD_BIG; /* it can only be given up */
    }
    if (!registry_reserve(r, len)) {
        return UPLOAD_QUOTA;
    }
    int result = content_write(up->fd, up->size, data, len, &done, err);
    if (up->hash.ctx && up->hashed == up->size) {
        hash_update(&up->hash, data, done);
        up->hashed += done;
    }
    up->size += done;
    registry_release(r, len - done);
    return result < 0 ? UPLOAD_FAILED : UPLOAD_OK;
}

enum upload_result upload_write(struct registry *r, struct upload *up, uint64_t claim,
                                const void *data, size_t len, struct err *err)
{
    pthread_mutex_lock(&up->lock);
    enum upload_result result =
        up->is_over || claim != up->claims ? UPLOAD_GONE : write_locked(r, up, data, len, err);
    pthread_mutex_unlock(&up->lock);
    return result;
}

static int take_digest(struct upload *up, enum hash_kind kind, char digest[CONTENT_DIGEST],
                       struct err *err)
{
    int result = 0;
    if (!up->hash.ctx || up->hash.kind != kind || up->hashed != up->size) {
        hash_fini(&up->hash);
        hash_init(&up->hash, kind);
        result = hash_file(&up->hash, up->fd, 0, up->size, err);
    }
    if (result == 0) {
        hash_final(&up->hash, digest);
    }
    hash_fini(&up->hash);
    return result;
}

/* The upload's file becomes the blob's, also where there is one already: its bytes are the same,
 * and a file that had got lost is back. */
static enum upload_result publish(struct registry *r, struct upload *up, const char *digest,
                                  struct err *err)
{
    if (fdatasync(up->fd) < 0) {
        err_errno(err, errno, "making an upload durable");
        return UPLOAD_FAILED;
    }
    pthread_mutex_lock(&r->publish);
    int is_new = content_publish(r, up->id, digest, err);
    if (is_new == 0) {
        up->is_over = true;
        is_new = rows_blob_add(r, up->repository, digest, up->size, up->id, err);
    }
    pthread_mutex_unlock(&r->publish);
    if (up->is_over && is_new != 1) {
        registry_release(r, up->size); /* counted already with the other copy, or without a row */
    }
    return is_new < 0 ? UPLOAD_FAILED : UPLOAD_OK;
}

static enum upload_result finish_locked(struct registry *r, struct upload *up, const char *digest,
                                        struct err *err)
{
    char found[CONTENT_DIGEST];
    if (take_digest(up, hash_kind_of(digest), found, err) < 0) {
        return UPLOAD_FAILED;
    }
    if (strcmp(found, digest) != 0) {
        return discard(r, up, err) < 0 ? UPLOAD_FAILED : UPLOAD_MISMATCH;
    }
    return publish(r, up, digest, err);
}

enum upload_result upload_finish(struct registry *r, struct upload *up, uint64_t claim,
                                 const char *digest, struct err *err)
{
    pthread_mutex_lock(&up->lock);
    enum upload_result result =
        up->is_over || claim != up->claims ? UPLOAD_GONE : finish_locked(r, up, digest, err);
    pthread_mutex_unlock(&up->lock);
    return result;
}

enum upload_result upload_cancel(struct registry *r, struct upload *up, struct err *err)
{
    enum upload_result result = UPLOAD_GONE;
    pthread_mutex_lock(&up->lock);
    if (!up->is_over) {
        result = discard(r, up, err) < 0 ? UPLOAD_FAILED : UPLOAD_OK;
    }
    pthread_mutex_unlock(&up->lock);
    return result;
}
