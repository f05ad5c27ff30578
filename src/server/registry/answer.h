/* Answers of the registry's handlers: the specification's error codes, common headers. */
#ifndef EVERETT_SERVER_REGISTRY_ANSWER_H
#define EVERETT_SERVER_REGISTRY_ANSWER_H

#include "server/http/http.h"
#include "server/registry/upload.h"

/* OCI distribution specification 1.1, "Error Codes", with the status each goes with. */
enum answer_code {
    ANSWER_BLOB_UNKNOWN,
    ANSWER_BLOB_UPLOAD_INVALID,
    ANSWER_BLOB_UPLOAD_UNKNOWN,
    ANSWER_DIGEST_INVALID,
    ANSWER_MANIFEST_BLOB_UNKNOWN,
    ANSWER_MANIFEST_INVALID,
    ANSWER_MANIFEST_UNKNOWN,
    ANSWER_NAME_INVALID,
    ANSWER_NAME_UNKNOWN,
    ANSWER_SIZE_INVALID,
    ANSWER_DENIED,
};

/* `detail` is JSON or NULL. */
void answer_error(struct http_response *rs, enum answer_code code, const char *detail,
                  const char *fmt, ...) printf_like(4, 5);
/* The same with another status than the code's usual one. */
void answer_status(struct http_response *rs, unsigned status, enum answer_code code,
                   const char *text);
/* What has gone wrong with an upload; not for UPLOAD_OK. */
void answer_upload(const struct http_request *rq, struct http_response *rs,
                   enum upload_result result, const struct err *err);

struct registry *answer_registry(const struct http_request *rq);
/* The repository of the route (its first variable), or NULL after NAME_INVALID. */
const char *answer_repository(const struct http_request *rq, struct http_response *rs);
/* A digest, or NULL after DIGEST_INVALID. */
const char *answer_digest(struct http_response *rs, const char *text);
/* Writes who did what into the audit log. */
void answer_audit(const struct http_request *rq, const char *action, const char *repository,
                  const char *reference, const char *detail);

#endif
