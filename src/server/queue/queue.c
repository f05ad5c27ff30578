#include "server/queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/http/http.h"
#include "server/log.h"
#include "server/notify/notify.h"
#include "server/queue/params.h"
#include "server/queue/queue_priv.h"
#include "server/server.h"
#include "store/store.h"

#define LATE_MS (24ll * 3600 * 1000)
#define RETRY_S 1 /* after the database failed */

int64_t queue_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *queue_status_word(enum launch_status s)
{
    static const char *const words[] = {
        [LAUNCH_QUEUED] = "starting",     [LAUNCH_STARTING] = "starting",
        [LAUNCH_RUNNING] = "in_progress", [LAUNCH_COMPLETED] = "completed",
        [LAUNCH_CANCELLED] = "cancelled", [LAUNCH_INCOMPLETE] = "incomplete"};
    return s >= LAUNCH_QUEUED && s <= LAUNCH_INCOMPLETE ? words[s] : "unknown";
}

char *queue_run_dir(const struct queue *q, const char *run_id)
{
    struct buf b = {0};
    buf_printf(&b, "%s/runs/%s", q->server->dir, run_id);
    return buf_steal(&b);
}

/* A run that has just begun has a file, but no tables yet. */
static bool has_just_begun(struct queue *q, const char *run_id)
{
    cleanup_err struct err ignored = {0};
    struct launch l = {0};
    bool begun = queue_find(q, run_id, &l, &ignored) == 1 && l.status < LAUNCH_COMPLETED;
    launch_fini(&l);
    return begun;
}

int queue_open_store(struct queue *q, const char *run_id, struct store **out, struct err *err)
{
    cleanup_free char *dir = queue_run_dir(q, run_id);
    cleanup_buf struct buf path = {0}, db = {0};
    struct stat st;
    buf_printf(&path, "%s/run", dir);
    buf_printf(&db, "%s/run.db", path.data);
    *out = NULL;
    if (stat(db.data, &st) || st.st_size == 0) {
        return 0;
    }
    *out = store_open(path.data, err);
    if (!*out && has_just_begun(q, run_id)) {
        err_clear(err);
        return 0;
    }
    return *out ? 1 : -1;
}

/* --- telling people -----------------------------------------------------------------------------
 */

void queue_notify(struct queue *q, const char *run_id, bool is_end)
{
    cleanup_err struct err err = {0};
    if (notify_run(q->server->notifier, run_id, is_end, &err)) {
        log_err("notify", &err);
    }
}

static int take_any(void *ctx, const struct notification *n)
{
    (void)n;
    *(bool *)ctx = true;
    return 1;
}

/* A server that died between the end of a run and its notifications has told nobody. */
static int tell_late(void *ctx, const struct launch *l)
{
    struct queue *q = ctx;
    cleanup_err struct err err = {0};
    bool any = false;
    bool recent = queue_now_ms() - l->completed_unix_ms < LATE_MS;
    if (l->status >= LAUNCH_COMPLETED && recent &&
        notify_each(q->server, l->id, take_any, &any, &err) >= 0 && !any) {
        queue_notify(q, l->id, true);
    }
    return 0;
}

static int tell_all_late(struct queue *q, struct err *err)
{
    const struct launch_filter recent = {.limit = 200, .with_ephemeral = true};
    return queue_each(q, &recent, tell_late, q, err);
}

/* --- launching ----------------------------------------------------------------------------------
 */

static int make_id(struct buf *out, struct err *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return err_set(err, ERR_HOST, "this host has no random numbers");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        buf_printf(out, "%02x", bytes[i]);
    }
    buf_puts(out, "-" QUEUE_RELEASE "-0");
    return 0;
}

static const char *creator_type(const json_t *params)
{
    static const char *const known[] = {"ci", "user", "agent", "antithesis_scheduler"};
    const char *said = param_text(params, "run.caller_type");
    for (size_t i = 0; said && i < ARRAY_LEN(known); i++) {
        if (strcmp(said, known[i]) == 0) {
            return known[i];
        }
    }
    return param_text(params, "run.cron_schedule") ? "antithesis_scheduler"
           : param_text(params, "vcs.version_id")  ? "ci"
           : param_text(params, "vcs.system_name") ? "ci"
                                                   : "user";
}

static const char *creator_name(const json_t *params, const struct principal *who)
{
    static const char *const names[] = {"run.creator_name", "vcs.caller_name", "run.caller_name"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = param_text(params, names[i]);
        if (name) {
            return name;
        }
    }
    return who->name;
}

static char *dup_param(const json_t *params, const char *name)
{
    const char *text = param_text(params, name);
    return text ? mem_strdup(text) : NULL;
}

static void fill_launch(struct launch *l, const char *id, const char *launcher,
                        const struct launch_params *p, const struct principal *who)
{
    struct buf name = {0};
    param_run_name(p->shown, &name);
    char *params = json_dumps(p->shown, JSON_COMPACT);
    ASSERT(params);
    *l = (struct launch){.id = mem_strdup(id),
                         .status = LAUNCH_QUEUED,
                         .created_unix_ms = queue_now_ms(),
                         .launcher = mem_strdup(launcher),
                         .creator_name = mem_strdup(creator_name(p->shown, who)),
                         .creator_type = mem_strdup(creator_type(p->shown)),
                         .description = dup_param(p->shown, "antithesis.description"),
                         .test_name = buf_steal(&name),
                         .source = dup_param(p->shown, "antithesis.source"),
                         .commit = dup_param(p->shown, "vcs.version_id"),
                         .params = params,
                         .duration_s = (int64_t)p->duration_s,
                         .is_ephemeral = p->is_ephemeral};
}

