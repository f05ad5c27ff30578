/* Requests of the page of one run: the page, its parts as they change, the report as a file. */
#include "server/pages/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/notify/notify.h"
#include "server/pages/live.h"
#include "server/pages/reports.h"
#include "server/server.h"

#define BUILD_LOG_MAX (64u << 10) /* bytes of its end that are shown */

/* The end of DIR/runs/ID/build_log.ndjson from a line's start on. */
static void load_build_log(struct run_model *m, const struct server *s)
{
    cleanup_free char *dir = queue_run_dir(s->queue, m->l.id);
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/build_log.ndjson", dir);
    cleanup_close int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        return; /* it has not begun */
    }
    off_t from = st.st_size > BUILD_LOG_MAX ? st.st_size - BUILD_LOG_MAX : 0;
    m->build_log = mem_zalloc(BUILD_LOG_MAX + 1);
    ssize_t n = pread(fd, m->build_log, BUILD_LOG_MAX, from);
    m->build_log[n > 0 ? n : 0] = 0;
    m->build_log_is_cut = from > 0;
    char *line = from > 0 ? strchr(m->build_log, '\n') : NULL;
    if (line) {
        memmove(m->build_log, line + 1, strlen(line));
    }
}

static int add_notice(void *ctx, const struct notification *n)
{
    struct run_model *m = ctx;
    struct run_notice *mine = ARRAY_PUSH(m->notices, m->notice_count, m->notice_cap);
    *mine = (struct run_notice){.kind = mem_strdup(n->kind),
                                .target = mem_strdup(n->target),
                                .state = mem_strdup(n->state),
                                .last_error = n->last_error ? mem_strdup(n->last_error) : NULL,
                                .attempts = n->attempts};
    return 0;
}

/* 1, 0 no such run, -1. */
static int load(struct server *s, const char *run_id, struct run_model *m, struct err *err)
{
    cleanup_buf struct buf live = {0};
    int rc = queue_find(s->queue, run_id, &m->l, err);
    if (rc != 1) {
        return rc;
    }
    m->now_unix_ms = (int64_t)time(NULL) * 1000;
    if (m->l.status == LAUNCH_RUNNING) {
        queue_live(s->queue, run_id, &live);
        m->live = buf_steal(&live);
    }
    load_build_log(m, s);
    return notify_each(s, run_id, add_notice, m, err) < 0 ? -1 : 1;
}

void page_run(struct http_request *rq, struct http_response *rs)
{
    struct run_model m = {0};
    cleanup_err struct err err = {0};
    int rc = load(rq->server, rq->vars[0], &m, &err);
    if (rc == 0) {
        http_error(rq, rs, 404, "there is no run with this id");
    } else if (rc < 0) {
        http_fail(rq, rs, &err);
    } else {
        cleanup_err struct err unreadable = {0}; /* the rest of the page still is of use */
        struct opened *o = reports_get(rq->server->reports, rq->vars[0], &unreadable);
        m.report = o ? o->report : NULL;
        struct frame f = frame_for(rq, PLACE_RUNS, run_name(&m.l));
        f.styles = (const char *const[]){"report.css", NULL};
        f.scripts = (const char *const[]){"run.js", NULL};
        frame_open(&rs->body, &f);
        run_html(&rs->body, &f, &m);
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
        reports_put(rq->server->reports, o);
    }
    run_model_fini(&m);
}

/* ---- as it changes ---- */

struct run_live {
    struct server *server; /* outlives its connections */
    struct principal who;
    char *run_id; /* owned */
    uint64_t seen;
    struct buf last[PART_COUNT]; /* what was sent */
};

static void live_destroy(void *ctx)
{
    struct run_live *live = ctx;
    for (size_t i = 0; i < PART_COUNT; i++) {
        buf_free(&live->last[i]);
    }
    free(live->run_id);
    free(live);
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void send_part(struct run_live *live, const struct frame *f, const struct run_model *m,
                      enum run_part part, struct buf *out)
{
    cleanup_buf struct buf json = {0};
    struct buf html = {0};
    run_part_html(&html, f, m, part);
    if (live->last[part].data && same(&html, &live->last[part])) {
        buf_free(&html);
        return;
    }
    buf_printf(&json, "{\"part\":\"%s\",\"html\":", run_part_id(part));
    buf_json_string(&json, html.data, html.len);
    buf_putc(&json, '}');
    live_event(out, "part", &json);
    buf_free(&live->last[part]);
    live->last[part] = html;
}

static bool live_next_parts(void *ctx, struct buf *out)
{
    struct run_live *live = ctx;
    cleanup_err struct err err = {0};
    uint64_t now = queue_wait(live->server->queue, live->run_id, live->seen, LIVE_WAIT_MS);
    struct run_model m = {0};
    const struct frame f = {.who = &live->who};
    if (now == live->seen) {
        return true;
    }
    live->seen = now;
    bool goes_on = load(live->server, live->run_id, &m, &err) == 1;
    if (goes_on) {
        struct opened *o = reports_get(live->server->reports, live->run_id, &err);
        m.report = o ? o->report : NULL;
        for (enum run_part part = 0; part < PART_COUNT; part++) {
            send_part(live, &f, &m, part, out);
        }
        goes_on = !run_is_over(&m.l);
        reports_put(live->server->reports, o);
    }
    if (!goes_on) {
        buf_puts(out, "event: end\ndata: {}\n\n");
    }
    run_model_fini(&m);
    return goes_on;
}

void page_run_live(struct http_request *rq, struct http_response *rs)
{
    struct run_live *live = mem_zalloc(sizeof *live);
    *live = (struct run_live){.server = rq->server,
                              .who = rq->who,
                              .run_id = mem_strdup(rq->vars[0]),
                              .seen = UINT64_MAX};
    live_start(rs, live_next_parts, live_destroy, live);
}

void page_report_file(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct launch l = {0};
    int rc = queue_find(rq->server->queue, rq->vars[0], &l, &err);
    if (rc < 0) {
        http_fail(rq, rs, &err);
        return;
    }
    cleanup_buf struct buf path = {0};
    cleanup_free char *dir = rc ? queue_run_dir(rq->server->queue, rq->vars[0]) : NULL;
    buf_printf(&path, "%s/run/report.html", dir ? dir : "");
    launch_fini(&l);
    struct stat st;
    int fd = dir ? open(path.data, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st)) {
        http_error(rq, rs, 404, "this run has no report file");
        return;
    }
    rs->status = 200;
    rs->fd = fd;
    rs->fd_from = 0;
    rs->fd_len = (uint64_t)st.st_size;
    http_set(rs, "Content-Type", "text/html; charset=utf-8");
    http_set(rs, "Content-Disposition", "attachment; filename=\"report.html\"");
}
