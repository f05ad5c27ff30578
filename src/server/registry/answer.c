/* Error answers and what handlers begin with. */
#include "server/registry/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/server.h"

static const struct {
    const char *code;
    unsigned status;
} CODES[] = {
    [ANSWER_BLOB_UNKNOWN] = {"BLOB_UNKNOWN", 404},
    [ANSWER_BLOB_UPLOAD_INVALID] = {"BLOB_UPLOAD_INVALID", 400},
    [ANSWER_BLOB_UPLOAD_UNKNOWN] = {"BLOB_UPLOAD_UNKNOWN", 404},
    [ANSWER_DIGEST_INVALID] = {"DIGEST_INVALID", 400},
    [ANSWER_MANIFEST_BLOB_UNKNOWN] = {"MANIFEST_BLOB_UNKNOWN", 404},
    [ANSWER_MANIFEST_INVALID] = {"MANIFEST_INVALID", 400},
    [ANSWER_MANIFEST_UNKNOWN] = {"MANIFEST_UNKNOWN", 404},
    [ANSWER_NAME_INVALID] = {"NAME_INVALID", 400},
    [ANSWER_NAME_UNKNOWN] = {"NAME_UNKNOWN", 404},
    [ANSWER_SIZE_INVALID] = {"SIZE_INVALID", 413},
    [ANSWER_DENIED] = {"DENIED", 403},
};

static void write_error(struct http_response *rs, unsigned status, enum answer_code code,
                        const char *detail, const char *text)
{
    buf_reset(&rs->body);
    buf_printf(&rs->body, "{\"errors\":[{\"code\":\"%s\",\"message\":", CODES[code].code);
    buf_json_string(&rs->body, text, strlen(text));
    buf_printf(&rs->body, ",\"detail\":%s}]}\n", detail ? detail : "null");
    http_json(rs, status);
}

void answer_error(struct http_response *rs, enum answer_code code, const char *detail,
                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    write_error(rs, CODES[code].status, code, detail, text);
}

void answer_status(struct http_response *rs, unsigned status, enum answer_code code,
                   const char *text)
{
    write_error(rs, status, code, NULL, text);
}

void answer_upload(const struct http_request *rq, struct http_response *rs,
                   enum upload_result result, const struct err *err)
{
    switch (result) {
    case UPLOAD_OK:
        break;
    case UPLOAD_GONE:
        answer_error(rs, ANSWER_BLOB_UPLOAD_UNKNOWN, NULL,
                     "the upload has ended, or another request goes on with it");
        break;
    case UPLOAD_BIG:
        answer_error(rs, ANSWER_SIZE_INVALID, NULL,
                     "a blob may have at most the bytes that 'blob_max' in server.conf says");
        break;
    case UPLOAD_QUOTA:
        answer_error(rs, ANSWER_DENIED, NULL,
                     "the registry is full ('registry_quota' in server.conf): delete images that "
                     "are no longer needed");
        break;
    case UPLOAD_MISMATCH:
        answer_error(rs, ANSWER_DIGEST_INVALID, NULL,
                     "the content has another digest than the request says; begin again");
        break;
    case UPLOAD_FAILED:
        http_fail(rq, rs, err);
        break;
    }
}

struct registry *answer_registry(const struct http_request *rq)
{
    return rq->server->registry;
}

const char *answer_repository(const struct http_request *rq, struct http_response *rs)
{
    const char *name = rq->vars[0];
    if (name_is_repository(name)) {
        return name;
    }
    answer_error(rs, ANSWER_NAME_INVALID, NULL,
                 "'%.80s' is no name of a repository: lower-case letters, digits and . _ - "
                 "between them, parts separated by /, at most %u characters",
                 name, NAME_MAX_LEN);
    return NULL;
}

const char *answer_digest(struct http_response *rs, const char *text)
{
    if (text && name_is_digest(text)) {
        return text;
    }
    answer_error(rs, ANSWER_DIGEST_INVALID, NULL,
                 "'%.140s' is no digest: sha256: and 64, or sha512: and 128, lower-case digits",
                 text ? text : "");
    return NULL;
}

void answer_audit(const struct http_request *rq, const char *action, const char *repository,
                  const char *reference, const char *detail)
{
    char peer[64];
    cleanup_buf struct buf target = {0};
    http_peer(rq, peer, sizeof peer);
    buf_printf(&target, "%s%s%s", repository, name_is_digest(reference) ? "@" : ":", reference);
    auth_audit(rq->server->db, &rq->who, peer, action, target.data, detail);
}
