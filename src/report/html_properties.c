/* The properties tree: tabs, groups, a row and what unfolds below it for each. In the offline file
 * all of it, with a log for each example; served, a page of rows whose failures are pages. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "report/counterpart.h"
#include "report/html_parts.h"
#include "report/text.h"

/* Limits that keep the file small enough to mail. What is left out is named where it would be. */
#define SECOND            UINT64_C(1000000000)
#define OPEN_FAILURES_MAX 3u  /* failing properties that are unfolded */
#define FULL_SCENES_MAX   3u  /* counterexamples of a property with story, timeline and log */
#define SCENES_TOTAL_MAX  40u /* of a report */
#define COUNTERPARTS_MAX  6u  /* scenes that come with the same history without the failure */
#define PASSED_LOGS_MAX   60u /* examples of passing properties with a log */

static const struct scene_limits full_limits = {2 * SECOND, 250, 60, false};
static const struct scene_limits short_limits = {1 * SECOND, 24, 8, true};

struct drawing {
    struct buf *b;
    struct report *r;
    const struct html_view *v;
    size_t scenes, logs, opened; /* used so far */
};

static int counterpart(struct drawing *d, const struct property_example *x,
                       const struct report_property *rp, const struct scene *sc, struct err *err)
{
    struct counterpart c;
    int rc = counterpart_find(&c, d->r, rp, x, err);
    if (rc == 1) {
        html_counterpart(d->b, d->r, sc, &c);
    }
    counterpart_fini(&c);
    return rc < 0 ? -1 : 0;
}

/* Sentence, story, timeline, log. */
static int full_scene(struct drawing *d, const struct property_example *x,
                      const struct report_property *rp, const char *anchor, struct err *err)
{
    struct buf *b = d->b;
    struct scene sc;
    d->scenes++;
    int rc = scene_load(&sc, d->r, x, &full_limits, err);
    if (rc == 0) {
        buf_puts(b, "<p class=\"sentence\">");
        html_violation(b, d->r, rp, x, &sc);
        buf_puts(b, "</p>\n");
        html_story(b, d->r, &sc, anchor);
        if (rp->confirmation || x == report_first_failure(rp)) {
            html_sure(b, rp->confirmation);
        }
        rc = html_replay(b, d->r, x, err);
        html_timeline(b, d->r, &sc);
        html_log(b, d->r, &sc, anchor);
    }
    if (rc == 0 && d->scenes <= COUNTERPARTS_MAX) {
        rc = counterpart(d, x, rp, &sc, err);
    }
    scene_fini(&sc);
    return rc;
}

static int short_log(struct drawing *d, const struct property_example *x, const char *anchor,
                     struct err *err)
{
    struct scene sc;
    d->logs++;
    int rc = scene_load(&sc, d->r, x, &short_limits, err);
    if (rc == 0) {
        html_log(d->b, d->r, &sc, anchor);
    }
    scene_fini(&sc);
    return rc;
}

static int counterexample(struct drawing *d, const struct report_property *rp, size_t i,
                          struct err *err)
{
    struct buf *b = d->b;
    const struct property_example *x = &rp->p->counterexamples.item[i];
    char anchor[48];
    snprintf(anchor, sizeof anchor, "%zu-%zu", rp->number, i);
    buf_printf(b, "<details class=\"example bad\" data-scene%s><summary>",
               x == report_first_failure(rp) ? " open" : "");
    html_place(b, d->r, x);
    buf_puts(b, "</summary>\n");
    int rc = html_moment(b, d->r, x, err);
    if (rc == 0 && i < FULL_SCENES_MAX && d->scenes < SCENES_TOTAL_MAX) {
        rc = full_scene(d, x, rp, anchor, err);
    } else if (rc == 0) {
        rc = html_replay(b, d->r, x, err);
        buf_puts(b, "<p class=\"empty\">The log of this one is left out to keep the report small; "
                    "the command above shows it.</p>\n");
    }
    buf_puts(b, "</details>\n");
    return rc;
}

