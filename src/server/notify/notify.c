/* The notifier: one thread that sends what is due, and sleeps until the next is. */
#include "server/notify/notify.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/db/db.h"
#include "server/log.h"
#include "server/notify/notify_priv.h"
#include "server/server.h"

struct notifier {
    struct server *server;
    struct sender sender;
    pthread_t thread;
    atomic_bool is_stopping;
    pthread_mutex_t lock; /* for is_woken */
    pthread_cond_t changed;
    bool is_woken;
};

int64_t notify_retry_delay(int64_t attempts)
{
    int64_t delay = RETRY_FIRST_S;
    for (int64_t i = 1; i < attempts && delay < RETRY_MAX_S; i++) {
        delay *= 2;
    }
    return delay < RETRY_MAX_S ? delay : RETRY_MAX_S;
}

struct due {
    int64_t id, attempts, created;
    char *run, *kind, *target, *payload, *secret;
};

static void due_fini(struct due *d)
{
    free(d->run);
    free(d->kind);
    free(d->target);
    free(d->payload);
    if (d->secret) {
        explicit_bzero(d->secret, strlen(d->secret));
    }
    free(d->secret);
}

/* 1 and the next one that is due, 0 none, -1. *next: when the first of the others is; 0: never. */
static int take_due(struct notifier *n, struct due *out, int64_t *next, struct err *err)
{
    struct db *db = db_get(n->server->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT id, attempts, created, run, kind, target, payload, secret,"
                   " next FROM notification WHERE state = 'waiting'"
                   " ORDER BY next, id LIMIT 1",
                   err);
    int r = st ? db_step(db, st, err) : -1;
    *next = 0;
    if (r == 1) {
        *next = db_column_i64(st, 8);
        r = *next <= time(NULL);
    }
    if (r == 1) {
        *out = (struct due){.id = db_column_i64(st, 0),
                            .attempts = db_column_i64(st, 1),
                            .created = db_column_i64(st, 2),
                            .run = db_column_dup(st, 3),
                            .kind = db_column_dup(st, 4),
                            .target = db_column_dup(st, 5),
                            .payload = db_column_dup(st, 6),
                            .secret = db_column_dup(st, 7)};
    }
    db_put(n->server->db, db);
    return r;
}

static enum send_result send_one(struct notifier *n, const struct due *d, struct err *err)
{
    enum send_result result = SEND_NEVER;
    if (strcmp(d->kind, "mail") == 0) {
        if (!n->server->config->smtp_url) {
            err_set(err, ERR_USAGE, "this server has no mail server any more");
            return SEND_NEVER;
        }
        json_t *mail = json_loads(d->payload, 0, NULL);
        result = mail_send(&n->sender, d->target, mail, d->created, err);
        json_decref(mail);
        return result;
    }
    json_t *secret = json_loads(d->secret ? d->secret : "{}", 0, NULL);
    const char *url = json_string_value(json_object_get(secret, "url"));
    const char *token = json_string_value(json_object_get(secret, "token"));
    result = callback_send(&n->sender, d->kind, url ? url : "", token, d->payload, err);
    json_decref(secret);
    return result;
}

static int record(struct notifier *n, const struct due *d, enum send_result result,
                  const struct err *sent, struct err *err)
{
    int64_t now = time(NULL);
    bool is_over = result != SEND_LATER || now - d->created >= RETRY_FOR_S;
    struct db *db = db_get(n->server->db);
    sqlite3_stmt *st = db_prepare(db,
                                  "UPDATE notification SET state = ?2, attempts = ?3, next = ?4,"
                                  " last_error = ?5, secret = CASE WHEN ?2 = 'waiting'"
                                  " THEN secret END WHERE id = ?1",
                                  err);
    int r = -1;
    if (st) {
        db_i64(st, 1, d->id);
        db_text(st, 2, result == SENT ? "sent" : is_over ? "failed" : "waiting");
        db_i64(st, 3, d->attempts + 1);
        db_i64(st, 4, is_over ? now : now + notify_retry_delay(d->attempts + 1));
        db_text(st, 5, result == SENT ? NULL : sent->msg);
        r = db_run(db, st, err);
    }
    db_put(n->server->db, db);
    return r;
}

