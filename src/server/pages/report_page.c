/* The triage report, and the page of a failure. */
#include "server/pages/report_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/counterpart.h"
#include "report/text.h"
#include "server/pages/reports.h"
#include "server/pages/runs.h"
#include "server/server.h"
#include "store/moment.h"

#define PROPERTIES_PAGE 100u
#define SECOND          UINT64_C(1000000000)

static const struct html_key report_keys[] = {
    {"j k", "next and previous failure"},
};
static const struct html_key failure_keys[] = {
    {"j k", "next and previous failure"},
    {"[ ]", "earlier and later event in the log"},
    {"a A", "next and previous assertion in the log"},
    {"c", "copy the moment of the selected event"},
    {"+ - 0", "zoom the timeline"},
    {"\xe2\x86\x90 \xe2\x86\x92", "move along the timeline"},
};

void run_tabs(struct buf *b, const char *run_id, const char *here)
{
    static const struct {
        const char *rest, *text;
    } tabs[] = {{"", "Overview"}, {"/report", "Triage report"}, {"/logs", "Logs"}};
    buf_puts(b, "<nav class=\"tabs\" aria-label=\"Run\">");
    for (size_t i = 0; i < ARRAY_LEN(tabs); i++) {
        cleanup_buf struct buf url = {0};
        run_url(&url, run_id, tabs[i].rest);
        frame_link(b, url.data, tabs[i].text, strcmp(tabs[i].text, here) == 0);
    }
    buf_puts(b, "</nav>\n");
}

/* The run is there, but nothing of it has been judged. */
static void no_report(struct http_request *rq, struct http_response *rs, const struct launch *l)
{
    struct frame f = frame_for(rq, PLACE_RUNS, "No report yet");
    frame_open(&rs->body, &f);
    buf_puts(&rs->body, "<div class=\"wrap\"><h1>");
    text_html(&rs->body, run_name(l));
    buf_puts(&rs->body, "</h1>\n");
    run_tabs(&rs->body, l->id, "Triage report");
    buf_puts(&rs->body, "<p class=\"banner\"><b>There is no report yet.</b> ");
    if (l->error) {
        text_html(&rs->body, l->error);
    } else {
        buf_puts(&rs->body, "The run has not begun; its <a href=\"");
        run_url(&rs->body, l->id, "");
        buf_puts(&rs->body, "\">overview</a> shows what it is doing.");
    }
    buf_puts(&rs->body, "</p></div>\n");
    frame_close(&rs->body, &f);
    frame_send(rs, 200);
}

struct opened *report_or_answer(struct http_request *rq, struct http_response *rs,
                                const char *run_id)
{
    cleanup_err struct err err = {0};
    struct launch l = {0};
    int rc = queue_find(rq->server->queue, run_id, &l, &err);
    struct opened *o = NULL;
    if (rc < 0) {
        http_fail(rq, rs, &err);
    } else if (rc == 0) {
        http_error(rq, rs, 404, "there is no run with this id");
    } else {
        o = reports_get(rq->server->reports, run_id, &err);
        if (!o && err.kind) {
            http_fail(rq, rs, &err);
        } else if (!o) {
            no_report(rq, rs, &l);
        }
        launch_fini(&l);
    }
    return o;
}

