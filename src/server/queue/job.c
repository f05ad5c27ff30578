/* One launch, from its row to its end. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/config.h"
#include "server/log.h"
#include "server/queue/params.h"
#include "server/queue/queue_priv.h"
#include "server/server.h"
#include "store/files.h"

#define CUTS_MAX      5 /* then what there is is reported */
#define COMPLAINT_MAX 8192u

struct exploring {
    struct job *j;
    json_t *summary;      /* owned; NULL: the child said none */
    struct buf complaint; /* what it said on standard error */
};

char *job_path(const struct job *j, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", j->dir, name);
    return buf_steal(&b);
}

bool job_must_end(struct job *j)
{
    return queue_is_stopping(j->q) || live_is_cancelled(j->q, j->launch->id);
}

static void save(struct job *j)
{
    cleanup_err struct err err = {0};
    if (row_update(j->q, j->launch, &err)) {
        log_err("run_row", &err);
    }
    live_touch(j->q, j->launch->id, NULL);
}

/* How a run ended is not lost to a disk that is full for a while. */
static void save_surely(struct job *j)
{
    enum { RETRY_MS = 2000 };
    cleanup_err struct err err = {0};
    while (row_update(j->q, j->launch, &err) && !queue_is_stopping(j->q)) {
        log_err("run_row", &err);
        err_clear(&err);
        struct pollfd p = {j->wake_fd, POLLIN, 0};
        int n = poll(&p, 1, RETRY_MS); /* a stop wakes it */
        (void)n;
    }
    live_touch(j->q, j->launch->id, NULL);
}

static void set_text(char **where, const char *text)
{
    free(*where);
    *where = text ? mem_strdup(text) : NULL;
}

static void finish(struct job *j, enum launch_status status, const char *error)
{
    struct launch *l = j->launch;
    l->status = status;
    l->completed_unix_ms = queue_now_ms();
    set_text(&l->error, error);
    if (error) {
        build_log_put(j->log, status == LAUNCH_INCOMPLETE, "%s", error);
    }
    build_log_put(j->log, false, "The run is %s.", queue_status_word(status));
    save_surely(j);
    queue_notify(j->q, l->id, true);
    cleanup_buf struct buf b = {0};
    log_begin(&b, LOG_LEVEL_INFO, "run_end");
    log_pair(&b, "run", l->id);
    log_pair(&b, "status", queue_status_word(status));
    log_pair(&b, "verdict", l->verdict);
    log_pair(&b, "error", error);
    log_end(&b);
}

static void finish_err(struct job *j, const struct err *err)
{
    cleanup_buf struct buf b = {0};
    buf_printf(&b, "%s%s%s", err->msg ? err->msg : "", err->hint ? "\n" : "",
               err->hint ? err->hint : "");
    finish(j, LAUNCH_INCOMPLETE, b.data);
}

/* --- what the child says ------------------------------------------------------------------------
 */

static int64_t whole(const json_t *doc, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(doc, name));
}

static int64_t nanoseconds(const json_t *doc, const char *name)
{
    return (int64_t)(json_number_value(json_object_get(doc, name)) * 1e9);
}

static void take_numbers(struct launch *l, const json_t *doc)
{
    l->universes = whole(doc, "universes");
    l->behaviours = whole(doc, "behaviours");
    l->virtual_ns = nanoseconds(doc, "virtual_seconds");
    l->wall_ns = nanoseconds(doc, "wall_seconds");
}

static void take_progress(struct job *j, const json_t *doc, const char *text)
{
    take_numbers(j->launch, doc);
    j->launch->failed = whole(doc, "failures");
    save(j);
    live_touch(j->q, j->launch->id, text);
}

static void take_summary(struct launch *l, const json_t *doc)
{
    const json_t *counts = json_object_get(doc, "counts"),
                 *found = json_object_get(doc, "findings");
    take_numbers(l, doc);
    l->failed = whole(counts, "failed");
    l->never = whole(counts, "never_reached");
    l->passed = whole(counts, "passed");
    l->found_new = whole(found, "new");
    l->found_rare = whole(found, "rare");
    l->found_ongoing = whole(found, "ongoing");
    l->found_resolved = whole(found, "resolved");
    set_text(&l->verdict, json_string_value(json_object_get(doc, "verdict")));
}

