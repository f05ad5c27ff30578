#include "server/housekeeping.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/db/db.h"
#include "server/log.h"
#include "server/queue/queue.h"
#include "server/registry/registry.h"
#include "server/server.h"

#define INTERVAL_S 600
#define DAY_S      86400

struct housekeeping {
    struct server *server;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    bool is_stopping;
    struct housekeeping_stats stats;
};

/* ---- trees of files ---- */

/* Adds what the files below take on the disk; with `removes` they go. The tree belongs to nobody
 * else any more, or is only read: what cannot be opened counts as nothing. */
static uint64_t walk(int parent, const char *name, bool removes)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) {
        return 0;
    }
    uint64_t bytes = (uint64_t)st.st_blocks * 512;
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        cleanup_closedir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *e;
        if (!dir && fd >= 0) {
            close(fd);
        }
        while (dir && (e = readdir(dir))) {
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
                bytes += walk(dirfd(dir), e->d_name, removes);
            }
        }
    }
    if (removes) {
        unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
    }
    return bytes;
}

static void empty_trash(const struct server *s)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/trash", s->dir);
    walk(AT_FDCWD, path.data, true);
}

/* ---- runs ---- */

struct old_run {
    char *id;
    int64_t completed_ms;
    bool is_over;
    uint64_t bytes;
};
struct old_runs {
    struct old_run *items; /* oldest first */
    size_t count, cap;
};

static void old_runs_fini(struct old_runs *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i].id);
    }
    free(r->items);
}

static int list_runs(struct server *s, struct old_runs *out, struct err *err)
{
    struct db *db = db_get(s->db);
    sqlite3_stmt *st =
        db_prepare(db, "SELECT id, completed_ms, status FROM run ORDER BY number", err);
    int r = -1;
    while (st && (r = db_step(db, st, err)) == 1) {
        struct old_run *run = ARRAY_PUSH(out->items, out->count, out->cap);
        int64_t status = db_column_i64(st, 2);
        run->id = db_column_dup(st, 0);
        run->completed_ms = db_column_i64(st, 1);
        run->is_over =
            status == LAUNCH_COMPLETED || status == LAUNCH_CANCELLED || status == LAUNCH_INCOMPLETE;
    }
    db_put(s->db, db);
    return r;
}

static int forget_run(struct server *s, const char *id, struct err *err)
{
    static const char *const statements[] = {"DELETE FROM notification WHERE run = ?",
                                             "DELETE FROM run WHERE id = ?"};
    struct db *db = db_get(s->db);
    int r = db_begin(db, err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(statements); i++) {
        sqlite3_stmt *st = db_prepare(db, statements[i], err);
        r = -1;
        if (st) {
            db_text(st, 1, id);
            r = db_run(db, st, err);
        }
    }
    r = r ? r : db_commit(db, err);
    db_put(s->db, db);
    return r;
}

/* Aside first, then the row, then the files: whenever this is cut off, the next pass ends it. */
static int remove_run(struct housekeeping *h, const struct old_run *run, const char *why,
                      struct err *err)
{
    struct server *s = h->server;
    cleanup_buf struct buf from = {0}, to = {0};
    buf_printf(&to, "%s/trash", s->dir);
    if (mkdir(to.data, 0700) && errno != EEXIST) {
        return err_errno(err, errno, "%s", to.data);
    }
    buf_printf(&from, "%s/runs/%s", s->dir, run->id);
    buf_printf(&to, "/%s", run->id);
    if (rename(from.data, to.data) && errno != ENOENT) {
        return err_errno(err, errno, "%s", from.data);
    }
    if (forget_run(s, run->id, err)) {
        return -1;
    }
    empty_trash(s);
    struct principal nobody = {0};
    auth_audit(s->db, &nobody, NULL, "run.expire", run->id, why);
    log_message(LOG_LEVEL_INFO, "run_removed", "run %s: %s", run->id, why);
    pthread_mutex_lock(&h->lock);
    h->stats.runs_removed++;
    pthread_mutex_unlock(&h->lock);
    return 0;
}