static size_t number(const struct http_request *rq, const char *name)
{
    const char *text = http_query(rq, name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static int draw_report(struct http_request *rq, struct buf *b, struct opened *o, struct err *err)
{
    cleanup_buf struct buf base = {0};
    run_url(&base, o->run_id, "");
    size_t page = number(rq, "page");
    const struct html_view v = {.run_url = base.data,
                                .show = http_query(rq, "show"),
                                .search = http_query(rq, "search"),
                                .page = page ? page - 1 : 0,
                                .page_size = PROPERTIES_PAGE,
                                .property = number(rq, "property")};
    html_verdict_bar(b, o->report, &v);
    buf_puts(b, "<div class=\"wrap\">\n");
    run_tabs(b, o->run_id, "Triage report");
    buf_puts(b, "<nav class=\"sections\" aria-label=\"Sections\"><a href=\"#findings\">Findings</a>"
                "<a href=\"#properties\">Properties</a><a href=\"#utilization\">Utilization</a>"
                "<a href=\"#environment\">Environment</a><a class=\"end\" href=\"");
    run_url(b, o->run_id, "/report.html");
    buf_puts(b, "\">download as one file</a></nav>\n");
    html_status(b, o->report, &v);
    html_findings(b, o->report, &v);
    if (html_properties(b, o->report, &v, err)) {
        return -1;
    }
    html_utilization(b, o->report);
    html_environment(b, o->report);
    buf_puts(b, "</div>\n");
    return 0;
}

void page_report(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct opened *o = report_or_answer(rq, rs, rq->vars[0]);
    if (!o) {
        return;
    }
    cleanup_buf struct buf title = {0};
    buf_printf(&title, "Report of %s", html_title(o->report));
    struct frame f = frame_for(rq, PLACE_RUNS, title.data);
    f.styles = (const char *const[]){"report.css", NULL};
    f.scripts = (const char *const[]){"report.js", NULL};
    f.keys = report_keys;
    f.key_count = ARRAY_LEN(report_keys);
    frame_open(&rs->body, &f);
    if (draw_report(rq, &rs->body, o, &err)) {
        http_fail(rq, rs, &err);
    } else {
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
    }
    reports_put(rq->server->reports, o);
}

/* ---- one failure ---- */

struct failure {
    struct opened *o;
    const struct report_property *rp;
    const struct property_example *x;
    size_t example;
};

static void failure_link(struct buf *b, const struct failure *fl, const struct report_property *to,
                         const char *rel, const char *word)
{
    if (!to) {
        return;
    }
    cleanup_buf struct buf rest = {0};
    buf_printf(&rest, "/failure/%zu", to->number);
    buf_printf(b, "<a rel=\"%s\" href=\"", rel);
    run_url(b, fl->o->run_id, rest.data);
    buf_printf(b, "\">%s failure</a> ", word);
}

/* Previous and next of the failing properties; the other counterexamples of this one. */
static void neighbours(struct buf *b, const struct failure *fl)
{
    const struct report *r = fl->o->report;
    const struct report_property *before = NULL;
    const struct report_property *after = NULL;
    for (size_t i = 0; i < r->prop_count; i++) {
        const struct report_property *p = &r->props[i];
        bool failing = p->verdict == VERDICT_FAILED && p->p->counterexamples.count;
        if (failing && p->number < fl->rp->number) {
            before = p;
        } else if (failing && p->number > fl->rp->number && !after) {
            after = p;
        }
    }
    buf_puts(b, "<nav class=\"pager\" aria-label=\"Failures\">");
    failure_link(b, fl, before, "prev", "previous");
    failure_link(b, fl, after, "next", "next");
    const struct property_examples *list = &fl->rp->p->counterexamples;
    for (size_t i = 0; list->count > 1 && i < list->count; i++) {
        cleanup_buf struct buf url = {0};
        char rest[64];
        char text[48];
        snprintf(rest, sizeof rest, "/failure/%zu?example=%zu", fl->rp->number, i);
        snprintf(text, sizeof text, "universe %" PRIu64, list->item[i].universe);
        run_url(&url, fl->o->run_id, rest);
        frame_link(b, url.data, text, i == fl->example);
    }
    buf_puts(b, "</nav>\n");
}

static int downloads(struct buf *b, const struct failure *fl, struct err *err)
{
    struct store_universe u;
    int rc = store_universe(fl->o->store, fl->x->universe, &u, err);
    if (rc <= 0) {
        return rc < 0 ? -1 : err_set(err, ERR_HOST, "a universe of the run is missing");
    }
    char vtime[VTIME_TEXT_MAX];
    char moment[MOMENT_TEXT_MAX];
    cleanup_buf struct buf rest = {0};
    const struct moment m = {u.input_hash, fl->x->vtime_ns};
    vtime_seconds(fl->x->vtime_ns, vtime);
    moment_text(&m, moment);
    buf_printf(&rest, "/moment/%s", moment);
    buf_puts(b, "<p class=\"replay\"><span class=\"label\">log</span> <a href=\"");
    run_url(b, fl->o->run_id, rest.data);
    buf_puts(b, "\">this moment in the logs</a> " HTML_DOT " <a href=\"/api/v0/runs/");
    http_encode(b, fl->o->run_id);
    buf_printf(b,
               "/logs?input_hash=%" PRId64 "&amp;vtime=%s\">download the log up to here</a></p>\n",
               u.input_hash, vtime);
    store_universe_free(&u);
    return 0;
}

static int draw_scene(struct buf *b, const struct failure *fl, struct scene *sc, struct err *err)
{
    struct report *r = fl->o->report;
    buf_puts(b, "<p class=\"sentence\">");
    html_violation(b, r, fl->rp, fl->x, sc);
    buf_puts(b, "</p>\n");
    html_rule(b, r, fl->rp);
    html_story(b, r, sc, "f");
    html_sure(b, fl->rp->confirmation);
    buf_puts(b, "<div class=\"beside\" data-scene><div>\n");
    html_timeline(b, r, sc);
    if (html_moment(b, r, fl->x, err) || html_replay(b, r, fl->x, err) || downloads(b, fl, err)) {
        return -1;
    }
    buf_puts(b, "</div><div>\n");
    html_log(b, r, sc, "f");
    buf_puts(b, "</div></div>\n");
    struct counterpart c;
    int rc = counterpart_find(&c, r, fl->rp, fl->x, err);
    if (rc == 1) {
        html_counterpart(b, r, sc, &c);
    } else if (rc == 0) {
        buf_puts(b, "<p class=\"note\">No history of this run came so far without this failure: "
                    "there is none to compare with.</p>\n");
    }
    counterpart_fini(&c);
    return rc < 0 ? -1 : 0;
}

static int draw_failure(struct buf *b, const struct failure *fl, struct err *err)
{
    static const struct scene_limits limits = {2 * SECOND, 400, 120, false};
    cleanup_buf struct buf base = {0};
    cleanup_buf struct buf name = {0};
    run_url(&base, fl->o->run_id, "/report");
    report_property_name(&name, fl->rp->p);
    buf_puts(b, "<div class=\"wrap\">\n<p class=\"crumbs\">");
    frame_crumb(b, "/runs", "Runs");
    frame_crumb(b, base.data, html_title(fl->o->report));
    buf_puts(b, "failure</p>\n<h1 class=\"failed\"><span class=\"mark\" aria-hidden=\"true\">"
                "\xe2\x9c\x97</span> ");
    text_html(b, name.data);
    buf_puts(b, "</h1>\n<p class=\"where\"><b>");
    html_place(b, fl->o->report, fl->x);
    buf_puts(b, "</b> \xc2\xb7 fails in ");
    text_count(b, fl->rp->p->universes_bad);
    buf_puts(b, " of ");
    text_plural(b, fl->o->report->totals.universes, "universe", "universes");
    if (fl->rp->finding) {
        buf_printf(b, " \xc2\xb7 %s", finding_word(fl->rp->finding));
    }
    buf_puts(b, "</p>\n");
    neighbours(b, fl);
    struct scene sc;
    int rc = scene_load(&sc, fl->o->report, fl->x, &limits, err);
    if (rc == 0) {
        sc.heading = 2;
        rc = draw_scene(b, fl, &sc, err);
    }
    scene_fini(&sc);
    buf_puts(b, "</div>\n");
    return rc;
}

static bool find_failure(const struct http_request *rq, struct failure *fl)
{
    const struct report *r = fl->o->report;
    size_t n = strtoull(rq->vars[1], NULL, 10);
    if (n < 1 || n > r->prop_count || !r->props[n - 1].p->counterexamples.count) {
        return false;
    }
    fl->rp = &r->props[n - 1];
    fl->x = report_first_failure(fl->rp);
    fl->example = (size_t)(fl->x - fl->rp->p->counterexamples.item);
    if (http_query(rq, "example")) {
        fl->example = min_u64(number(rq, "example"), fl->rp->p->counterexamples.count - 1);
        fl->x = &fl->rp->p->counterexamples.item[fl->example];
    }
    return true;
}

void page_failure(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct failure fl = {.o = report_or_answer(rq, rs, rq->vars[0])};
    if (!fl.o) {
        return;
    }
    if (!find_failure(rq, &fl)) {
        http_error(rq, rs, 404, "the report of this run has no such failure");
        reports_put(rq->server->reports, fl.o);
        return;
    }
    cleanup_buf struct buf title = {0};
    buf_puts(&title, "\xe2\x9c\x97 ");
    report_property_name(&title, fl.rp->p);
    struct frame f = frame_for(rq, PLACE_RUNS, title.data);
    f.styles = (const char *const[]){"report.css", NULL};
    f.scripts = (const char *const[]){"timeline.js", "report.js", NULL};
    f.is_wide = true;
    f.keys = failure_keys;
    f.key_count = ARRAY_LEN(failure_keys);
    frame_open(&rs->body, &f);
    if (draw_failure(&rs->body, &fl, &err)) {
        http_fail(rq, rs, &err);
    } else {
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
    }
    reports_put(rq->server->reports, fl.o);
}
