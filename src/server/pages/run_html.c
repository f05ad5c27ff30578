/* Drawing the page of one run. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/text.h"
#include "server/pages/report_page.h"
#include "server/pages/run.h"
#include "store/json_lenient.h"

#define PROPERTIES_SHOWN 60u

void run_model_fini(struct run_model *m)
{
    for (size_t i = 0; i < m->notice_count; i++) {
        free(m->notices[i].kind);
        free(m->notices[i].target);
        free(m->notices[i].state);
        free(m->notices[i].last_error);
    }
    free(m->notices);
    free(m->live);
    free(m->build_log);
    launch_fini(&m->l);
    *m = (struct run_model){0};
}

const char *run_part_id(enum run_part part)
{
    static const char *const ids[PART_COUNT] = {"head", "progress", "findings", "build", "notices"};
    return ids[part];
}

static void row(struct buf *b, const char *label, const char *value)
{
    if (value && *value) {
        buf_printf(b, "<div><dt>%s</dt><dd>", label);
        text_html(b, value);
        buf_puts(b, "</dd></div>\n");
    }
}

static void time_row(struct buf *b, const char *label, int64_t unix_ms)
{
    if (unix_ms) {
        buf_printf(b, "<div><dt>%s</dt><dd>", label);
        frame_time(b, unix_ms);
        buf_puts(b, "</dd></div>\n");
    }
}

/* What is wrong, and what to try. */
static void trouble(struct buf *b, const struct launch *l)
{
    if (!l->error) {
        return;
    }
    bool setup = l->verdict && strcmp(l->verdict, "setup_failed") == 0;
    buf_printf(b, "<div class=\"banner bad\" role=\"alert\"><b>%s</b><pre>",
               setup                            ? "Set-up failed."
               : l->status == LAUNCH_CANCELLED  ? "The run was cancelled."
               : l->status == LAUNCH_INCOMPLETE ? "The run did not complete."
                                                : "The run had trouble.");
    text_html(b, l->error);
    buf_puts(b, "</pre>");
    buf_puts(b, setup ? "<p>The build log and the report below show the container's last lines. "
                        "<code>everett run DIR</code> shows the same on your own machine.</p>"
                      : "");
    buf_puts(b, "</div>\n");
}

static void head(struct buf *b, const struct frame *f, const struct run_model *m)
{
    const struct launch *l = &m->l;
    buf_puts(b, "<div class=\"state\">");
    run_status_html(b, l);
    run_findings_html(b, l);
    run_cancel_html(b, f, l);
    buf_puts(b, "</div>\n");
    trouble(b, l);
    buf_puts(b, "<dl class=\"machine\">\n");
    row(b, "Source", l->source);
    row(b, "Commit", l->commit);
    row(b, "Launched by", l->creator_name);
    row(b, "Launcher", l->launcher);
    time_row(b, "Accepted", l->created_unix_ms);
    time_row(b, "Started", l->started_unix_ms);
    time_row(b, "Ended", l->completed_unix_ms);
    row(b, "Run", l->id);
    buf_puts(b, "</dl>\n");
}

/* ---- progress ---- */

struct progress {
    double virtual_s, wall_s;
    int64_t universes, behaviours, seen, properties, failures;
};

static struct progress progress_of(const struct run_model *m)
{
    bool cut;
    const struct launch *l = &m->l;
    struct progress p = {.virtual_s = (double)l->virtual_ns / 1e9,
                         .wall_s = (double)l->wall_ns / 1e9,
                         .universes = l->universes,
                         .behaviours = l->behaviours,
                         .seen = l->passed + l->failed,
                         .properties = l->passed + l->failed + l->never,
                         .failures = l->failed};
    json_t *doc = m->live && *m->live ? json_lenient(m->live, strlen(m->live), &cut) : NULL;
    if (json_is_object(doc)) {
        json_to_double(json_object_get(doc, "virtual_seconds"), &p.virtual_s);
        json_to_double(json_object_get(doc, "wall_seconds"), &p.wall_s);
        json_to_i64(json_object_get(doc, "universes"), &p.universes);
        json_to_i64(json_object_get(doc, "behaviours"), &p.behaviours);
        json_to_i64(json_object_get(doc, "properties_seen"), &p.seen);
        json_to_i64(json_object_get(doc, "properties"), &p.properties);
        json_to_i64(json_object_get(doc, "failures"), &p.failures);
    }
    json_decref(doc);
    return p;
}

static void metric(struct buf *b, const char *label, int64_t n)
{
    buf_printf(b, "<div><dt>%s</dt><dd>", label);
    text_count(b, n > 0 ? (uint64_t)n : 0);
    buf_puts(b, "</dd></div>\n");
}

