/* Blobs: existence, content, ranges, deletion. */
#include "server/registry/routes_priv.h"

#include "server/registry/answer.h"
#include "server/registry/content.h"
#include "server/registry/rows.h"

/* A blob whose row is there but whose file is not is unknown, so that a client pushes it again. */
static int open_visible(const struct http_request *rq, const char *repository, const char *digest,
                        uint64_t *size, struct err *err)
{
    struct registry *r = answer_registry(rq);
    int found = rows_blob_find(r, repository, digest, err);
    /* Who asks whether a blob is there is about to rely on it. */
    if (found == 1 && rq->is_head) {
        found = rows_blob_touch(r, digest, err) < 0 ? -1 : 1;
    }
    return found == 1 ? content_open_blob(r, digest, size, err) : -1;
}

static void send_part(struct http_request *rq, struct http_response *rs, int fd, uint64_t size)
{
    rs->fd = fd;
    switch (name_range(http_header(rq, "Range"), size, &rs->fd_from, &rs->fd_len)) {
    case RANGE_ALL:
        rs->status = 200;
        break;
    case RANGE_PART:
        rs->status = 206;
        http_setf(rs, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)rs->fd_from,
                  (unsigned long long)(rs->fd_from + rs->fd_len - 1), (unsigned long long)size);
        break;
    case RANGE_BEYOND:
        rs->fd_from = rs->fd_len = 0;
        rs->status = 416;
        http_setf(rs, "Content-Range", "bytes */%llu", (unsigned long long)size);
        break;
    }
}

void blob_get(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    uint64_t size = 0;
    const char *repository = answer_repository(rq, rs);
    const char *digest = repository ? answer_digest(rs, rq->vars[1]) : NULL;
    if (!digest) {
        return;
    }
    int fd = open_visible(rq, repository, digest, &size, &err);
    if (fd >= 0) {
        http_set(rs, "Content-Type", "application/octet-stream");
        http_set(rs, "Docker-Content-Digest", digest);
        http_set(rs, "Accept-Ranges", "bytes");
        http_setf(rs, "ETag", "\"%s\"", digest);
        send_part(rq, rs, fd, size);
    } else if (err.kind != ERR_NONE) {
        http_fail(rq, rs, &err);
    } else {
        answer_error(rs, ANSWER_BLOB_UNKNOWN, NULL, "%s has no blob %s", repository, digest);
    }
    err_clear(&err);
}

void blob_delete(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    const char *repository = answer_repository(rq, rs);
    const char *digest = repository ? answer_digest(rs, rq->vars[1]) : NULL;
    if (!digest) {
        return;
    }
    int found = rows_blob_unlink(answer_registry(rq), repository, digest, &err);
    if (found == 1) {
        rs->status = 202;
        answer_audit(rq, "registry.blob.delete", repository, digest, NULL);
    } else if (found < 0) {
        http_fail(rq, rs, &err);
    } else {
        answer_error(rs, ANSWER_BLOB_UNKNOWN, NULL, "%s has no blob %s", repository, digest);
    }
    err_clear(&err);
}
