/* Utilization and environment. */
#include <inttypes.h>
#include <string.h>

#include "report/html_parts.h"
#include "report/text.h"

static void metric(struct buf *b, const char *label, const struct buf *value)
{
    buf_printf(b, "<div><dt>%s</dt><dd>%s</dd></div>\n", label, value->data ? value->data : "");
}

static void metric_count(struct buf *b, const char *label, uint64_t n)
{
    cleanup_buf struct buf value = {0};
    text_count(&value, n);
    metric(b, label, &value);
}

static void metric_duration(struct buf *b, const char *label, uint64_t ns)
{
    cleanup_buf struct buf value = {0};
    text_duration(&value, ns);
    metric(b, label, &value);
}

void html_utilization(struct buf *b, const struct report *r)
{
    buf_puts(b, "<section id=\"utilization\" aria-labelledby=\"h-utilization\">\n"
                "<h2 id=\"h-utilization\">Utilization</h2>\n<dl class=\"metrics\">\n");
    metric_duration(b, "Tested time", r->totals.virtual_ns);
    metric_duration(b, "Wall clock", r->run.wall_ns);
    if (r->run.wall_ns) {
        cleanup_buf struct buf speed = {0};
        double ratio = (double)r->totals.virtual_ns / (double)r->run.wall_ns;
        buf_printf(&speed, ratio < 10 ? "%.1f\xc3\x97" : "%.0f\xc3\x97", ratio);
        metric(b, "Tested per wall clock", &speed);
    }
    metric_count(b, "Universes", r->totals.universes);
    metric_count(b, "System calls", r->totals.calls);
    if (r->progress_count) {
        metric_count(b, "Behaviours found", r->progress[r->progress_count - 1].behaviours);
    }
    if (r->run.workers) {
        metric_count(b, "Workers", r->run.workers);
    }
    buf_puts(b, "</dl>\n");
    plot_progress(b, r->progress, r->progress_count);
    buf_puts(b, "</section>\n");
}

static void cell(struct buf *b, const char *text)
{
    buf_puts(b, "<td>");
    text_html(b, text);
    buf_puts(b, "</td>");
}

static void images(struct buf *b, const struct report *r)
{
    size_t count;
    const struct store_node *nodes = store_nodes(r->store, &count);
    if (!count) {
        return;
    }
    buf_puts(b, "<h3>Containers</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
                "aria-label=\"Containers\"><table><thead><tr>"
                "<th>container</th><th>image</th><th>digest</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < count; i++) {
        buf_puts(b, "<tr>");
        cell(b, nodes[i].name);
        cell(b, nodes[i].image);
        buf_puts(b, "<td class=\"mono\" title=\"");
        text_html(b, nodes[i].digest);
        buf_puts(b, "\">");
        if (nodes[i].digest) {
            text_html_n(b, nodes[i].digest, strlen(nodes[i].digest), 19);
        }
        buf_puts(b, "</td></tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

static size_t compose_count(const struct report *r, enum compose_effect effect)
{
    size_t n = 0;
    for (size_t i = 0; i < r->compose_count; i++) {
        n += r->compose[i].effect == effect;
    }
    return n;
}

static void compose_list(struct buf *b, const struct report *r, enum compose_effect effect,
                         const char *word, bool open)
{
    size_t count = compose_count(r, effect);
    buf_printf(b, "<details class=\"keys\"%s><summary>%s <b>%zu</b></summary>\n<ul>\n",
               open && count ? " open" : "", word, count);
    for (size_t i = 0; i < r->compose_count; i++) {
        if (r->compose[i].effect == effect) {
            buf_puts(b, "<li><code>");
            text_html(b, r->compose[i].path);
            buf_puts(b, "</code> ");
            text_html(b, r->compose[i].note);
            buf_puts(b, "</li>\n");
        }
    }
    buf_puts(b, "</ul></details>\n");
}

static void compose(struct buf *b, const struct report *r)
{
    if (r->compose_count) {
        buf_puts(b, "<h3>Compose file</h3>\n");
        compose_list(b, r, EFFECT_HONOURED, "honoured", false);
        compose_list(b, r, EFFECT_NONE, "without effect", true);
        compose_list(b, r, EFFECT_REFUSED, "refused", true);
    }
}

static void unknown_row(struct buf *b, const struct note *n)
{
    const char *name = strerrorname_np((int)-n->value);
    buf_puts(b, "<tr>");
    cell(b, n->text);
    cell(b, name ? name : "?");
    buf_puts(b, "<td class=\"n\">");
    text_count(b, n->universes);
    buf_puts(b, "</td></tr>\n");
}

static void unknown(struct buf *b, const struct report *r)
{
    size_t rows = 0;
    for (size_t i = 0; i < r->set->note_count; i++) {
        if (r->set->notes[i].kind != NOTE_UNKNOWN) {
            continue;
        }
        if (rows++ == 0) {
            buf_puts(b, "<h3>Not covered by Everett</h3>\n<p class=\"note\">These were answered "
                        "with an error that Linux would also give.</p>\n"
                        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
                        "aria-label=\"Not covered by Everett\"><table><thead><tr><th>what</th>"
                        "<th>answered</th><th class=\"n\">universes</th></tr></thead><tbody>\n");
        }
        unknown_row(b, &r->set->notes[i]);
    }
    buf_puts(b, rows ? "</tbody></table></div>\n"
                     : "<h3>Not covered by Everett</h3>\n<p class=\"note\">Everything the system "
                       "under test asked for is covered.</p>\n");
}

static void notes(struct buf *b, const struct report *r, enum note_kind kind, const char *title)
{
    size_t rows = 0;
    for (size_t i = 0; i < r->set->note_count; i++) {
        const struct note *n = &r->set->notes[i];
        if (n->kind != kind) {
            continue;
        }
        if (rows++ == 0) {
            buf_printf(b, "<h3>%s</h3>\n<ul class=\"plain\">\n", title);
        }
        buf_puts(b, "<li>");
        text_html_n(b, n->text, strlen(n->text), 400);
        buf_puts(b, " <small>");
        text_plural(b, n->universes, "universe", "universes");
        buf_puts(b, "</small></li>\n");
    }
    buf_puts(b, rows ? "</ul>\n" : "");
}

static void machine_row(struct buf *b, const char *label, const char *value)
{
    buf_printf(b, "<div><dt>%s</dt><dd>", label);
    text_html(b, value && *value ? value : "not recorded");
    buf_puts(b, "</dd></div>\n");
}

void html_environment(struct buf *b, const struct report *r)
{
    buf_puts(b, "<section id=\"environment\" aria-labelledby=\"h-environment\">\n"
                "<h2 id=\"h-environment\">Environment</h2>\n<dl class=\"machine\">\n");
    machine_row(b, "Engine", r->run.engine);
    machine_row(b, "CPU", r->run.cpu);
    machine_row(b, "Source", r->run.source);
    machine_row(b, "Commit", r->run.commit);
    buf_puts(b, "</dl>\n");
    images(b, r);
    compose(b, r);
    unknown(b, r);
    notes(b, r, NOTE_SDK, "SDKs seen");
    notes(b, r, NOTE_MALFORMED, "SDK messages that could not be read");
    notes(b, r, NOTE_DIAGNOSTIC, "The engine about itself");
    if (r->run.config && *r->run.config) {
        buf_puts(b, "<details class=\"keys\"><summary>Run configuration</summary><pre>");
        text_html(b, r->run.config);
        buf_puts(b, "</pre></details>\n");
    }
    buf_puts(b, "</section>\n");
}
