/* Manifests: pushed and served byte for byte, by tag or digest. */
#include "server/registry/routes_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/registry/answer.h"
#include "server/registry/content.h"
#include "server/registry/manifest.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

#define TAGS_MAX 32u /* of ?tag= in one push */

static void answer_unknown(struct http_request *rq, struct http_response *rs,
                           const char *repository, const char *reference)
{
    struct err err = {0};
    int exists = rows_repository_exists(answer_registry(rq), repository, &err);
    if (exists < 0) {
        http_fail(rq, rs, &err);
    } else if (exists) {
        answer_error(rs, ANSWER_MANIFEST_UNKNOWN, NULL, "%s has no manifest '%s'", repository,
                     reference);
    } else {
        answer_error(rs, ANSWER_NAME_UNKNOWN, NULL, "there is no repository %s", repository);
    }
    err_clear(&err);
}

/* The route's tag or digest, or NULL after an answer. */
static const char *take_reference(const struct http_request *rq, struct http_response *rs)
{
    const char *reference = rq->vars[1];
    if (strchr(reference, ':')) {
        return answer_digest(rs, reference);
    }
    if (name_is_tag(reference)) {
        return reference;
    }
    answer_error(rs, ANSWER_MANIFEST_INVALID, NULL,
                 "'%.140s' is no tag: letters, digits and _ . -, at most %u characters", reference,
                 TAG_MAX_LEN);
    return NULL;
}

void manifest_get(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct manifest_row row = {0};
    uint64_t size;
    const char *repository = answer_repository(rq, rs);
    const char *reference = repository ? take_reference(rq, rs) : NULL;
    if (!reference) {
        return;
    }
    struct registry *r = answer_registry(rq);
    int found = rows_manifest_find(r, repository, reference, &row, &err);
    int fd = found == 1 ? content_open_blob(r, row.digest, &size, &err) : -1;
    if (fd >= 0) {
        rs->status = 200;
        rs->fd = fd;
        rs->fd_from = 0;
        rs->fd_len = size;
        http_set(rs, "Content-Type", row.media_type);
        http_set(rs, "Docker-Content-Digest", row.digest);
        http_setf(rs, "ETag", "\"%s\"", row.digest);
    } else if (err.kind != ERR_NONE) {
        http_fail(rq, rs, &err);
    } else {
        answer_unknown(rq, rs, repository, reference);
    }
    manifest_row_fini(&row);
    err_clear(&err);
}

void manifest_delete(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    const char *repository = answer_repository(rq, rs);
    const char *reference = repository ? take_reference(rq, rs) : NULL;
    if (!reference) {
        return;
    }
    struct registry *r = answer_registry(rq);
    int found = name_is_digest(reference) ? rows_manifest_delete(r, repository, reference, &err)
                                          : rows_tag_delete(r, repository, reference, &err);
    if (found == 1) {
        rs->status = 202;
        answer_audit(rq, "registry.manifest.delete", repository, reference, NULL);
    } else if (found < 0) {
        http_fail(rq, rs, &err);
    } else {
        answer_unknown(rq, rs, repository, reference);
    }
    err_clear(&err);
}

struct push {
    struct buf body;
    const char *repository, *reference;
    const char *tags[TAGS_MAX];
    size_t tag_count;
    bool has_bad_tag;
};

static void take_tag(void *ctx, const char *name, const char *value)
{
    struct push *p = ctx;
    if (strcmp(name, "tag") != 0) {
        return;
    }
    if (!name_is_tag(value) || p->tag_count == TAGS_MAX) {
        p->has_bad_tag = true;
    } else {
        p->tags[p->tag_count++] = value;
    }
}

bool manifest_begin(struct http_request *rq, struct http_response *rs)
{
    const char *repository = answer_repository(rq, rs);
    const char *reference = repository ? take_reference(rq, rs) : NULL;
    if (!reference) {
        return false;
    }
    struct push *p = mem_zalloc(sizeof *p);
    rq->stream_state = p;
    p->repository = repository;
    p->reference = reference;
    if (name_is_digest(reference)) {
        http_each_query(rq, take_tag, p);
    } else {
        p->tags[p->tag_count++] = reference;
    }
    if (p->has_bad_tag) {
        answer_error(rs, ANSWER_MANIFEST_INVALID, NULL,
                     "?tag= is at most %u times a tag: letters, digits and _ . -", TAGS_MAX);
    }
    return !p->has_bad_tag;
}

bool manifest_data(struct http_request *rq, const char *bytes, size_t len, struct http_response *rs)
{
    struct push *p = rq->stream_state;
    if (len > MANIFEST_BYTES_MAX - p->body.len) {
        answer_error(rs, ANSWER_SIZE_INVALID, NULL, "a manifest may have at most %u bytes",
                     MANIFEST_BYTES_MAX);
        return false;
    }
    buf_append(&p->body, bytes, len);
    return true;
}