static void log_result(const struct due *d, enum send_result result, const struct err *sent)
{
    cleanup_buf struct buf b = {0};
    log_begin(&b, result == SENT ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "notify");
    log_pair(&b, "run", d->run);
    log_pair(&b, "kind", d->kind);
    log_pair(&b, "target", d->target);
    log_pair_u64(&b, "attempt", (uint64_t)d->attempts + 1);
    log_pair(&b, "result", result == SENT ? "sent" : sent->msg);
    log_end(&b);
}

/* Sends until nothing is due. Returns when the next one is; 0: none waits. */
static int64_t send_due(struct notifier *n)
{
    int64_t next = 0;
    while (!atomic_load(&n->is_stopping)) {
        cleanup_err struct err err = {0}, sent = {0};
        struct due d;
        int r = take_due(n, &d, &next, &err);
        if (r == 1) {
            enum send_result result = send_one(n, &d, &sent);
            /* A stopping server cuts what is on the way: not the receiver's fault. */
            if (!atomic_load(&n->is_stopping) || result == SENT) {
                log_result(&d, result, &sent);
                r = record(n, &d, result, &sent, &err) ? -1 : 1;
            }
            due_fini(&d);
        }
        if (r < 0) {
            log_err("notify", &err);
            return time(NULL) + RETRY_FIRST_S; /* the disk is full, say: not in a tight loop */
        }
        if (r == 0) {
            return next;
        }
    }
    return next;
}

static void *notify_main(void *arg)
{
    struct notifier *n = arg;
    while (!atomic_load(&n->is_stopping)) {
        struct timespec until = {.tv_sec = (time_t)send_due(n)};
        pthread_mutex_lock(&n->lock);
        while (!n->is_woken && !atomic_load(&n->is_stopping)) {
            if (until.tv_sec == 0) {
                pthread_cond_wait(&n->changed, &n->lock);
            } else if (pthread_cond_timedwait(&n->changed, &n->lock, &until)) {
                break;
            }
        }
        n->is_woken = false;
        pthread_mutex_unlock(&n->lock);
    }
    return NULL;
}

struct notifier *notify_start(struct server *s, struct err *err)
{
    struct notifier *n = mem_zalloc(sizeof *n);
    n->server = s;
    n->sender = (struct sender){.config = s->config, .is_stopping = &n->is_stopping};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL); /* on the clock of the rows */
    int r = pthread_create(&n->thread, NULL, notify_main, n);
    if (r) {
        free(n);
        err_errno(err, r, "cannot start a thread");
        return NULL;
    }
    return n;
}

static void wake(struct notifier *n)
{
    pthread_mutex_lock(&n->lock);
    n->is_woken = true;
    pthread_cond_signal(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void notify_stop(struct notifier *n)
{
    if (!n) {
        return;
    }
    atomic_store(&n->is_stopping, true);
    wake(n);
    pthread_join(n->thread, NULL);
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    free(n);
    curl_global_cleanup();
}

int notify_run(struct notifier *n, const char *run_id, bool is_end, struct err *err)
{
    if (plan_run(n->server, run_id, is_end, err)) {
        return -1;
    }
    wake(n);
    return 0;
}

int notify_each(struct server *s, const char *run_id, notification_fn *fn, void *ctx,
                struct err *err)
{
    struct db *db = db_get(s->db);
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT kind, target, state, last_error, attempts, next"
                                  " FROM notification WHERE run = ? ORDER BY id",
                                  err);
    int r = -1, stop = 0;
    if (st) {
        db_text(st, 1, run_id);
    }
    while (st && stop == 0 && (r = db_step(db, st, err)) == 1) {
        struct notification row = {.kind = db_column(st, 0),
                                   .target = db_column(st, 1),
                                   .state = db_column(st, 2),
                                   .last_error = db_column(st, 3),
                                   .attempts = db_column_i64(st, 4),
                                   .next_unix = db_column_i64(st, 5)};
        stop = fn(ctx, &row);
    }
    db_put(s->db, db);
    return stop ? stop : r;
}
