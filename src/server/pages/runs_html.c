/* Drawing the Runs page. */
#include "server/pages/runs.h"

#include <inttypes.h>
#include <string.h>

#include "report/text.h"

bool run_is_over(const struct launch *l)
{
    return l->status >= LAUNCH_COMPLETED;
}

static bool verdict_is(const struct launch *l, const char *verdict)
{
    return l->verdict && strcmp(l->verdict, verdict) == 0;
}

const char *run_status_text(const struct launch *l)
{
    switch (l->status) {
    case LAUNCH_QUEUED:
        return "waiting";
    case LAUNCH_STARTING:
        return "starting";
    case LAUNCH_RUNNING:
        return l->cancel_requested ? "ending" : "running";
    case LAUNCH_CANCELLED:
        return "cancelled";
    case LAUNCH_INCOMPLETE:
        return verdict_is(l, "setup_failed") ? "set-up failed" : "incomplete";
    case LAUNCH_COMPLETED:
        break;
    }
    return verdict_is(l, "failed")         ? "failed"
           : verdict_is(l, "setup_failed") ? "set-up failed"
                                           : "passed";
}

const char *run_status_class(const struct launch *l)
{
    if (!run_is_over(l)) {
        return "going";
    }
    const char *text = run_status_text(l);
    return strcmp(text, "passed") == 0                                         ? "passed"
           : strcmp(text, "failed") == 0 || strcmp(text, "set-up failed") == 0 ? "failed"
                                                                               : "never";
}

void run_status_html(struct buf *b, const struct launch *l)
{
    const char *class = run_status_class(l);
    const char *mark = strcmp(class, "passed") == 0   ? "\xe2\x9c\x93"
                       : strcmp(class, "failed") == 0 ? "\xe2\x9c\x97"
                       : l->status == LAUNCH_QUEUED   ? "\xe2\x97\x8b"
                       : strcmp(class, "going") == 0  ? "\xe2\x96\xb8"
                                                      : "!";
    buf_printf(b,
               "<span class=\"status %s\"><span class=\"mark\" aria-hidden=\"true\">%s</span> "
               "%s</span>",
               class, mark, run_status_text(l));
}

const char *run_name(const struct launch *l)
{
    return l->test_name && *l->test_name       ? l->test_name
           : l->description && *l->description ? l->description
                                               : l->launcher;
}

void run_url(struct buf *b, const char *id, const char *rest)
{
    buf_puts(b, "/runs/");
    http_encode(b, id);
    buf_puts(b, rest);
}

static void badge(struct buf *b, int64_t count, const char *class, const char *word)
{
    if (count > 0) {
        buf_printf(b, "<span class=\"badge %s\">", class);
        text_count(b, (uint64_t)count);
        buf_printf(b, " %s</span> ", word);
    }
}

void run_findings_html(struct buf *b, const struct launch *l)
{
    int64_t other = l->failed - l->found_new - l->found_ongoing - l->found_rare;
    badge(b, l->found_new, "failed", "new");
    badge(b, l->found_rare, "never", "rare");
    badge(b, l->found_ongoing, "plain", "ongoing");
    badge(b, l->found_resolved, "passed", "resolved");
    badge(b, other, "failed", run_is_over(l) ? "failed" : "failed so far");
    badge(b, l->never, "never", "never reached");
}

uint64_t run_wall_ns(const struct launch *l, int64_t now_ms)
{
    int64_t from = l->started_unix_ms;
    int64_t to = l->completed_unix_ms ? l->completed_unix_ms : now_ms;
    return from > 0 && to > from ? (uint64_t)(to - from) * 1000000u : 0;
}

void run_cancel_html(struct buf *b, const struct frame *f, const struct launch *l)
{
    if (run_is_over(l) || l->cancel_requested || !frame_may(f, SCOPE_LAUNCH)) {
        return;
    }
    buf_puts(b, "<form method=\"post\" class=\"cancel\" action=\"");
    run_url(b, l->id, "/cancel");
    buf_puts(b, "\">");
    frame_csrf(b, f);
    buf_puts(b, "<button aria-label=\"Cancel ");
    text_html(b, run_name(l));
    buf_puts(b, "\">Cancel</button></form>");
}

