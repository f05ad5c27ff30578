/* Uploads of blobs: in one request or in chunks, resumed, mounted, cancelled.
 *
 * Clients in use send: POST then one PATCH with the whole blob in chunked transfer coding, then an
 * empty PUT (docker, containers/image); POST then PUT with the blob; POST with the blob and
 * ?digest=; PATCHes with Content-Range. */
#include "server/registry/routes_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/registry/answer.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

/* Of a request that streams. */
struct streaming {
    struct upload *up;
    uint64_t claim, start; /* bytes that were there before */
    uint64_t promised;     /* length by Content-Range; UINT64_MAX: none */
    const char *digest;    /* to be checked at the end; NULL: the upload goes on */
    bool is_mounted;       /* nothing to stream */
};

static void set_location(struct http_response *rs, const struct upload *up)
{
    http_setf(rs, "Location", "/v2/%s/blobs/uploads/%s", up->repository, up->id);
    http_set(rs, "Docker-Upload-UUID", up->id);
}

/* "0-(n-1)"; an empty upload is "0-0", as clients expect it. */
static void set_progress(struct http_response *rs, const struct upload *up, uint64_t size)
{
    set_location(rs, up);
    http_setf(rs, "Range", "0-%llu", (unsigned long long)(size ? size - 1 : 0));
}

static void set_created(struct http_response *rs, const char *repository, const char *digest)
{
    rs->status = 201;
    http_setf(rs, "Location", "/v2/%s/blobs/%s", repository, digest);
    http_set(rs, "Docker-Content-Digest", digest);
}

static struct streaming *streaming_create(struct http_request *rq, struct upload *up)
{
    struct streaming *s = mem_zalloc(sizeof *s);
    s->up = up;
    s->promised = UINT64_MAX;
    if (up) {
        s->claim = upload_claim(up, &s->start);
    }
    rq->stream_state = s;
    return s;
}

void upload_end(struct http_request *rq)
{
    struct streaming *s = rq->stream_state;
    if (s) {
        upload_put(answer_registry(rq), s->up);
        free(s);
        rq->stream_state = NULL;
    }
}

/* POST ?mount=DIGEST[&from=REPOSITORY]. 1 mounted, 0 the client has to upload, -1 answered. */
static int try_mount(struct http_request *rq, struct http_response *rs, const char *repository)
{
    struct err err = {0};
    const char *digest = http_query(rq, "mount"), *from = http_query(rq, "from");
    if (!digest) {
        return 0;
    }
    if (!answer_digest(rs, digest)) {
        return -1;
    }
    if (from && !name_is_repository(from)) {
        return 0;
    }
    int found = rows_blob_mount(answer_registry(rq), from, repository, digest, &err);
    if (found < 0) {
        http_fail(rq, rs, &err);
    } else if (found) {
        set_created(rs, repository, digest);
        streaming_create(rq, NULL)->is_mounted = true;
    }
    err_clear(&err);
    return found;
}

bool upload_post_begin(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct upload *up;
    const char *repository = answer_repository(rq, rs), *digest = http_query(rq, "digest");
    if (!repository || (digest && !answer_digest(rs, digest))) {
        return false;
    }
    int mounted = try_mount(rq, rs, repository);
    if (mounted) {
        return mounted > 0;
    }
    const char *algorithm = http_query(rq, "digest-algorithm");
    enum hash_kind kind = hash_kind_of(digest ? digest : "");
    if (algorithm && !digest) {
        kind = strcmp(algorithm, "sha512") == 0 ? HASH_SHA512 : HASH_SHA256;
    }
    if (upload_start(answer_registry(rq), repository, rq->who.account, kind, &up, &err) < 0) {
        http_fail(rq, rs, &err);
        err_clear(&err);
        return false;
    }
    streaming_create(rq, up)->digest = digest;
    return true;
}

/* The upload that the path names, or NULL after an answer. */
static struct upload *find_upload(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct upload *up = NULL;
    const char *repository = answer_repository(rq, rs);
    if (!repository) {
        return NULL;
    }
    int found = upload_get(answer_registry(rq), rq->vars[1], repository, &up, &err);
    if (found < 0) {
        http_fail(rq, rs, &err);
    } else if (!found) {
        answer_error(rs, ANSWER_BLOB_UPLOAD_UNKNOWN, NULL,
                     "there is no such upload in %s: it has been finished, cancelled or given up",
                     repository);
    }
    err_clear(&err);
    return up;
}