static void on_line(void *ctx, const char *text, bool is_error)
{
    struct exploring *x = ctx;
    if (is_error) {
        build_log_put(x->j->log, true, "%s", text);
        if (x->complaint.len < COMPLAINT_MAX) {
            buf_printf(&x->complaint, "%s%s", x->complaint.len ? "\n" : "", text);
        }
        return;
    }
    json_t *doc = json_loads(text, 0, NULL);
    const char *kind = json_string_value(json_object_get(doc, "kind"));
    kind = kind ? kind : "";
    if (strcmp(kind, "start") == 0) {
        x->j->launch->status = LAUNCH_RUNNING;
        build_log_put(x->j->log, false, "Exploring.");
        save(x->j);
    } else if (strcmp(kind, "progress") == 0) {
        take_progress(x->j, doc, text);
    } else if (strcmp(kind, "universe") == 0) {
        live_touch(x->j->q, x->j->launch->id, NULL);
    } else if (strcmp(kind, "summary") == 0) {
        json_decref(x->summary);
        x->summary = json_incref(doc);
    }
    json_decref(doc);
}

/* --- the child ----------------------------------------------------------------------------------
 */

struct words {
    char *items[40];
    size_t count;
};

static void word(struct words *w, const char *text)
{
    ASSERT(w->count + 1 < ARRAY_LEN(w->items));
    w->items[w->count++] = mem_strdup(text);
}

static void option(struct words *w, const char *name, const char *value)
{
    if (value && *value) {
        word(w, name);
        word(w, value);
    }
}

static void build_command(struct job *j, bool closing, struct words *w)
{
    const struct launch *l = j->launch;
    cleanup_free char *input = job_path(j, "input"), *run = job_path(j, "run");
    cleanup_free char *images = job_path(j, "images"), *faults = job_path(j, "faults.yaml");
    char seconds[40], jobs[24] = "";
    snprintf(seconds, sizeof seconds, "%" PRId64 "s", l->duration_s);
    if (j->q->server->config->jobs) {
        snprintf(jobs, sizeof jobs, "%" PRIu64, j->q->server->config->jobs);
    }
    word(w, j->q->server->everett);
    word(w, "run");
    word(w, input);
    word(w, "--json");
    word(w, "--continue");
    option(w, "--out", run);
    option(w, "--images", images);
    option(w, "--for", closing ? "1ns" : seconds);
    option(w, "--jobs", jobs);
    option(w, "--name", l->test_name);
    option(w, "--source", l->source);
    option(w, "--description", l->description);
    option(w, "--commit", l->commit);
    option(w, "--hide", param_text(j->params, PARAM_FILTER));
    option(w, "--faults", access(faults, F_OK) == 0 ? faults : NULL);
}

static int run_child(struct exploring *x, bool closing, int *status, struct err *err)
{
    struct words w = {0};
    build_command(x->j, closing, &w);
    struct child c = {.argv = w.items, .line = on_line, .ctx = x};
    json_decref(x->summary);
    x->summary = NULL;
    buf_reset(&x->complaint);
    int r = child_run(x->j, &c, err);
    *status = c.status;
    for (size_t i = 0; i < w.count; i++) {
        free(w.items[i]);
    }
    return r;
}

/* --- how it ended -------------------------------------------------------------------------------
 */

static void judge(struct job *j, const json_t *summary)
{
    const char *outcome = json_string_value(json_object_get(summary, "outcome"));
    const char *error = json_string_value(json_object_get(summary, "error"));
    const char *setup = json_string_value(json_object_get(summary, "setup"));
    outcome = outcome ? outcome : "";
    take_summary(j->launch, summary);
    bool interrupted = strcmp(outcome, "interrupted") == 0;
    if (interrupted && queue_is_stopping(j->q) && !live_is_cancelled(j->q, j->launch->id)) {
        build_log_put(j->log, false, "The server stops; the run goes on when it starts again.");
        set_text(&j->launch->verdict, NULL);
        save(j); /* the status stays: row_recover finds it */
    } else if (interrupted) {
        finish(j, LAUNCH_CANCELLED, "cancelled; what was finished is reported");
    } else if (strcmp(outcome, "completed") == 0 && !error) {
        finish(j, LAUNCH_COMPLETED, NULL);
    } else {
        finish(j, LAUNCH_INCOMPLETE, setup ? setup : error ? error : "the run broke off");
    }
}

/* True when it is worth another try. */
static bool was_cut(struct exploring *x, int status, int *cuts)
{
    cleanup_err struct err err = {0};
    if (!WIFSIGNALED(status)) {
        return false;
    }
    *cuts = row_count_cut(x->j->q, x->j->launch->id, &err);
    if (*cuts < 0) {
        log_err("run_cuts", &err);
        return false;
    }
    build_log_put(x->j->log, true,
                  "The run was killed by signal %d; what was finished is kept and it goes on.",
                  WTERMSIG(status));
    return *cuts <= CUTS_MAX;
}

