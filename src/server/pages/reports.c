/* Opened reports. */
#include "server/pages/reports.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/queue/queue.h"
#include "server/server.h"

#define KEPT_MAX 4u

struct reports {
    struct server *server;
    pthread_mutex_t lock;
    struct opened *kept[KEPT_MAX]; /* under lock; oldest first */
    size_t kept_count;
};

struct reports *reports_create(struct server *s)
{
    struct reports *p = mem_zalloc(sizeof *p);
    p->server = s;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void destroy(struct opened *o)
{
    report_destroy(o->report);
    store_close(o->store);
    free(o->run_id);
    free(o);
}

void reports_destroy(struct reports *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->kept_count; i++) {
        destroy(p->kept[i]);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct opened *take_kept(struct reports *p, const char *run_id)
{
    struct opened *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (size_t i = p->kept_count; i-- > 0 && !found;) {
        if (strcmp(p->kept[i]->run_id, run_id) == 0) {
            found = p->kept[i];
            p->kept_count--;
            memmove(p->kept + i, p->kept + i + 1, (p->kept_count - i) * sizeof *p->kept);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

struct opened *reports_get(struct reports *p, const char *run_id, struct err *err)
{
    struct opened *o = take_kept(p, run_id);
    if (o) {
        return o;
    }
    cleanup_free char *dir = queue_run_dir(p->server->queue, run_id);
    cleanup_buf struct buf run = {0};
    cleanup_buf struct buf db = {0};
    buf_printf(&run, "%s/run", dir);
    buf_printf(&db, "%s/run.db", run.data);
    if (access(db.data, F_OK)) {
        return NULL;
    }
    o = mem_zalloc(sizeof *o);
    o->run_id = mem_strdup(run_id);
    o->store = store_open(run.data, err);
    const struct report_options options = {.run_path = run.data};
    o->report = o->store ? report_create(o->store, &options, err) : NULL;
    if (!o->report) {
        destroy(o);
        return NULL;
    }
    return o;
}

void reports_put(struct reports *p, struct opened *o)
{
    if (!o) {
        return;
    }
    struct opened *gone = o;
    if (o->report->run.status != RUN_RUNNING) {
        gone = NULL;
        pthread_mutex_lock(&p->lock);
        if (p->kept_count == KEPT_MAX) {
            gone = p->kept[0];
            memmove(p->kept, p->kept + 1, --p->kept_count * sizeof *p->kept);
        }
        p->kept[p->kept_count++] = o;
        pthread_mutex_unlock(&p->lock);
    }
    if (gone) {
        destroy(gone);
    }
}
