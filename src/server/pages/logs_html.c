/* The logs explorer, drawn. */
#include <inttypes.h>
#include <string.h>

#include "report/text.h"
#include "server/logs/event_view.h"
#include "server/pages/logs.h"
#include "server/pages/report_page.h"
#include "store/moment.h"

#define LINE_SHOWN_MAX 600u

static const char *const examples[][2] = {
    {"text contains error", "lines that say error"},
    {"type is fault", "every fault"},
    {"status is violated", "assertions that did not hold"},
    {"fault is kill not followed by type is container within 10",
     "kills without a restart in time"},
    {"type is crash", "crashed processes"},
};

/* --- results ---------------------------------------------------------------------------------- */

static void moment_link(struct buf *b, const struct logs_model *m, int64_t hash, uint64_t vtime_ns)
{
    const struct moment at = {hash, vtime_ns};
    char text[MOMENT_TEXT_MAX];
    moment_text(&at, text);
    buf_printf(b, "<a href=\"/runs/%s/moment/%s\">", m->run_id, text);
}

void logs_history_open(struct logs_model *m, uint64_t universe, int64_t input_hash)
{
    struct buf *b = &m->hits;
    buf_printf(b,
               "<li class=\"history\" id=\"u%" PRIu64 "\"><h2>universe %" PRIu64 " <small>%" PRId64
               "</small></h2>\n",
               universe, universe, input_hash);
    buf_puts(b, m->is_tree ? "<svg class=\"dots\" viewBox=\"0 0 1000 16\" "
                             "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"events over "
                             "virtual time\"><line x1=\"0\" y1=\"8\" x2=\"1000\" y2=\"8\"/>"
                           : "<ol class=\"log\">\n");
}

static void dot(struct logs_model *m, struct event_view *v)
{
    struct buf *b = &m->hits;
    const struct event *ev = event_view_event(v);
    struct text t = event_view_field(v, FIELD_TEXT);
    double x = m->longest_ns ? 1000.0 * (double)ev->vtime_ns / (double)m->longest_ns : 0;
    moment_link(b, m, event_view_hash(v), ev->vtime_ns);
    buf_printf(b, "<rect x=\"%.1f\" y=\"2\" width=\"3\" height=\"12\"><title>", x);
    html_seconds(b, ev->vtime_ns);
    buf_puts(b, ": ");
    text_html_n(b, t.data ? t.data : "", t.len, 160);
    buf_puts(b, "</title></rect></a>");
}

static void line(struct logs_model *m, struct event_view *v)
{
    struct buf *b = &m->hits;
    const struct event *ev = event_view_event(v);
    struct text t = event_view_field(v, FIELD_TEXT), node = event_view_field(v, FIELD_CONTAINER);
    char clock[VTIME_TEXT_MAX];
    vtime_clock(ev->vtime_ns, clock);
    buf_puts(b, "<li>");
    moment_link(b, m, event_view_hash(v), ev->vtime_ns);
    buf_printf(b, "<time>%s</time></a><b class=\"node\">", clock);
    text_html_n(b, node.data ? node.data : "universe", node.data ? node.len : 8, 64);
    buf_puts(b, "</b><span>");
    text_html_n(b, t.data ? t.data : "", t.len, LINE_SHOWN_MAX);
    buf_puts(b, "</span></li>\n");
}

void logs_event(struct logs_model *m, struct event_view *v)
{
    (m->is_tree ? dot : line)(m, v);
}

void logs_history_close(struct logs_model *m, uint64_t universe, uint64_t events)
{
    struct buf *b = &m->hits;
    uint64_t shown = m->is_tree ? LOGS_DOTS_MAX : LOGS_EVENTS_MAX;
    buf_puts(b, m->is_tree ? "</svg>\n" : "</ol>\n");
    if (events > shown) {
        buf_puts(b, "<p class=\"note\">and ");
        text_count(b, events - shown);
        buf_puts(b, " more in this history: <a href=\"/runs/");
        buf_printf(b, "%s/logs/export?format=text&amp;universe=%" PRIu64 "&amp;q=", m->run_id,
                   universe);
        http_encode(b, m->text);
        buf_puts(b, "\">all of them as text</a></p>\n");
    }
    buf_puts(b, "</li>\n");
}