/* ---- one row ---- */

static void sparkline(struct buf *b, const struct run_row *row)
{
    int64_t most = 1;
    size_t failing = 0;
    for (size_t i = 0; i < row->history_count; i++) {
        most = row->history[i] > most ? row->history[i] : most;
        failing += row->history[i] > 0;
    }
    if (!row->history_count) {
        return;
    }
    buf_printf(
        b,
        "<svg class=\"spark\" width=\"%u\" height=\"18\" role=\"img\" aria-label=\"%zu of the "
        "last %zu runs of this source failed\"><title>%zu of the last %zu runs of this "
        "source failed</title>",
        RUNS_HISTORY * 5, failing, row->history_count, failing, row->history_count);
    for (size_t i = 0; i < row->history_count; i++) {
        int64_t n = row->history[i];
        double h = n > 0 ? 5 + 13 * (double)n / (double)most : 2;
        buf_printf(b, "<rect class=\"%s\" x=\"%zu\" y=\"%.1f\" width=\"4\" height=\"%.1f\"/>",
                   n > 0 ? "hbad" : "hok", (RUNS_HISTORY - row->history_count + i) * 5, 18 - h, h);
    }
    buf_puts(b, "</svg>");
}

static void tick(struct buf *b, const struct launch *l)
{
    buf_puts(b, "<td class=\"tick\">");
    if (run_is_over(l)) {
        buf_puts(b, "<input type=\"checkbox\" form=\"compare\" name=\"run\" value=\"");
        text_html(b, l->id);
        buf_puts(b, "\" aria-label=\"Compare ");
        text_html(b, run_name(l));
        buf_puts(b, "\">");
    }
    buf_puts(b, "</td>");
}

static void name_cell(struct buf *b, const struct launch *l)
{
    buf_puts(b, "<td class=\"name\"><a href=\"");
    run_url(b, l->id, "");
    buf_puts(b, "\">");
    text_html(b, run_name(l));
    buf_puts(b, "</a>");
    if (l->is_ephemeral) {
        buf_puts(b, " <span class=\"badge plain\">ephemeral</span>");
    }
    if (l->description && run_name(l) != l->description) {
        buf_puts(b, "<small>");
        text_html_n(b, l->description, strlen(l->description), 160);
        buf_puts(b, "</small>");
    }
    buf_puts(b, "</td>");
}

static void source_cell(struct buf *b, const struct launch *l)
{
    buf_puts(b, "<td data-label=\"source\">");
    if (l->source && *l->source) {
        buf_puts(b, "<a class=\"plain\" href=\"/runs?source=");
        http_encode(b, l->source);
        buf_puts(b, "\">");
        text_html(b, l->source);
        buf_puts(b, "</a>");
    }
    if (l->commit && *l->commit) {
        buf_puts(b, " <code title=\"");
        text_html(b, l->commit);
        buf_puts(b, "\">");
        text_html_n(b, l->commit, strlen(l->commit) > 12 ? 9 : strlen(l->commit), 40);
        buf_puts(b, "</code>");
    }
    buf_puts(b, "</td><td data-label=\"by\">");
    text_html(b, l->creator_name);
    buf_puts(b, "</td>");
}

