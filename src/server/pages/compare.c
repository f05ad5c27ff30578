/* Comparing two runs. */
#include "server/pages/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/text.h"
#include "server/pages/reports.h"
#include "server/pages/runs.h"
#include "server/server.h"

#define ROWS_MAX 500u

/* Reports ordered by identity, so that ten thousand properties find their likes quickly. */
struct by_key {
    const struct report_property **props; /* owned */
    size_t count;
};

static int compare_keys(const void *x, const void *y)
{
    struct property_key a = property_key((*(const struct report_property *const *)x)->p);
    struct property_key b = property_key((*(const struct report_property *const *)y)->p);
    return property_compare(&a, &b);
}

static struct by_key sorted(const struct report *r)
{
    struct by_key k = {.props = mem_zalloc((r->prop_count + 1) * sizeof *k.props),
                       .count = r->prop_count};
    for (size_t i = 0; i < k.count; i++) {
        k.props[i] = &r->props[i];
    }
    if (k.count) {
        qsort(k.props, k.count, sizeof *k.props, compare_keys);
    }
    return k;
}

static const struct report_property *find(const struct by_key *k, const struct report_property *p)
{
    const struct report_property *const *at =
        k->count ? bsearch(&p, k->props, k->count, sizeof *k->props, compare_keys) : NULL;
    return at ? *at : NULL;
}

static void verdict_cell(struct buf *b, const char *run_id, const struct report_property *rp)
{
    if (!rp) {
        buf_puts(b, "<td><small>not in this run</small></td>");
        return;
    }
    bool open = rp->verdict == VERDICT_FAILED && rp->p->counterexamples.count;
    cleanup_buf struct buf rest = {0};
    buf_printf(&rest, open ? "/failure/%zu" : "/report?property=%zu", rp->number);
    buf_printf(b, "<td class=\"%s\"><span class=\"mark\" aria-hidden=\"true\">%s</span> <a href=\"",
               html_verdict_class(rp->verdict), html_mark(rp->verdict));
    run_url(b, run_id, rest.data);
    buf_printf(b, "\">%s</a>", verdict_word(rp->verdict));
    if (rp->verdict == VERDICT_FAILED) {
        buf_puts(b, " <small>in ");
        text_count(b, rp->p->universes_bad);
        buf_puts(b, " of ");
        text_plural(b, rp->p->universes, "universe", "universes");
        buf_puts(b, "</small>");
    }
    buf_puts(b, "</td>");
}

struct comparison {
    struct buf *b;
    const struct compare_side *a, *z;
    size_t changed, shown, same_failing, same;
};

static void property_row(struct comparison *c, const struct property *p,
                         const struct report_property *a, const struct report_property *z)
{
    cleanup_buf struct buf name = {0};
    bool same = a && z && a->verdict == z->verdict;
    if (same) {
        c->same++;
        c->same_failing += a->verdict == VERDICT_FAILED;
        return;
    }
    c->changed++;
    if (c->shown++ >= ROWS_MAX) {
        return;
    }
    report_property_name(&name, p);
    buf_puts(c->b, "<tr><th scope=\"row\">");
    text_html(c->b, name.data);
    buf_puts(c->b, "</th>");
    verdict_cell(c->b, c->a->l.id, a);
    verdict_cell(c->b, c->z->l.id, z);
    buf_puts(c->b, "</tr>\n");
}

static void head_cell(struct buf *b, const struct compare_side *s, const char *which)
{
    buf_printf(b, "<th scope=\"col\">%s: <a href=\"", which);
    run_url(b, s->l.id, "");
    buf_puts(b, "\">");
    text_html(b, run_name(&s->l));
    buf_puts(b, "</a></th>");
}

static void heads(struct comparison *c, const char *first)
{
    buf_printf(c->b, "<thead><tr><th scope=\"col\"><span class=\"sr\">%s</span></th>", first);
    head_cell(c->b, c->a, "A");
    head_cell(c->b, c->z, "B");
    buf_puts(c->b, "</tr></thead><tbody>\n");
}

enum fact {
    FACT_STATUS,
    FACT_SOURCE,
    FACT_COMMIT,
    FACT_STARTED,
    FACT_WALL,
    FACT_TESTED,
    FACT_UNIVERSES,
    FACT_BEHAVIOURS,
    FACT_FOUND,
    FACT_COUNT
};

static void fact_cell(struct buf *b, const struct launch *l, enum fact fact)
{
    buf_puts(b, "<td>");
    switch (fact) {
    case FACT_STATUS:
        run_status_html(b, l);
        break;
    case FACT_SOURCE:
        text_html(b, l->source);
        break;
    case FACT_COMMIT:
        text_html(b, l->commit);
        break;
    case FACT_STARTED:
        frame_time(b, l->started_unix_ms);
        break;
    case FACT_WALL:
        text_duration(b, l->wall_ns > 0 ? (uint64_t)l->wall_ns : 0);
        break;
    case FACT_TESTED:
        text_duration(b, l->virtual_ns > 0 ? (uint64_t)l->virtual_ns : 0);
        break;
    case FACT_UNIVERSES:
        text_count(b, (uint64_t)l->universes);
        break;
    case FACT_BEHAVIOURS:
        text_count(b, (uint64_t)l->behaviours);
        break;
    case FACT_FOUND:
        run_findings_html(b, l);
        break;
    case FACT_COUNT:
        break;
    }
    buf_puts(b, "</td>");
}