static void search_url(struct buf *b, const struct logs_model *m, const char *text, bool tree)
{
    buf_printf(b, "/runs/%s/logs?q=", m->run_id);
    http_encode(b, text);
    buf_puts(b, tree ? "&amp;view=tree" : "");
}

static void go_on(struct buf *b, const struct logs_model *m)
{
    buf_puts(b, "<p class=\"more\"><a rel=\"next\" href=\"");
    search_url(b, m, m->text, m->is_tree);
    buf_printf(b, "&amp;from=%" PRIu64 "\">search on from universe %" PRIu64 "</a></p>\n",
               m->result.next_universe, m->result.next_universe);
}

/* Histories first: a hundred lines of one history are one finding. */
static void results(struct buf *b, const struct logs_model *m)
{
    const struct search_result *r = &m->result;
    buf_printf(b,
               "<section class=\"results\" data-histories=\"%" PRIu64 "\" data-hits=\"%" PRIu64
               "\" data-universes=\"%" PRIu64 "\">\n<p class=\"counts\" role=\"status\"><strong>",
               r->histories, r->hits, r->universes);
    text_plural(b, r->histories, "history", "histories");
    buf_puts(b, "</strong> of ");
    text_count(b, r->universes);
    buf_puts(b, " searched ");
    buf_puts(b, HTML_DOT " ");
    text_plural(b, r->hits, "event", "events");
    buf_puts(b, "</p>\n<ol class=\"hits\">\n");
    buf_append(b, m->hits.data ? m->hits.data : "", m->hits.len);
    buf_puts(b, "</ol>\n");
    if (r->next_universe != UINT64_MAX && r->universes) {
        go_on(b, m);
    } else if (!r->histories && !m->is_part) {
        buf_puts(b, "<p class=\"empty\">Nothing was found.");
        buf_puts(b, m->is_running ? " The run goes on: search again later.</p>\n" : "</p>\n");
    }
    buf_puts(b, "</section>\n");
}

/* --- forms ------------------------------------------------------------------------------------ */

static void option(struct buf *b, const char *value, const char *text)
{
    buf_printf(b, "<option value=\"%s\">%s</option>", value, text);
}

static void keep(struct buf *b, const struct logs_model *m)
{
    buf_puts(b, "<input type=\"hidden\" name=\"q\" value=\"");
    text_html(b, m->text);
    buf_printf(b, "\">%s",
               m->is_tree ? "<input type=\"hidden\" name=\"view\" value=\"tree\">" : "");
}

static void row_form(struct buf *b, const struct logs_model *m)
{
    static const char *const ops[][2] = {
        {"contains", "contains"},   {"excludes", "excludes"},       {"is", "is"},
        {"is_not", "is not"},       {"matches", "matches (regex)"}, {"before", "before (number)"},
        {"after", "after (number)"}};
    static const char *const joins[] = {
        "and", "or", "preceded by", "not preceded by", "followed by", "not followed by"};
    buf_puts(b, "<form class=\"row\" method=\"get\"><fieldset><legend>Add a row</legend>");
    keep(b, m);
    buf_puts(b, "<label>join <select name=\"join\">");
    for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
        option(b, joins[i], joins[i]);
    }
    buf_puts(b, "</select></label> <label>field <select name=\"f\">");
    for (int f = 0; f < FIELD_COUNT; f++) {
        const char *name = event_field_name((enum event_field)f);
        option(b, name, name);
    }
    option(b, "any", "any of them");
    option(b, "time", "time (s)");
    option(b, "universe", "universe");
    buf_puts(b, "</select></label> <label>is <select name=\"o\">");
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        option(b, ops[i][0], ops[i][1]);
    }
    buf_puts(b, "</select></label> <label>value <input name=\"v\" required></label> "
                "<label>within <input name=\"within\" size=\"4\" inputmode=\"decimal\"> s</label> "
                "<button>Add</button></fieldset></form>\n");
}

