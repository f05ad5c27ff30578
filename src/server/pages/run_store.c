#include "server/pages/run_store.h"

#include <stdlib.h>

#include "base/mem.h"
#include "server/pages/runs.h"
#include "server/queue/queue.h"
#include "server/server.h"
#include "store/store.h"

bool run_store_open(struct run_store *out, struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct launch l = {0};
    *out = (struct run_store){0};
    int found = queue_find(rq->server->queue, rq->vars[0], &l, &err);
    if (found != 1) {
        if (found < 0) {
            http_fail(rq, rs, &err);
        } else {
            http_error(rq, rs, 404, "there is no run %s", rq->vars[0]);
        }
        return false;
    }
    out->title = mem_strdup(run_name(&l));
    out->is_running = l.status == LAUNCH_RUNNING;
    found = queue_open_store(rq->server->queue, l.id, &out->store, &err);
    launch_fini(&l);
    if (found < 0) {
        http_fail(rq, rs, &err);
        run_store_close(out);
        return false;
    }
    return true;
}

void run_store_close(struct run_store *r)
{
    store_close(r->store);
    free(r->title);
}
