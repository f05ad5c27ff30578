/* The notifier: a few threads that send what is due and sleep until the next is, so that a receiver
 * that does not answer holds up nobody but those behind the same one. */
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

#define SENDERS 4u
/* Rows looked at for one that is due: those in flight, and what waits for these, are passed over.
 */
#define LOOK_STRING "16"

struct due {
    int64_t id, attempts, created;
    char *run, *kind, *target, *payload, *secret;
};

struct slot {
    struct notifier *notifier;
    pthread_t thread;
    bool is_busy;   /* under the notifier's lock, as `due` while it is set */
    struct due due; /* in flight */
};

struct notifier {
    struct server *server;
    struct sender sender;
    atomic_bool is_stopping;
    pthread_mutex_t lock;   /* for taking what is due */
    pthread_cond_t changed; /* rows were added, or one is no longer in flight */
    struct slot slots[SENDERS];
    unsigned started;
};

int64_t notify_retry_delay(int64_t attempts)
{
    int64_t delay = RETRY_FIRST_S;
    for (int64_t i = 1; i < attempts && delay < RETRY_MAX_S; i++) {
        delay *= 2;
    }
    return delay < RETRY_MAX_S ? delay : RETRY_MAX_S;
}

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

/* The result of a run must not overtake the news that it started. */
static bool must_wait(const struct notifier *n, sqlite3_stmt *row)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        const struct due *d = &n->slots[i].due;
        if (!n->slots[i].is_busy) {
            continue;
        }
        bool is_same_place = strcmp(d->run, db_column(row, 3)) == 0 &&
                             strcmp(d->kind, db_column(row, 4)) == 0 &&
                             strcmp(d->kind, "mail") != 0;
        if (d->id == db_column_i64(row, 0) || is_same_place) {
            return true;
        }
    }
    return false;
}

/* Under the lock: 1 and the first that is due and may go, 0 none, -1. *next: when the first of
 * those that are not due is; 0: none waits. */
static int take_due(struct notifier *n, struct due *out, int64_t *next, struct err *err)
{
    struct db *db = db_get(n->server->db);
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT id, attempts, created, run, kind, target, payload,"
                                  " secret, next FROM notification WHERE state = 'waiting'"
                                  " ORDER BY next, id LIMIT " LOOK_STRING,
                                  err);
    int r = -1;
    *next = 0;
    while (st && (r = db_step(db, st, err)) == 1) {
        if (must_wait(n, st)) {
            continue;
        }
        if (db_column_i64(st, 8) > time(NULL)) {
            *next = db_column_i64(st, 8);
            r = 0;
            break;
        }
        *out = (struct due){.id = db_column_i64(st, 0),
                            .attempts = db_column_i64(st, 1),
                            .created = db_column_i64(st, 2),
                            .run = db_column_dup(st, 3),
                            .kind = db_column_dup(st, 4),
                            .target = db_column_dup(st, 5),
                            .payload = db_column_dup(st, 6),
                            .secret = db_column_dup(st, 7)};
        break;
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

/* Sends what the slot holds. */
static int deliver(struct notifier *n, const struct due *d, struct err *err)
{
    cleanup_err struct err sent = {0};
    enum send_result result = send_one(n, d, &sent);
    /* A stopping server cuts what is on the way: not the receiver's fault. */
    if (atomic_load(&n->is_stopping) && result != SENT) {
        return 0;
    }
    log_result(d, result, &sent);
    return record(n, d, result, &sent, err);
}

/* Under the lock; `until_unix` 0: until something changes. */
static void wait_until(struct notifier *n, int64_t until_unix)
{
    struct timespec until = {.tv_sec = (time_t)until_unix};
    if (atomic_load(&n->is_stopping)) {
        return;
    }
    if (until_unix) {
        pthread_cond_timedwait(&n->changed, &n->lock, &until);
    } else {
        pthread_cond_wait(&n->changed, &n->lock);
    }
}

static void *slot_main(void *arg)
{
    struct slot *slot = arg;
    struct notifier *n = slot->notifier;
    pthread_mutex_lock(&n->lock);
    while (!atomic_load(&n->is_stopping)) {
        cleanup_err struct err err = {0};
        int64_t next;
        int r = take_due(n, &slot->due, &next, &err);
        if (r == 1) {
            slot->is_busy = true;
            pthread_mutex_unlock(&n->lock);
            r = deliver(n, &slot->due, &err) ? -1 : 1;
            pthread_mutex_lock(&n->lock);
            slot->is_busy = false;
            due_fini(&slot->due);
            pthread_cond_broadcast(&n->changed);
        }
        if (r < 0) {
            log_err("notify", &err);
            next = time(NULL) + RETRY_FIRST_S; /* the disk is full, say: not in a tight loop */
        }
        if (r != 1) {
            wait_until(n, next);
        }
    }
    pthread_mutex_unlock(&n->lock);
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
    for (; n->started < SENDERS; n->started++) {
        struct slot *slot = &n->slots[n->started];
        slot->notifier = n;
        int r = pthread_create(&slot->thread, NULL, slot_main, slot);
        if (r) {
            err_errno(err, r, "cannot start a thread");
            notify_stop(n);
            return NULL;
        }
    }
    return n;
}

static void wake(struct notifier *n)
{
    pthread_mutex_lock(&n->lock);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void notify_stop(struct notifier *n)
{
    if (!n) {
        return;
    }
    atomic_store(&n->is_stopping, true);
    wake(n);
    for (unsigned i = 0; i < n->started; i++) {
        pthread_join(n->slots[i].thread, NULL);
    }
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