static void explore(struct job *j)
{
    struct exploring x = {.j = j};
    cleanup_err struct err err = {0};
    int cuts = 0, status = 0;
    bool again = true;
    while (again) {
        if (run_child(&x, cuts == CUTS_MAX, &status, &err)) {
            finish_err(j, &err);
            break;
        }
        if (x.summary) {
            judge(j, x.summary);
            break;
        }
        if (job_must_end(j)) {
            /* Stopped so early that there is nothing to report, or it would not end in time. */
            if (live_is_cancelled(j->q, j->launch->id)) {
                finish(j, LAUNCH_CANCELLED, "cancelled");
            }
            break;
        }
        again = was_cut(&x, status, &cuts);
        if (!again) {
            finish(j, LAUNCH_INCOMPLETE,
                   x.complaint.len ? x.complaint.data : "the run ended without a word");
        }
    }
    json_decref(x.summary);
    buf_free(&x.complaint);
}

/* --- what the run is given ----------------------------------------------------------------------
 */

static void put_earlier(void *ctx, const char *id)
{
    buf_printf(ctx, "../../%s/run\n", id);
}

/* The report compares with these runs alone: ephemeral ones leave no trace. */
static int write_history(struct job *j, struct err *err)
{
    cleanup_free char *run = job_path(j, "run"), *path = job_path(j, "run/history");
    cleanup_buf struct buf list = {0};
    if (mkdir(run, 0755) && errno != EEXIST) {
        return files_errno(err, errno, "cannot make %s", run);
    }
    if (access(path, F_OK) == 0) {
        return 0;
    }
    return row_each_earlier(j->q, j->launch, put_earlier, &list, err) ||
                   files_replace(path, list.data ? list.data : "", list.len, err)
               ? -1
               : 0;
}

static int write_faults(struct job *j, struct err *err)
{
    cleanup_free char *path = job_path(j, "faults.yaml");
    cleanup_buf struct buf text = {0};
    param_faults(j->params, &text);
    return text.len ? files_replace(path, text.data, text.len, err) : 0;
}

static int make_dirs(struct job *j, struct err *err)
{
    cleanup_buf struct buf runs = {0};
    buf_printf(&runs, "%s/runs", j->q->server->dir);
    const char *const dirs[] = {runs.data, j->dir};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (mkdir(dirs[i], 0755) && errno != EEXIST) {
            return files_errno(err, errno, "cannot make %s", dirs[i]);
        }
    }
    cleanup_free char *path = job_path(j, "build_log.ndjson");
    j->log = build_log_open(path, err);
    return j->log ? 0 : -1;
}

static int begin(struct job *j, struct err *err)
{
    struct launch *l = j->launch;
    j->dir = queue_run_dir(j->q, l->id);
    j->params = json_loads(l->params ? l->params : "{}", 0, NULL);
    j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (j->wake_fd < 0) {
        return err_errno(err, errno, "cannot make an event descriptor");
    }
    live_attach(j->q, l->id, j->wake_fd);
    if (l->cancel_requested) {
        live_cancel(j->q, l->id);
    }
    return make_dirs(j, err);
}

static void prepare_and_explore(struct job *j)
{
    cleanup_err struct err err = {0};
    queue_notify(j->q, j->launch->id, false);
    build_log_put(j->log, false, "Run %s of %s, %" PRId64 " s.", j->launch->id,
                  j->launch->test_name ? j->launch->test_name : "", j->launch->duration_s);
    if (job_prepare(j, &err) || write_history(j, &err) || write_faults(j, &err)) {
        if (!job_must_end(j)) {
            finish_err(j, &err);
        } else if (live_is_cancelled(j->q, j->launch->id)) {
            finish(j, LAUNCH_CANCELLED, "cancelled");
        }
        return;
    }
    explore(j);
}

void job_run(struct queue *q, struct launch *l)
{
    struct job j = {.q = q, .launch = l, .wake_fd = -1};
    cleanup_err struct err err = {0};
    if (begin(&j, &err)) {
        log_err("run_begin", &err);
        finish_err(&j, &err);
    } else {
        prepare_and_explore(&j);
    }
    live_attach(q, l->id, -1);
    if (j.wake_fd >= 0) {
        close(j.wake_fd);
    }
    build_log_close(j.log);
    json_decref(j.params);
    free(j.dir);
}