void manifest_end(struct http_request *rq)
{
    struct push *p = rq->stream_state;
    if (p) {
        buf_free(&p->body);
        free(p);
        rq->stream_state = NULL;
    }
}

/* Writes the bytes to a file of their own; `name` says which. */
static int write_file(struct registry *r, const struct buf *body, char *name, struct err *err)
{
    size_t done;
    if (content_new_name(name, err) < 0) {
        return -1;
    }
    cleanup_close int fd = content_create_upload(r, name, err);
    if (fd < 0 || content_write(fd, 0, body->data, body->len, &done, err) < 0) {
        return -1;
    }
    return fdatasync(fd) < 0 ? err_errno(err, errno, "making a manifest durable") : 0;
}

/* With the lock: what the manifest refers to stays until its row says that it is needed. Returns
 * how many references are missing, 0 when it is stored, -1. */
static int store(struct registry *r, const char *name, const struct manifest_put *put,
                 struct buf *missing, struct err *err)
{
    int is_new = -1;
    pthread_mutex_lock(&r->publish);
    int absent = rows_manifest_missing(r, put->repository, put->manifest, missing, err);
    if (absent == 0 && content_publish(r, name, put->digest, err) == 0) {
        is_new = rows_manifest_put(r, put, err);
    }
    pthread_mutex_unlock(&r->publish);
    if (is_new != 1) {
        registry_release(r, put->size);
    }
    return absent ? absent : is_new < 0 ? -1 : 0;
}

/* The same as store(), with the file before and after. */
static int write_and_store(struct registry *r, const struct buf *body,
                           const struct manifest_put *put, struct buf *missing, struct err *err)
{
    char name[UPLOAD_ID_CHARS + 1] = "";
    if (write_file(r, body, name, err) < 0) {
        registry_release(r, put->size);
    } else {
        int absent = store(r, name, put, missing, err);
        if (absent == 0) {
            return 0;
        }
        if (absent > 0) {
            return content_remove_upload(r, name, err) < 0 ? -1 : absent;
        }
    }
    struct err ignored = {0};
    if (*name && content_remove_upload(r, name, &ignored) < 0) {
        err_clear(&ignored); /* the next start removes it */
    }
    return -1;
}

static void set_created(struct http_response *rs, const struct push *p, const char *digest,
                        const struct manifest *m)
{
    rs->status = 201;
    http_setf(rs, "Location", "/v2/%s/manifests/%s", p->repository, digest);
    http_set(rs, "Docker-Content-Digest", digest);
    if (*m->subject) {
        http_set(rs, "OCI-Subject", m->subject);
    }
    for (size_t i = 0; name_is_digest(p->reference) && i < p->tag_count; i++) {
        buf_printf(&rs->headers, "OCI-Tag: %s\n", p->tags[i]); /* one line each */
    }
}

static void store_and_answer(struct http_request *rq, struct http_response *rs,
                             const struct push *p, const struct manifest *m, const char *digest)
{
    struct err err = {0};
    cleanup_buf struct buf missing = {0};
    struct manifest_put put = {.repository = p->repository,
                               .digest = digest,
                               .size = p->body.len,
                               .manifest = m,
                               .tags = p->tags,
                               .tag_count = p->tag_count};
    int absent = write_and_store(answer_registry(rq), &p->body, &put, &missing, &err);
    if (absent == 0) {
        set_created(rs, p, digest, m);
        answer_audit(rq, "registry.manifest.put", p->repository, p->reference, digest);
    } else if (absent > 0) {
        answer_error(rs, ANSWER_MANIFEST_BLOB_UNKNOWN, missing.data,
                     "%s lacks %d of the blobs that the manifest refers to: push them first",
                     p->repository, absent);
    } else {
        http_fail(rq, rs, &err);
    }
    err_clear(&err);
}

void manifest_put(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct manifest m;
    char digest[CONTENT_DIGEST];
    const struct push *p = rq->stream_state;
    bool by_digest = name_is_digest(p->reference);
    hash_bytes(by_digest ? hash_kind_of(p->reference) : HASH_SHA256, p->body.data, p->body.len,
               digest);
    if (by_digest && strcmp(digest, p->reference) != 0) {
        answer_error(rs, ANSWER_DIGEST_INVALID, NULL, "the manifest has the digest %s", digest);
        return;
    }
    if (manifest_parse(p->body.data ? p->body.data : "", p->body.len,
                       http_header(rq, "Content-Type"), &m, &err) < 0) {
        answer_error(rs, ANSWER_MANIFEST_INVALID, NULL, "%s", err.msg);
        err_clear(&err);
        return;
    }
    if (registry_reserve(answer_registry(rq), p->body.len)) {
        store_and_answer(rq, rs, p, &m, digest);
    } else {
        answer_upload(rq, rs, UPLOAD_QUOTA, NULL);
    }
    manifest_fini(&m);
}
