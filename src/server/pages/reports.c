/* Opened reports. */
#include "server/pages/reports.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
    struct store *store;
    if (queue_open_store(p->server->queue, run_id, &store, err) != 1) {
        return NULL;
    }
    o = mem_zalloc(sizeof *o);
    o->run_id = mem_strdup(run_id);
    o->store = store;
    const struct report_options options = {.run_path = store_dir(store)};
    o->report = report_create(store, &options, err);
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