static void duration_cells(struct buf *b, const struct launch *l)
{
    uint64_t wall = l->wall_ns > 0 ? (uint64_t)l->wall_ns : run_wall_ns(l, 0);
    buf_puts(b, "<td class=\"n\" data-label=\"duration\">");
    if (wall) {
        text_duration(b, wall);
    }
    if (!run_is_over(l)) {
        buf_puts(b, wall ? " of " : "");
        text_duration(b, (uint64_t)l->duration_s * 1000000000u);
        uint64_t share = l->duration_s > 0 ? wall / 10000000u / (uint64_t)l->duration_s : 0;
        buf_printf(
            b, "<progress max=\"100\" value=\"%" PRIu64 "\" aria-label=\"Time used\"></progress>",
            min_u64(share, 100));
    }
    buf_puts(b, "</td><td class=\"n\" data-label=\"tested\">");
    if (l->virtual_ns > 0) {
        text_duration(b, (uint64_t)l->virtual_ns);
    }
    buf_puts(b, "</td>");
}

void runs_cells(struct buf *b, const struct frame *f, const struct run_row *row)
{
    const struct launch *l = &row->l;
    tick(b, l);
    buf_puts(b, "<td>");
    run_status_html(b, l);
    buf_puts(b, "</td>");
    name_cell(b, l);
    source_cell(b, l);
    buf_puts(b, "<td class=\"when\" data-label=\"started\">");
    frame_time(b, l->started_unix_ms ? l->started_unix_ms : l->created_unix_ms);
    buf_puts(b, "</td>");
    duration_cells(b, l);
    buf_puts(b, "<td class=\"found\">");
    run_findings_html(b, l);
    buf_puts(b, "</td><td class=\"spark-cell\">");
    sparkline(b, row);
    buf_puts(b, "</td><td class=\"act\">");
    if (run_is_over(l) && l->universes > 0) {
        buf_puts(b, "<a href=\"");
        run_url(b, l->id, "/report");
        buf_puts(b, "\">report</a>");
    }
    run_cancel_html(b, f, l);
    buf_puts(b, "</td>");
}

/* ---- around the rows ---- */

static void option(struct buf *b, const char *value, const char *text, const char *chosen)
{
    bool here = strcmp(value, chosen ? chosen : "") == 0;
    buf_printf(b, "<option value=\"%s\"%s>%s</option>", value, here ? " selected" : "", text);
}

static void field(struct buf *b, const char *label, const char *name, const char *value)
{
    buf_printf(b, "<label>%s <input name=\"%s\" value=\"", label, name);
    text_html(b, value);
    buf_puts(b, "\"></label>\n");
}

static void filters(struct buf *b, const struct runs_model *m)
{
    buf_puts(b, "<form class=\"filters\" method=\"get\" action=\"/runs\" role=\"search\">"
                "<label>Search <input type=\"search\" name=\"q\" placeholder=\"name, description, "
                "id, commit\" value=\"");
    text_html(b, m->text);
    buf_puts(b, "\"></label>\n<label>Status <select name=\"status\">");
    option(b, "", "any", m->status);
    option(b, "queued", "waiting", m->status);
    option(b, "running", "running", m->status);
    option(b, "completed", "completed", m->status);
    option(b, "cancelled", "cancelled", m->status);
    option(b, "incomplete", "incomplete", m->status);
    buf_puts(b, "</select></label>\n");
    field(b, "Source", "source", m->source);
    field(b, "Launcher", "launcher", m->launcher);
    buf_printf(b,
               "<label class=\"check\"><input type=\"checkbox\" name=\"ephemeral\" value=\"1\"%s> "
               "with ephemeral</label>\n<button>Filter</button>%s</form>\n",
               m->with_ephemeral ? " checked" : "",
               m->is_filtered ? "<a href=\"/runs\">Show all</a>" : "");
}

void launch_example(struct buf *b, const char *public_url)
{
    buf_puts(b, "curl --fail -u \"$USER:$PASSWORD\" -X POST ");
    buf_puts(b, public_url);
    buf_puts(b, "/api/v1/launch/basic_test -d '{\"params\": {"
                "\"antithesis.config_image\": \"my-config:latest\", "
                "\"antithesis.duration\": \"15\", "
                "\"antithesis.description\": \"my first run\"}}'");
}

static void registry_host(struct buf *b, const char *public_url)
{
    const char *host = strstr(public_url, "://");
    text_html(b, host ? host + 3 : public_url);
}