/* A counterexample where each has a page of its own. */
static void counterexample_link(struct drawing *d, const struct report_property *rp, size_t i)
{
    const struct property_example *x = &rp->p->counterexamples.item[i];
    buf_printf(d->b, "<li><a href=\"%s/failure/%zu?example=%zu\">", d->v->run_url, rp->number, i);
    html_place(d->b, d->r, x);
    buf_puts(d->b, "</a> ");
    html_violation(d->b, d->r, rp, x, NULL);
    buf_puts(d->b, "</li>\n");
}

static int counterexamples(struct drawing *d, const struct report_property *rp, struct err *err)
{
    const struct property *p = rp->p;
    buf_printf(d->b, "<h4>Counterexamples <small>%zu of ", p->counterexamples.count);
    text_count(d->b, p->bad);
    buf_puts(d->b, "</small></h4>\n");
    buf_puts(d->b, d->v->run_url ? "<ul class=\"examples\">\n" : "");
    for (size_t i = 0; i < p->counterexamples.count; i++) {
        if (d->v->run_url) {
            counterexample_link(d, rp, i);
        } else if (counterexample(d, rp, i, err)) {
            return -1;
        }
    }
    buf_puts(d->b, d->v->run_url ? "</ul>\n" : "");
    return 0;
}

static int held(struct drawing *d, const struct report_property *rp, struct err *err)
{
    const struct property *p = rp->p;
    bool failed = rp->verdict == VERDICT_FAILED;
    buf_printf(d->b, "<details class=\"example\"%s><summary>%s <small>%zu of ",
               failed ? "" : " open", failed ? "Examples where it held" : "Examples",
               p->examples.count);
    text_count(d->b, p->good);
    buf_puts(d->b, "</small></summary>\n");
    for (size_t i = 0; i < p->examples.count && i < 3; i++) {
        char anchor[48];
        snprintf(anchor, sizeof anchor, "%zu-g%zu", rp->number, i);
        buf_puts(d->b, "<p class=\"held\">");
        html_place(d->b, d->r, &p->examples.item[i]);
        buf_puts(d->b, "</p>\n");
        if (html_moment(d->b, d->r, &p->examples.item[i], err)) {
            return -1;
        }
        if (i == 0 && !failed && !d->v->run_url && d->logs < PASSED_LOGS_MAX &&
            short_log(d, &p->examples.item[i], anchor, err)) {
            return -1;
        }
    }
    buf_puts(d->b, "</details>\n");
    return 0;
}

static void numbers(struct buf *b, const struct report_property *rp)
{
    const struct property *p = rp->p;
    buf_puts(b, "<span class=\"num\">");
    text_count(b, p->good + p->bad);
    buf_puts(b, "<small> hits</small></span><span class=\"num bad\">");
    if (rp->verdict == VERDICT_FAILED) {
        text_count(b, p->universes_bad);
        buf_puts(b, "<small> of ");
        text_plural(b, p->universes, "universe", "universes");
        buf_puts(b, "</small>");
    }
    buf_puts(b, "</span>");
}

static bool is_open(struct drawing *d, const struct report_property *rp)
{
    if (d->v->property) {
        return d->v->property == rp->number;
    }
    return rp->verdict == VERDICT_FAILED && d->opened++ < OPEN_FAILURES_MAX;
}

static int property(struct drawing *d, const struct report_property *rp, struct err *err)
{
    struct buf *b = d->b;
    buf_printf(b,
               "<details class=\"prop %s\" id=\"p%zu\"%s><summary><span class=\"mark\" "
               "aria-hidden=\"true\">%s</span><span class=\"name\">",
               html_verdict_class(rp->verdict), rp->number, is_open(d, rp) ? " open" : "",
               html_mark(rp->verdict));
    cleanup_buf struct buf name = {0};
    report_property_name(&name, rp->p);
    text_html(b, name.data);
    buf_printf(b, "<small class=\"word\">%s", verdict_word(rp->verdict));
    if (rp->finding) {
        buf_printf(b, ", %s", finding_word(rp->finding));
    }
    buf_puts(b, "</small></span>");
    numbers(b, rp);
    plot_history(b, rp, d->r->history_count);
    buf_puts(b, "</summary>\n<div class=\"body\">\n");
    html_rule(b, d->r, rp);
    bool failed = rp->verdict == VERDICT_FAILED && rp->p->counterexamples.count;
    int rc = failed ? counterexamples(d, rp, err) : 0;
    if (rc == 0 && rp->p->examples.count) {
        rc = held(d, rp, err);
    }
    buf_puts(b, "</div>\n</details>\n");
    return rc;
}

