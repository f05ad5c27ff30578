/* Handlers of the registry by kind of thing; registry_routes (routes.c) lists them. */
#ifndef EVERETT_SERVER_REGISTRY_ROUTES_PRIV_H
#define EVERETT_SERVER_REGISTRY_ROUTES_PRIV_H

#include "server/http/http.h"

/* serve_blob.c */
void blob_get(struct http_request *rq, struct http_response *rs);
void blob_delete(struct http_request *rq, struct http_response *rs);
/* serve_upload.c: POST, PATCH and PUT stream their bodies. */
bool upload_post_begin(struct http_request *rq, struct http_response *rs);
bool upload_patch_begin(struct http_request *rq, struct http_response *rs);
bool upload_commit_begin(struct http_request *rq, struct http_response *rs);
bool upload_body(struct http_request *rq, const char *bytes, size_t len, struct http_response *rs);
void upload_post(struct http_request *rq, struct http_response *rs);
void upload_patch(struct http_request *rq, struct http_response *rs);
void upload_commit(struct http_request *rq, struct http_response *rs);
void upload_end(struct http_request *rq);
void upload_status(struct http_request *rq, struct http_response *rs);
void upload_delete(struct http_request *rq, struct http_response *rs);
/* serve_manifest.c */
void manifest_get(struct http_request *rq, struct http_response *rs);
void manifest_delete(struct http_request *rq, struct http_response *rs);
bool manifest_begin(struct http_request *rq, struct http_response *rs);
bool manifest_data(struct http_request *rq, const char *bytes, size_t len,
                   struct http_response *rs);
void manifest_put(struct http_request *rq, struct http_response *rs);
void manifest_end(struct http_request *rq);
/* serve_lists.c */
void registry_ping(struct http_request *rq, struct http_response *rs);
void registry_catalog(struct http_request *rq, struct http_response *rs);
void registry_tags(struct http_request *rq, struct http_response *rs);
void registry_referrers(struct http_request *rq, struct http_response *rs);

#endif
