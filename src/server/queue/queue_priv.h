/* Shared by the files that implement queue.h; for them only. */
#ifndef EVERETT_SERVER_QUEUE_QUEUE_PRIV_H
#define EVERETT_SERVER_QUEUE_QUEUE_PRIV_H

#include <pthread.h>

#include "server/queue/queue.h"

struct db;

/* Live state of one run; kept for a while after its end, so that waiters learn of it. */
struct live {
    char *id;         /* owned */
    uint64_t version; /* of struct queue's counter */
    char *progress;   /* owned: last progress object, or NULL */
    int wake_fd;      /* owned by the job that runs it; -1: none does */
    bool cancel;
};

struct queue {
    struct server *server;
    pthread_t *workers; /* owned */
    size_t worker_count;
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t work;    /* a launch waits, or stopping */
    pthread_cond_t changed; /* some live's version grew, or stopping */
    bool stopping;
    unsigned shells;   /* of queue_take_shell */
    uint64_t launches; /* accepted by this process */
    uint64_t counter;
    struct live *lives; /* owned; oldest first */
    size_t live_count, live_cap;
};

/* --- rows.c: run rows of server.db; each takes a connection of its own -------------------------
 */

#define RUN_COLUMNS                                                                                \
    "id, number, status, created_ms, started_ms, completed_ms, launcher, creator_name,"            \
    " creator_type, description, test_name, source, commit_id, params, error, verdict,"            \
    " duration_s, universes, virtual_ns, wall_ns, behaviours, failed, never, passed,"              \
    " found_new, found_rare, found_ongoing, found_resolved, is_ephemeral, cancel_requested"

int row_insert(struct queue *q, const struct launch *l, const char *secrets,
               struct err *err) must_check;
/* The oldest that waits is made STARTING. 1, 0 none, -1. */
int row_claim(struct queue *q, struct launch *out, struct err *err) must_check;
/* Runs that a dead server left behind wait again. Returns how many, or -1. */
int row_recover(struct queue *q, struct err *err) must_check;
/* Counts, error, verdict and status; completed_unix_ms when it is not 0. */
int row_update(struct queue *q, const struct launch *l, struct err *err) must_check;
/* One more cut of the run; returns how many there were, or -1. */
int row_count_cut(struct queue *q, const char *id, struct err *err) must_check;
/* 1 ended here because it still waited, 2 it runs and is marked, 0 it had ended, -1. */
int row_cancel(struct queue *q, const char *id, struct err *err) must_check;
/* Up to 20 earlier runs that the history of `l` is made of, latest first. */
typedef void row_id_fn(void *ctx, const char *id);
int row_each_earlier(struct queue *q, const struct launch *l, row_id_fn *fn, void *ctx,
                     struct err *err) must_check;

/* --- live.c ------------------------------------------------------------------------------------
 */

void live_init(struct queue *q);
void live_fini(struct queue *q);
/* Something about the run changed. `progress` NULL leaves the last one. */
void live_touch(struct queue *q, const char *id, const char *progress);
/* A job begins (wake_fd >= 0) or ends (-1). */
void live_attach(struct queue *q, const char *id, int wake_fd);
/* Marks it cancelled and wakes its job. */
void live_cancel(struct queue *q, const char *id);
bool live_is_cancelled(struct queue *q, const char *id);

/* --- job.c -------------------------------------------------------------------------------------
 */

struct build_log;

struct job {
    struct queue *q;
    struct launch *launch; /* its row; the job keeps it up to date */
    json_t *params;        /* owned */
    char *dir;             /* owned: DIR/runs/ID */
    struct build_log *log; /* owned */
    int wake_fd;           /* owned: eventfd */
};

/* Runs a claimed launch to its end; its row says how it went. */
void job_run(struct queue *q, struct launch *l);
/* The run is to end now: cancelled, or the server stops. */
bool job_must_end(struct job *j);
/* "DIR/runs/ID/name"; the caller frees it. */
char *job_path(const struct job *j, const char *name);

/* --- images.c: resolves and loads what the launch names ----------------------------------------
 */

/* Makes DIR/runs/ID/input and, last, DIR/runs/ID/images (runner/image_pins.h's format). Does
 * nothing when that is there. ERR_USAGE says what to push or mend. */
int job_prepare(struct job *j, struct err *err) must_check;

/* --- child.c: programs that work for a run -----------------------------------------------------
 */

struct child {
    char *const *argv; /* argv[0] is the path */
    /* One line without its end; `is_error` tells standard error from output. */
    void (*line)(void *ctx, const char *text, bool is_error);
    void *ctx;
    int status; /* out: as waitpid */
};

/* Runs it to its end. EVERETT_HOME is DIR/images; it dies with this process. When the job must end
 * the child gets SIGINT, after a grace another, then SIGKILL. Returns 0 with status, or -1. */
int child_run(struct job *j, struct child *c, struct err *err) must_check;

/* --- build_log.c -------------------------------------------------------------------------------
 */

struct build_log *build_log_open(const char *path, struct err *err) must_check;
void build_log_close(struct build_log *log); /* accepts NULL */
/* A line of {"timestamp","text","stream"}; several lines become several. Never fails the caller.
 * Accepts NULL. */
void build_log_put(struct build_log *log, bool is_error, const char *fmt, ...) printf_like(3, 4);

int64_t queue_now_ms(void);
/* Mail and callbacks; a failure is logged. */
void queue_notify(struct queue *q, const char *run_id, bool is_end);

#endif