static void metric_time(struct buf *b, const char *label, double seconds)
{
    buf_printf(b, "<div><dt>%s</dt><dd>", label);
    text_duration(b, seconds > 0 ? (uint64_t)(seconds * 1e9) : 0);
    buf_puts(b, "</dd></div>\n");
}

static void progress(struct buf *b, const struct run_model *m)
{
    const struct launch *l = &m->l;
    struct progress p = progress_of(m);
    buf_puts(b, "<h2>Progress</h2>\n");
    if (l->status == LAUNCH_QUEUED) {
        buf_puts(b, "<p class=\"empty\">It waits for a free worker; runs start in the order in "
                    "which they were accepted.</p>\n");
        return;
    }
    if (!run_is_over(l) && l->duration_s > 0) {
        double share = 100 * p.wall_s / (double)l->duration_s;
        buf_printf(b,
                   "<p><progress max=\"100\" value=\"%.0f\" aria-label=\"Time used\"></progress> ",
                   share < 100 ? share : 100);
        text_duration(b, p.wall_s > 0 ? (uint64_t)(p.wall_s * 1e9) : 0);
        buf_puts(b, " of ");
        text_duration(b, (uint64_t)l->duration_s * 1000000000u);
        buf_puts(b, "</p>\n");
    }
    buf_puts(b, "<dl class=\"metrics\">\n");
    metric_time(b, "Tested time", p.virtual_s);
    metric_time(b, "Wall clock", p.wall_s);
    metric(b, "Universes", p.universes);
    metric(b, "Behaviours found", p.behaviours);
    buf_puts(b, "<div><dt>Properties seen</dt><dd>");
    text_count(b, (uint64_t)p.seen);
    buf_puts(b, " of ");
    text_count(b, (uint64_t)p.properties);
    buf_puts(b, "</dd></div>\n");
    metric(b, "Failing", p.failures);
    if (m->report && m->report->run.workers) {
        metric(b, "Workers", m->report->run.workers);
    }
    buf_puts(b, "</dl>\n");
    if (m->report) {
        plot_progress(b, m->report->progress, m->report->progress_count);
    }
}

/* ---- properties ---- */

static void property_row(struct buf *b, const struct run_model *m, const struct report_property *rp)
{
    cleanup_buf struct buf name = {0};
    const char *class = html_verdict_class(rp->verdict);
    report_property_name(&name, rp->p);
    buf_printf(b, "<li class=\"%s\"><span class=\"mark\" aria-hidden=\"true\">%s</span> <a href=\"",
               class, html_mark(rp->verdict));
    cleanup_buf struct buf rest = {0};
    buf_printf(&rest,
               rp->verdict == VERDICT_FAILED && rp->p->counterexamples.count
                   ? "/failure/%zu"
                   : "/report?property=%zu",
               rp->number);
    run_url(b, m->l.id, rest.data);
    buf_puts(b, "\">");
    text_html(b, name.data);
    buf_printf(b, "</a> <small>%s", verdict_word(rp->verdict));
    if (rp->finding && run_is_over(&m->l)) {
        buf_printf(b, ", %s", finding_word(rp->finding));
    }
    buf_puts(b, ", ");
    text_plural(b, rp->p->good + rp->p->bad, "hit", "hits");
    buf_puts(b, "</small></li>\n");
}

static void properties(struct buf *b, const struct run_model *m)
{
    const struct report *r = m->report;
    buf_printf(b, "<h2>%s</h2>\n", run_is_over(&m->l) ? "Properties" : "Properties so far");
    if (!r || !r->prop_count) {
        buf_puts(b, "<p class=\"empty\">No property has been seen yet.</p>\n");
        return;
    }
    buf_puts(b, "<ul class=\"props-list\">\n");
    for (size_t i = 0; i < r->prop_count && i < PROPERTIES_SHOWN; i++) {
        property_row(b, m, &r->props[i]);
    }
    buf_puts(b, "</ul>\n");
    if (r->prop_count > PROPERTIES_SHOWN) {
        buf_puts(b, "<p class=\"note\"><a href=\"");
        run_url(b, m->l.id, "/report#properties");
        buf_puts(b, "\">All ");
        text_plural(b, r->prop_count, "property", "properties");
        buf_puts(b, "</a></p>\n");
    }
}

/* ---- build log, notices ---- */

static void build_line(struct buf *b, const char *line, size_t len)
{
    bool cut;
    json_t *doc = json_lenient(line, len, &cut);
    const char *text = json_text_member(doc, "text");
    const char *at = json_text_member(doc, "timestamp");
    const char *stream = json_text_member(doc, "stream");
    const char *clock = at ? strchr(at, 'T') : NULL;
    if (text) {
        buf_printf(b, "<li class=\"%s\"><time>",
                   stream && strcmp(stream, "stderr") == 0 ? "err" : "out");
        text_html_n(b, clock ? clock + 1 : "", clock ? min_u64(strlen(clock + 1), 8) : 0, 40);
        buf_puts(b, "</time><span>");
        text_html(b, text);
        buf_puts(b, "</span></li>\n");
    }
    json_decref(doc);
}