static uint64_t measure(struct server *s, struct old_runs *runs)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < runs->count; i++) {
        cleanup_buf struct buf path = {0};
        buf_printf(&path, "%s/runs/%s", s->dir, runs->items[i].id);
        sum += runs->items[i].bytes = walk(AT_FDCWD, path.data, false);
    }
    return sum;
}

static int keep_runs(struct housekeeping *h, int64_t now_unix, struct err *err)
{
    const struct server_config *c = h->server->config;
    struct old_runs runs = {0};
    int64_t oldest_ms = (now_unix - (int64_t)c->keep_days * DAY_S) * 1000;
    size_t newest = SIZE_MAX;
    int r = list_runs(h->server, &runs, err);
    uint64_t sum = r ? 0 : measure(h->server, &runs);
    for (size_t i = 0; i < runs.count; i++) {
        newest = runs.items[i].is_over ? i : newest;
    }
    for (size_t i = 0; r == 0 && i < runs.count; i++) {
        const struct old_run *run = &runs.items[i];
        bool is_old = c->keep_days && run->completed_ms < oldest_ms;
        /* A budget smaller than a run would otherwise leave nothing to look at. */
        bool is_beyond = c->disk_budget && sum > c->disk_budget && i != newest;
        if (!run->is_over || !(is_old || is_beyond)) {
            continue;
        }
        r = remove_run(h, run, is_old ? "older than keep_days" : "beyond disk_budget", err);
        sum -= r ? 0 : run->bytes;
    }
    pthread_mutex_lock(&h->lock);
    h->stats.run_bytes = sum;
    pthread_mutex_unlock(&h->lock);
    old_runs_fini(&runs);
    return r;
}

/* ---- the rest ---- */

static int drop_sessions(struct server *s, int64_t now_unix, struct err *err)
{
    struct db *db = db_get(s->db);
    sqlite3_stmt *st = db_prepare(db, "DELETE FROM session WHERE expires <= ?", err);
    int r = -1;
    if (st) {
        db_i64(st, 1, now_unix);
        r = db_run(db, st, err);
    }
    db_put(s->db, db);
    return r;
}

static int collect_blobs(struct housekeeping *h, struct err *err)
{
    struct registry_gc gc = {0};
    if (!h->server->registry) {
        return 0;
    }
    int r = registry_collect(h->server->registry, &gc, err);
    pthread_mutex_lock(&h->lock);
    h->stats.blobs_removed += gc.blobs;
    h->stats.blob_bytes_removed += gc.bytes;
    pthread_mutex_unlock(&h->lock);
    return r;
}

int housekeeping_pass(struct housekeeping *h, int64_t now_unix, struct err *err)
{
    empty_trash(h->server);
    int r = keep_runs(h, now_unix, err);
    r = r ? r : drop_sessions(h->server, now_unix, err);
    r = r ? r : collect_blobs(h, err);
    pthread_mutex_lock(&h->lock);
    h->stats.last_unix = now_unix;
    pthread_mutex_unlock(&h->lock);
    return r;
}

static void *housekeeping_main(void *arg)
{
    struct housekeeping *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->is_stopping) {
        pthread_mutex_unlock(&h->lock);
        cleanup_err struct err err = {0};
        if (housekeeping_pass(h, time(NULL), &err)) {
            log_err("housekeeping", &err);
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += INTERVAL_S;
        pthread_mutex_lock(&h->lock);
        while (!h->is_stopping && pthread_cond_timedwait(&h->changed, &h->lock, &until) == 0) {
        }
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct housekeeping *housekeeping_start(struct server *s, struct err *err)
{
    struct housekeeping *h = mem_zalloc(sizeof *h);
    pthread_condattr_t attr;
    h->server = s;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->changed, &attr);
    pthread_condattr_destroy(&attr);
    int r = pthread_create(&h->thread, NULL, housekeeping_main, h);
    if (r) {
        free(h);
        err_errno(err, r, "cannot start a thread");
        return NULL;
    }
    return h;
}

void housekeeping_stop(struct housekeeping *h)
{
    if (!h) {
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->is_stopping = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void housekeeping_stats(struct housekeeping *h, struct housekeeping_stats *out)
{
    pthread_mutex_lock(&h->lock);
    *out = h->stats;
    pthread_mutex_unlock(&h->lock);
}