static void help(struct buf *b, const struct logs_model *m)
{
    buf_puts(b, "<details class=\"queryhelp\"");
    buf_puts(b, *m->text ? "" : " open");
    buf_puts(b,
             "><summary>How to ask</summary>\n"
             "<p>Rows of <em>field operator value</em>, joined by <code>and</code> or "
             "<code>or</code>; then, if you like, what came before or after in the same history: "
             "<code>not followed by</code> more rows <code>within</code> some seconds. A path such "
             "as <code>.counter.value</code> looks into JSON.</p>\n<ul>\n");
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        buf_puts(b, "<li><a href=\"");
        search_url(b, m, examples[i][0], m->is_tree);
        buf_printf(b, "\"><code>%s</code></a> %s</li>\n", examples[i][0], examples[i][1]);
    }
    buf_puts(b, "</ul>\n");
    row_form(b, m);
    buf_puts(b, "</details>\n");
}

static void query_form(struct buf *b, const struct logs_model *m)
{
    buf_puts(b, "<form class=\"query\" method=\"get\" role=\"search\"><label class=\"sr\" "
                "for=\"q\">Query</label><input id=\"q\" type=\"search\" name=\"q\" "
                "spellcheck=\"false\" autocomplete=\"off\" placeholder=\"text contains "
                "&quot;timeout&quot; and container is etcd0\" value=\"");
    text_html(b, m->text);
    buf_puts(b, "\"");
    buf_puts(b, m->error ? " aria-invalid=\"true\" aria-describedby=\"queryerror\">" : ">");
    buf_puts(b, "<button>Search</button></form>\n");
    if (m->error) {
        buf_puts(b, "<p class=\"fielderror\" id=\"queryerror\">");
        text_html(b, m->error);
        if (m->hint) {
            buf_puts(b, "<br>");
            text_html(b, m->hint);
        }
        buf_puts(b, "</p>\n");
    }
}

static void views(struct buf *b, const struct logs_model *m)
{
    static const char *const kinds[][2] = {{"json", "JSON"}, {"text", "text"}, {"csv", "CSV"}};
    cleanup_buf struct buf list = {0}, tree = {0};
    search_url(&list, m, m->text, false);
    search_url(&tree, m, m->text, true);
    buf_puts(b, "<nav class=\"tabs views\" aria-label=\"View\">");
    frame_link(b, list.data, "list", !m->is_tree);
    frame_link(b, tree.data, "histories over time", m->is_tree);
    buf_puts(b, "<span class=\"label\">download</span>");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        buf_printf(b, "<a href=\"/runs/%s/logs/export?format=%s&amp;q=", m->run_id, kinds[i][0]);
        http_encode(b, m->text);
        buf_printf(b, "\">%s</a> ", kinds[i][1]);
    }
    buf_puts(b, "</nav>\n");
}

void logs_html(struct buf *b, const struct logs_model *m)
{
    if (m->is_part) {
        results(b, m);
        return;
    }
    cleanup_buf struct buf url = {0};
    buf_printf(&url, "/runs/%s", m->run_id);
    buf_puts(b, "<div class=\"wrap\">\n");
    buf_puts(b, "<p class=\"crumbs\">");
    frame_crumb(b, "/runs", "Runs");
    frame_crumb(b, url.data, m->title);
    buf_puts(b, "logs</p>\n<h1>Logs</h1>\n");
    run_tabs(b, m->run_id, "Logs");
    query_form(b, m);
    help(b, m);
    if (*m->text && !m->error) {
        views(b, m);
        results(b, m);
    } else if (!m->error) {
        buf_puts(b, "<p class=\"empty\">");
        text_plural(b, m->universes, "history", "histories");
        buf_puts(b, " can be searched.</p>\n");
    }
    buf_puts(b, "</div>\n");
}
