#include "server/pages/run_store.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/queue/queue.h"
#include "server/server.h"
#include "store/store.h"

bool run_store_open(struct run_store *out, struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf path = {0}, database = {0};
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
    cleanup_free char *dir = queue_run_dir(rq->server->queue, l.id);
    buf_printf(&path, "%s/run", dir);
    buf_printf(&database, "%s/run.db", path.data);
    out->path = buf_steal(&path);
    out->title = mem_strdup(l.test_name ? l.test_name : l.description ? l.description : l.launcher);
    out->is_running = l.status == LAUNCH_RUNNING;
    launch_fini(&l);
    if (access(database.data, F_OK) == 0 && !(out->store = store_open(out->path, &err))) {
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
    free(r->path);
}
