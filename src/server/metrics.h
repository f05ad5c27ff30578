/* GET /metrics. */
#ifndef EVERETT_SERVER_METRICS_H
#define EVERETT_SERVER_METRICS_H

#include "server/http/http.h"

void metrics_handle(struct http_request *rq, struct http_response *rs);

#endif
