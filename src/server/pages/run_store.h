/* The run that an address `/runs/{id}/...` speaks of, and its run directory opened for reading. */
#ifndef EVERETT_SERVER_PAGES_RUN_STORE_H
#define EVERETT_SERVER_PAGES_RUN_STORE_H

#include "server/http/http.h"

struct run_store {
    char *title;         /* owned */
    struct store *store; /* owned; NULL while the run has not begun to write */
    bool is_running;
};

/* False when it has answered: no such run (404), or it cannot be read. */
bool run_store_open(struct run_store *out, struct http_request *rq, struct http_response *rs);
void run_store_close(struct run_store *r);

#endif