/* ---- which of them ---- */

static const char *group_of(const struct property *p)
{
    return p->group ? p->group : "SDK";
}

static size_t group_rank(const struct property *p)
{
    static const char *const groups[] = {"SDK",     "Commands", "Containers",
                                         "Crashes", "Set-up",   "Engine"};
    size_t i = 0;
    while (i < ARRAY_LEN(groups) && strcmp(group_of(p), groups[i]) != 0) {
        i++;
    }
    return i;
}

static bool matches(const struct html_view *v, const struct report_property *rp)
{
    const char *class = html_verdict_class(rp->verdict);
    bool tab = v->show && (strcmp(v->show, "failed") == 0 || strcmp(v->show, "never") == 0 ||
                           strcmp(v->show, "passed") == 0);
    if (tab && strcmp(v->show, class) != 0) {
        return false;
    }
    cleanup_buf struct buf text = {0};
    if (v->search && *v->search) {
        report_property_name(&text, rp->p);
        buf_printf(&text, " %s %s", group_of(rp->p), finding_word(rp->finding));
    }
    for (const char *w = v->search ? v->search : ""; *w;) {
        size_t len = strcspn(w, " ");
        char word[256];
        snprintf(word, sizeof word, "%.*s", (int)len, w);
        if (!strcasestr(text.data, word)) {
            return false;
        }
        w += len + strspn(w + len, " ");
    }
    return true;
}

