#include "server/pages/moment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report/text.h"
#include "server/pages/frame.h"
#include "server/pages/run_store.h"
#include "store/moment.h"
#include "store/store.h"

#define AROUND_NS (2ull * 1000000000)
#define LINES_MAX 400u

static int nearest(void *ctx, const struct event *ev)
{
    struct property_example *x = ctx;
    x->seq = ev->seq;
    x->node = ev->node;
    x->pid = ev->pid;
    return 0;
}

/* The last event at or before the moment; 1, 0 when that history is not of this run, -1. */
static int find(struct store *s, const struct moment *m, struct property_example *x,
                struct err *err)
{
    struct store_universe u;
    int found = store_universe_by_hash(s, m->input_hash, &u, err);
    if (found != 1) {
        return found;
    }
    *x = (struct property_example){.universe = u.number,
                                   .vtime_ns = min_u64(m->vtime_ns, u.virtual_ns),
                                   .node = EVENT_NO_NODE};
    store_universe_free(&u);
    uint64_t from = x->vtime_ns > AROUND_NS ? x->vtime_ns - AROUND_NS : 0;
    return store_each_event(s, x->universe, from, x->vtime_ns, nearest, x, err) < 0 ? -1 : 1;
}

static void neighbours(struct buf *b, const char *run, const struct moment *m)
{
    static const struct {
        int64_t by_ns;
        const char *text;
    } steps[] = {{-10000000000, "10 s earlier"},
                 {-1000000000, "1 s earlier"},
                 {1000000000, "1 s later"},
                 {10000000000, "10 s later"}};
    buf_puts(b, "<p class=\"nearby\">");
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct moment to = *m;
        char text[MOMENT_TEXT_MAX];
        if (steps[i].by_ns < 0 && m->vtime_ns < (uint64_t)-steps[i].by_ns) {
            continue;
        }
        to.vtime_ns += (uint64_t)steps[i].by_ns;
        moment_text(&to, text);
        buf_printf(b, "<a href=\"/runs/%s/moment/%s\">%s</a> ", run, text, steps[i].text);
    }
    buf_puts(b, "</p>\n");
}

static int body(struct buf *b, struct http_request *rq, struct report *r,
                const struct property_example *x, const struct moment *m, struct err *err)
{
    const struct scene_limits limits = {
        .around_ns = AROUND_NS, .before_max = LINES_MAX, .after_max = LINES_MAX};
    struct scene sc = {0};
    int status = scene_load(&sc, r, x, &limits, err);
    if (status == 0) {
        buf_puts(b, "<h1>");
        html_place(b, r, x);
        buf_puts(b, "</h1>\n");
        neighbours(b, rq->vars[0], m);
        status = html_moment(b, r, x, err) || html_replay(b, r, x, err) ? -1 : 0;
        html_timeline(b, r, &sc);
        html_story(b, r, &sc, "m");
        html_log(b, r, &sc, "m");
    }
    scene_fini(&sc);
    return status;
}

static void draw(struct http_request *rq, struct http_response *rs, struct run_store *run,
                 const struct property_example *x, const struct moment *m)
{
    static const char *const scripts[] = {"report.js", NULL}, *const styles[] = {"report.css",
                                                                                 NULL};
    cleanup_err struct err err = {0};
    const struct report_options options = {.run_path = store_dir(run->store), .no_history = true};
    struct report *r = report_create(run->store, &options, &err);
    struct frame f = frame_for(rq, PLACE_RUNS, "Moment");
    cleanup_buf struct buf url = {0};
    f.scripts = scripts;
    f.styles = styles;
    f.is_wide = true;
    frame_open(&rs->body, &f);
    buf_puts(&rs->body, "<div class=\"wrap\">\n");
    buf_printf(&url, "/runs/%s", rq->vars[0]);
    buf_puts(&rs->body, "<p class=\"crumbs\">");
    frame_crumb(&rs->body, "/runs", "Runs");
    frame_crumb(&rs->body, url.data, run->title);
    buf_puts(&url, "/logs");
    frame_crumb(&rs->body, url.data, "logs");
    buf_puts(&rs->body, "moment</p>\n");
    int status = r ? body(&rs->body, rq, r, x, m, &err) : -1;
    buf_puts(&rs->body, "</div>\n");
    frame_close(&rs->body, &f);
    report_destroy(r);
    if (status) {
        http_fail(rq, rs, &err);
    } else {
        frame_send(rs, 200);
    }
}

static void answer(struct http_request *rq, struct http_response *rs, struct run_store *run)
{
    cleanup_err struct err err = {0};
    struct moment m;
    struct property_example x;
    if (moment_parse(rq->vars[1], &m, &err)) {
        http_error(rq, rs, 404, "%s", err.msg);
        return;
    }
    int found = run->store ? find(run->store, &m, &x, &err) : 0;
    if (found < 0) {
        http_fail(rq, rs, &err);
    } else if (found == 0) {
        http_error(rq, rs, 404, "no history of this run has the moment %s", rq->vars[1]);
    } else {
        draw(rq, rs, run, &x, &m);
    }
}

void moment_page(struct http_request *rq, struct http_response *rs)
{
    struct run_store run;
    if (run_store_open(&run, rq, rs)) {
        answer(rq, rs, &run);
        run_store_close(&run);
    }
}