static void build(struct buf *b, const struct run_model *m)
{
    bool open = m->l.status == LAUNCH_STARTING || m->l.status == LAUNCH_INCOMPLETE;
    buf_printf(b, "<h2>Build log</h2>\n<details%s><summary>How the run was prepared</summary>\n",
               open ? " open" : "");
    if (!m->build_log || !*m->build_log) {
        buf_puts(b, "<p class=\"empty\">Nothing yet.</p></details>\n");
        return;
    }
    buf_puts(b, "<ol class=\"log build\" tabindex=\"0\" aria-label=\"Build log, times in UTC\">\n");
    if (m->build_log_is_cut) {
        buf_puts(b, "<li class=\"cut\">earlier lines are left out</li>\n");
    }
    for (const char *p = m->build_log; *p;) {
        size_t len = strcspn(p, "\n");
        build_line(b, p, len);
        p += len + (p[len] == '\n');
    }
    buf_puts(b, "</ol></details>\n");
}

static void notices(struct buf *b, const struct run_model *m)
{
    buf_puts(b, "<h2>Mail and callbacks</h2>\n");
    if (!m->notice_count) {
        buf_puts(b, "<p class=\"empty\">This run tells nobody; name "
                    "<code>antithesis.report.recipients</code> at launch to get a mail.</p>\n");
        return;
    }
    buf_puts(b, "<ul class=\"plain\">\n");
    for (size_t i = 0; i < m->notice_count; i++) {
        const struct run_notice *n = &m->notices[i];
        buf_puts(b, "<li>");
        text_html(b, n->kind);
        buf_puts(b, " to ");
        text_html(b, n->target);
        buf_puts(b, ": <b>");
        text_html(b, n->state);
        buf_puts(b, "</b>");
        if (n->last_error && *n->last_error) {
            buf_printf(b, " after %" PRId64 " tries: ", n->attempts);
            text_html(b, n->last_error);
        }
        buf_puts(b, "</li>\n");
    }
    buf_puts(b, "</ul>\n");
}

/* ---- the page ---- */

void run_part_html(struct buf *b, const struct frame *f, const struct run_model *m,
                   enum run_part part)
{
    switch (part) {
    case PART_HEAD:
        head(b, f, m);
        break;
    case PART_PROGRESS:
        progress(b, m);
        break;
    case PART_FINDINGS:
        properties(b, m);
        break;
    case PART_BUILD:
        build(b, m);
        break;
    case PART_NOTICES:
        notices(b, m);
        break;
    case PART_COUNT:
        break;
    }
}

/* Launch parameters, without those that are secrets. */
static void parameters(struct buf *b, const struct launch *l)
{
    json_t *params = l->params ? json_loads(l->params, 0, NULL) : NULL;
    const char *key;
    json_t *value;
    buf_puts(b, "<h2>Parameters</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
                "aria-label=\"Parameters\"><table><tbody>\n");
    json_object_foreach(params, key, value)
    {
        bool secret = strcasestr(key, "token") || strcasestr(key, "password");
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        buf_puts(b, "<tr><th scope=\"row\"><code>");
        text_html(b, key);
        buf_puts(b, "</code></th><td>");
        text_html(b, secret ? "(not shown)" : text ? text : json_string_value(value));
        buf_puts(b, "</td></tr>\n");
        free(text);
    }
    buf_puts(b, "</tbody></table></div>\n");
    json_decref(params);
}

void run_html(struct buf *b, const struct frame *f, const struct run_model *m)
{
    const struct launch *l = &m->l;
    buf_puts(b, "<div class=\"wrap\" id=\"run\" data-run=\"");
    text_html(b, l->id);
    buf_puts(b, run_is_over(l) ? "\">\n" : "\" data-going>\n");
    buf_puts(b, "<p class=\"crumbs\">");
    frame_crumb(b, "/runs", "Runs");
    text_html_n(b, l->id, strlen(l->id), 13);
    buf_puts(b, "</p>\n<h1>");
    text_html(b, run_name(l));
    buf_puts(b, "</h1>\n");
    if (l->description && run_name(l) != l->description) {
        buf_puts(b, "<p class=\"description\">");
        text_html(b, l->description);
        buf_puts(b, "</p>\n");
    }
    run_tabs(b, l->id, "Overview");
    for (enum run_part part = 0; part < PART_COUNT; part++) {
        buf_printf(b, "<div id=\"part-%s\"%s>\n", run_part_id(part),
                   part == PART_HEAD ? " role=\"status\"" : "");
        run_part_html(b, f, m, part);
        buf_puts(b, "</div>\n");
    }
    parameters(b, l);
    buf_puts(b, "</div>\n");
}