/* By group, and within each as the report orders them. */
static int compare_rows(const void *x, const void *y)
{
    const struct report_property *a = *(const struct report_property *const *)x;
    const struct report_property *b = *(const struct report_property *const *)y;
    size_t ga = group_rank(a->p);
    size_t gb = group_rank(b->p);
    if (ga != gb) {
        return ga < gb ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

struct rows {
    const struct report_property **row; /* owned */
    size_t count, from, to;             /* those of the page */
};

static void choose(const struct drawing *d, struct rows *rows)
{
    const struct html_view *v = d->v;
    rows->row = mem_zalloc((d->r->prop_count + 1) * sizeof *rows->row);
    for (size_t i = 0; i < d->r->prop_count; i++) {
        if (matches(v, &d->r->props[i])) {
            rows->row[rows->count++] = &d->r->props[i];
        }
    }
    if (rows->count) {
        qsort(rows->row, rows->count, sizeof *rows->row, compare_rows);
    }
    size_t page = v->page;
    for (size_t i = 0; i < rows->count && v->page_size; i++) {
        if (v->property && rows->row[i]->number == v->property) {
            page = i / v->page_size;
        }
    }
    size_t size = v->page_size ? v->page_size : rows->count;
    rows->from = min_u64(page * size, rows->count);
    rows->to = min_u64(rows->from + size, rows->count);
}

/* ---- around them ---- */

static void tab(struct drawing *d, const char *id, const char *label, uint64_t count)
{
    const char *show = d->v->show ? d->v->show : "";
    bool all = strcmp(id, "all") == 0;
    if (!d->v->run_url) {
        buf_printf(d->b,
                   "<input type=\"radio\" name=\"show\" id=\"show-%s\"%s><label for=\"show-%s\">"
                   "%s <b>%" PRIu64 "</b></label>",
                   id, all ? " checked" : "", id, label, count);
        return;
    }
    bool here = strcmp(show, id) == 0 || (all && !*show);
    buf_printf(d->b, "<a class=\"tab\" href=\"?show=%s#properties\"%s>%s <b>", id,
               here ? " aria-current=\"true\"" : "", label);
    text_count(d->b, count);
    buf_puts(d->b, "</b></a>");
}

static void search_box(struct drawing *d)
{
    if (!d->v->run_url) {
        buf_puts(d->b, "<input type=\"search\" class=\"js search\" placeholder=\"search\" "
                       "aria-label=\"Search properties\">\n");
        return;
    }
    buf_puts(d->b, "<form class=\"search-form\" method=\"get\" action=\"#properties\" "
                   "role=\"search\"><input type=\"hidden\" name=\"show\" value=\"");
    text_html(d->b, d->v->show ? d->v->show : "all");
    buf_puts(d->b, "\"><input type=\"search\" class=\"search\" name=\"search\" "
                   "placeholder=\"search\" aria-label=\"Search properties\" value=\"");
    text_html(d->b, d->v->search);
    buf_puts(d->b, "\"><button>Search</button></form>\n");
}

static void url_word(struct buf *b, const char *s)
{
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        buf_printf(b, plain ? "%c" : "%%%02X", c);
    }
}

static void page_link(struct drawing *d, size_t page, const char *rel, const char *word)
{
    buf_printf(d->b, "<a rel=\"%s\" href=\"?show=", rel);
    url_word(d->b, d->v->show ? d->v->show : "all");
    buf_puts(d->b, "&amp;search=");
    url_word(d->b, d->v->search);
    buf_printf(d->b, "&amp;page=%zu#properties\">%s</a> ", page + 1, word);
}

static void pager(struct drawing *d, const struct rows *rows)
{
    if (rows->to - rows->from == rows->count) {
        return;
    }
    size_t page = rows->from / d->v->page_size;
    buf_puts(d->b, "<p class=\"pager\">");
    if (rows->from) {
        page_link(d, page - 1, "prev", "previous");
    }
    buf_puts(d->b, "<span>");
    text_count(d->b, rows->from + 1);
    buf_puts(d->b, "\xe2\x80\x93");
    text_count(d->b, rows->to);
    buf_puts(d->b, " of ");
    text_count(d->b, rows->count);
    buf_puts(d->b, "</span> ");
    if (rows->to < rows->count) {
        page_link(d, page + 1, "next", "next");
    }
    buf_puts(d->b, "</p>\n");
}

static int tree(struct drawing *d, const struct rows *rows, struct err *err)
{
    const char *group = NULL;
    for (size_t i = rows->from; i < rows->to; i++) {
        const char *mine = group_of(rows->row[i]->p);
        if (!group || strcmp(mine, group) != 0) {
            buf_puts(d->b,
                     group ? "</div>\n<div class=\"group\"><h3>" : "<div class=\"group\"><h3>");
            text_html(d->b, mine);
            buf_puts(d->b, "</h3>\n");
            group = mine;
        }
        if (property(d, rows->row[i], err)) {
            return -1;
        }
    }
    buf_puts(d->b, group ? "</div>\n" : "");
    return 0;
}

int html_properties(struct buf *b, struct report *r, const struct html_view *v, struct err *err)
{
    struct drawing d = {.b = b, .r = r, .v = v};
    struct rows rows = {0};
    choose(&d, &rows);
    buf_puts(b, "<section id=\"properties\" aria-labelledby=\"h-properties\">\n"
                "<h2 id=\"h-properties\">Properties</h2>\n<div class=\"props\">\n");
    tab(&d, "all", "all", r->prop_count);
    tab(&d, "failed", "failed", r->counts.failed);
    tab(&d, "never", "never reached", r->counts.never);
    tab(&d, "passed", "passed", r->counts.passed);
    search_box(&d);
    buf_puts(b, "<div class=\"tree\">\n");
    int rc = tree(&d, &rows, err);
    buf_printf(b, "<p class=\"empty none%s\">No property is like that.</p>\n</div>\n",
               v->run_url && rows.count == 0 ? " shown" : "");
    pager(&d, &rows);
    buf_puts(b, "</div>\n</section>\n");
    free(rows.row);
    return rc;
}
