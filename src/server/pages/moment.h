/* The page of a moment: /runs/ID/moment/HASH@SECONDS. Any point of any history, with what happened
 * around it and how to be there again. */
#ifndef EVERETT_SERVER_PAGES_MOMENT_H
#define EVERETT_SERVER_PAGES_MOMENT_H

#include "server/http/http.h"

void moment_page(struct http_request *rq, struct http_response *rs);

#endif