static int accept_launch(struct queue *q, const char *launcher, const struct launch_params *p,
                         const struct principal *who, struct buf *run_id, struct err *err)
{
    if (make_id(run_id, err)) {
        return -1;
    }
    struct launch l;
    fill_launch(&l, run_id->data, launcher, p, who);
    char *secrets = json_object_size(p->secrets) ? json_dumps(p->secrets, JSON_COMPACT) : NULL;
    int r = row_insert(q, &l, secrets, err);
    free(secrets);
    launch_fini(&l);
    return r;
}

/* Who is to be told: said now rather than when the run has ended. */
static int check_notifications(struct queue *q, const struct launch_params *p, struct err *err)
{
    const char *recipients = param_text(p->shown, PARAM_RECIPIENTS), *name;
    json_t *value;
    if (recipients && notify_check_recipients(recipients, err)) {
        return err_wrap(err, PARAM_RECIPIENTS);
    }
    json_object_foreach(p->secrets, name, value)
    {
        if (strcmp(strrchr(name, '.'), ".callback_url") == 0 &&
            notify_check_callback(q->server, json_string_value(value), err)) {
            return err_wrap(err, "%s", name);
        }
    }
    return 0;
}

int queue_launch(struct queue *q, const char *launcher, const json_t *params,
                 const struct principal *who, struct buf *run_id, struct err *err)
{
    struct launch_params p;
    int r = launch_params_read(&p, params, q->server->config->duration_max_minutes, err);
    r = r ? r : check_notifications(q, &p, err);
    r = r ? r : accept_launch(q, launcher, &p, who, run_id, err);
    launch_params_fini(&p);
    if (r == 0) {
        auth_audit(q->server->db, who, NULL, "run.launch", run_id->data, launcher);
        live_touch(q, run_id->data, NULL);
        pthread_mutex_lock(&q->lock);
        q->launches++;
        pthread_cond_broadcast(&q->work);
        pthread_mutex_unlock(&q->lock);
    }
    return r;
}

int queue_cancel(struct queue *q, const char *run_id, struct err *err)
{
    int r = row_cancel(q, run_id, err);
    if (r == 2) {
        live_cancel(q, run_id);
    } else if (r == 1) {
        live_touch(q, run_id, NULL);
        queue_notify(q, run_id, true);
    } else if (r == 0) {
        struct launch l;
        int found = queue_find(q, run_id, &l, err);
        launch_fini(&l);
        return found == 1   ? 0
               : found == 0 ? err_set(err, ERR_USAGE, "there is no run %s", run_id)
                            : -1;
    }
    return r < 0 ? -1 : 1;
}

/* --- workers ------------------------------------------------------------------------------------
 */

static uint64_t launches_so_far(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    uint64_t launches = q->launches;
    pthread_mutex_unlock(&q->lock);
    return launches;
}

/* Blocks until there is a launch after the first `seen`; after a failure of the database for a
 * while at most. */
static void wait_for_work(struct queue *q, uint64_t seen, bool failed)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_S;
    pthread_mutex_lock(&q->lock);
    int r = 0;
    while (!q->stopping && q->launches == seen && r != ETIMEDOUT) {
        r = failed ? pthread_cond_timedwait(&q->work, &q->lock, &until)
                   : pthread_cond_wait(&q->work, &q->lock);
    }
    pthread_mutex_unlock(&q->lock);
}

static void *worker(void *ctx)
{
    struct queue *q = ctx;
    while (!queue_is_stopping(q)) {
        cleanup_err struct err err = {0};
        struct launch l;
        uint64_t seen = launches_so_far(q);
        int r = row_claim(q, &l, &err);
        if (r == 1) {
            live_touch(q, l.id, NULL);
            job_run(q, &l);
            launch_fini(&l);
            continue;
        }
        if (r < 0) {
            log_err("queue", &err);
        }
        wait_for_work(q, seen, r < 0);
    }
    return NULL;
}

struct queue *queue_start(struct server *s, struct err *err)
{
    struct queue *q = mem_zalloc(sizeof *q);
    q->server = s;
    live_init(q);
    int waiting = row_recover(q, err);
    if (waiting < 0) {
        live_fini(q);
        free(q);
        return NULL;
    }
    if (waiting) {
        log_message(LOG_LEVEL_INFO, "queue_resumed", "%d runs that were cut go on", waiting);
    }
    if (tell_all_late(q, err) < 0) {
        queue_stop(q);
        return NULL;
    }
    size_t count = (size_t)s->config->workers; /* 0: launches are accepted and wait */
    q->workers = mem_zalloc((count + 1) * sizeof *q->workers);
    for (; q->worker_count < count; q->worker_count++) {
        int why = pthread_create(&q->workers[q->worker_count], NULL, worker, q);
        if (why) {
            err_errno(err, why, "cannot start a thread for the queue");
            queue_stop(q);
            return NULL;
        }
    }
    return q;
}

void queue_stop(struct queue *q)
{
    if (!q) {
        return;
    }
    queue_interrupt(q);
    for (size_t i = 0; i < q->worker_count; i++) {
        pthread_join(q->workers[i], NULL);
    }
    live_fini(q);
    free(q->workers);
    free(q);
}