/* Nothing to show: either the filter is too narrow or this is a new server. */
static void empty(struct buf *b, const struct runs_model *m)
{
    if (m->is_filtered || !m->is_first_page) {
        buf_puts(b, "<p class=\"empty\">No run is like that. <a href=\"/runs\">Show all</a></p>\n");
        return;
    }
    cleanup_buf struct buf command = {0};
    launch_example(&command, m->public_url);
    buf_puts(b, "<section class=\"first\"><h2>Start the first run</h2>\n<ol class=\"steps\">\n"
                "<li>Push your images and one that holds <code>/docker-compose.yaml</code>:"
                "<pre>docker login ");
    registry_host(b, m->public_url);
    buf_puts(b, "\ndocker push ");
    registry_host(b, m->public_url);
    buf_puts(b, "/my-config:latest</pre></li>\n<li>Launch it: ");
    html_copy(b, command.data);
    buf_puts(b, "</li>\n</ol>\n<p>Or fill in the <a href=\"/launch\">launch form</a>, which offers "
                "the images that were pushed.</p></section>\n");
}

static void older(struct buf *b, const struct runs_model *m)
{
    if (!m->has_older && m->is_first_page) {
        return;
    }
    cleanup_buf struct buf query = {0};
    const struct {
        const char *name, *value;
    } kept[] = {{"q", m->text},
                {"status", m->status},
                {"source", m->source},
                {"launcher", m->launcher},
                {"ephemeral", m->with_ephemeral ? "1" : NULL}};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (kept[i].value && *kept[i].value) {
            buf_printf(&query, "%s=", kept[i].name);
            http_encode(&query, kept[i].value);
            buf_puts(&query, "&amp;");
        }
    }
    const char *q = query.data ? query.data : "";
    buf_puts(b, "<p class=\"pager\">");
    if (!m->is_first_page) {
        buf_printf(b, "<a rel=\"first\" href=\"/runs?%s\">newest</a>", q);
    }
    if (m->has_older && m->count) {
        buf_printf(b, "<a rel=\"next\" href=\"/runs?%sbefore=%" PRId64 "\">older runs</a>", q,
                   m->rows[m->count - 1].l.number);
    }
    buf_puts(b, "</p>\n");
}

static void table(struct buf *b, const struct frame *f, const struct runs_model *m)
{
    buf_puts(b, "<form id=\"compare\" class=\"compare-form\" method=\"get\" "
                "action=\"/runs/compare\"><button>Compare the two ticked runs</button></form>\n"
                "<div class=\"scroll\"><table class=\"runs\"><thead><tr>"
                "<th><span class=\"sr\">compare</span></th><th>status</th><th>run</th>"
                "<th>source</th><th>by</th><th>started</th><th class=\"n\">duration</th>"
                "<th class=\"n\">tested</th><th>findings</th><th>last 20 runs</th>"
                "<th><span class=\"sr\">actions</span></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < m->count; i++) {
        const struct launch *l = &m->rows[i].l;
        buf_puts(b, "<tr data-run=\"");
        text_html(b, l->id);
        buf_puts(b, run_is_over(l) ? "\">" : "\" data-going>");
        runs_cells(b, f, &m->rows[i]);
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

void runs_html(struct buf *b, const struct frame *f, const struct runs_model *m)
{
    buf_puts(b, "<div class=\"wrap\"><div class=\"title\"><h1>Runs</h1>");
    if (frame_may(f, SCOPE_LAUNCH)) {
        buf_puts(b, "<a class=\"button\" href=\"/launch\">Launch a run</a>");
    }
    buf_puts(b, "</div>\n");
    if (m->count || m->is_filtered || !m->is_first_page) {
        filters(b, m);
    }
    if (m->count) {
        table(b, f, m);
    } else {
        empty(b, m);
    }
    older(b, m);
    buf_puts(b, "</div>\n");
}