static void facts(struct comparison *c)
{
    static const char *const labels[FACT_COUNT] = {"status",    "source",     "commit",
                                                   "started",   "wall clock", "tested time",
                                                   "universes", "behaviours", "findings"};
    buf_puts(c->b, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"The runs\">"
                   "<table class=\"compare\">");
    heads(c, "what");
    for (enum fact fact = 0; fact < FACT_COUNT; fact++) {
        buf_printf(c->b, "<tr><th scope=\"row\">%s</th>", labels[fact]);
        fact_cell(c->b, &c->a->l, fact);
        fact_cell(c->b, &c->z->l, fact);
        buf_puts(c->b, "</tr>\n");
    }
    buf_puts(c->b, "</tbody></table></div>\n");
}

static void changed(struct comparison *c)
{
    cleanup_buf struct buf rows = {0};
    struct buf *page = c->b;
    const struct report *a = c->a->report;
    const struct report *z = c->z->report;
    struct by_key in_a = sorted(a);
    struct by_key in_z = sorted(z);
    c->b = &rows;
    for (size_t i = 0; i < a->prop_count; i++) {
        property_row(c, a->props[i].p, &a->props[i], find(&in_z, &a->props[i]));
    }
    for (size_t i = 0; i < z->prop_count; i++) {
        if (!find(&in_a, &z->props[i])) {
            property_row(c, z->props[i].p, NULL, &z->props[i]);
        }
    }
    free(in_a.props);
    free(in_z.props);
    c->b = page;
    buf_puts(page, "<h2>Properties that are judged otherwise</h2>\n");
    if (c->changed) {
        buf_puts(page, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
                       "aria-label=\"Properties\"><table class=\"compare\">");
        heads(c, "property");
        buf_puts(page, rows.data);
        buf_puts(page, "</tbody></table></div>\n");
    } else {
        buf_puts(page, "<p class=\"empty\">None.</p>\n");
    }
    if (c->changed > ROWS_MAX) {
        buf_puts(page, "<p class=\"note\">");
        text_count(page, c->changed - ROWS_MAX);
        buf_puts(page, " more are left out.</p>\n");
    }
    buf_puts(page, "<p class=\"note\">");
    text_plural(page, c->same, "property is", "properties are");
    buf_puts(page, " judged alike, of which ");
    text_count(page, c->same_failing);
    buf_puts(page, " fail in both.</p>\n");
}

void compare_html(struct buf *b, const struct compare_side *a, const struct compare_side *z)
{
    struct comparison c = {.b = b, .a = a, .z = z};
    buf_puts(b, "<div class=\"wrap\"><p class=\"crumbs\">");
    frame_crumb(b, "/runs", "Runs");
    buf_puts(b, "</p><h1>Two runs compared</h1>\n");
    facts(&c);
    if (!a->report || !z->report) {
        buf_printf(b,
                   "<p class=\"banner\">Run %s has no report, so properties cannot be "
                   "compared.</p>\n",
                   a->report ? "B" : "A");
    } else {
        changed(&c);
    }
    buf_puts(b, "</div>\n");
}

/* ---- the request ---- */

struct choice {
    const char *id[2];
    size_t count;
};

static void pick(void *ctx, const char *name, const char *value)
{
    struct choice *c = ctx;
    bool ours = strcmp(name, "a") == 0 || strcmp(name, "b") == 0 || strcmp(name, "run") == 0;
    if (ours && c->count < 2 && *value) {
        c->id[c->count++] = value;
    }
}

/* 1, 0 answered. */
static int load(struct http_request *rq, struct http_response *rs, const char *id,
                struct compare_side *side, struct opened **o)
{
    cleanup_err struct err err = {0};
    cleanup_err struct err unreadable = {0};
    int rc = queue_find(rq->server->queue, id, &side->l, &err);
    if (rc < 0) {
        http_fail(rq, rs, &err);
        return 0;
    }
    if (rc == 0) {
        http_error(rq, rs, 404, "there is no run with one of these ids");
        return 0;
    }
    *o = reports_get(rq->server->reports, id, &unreadable);
    side->report = *o ? (*o)->report : NULL;
    return 1;
}

void page_compare(struct http_request *rq, struct http_response *rs)
{
    struct choice choice = {0};
    struct compare_side sides[2] = {0};
    struct opened *opened[2] = {0};
    http_each_query(rq, pick, &choice);
    if (choice.count < 2) {
        http_error(rq, rs, 400, "tick two runs on the Runs page to compare them");
        return;
    }
    if (load(rq, rs, choice.id[0], &sides[0], &opened[0]) &&
        load(rq, rs, choice.id[1], &sides[1], &opened[1])) {
        struct frame f = frame_for(rq, PLACE_RUNS, "Two runs compared");
        frame_open(&rs->body, &f);
        compare_html(&rs->body, &sides[0], &sides[1]);
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
    }
    for (size_t i = 0; i < 2; i++) {
        launch_fini(&sides[i].l);
        reports_put(rq->server->reports, opened[i]);
    }
}