/* Content-Range: the chunk must begin where the upload ends. */
static bool check_chunk(struct http_request *rq, struct http_response *rs, struct streaming *s)
{
    uint64_t start, end;
    const char *range = http_header(rq, "Content-Range");
    if (!range) {
        return true;
    }
    if (!name_content_range(range, &start, &end)) {
        answer_error(rs, ANSWER_BLOB_UPLOAD_INVALID, NULL,
                     "Content-Range '%.80s' is not of the form FIRST-LAST", range);
        return false;
    }
    if (start != s->start) {
        set_progress(rs, s->up, s->start);
        answer_status(rs, 416, ANSWER_BLOB_UPLOAD_INVALID,
                      "the chunk does not begin where the upload ends; see the header Range");
        return false;
    }
    s->promised = end - start + 1;
    return true;
}

static bool begin_chunk(struct http_request *rq, struct http_response *rs, const char *digest)
{
    struct upload *up = find_upload(rq, rs);
    if (!up) {
        return false;
    }
    struct streaming *s = streaming_create(rq, up);
    s->digest = digest;
    return check_chunk(rq, rs, s);
}

bool upload_patch_begin(struct http_request *rq, struct http_response *rs)
{
    return begin_chunk(rq, rs, NULL);
}

bool upload_commit_begin(struct http_request *rq, struct http_response *rs)
{
    const char *digest = answer_digest(rs, http_query(rq, "digest"));
    return digest && begin_chunk(rq, rs, digest);
}

bool upload_body(struct http_request *rq, const char *bytes, size_t len, struct http_response *rs)
{
    struct err err = {0};
    struct streaming *s = rq->stream_state;
    if (s->is_mounted) {
        return true;
    }
    if (len > s->promised) {
        answer_status(rs, 400, ANSWER_SIZE_INVALID, "the chunk is longer than its Content-Range");
        return false;
    }
    if (s->promised != UINT64_MAX) {
        s->promised -= len;
    }
    enum upload_result result =
        upload_write(answer_registry(rq), s->up, s->claim, bytes, len, &err);
    if (result != UPLOAD_OK) {
        answer_upload(rq, rs, result, &err);
    }
    err_clear(&err);
    return result == UPLOAD_OK;
}

/* True when what Content-Range promised has come. */
static bool is_complete(struct http_response *rs, const struct streaming *s)
{
    if (s->promised == UINT64_MAX || s->promised == 0) {
        return true;
    }
    answer_status(rs, 400, ANSWER_SIZE_INVALID, "the chunk is shorter than its Content-Range");
    return false;
}

void upload_patch(struct http_request *rq, struct http_response *rs)
{
    struct streaming *s = rq->stream_state;
    if (is_complete(rs, s)) {
        rs->status = 202;
        set_progress(rs, s->up, upload_size(s->up));
    }
}

void upload_commit(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct streaming *s = rq->stream_state;
    if (!is_complete(rs, s)) {
        return;
    }
    enum upload_result result =
        upload_finish(answer_registry(rq), s->up, s->claim, s->digest, &err);
    if (result == UPLOAD_OK) {
        set_created(rs, s->up->repository, s->digest);
    } else {
        answer_upload(rq, rs, result, &err);
    }
    err_clear(&err);
}

void upload_post(struct http_request *rq, struct http_response *rs)
{
    const struct streaming *s = rq->stream_state;
    if (s->is_mounted) {
        return;
    }
    if (s->digest) {
        upload_commit(rq, rs);
    } else {
        rs->status = 202;
        set_progress(rs, s->up, upload_size(s->up));
    }
}

void upload_status(struct http_request *rq, struct http_response *rs)
{
    struct upload *up = find_upload(rq, rs);
    if (up) {
        rs->status = 204;
        set_progress(rs, up, upload_size(up));
        upload_put(answer_registry(rq), up);
    }
}

void upload_delete(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct upload *up = find_upload(rq, rs);
    if (!up) {
        return;
    }
    enum upload_result result = upload_cancel(answer_registry(rq), up, &err);
    if (result == UPLOAD_OK) {
        rs->status = 204;
    } else {
        answer_upload(rq, rs, result, &err);
    }
    upload_put(answer_registry(rq), up);
    err_clear(&err);
}
