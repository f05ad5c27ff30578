/* report.html: the page around the parts, and the findings. One file, no requests, readable without
 * scripts. */
#include <inttypes.h>
#include <string.h>

#include "report/html_parts.h"
#include "report/text.h"
#include "store/ingest.h"

#define DOT "<span class=\"dot\">\xc2\xb7</span>"

const char *html_mark(enum verdict v)
{
    return v == VERDICT_FAILED ? "\xe2\x9c\x97" : v == VERDICT_NEVER ? "!" : "\xe2\x9c\x93";
}

const char *html_verdict_class(enum verdict v)
{
    return v == VERDICT_FAILED ? "failed" : v == VERDICT_NEVER ? "never" : "passed";
}

void html_copy(struct buf *b, const char *text)
{
    buf_puts(b, "<span class=\"copyable\"><code>");
    text_html(b, text);
    buf_puts(b, "</code><button type=\"button\" class=\"js copy\" data-copy=\"");
    text_html(b, text);
    buf_puts(b, "\">copy</button></span>");
}

void html_seconds(struct buf *b, uint64_t vtime_ns)
{
    buf_printf(b, "%" PRIu64 ".%03" PRIu64 " s", vtime_ns / 1000000000, vtime_ns / 1000000 % 1000);
}

static const char *title_of(const struct report *r)
{
    return r->run.name && *r->run.name ? r->run.name : "unnamed run";
}

static void head(struct buf *b, const struct report *r)
{
    buf_puts(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                /* the page may run its own script and nothing else, whatever a log line says */
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
                "<link rel=\"icon\" href=\"data:,\">\n<title>");
    if (r->counts.failed) {
        buf_printf(b, "\xe2\x9c\x97 %" PRIu64 " failed \xc2\xb7 ", r->counts.failed);
    } else {
        buf_puts(b, r->counts.never ? "! " : "\xe2\x9c\x93 ");
    }
    text_html(b, title_of(r));
    buf_puts(b, "</title>\n<style>\n");
    buf_puts(b, report_css);
    buf_puts(b, "</style>\n</head>\n<body>\n");
}

static void chip(struct buf *b, enum verdict v, uint64_t count)
{
    buf_printf(b, "<a class=\"chip %s%s\" href=\"#properties\"><b aria-hidden=\"true\">%s</b> ",
               html_verdict_class(v), count ? "" : " zero", html_mark(v));
    text_count(b, count);
    buf_printf(b, " %s</a>\n", verdict_word(v));
}

static void part(struct buf *b, const char *text)
{
    if (text && *text) {
        buf_puts(b, DOT "<span>");
        text_html(b, text);
        buf_puts(b, "</span>");
    }
}

static void facts(struct buf *b, const struct report *r)
{
    cleanup_buf struct buf tested = {0};
    cleanup_buf struct buf universes = {0};
    cleanup_buf struct buf date = {0};
    text_duration(&tested, r->totals.virtual_ns);
    buf_puts(&tested, " tested in ");
    text_duration(&tested, r->run.wall_ns);
    text_plural(&universes, r->totals.universes, "universe", "universes");
    text_date(&date, r->run.started_unix_ns);
    buf_puts(b, "<p class=\"facts\"><span>");
    text_html(b, r->run.source && *r->run.source ? r->run.source : "no source");
    buf_puts(b, "</span>");
    part(b, r->run.commit);
    part(b, universes.data);
    part(b, tested.data);
    part(b, date.data);
    buf_puts(b, "</p>\n");
}

static void status_banner(struct buf *b, const struct report *r)
{
    const char *word = r->run.status == RUN_RUNNING      ? "This run is still going on."
                       : r->run.status == RUN_CANCELLED  ? "This run was cancelled."
                       : r->run.status == RUN_INCOMPLETE ? "This run is incomplete."
                                                         : NULL;
    if (word) {
        buf_printf(b, "<p class=\"banner\" role=\"status\"><b>%s</b> ", word);
        text_html(b, r->run.status_text ? r->run.status_text
                     : r->run.status == RUN_RUNNING
                         ? "The report shows the universes that have finished."
                         : "No reason was recorded.");
        for (size_t i = 0; i < r->prop_count; i++) {
            const struct report_property *rp = &r->props[i];
            if (rp->verdict == VERDICT_FAILED && strcmp(rp->p->id, "Always: " RULE_SETUP) == 0) {
                buf_printf(b, " <a href=\"#p%zu\">What happened during set-up</a>", rp->number);
            }
        }
        buf_puts(b, "</p>\n");
    }
}

static void header(struct buf *b, const struct report *r)
{
    buf_printf(b, "<header class=\"verdict %s\">\n<div class=\"wrap\">\n<h1>",
               r->counts.failed  ? "failed"
               : r->counts.never ? "never"
                                 : "passed");
    text_html(b, title_of(r));
    buf_puts(b, "</h1>\n<p class=\"chips\">");
    chip(b, VERDICT_FAILED, r->counts.failed);
    chip(b, VERDICT_NEVER, r->counts.never);
    chip(b, VERDICT_PASSED, r->counts.passed);
    buf_puts(b, "</p>\n");
    facts(b, r);
    if (r->run.description && *r->run.description) {
        buf_puts(b, "<p class=\"description\">");
        text_html(b, r->run.description);
        buf_puts(b, "</p>\n");
    }
    buf_puts(b, "</div>\n</header>\n<nav class=\"wrap\" aria-label=\"Sections\">"
                "<a href=\"#findings\">Findings</a><a href=\"#properties\">Properties</a>"
                "<a href=\"#utilization\">Utilization</a>"
                "<a href=\"#environment\">Environment</a>"
                "<button type=\"button\" class=\"js help-open\">Keys <kbd>?</kbd></button></nav>\n"
                "<main class=\"wrap\">\n");
    status_banner(b, r);
}

/* "after etcd1 is killed at 18.1 s; false on client1 at 18.4 s, in 3 of 212 universes" */
static void finding_summary(struct buf *b, struct report *r, const struct report_property *rp)
{
    const struct property_example *x = report_first_failure(rp);
    if (rp->verdict != VERDICT_FAILED) {
        buf_puts(b, rp->finding == FINDING_RESOLVED
                        ? "failed in the last run, passes in this one"
                        : "failed in a single universe of an earlier run; not seen this time, "
                          "which proves little");
        return;
    }
    buf_puts(b, "fails in ");
    text_count(b, rp->p->universes_bad);
    buf_puts(b, " of ");
    text_plural(b, r->totals.universes, "universe", "universes");
    if (x) {
        buf_puts(b, "; first at ");
        html_seconds(b, x->vtime_ns);
        buf_printf(b, " of universe %" PRIu64, x->universe);
        if (x->node != EVENT_NO_NODE) {
            buf_puts(b, " on ");
            text_html(b, store_node_name(r->store, x->node));
        }
    }
    const struct store_confirmation *c = rp->confirmation;
    if (c && c->minimal && *c->minimal) {
        buf_puts(b, "; enough: ");
        text_html(b, c->minimal);
    }
}

static void finding_row(struct buf *b, struct report *r, const struct report_property *rp)
{
    cleanup_buf struct buf name = {0};
    report_property_name(&name, rp->p);
    buf_printf(b,
               "<li class=\"%s\"><a href=\"#p%zu\"><span class=\"mark\" "
               "aria-hidden=\"true\">%s</span><span class=\"tag\">%s</span><b>",
               html_verdict_class(rp->verdict), rp->number, html_mark(rp->verdict),
               finding_word(rp->finding));
    text_html(b, name.data);
    buf_puts(b, "</b><span class=\"why\">");
    finding_summary(b, r, rp);
    buf_puts(b, "</span></a></li>\n");
}

void html_findings(struct buf *b, struct report *r)
{
    buf_puts(b, "<section id=\"findings\" aria-labelledby=\"h-findings\">\n"
                "<h2 id=\"h-findings\">Findings</h2>\n<p class=\"counts\">");
    for (enum finding f = FINDING_NEW; f <= FINDING_RESOLVED; f++) {
        buf_printf(b, "<span class=\"%s\">%s <b>%zu</b></span>", r->findings[f] ? "" : "zero",
                   finding_word(f), r->findings[f]);
    }
    buf_puts(b, "<span class=\"against\">");
    if (r->history_started) {
        buf_puts(b, "against the last run of ");
        text_html(b, r->run.source && *r->run.source ? r->run.source : title_of(r));
        buf_printf(b, " (%s)", r->history_started);
    } else {
        buf_puts(b, "no earlier run of this source is beside this one");
    }
    buf_puts(b, "</span></p>\n<ul class=\"findings\">\n");
    size_t shown = 0;
    for (size_t i = 0; i < r->prop_count; i++) {
        if (r->props[i].finding != FINDING_NONE) {
            finding_row(b, r, &r->props[i]);
            shown++;
        }
    }
    buf_puts(b, "</ul>\n");
    if (!shown) {
        buf_puts(b, r->totals.universes
                        ? "<p class=\"empty\">No property fails, and none changed.</p>\n"
                        : "<p class=\"empty\">No universe has finished yet: there is nothing to "
                          "judge.</p>\n");
    }
    buf_puts(b, "</section>\n");
}

static void footer(struct buf *b, const struct report *r)
{
    buf_puts(b, "</main>\n<footer class=\"wrap\"><span>run ");
    text_html(b, r->run.id ? r->run.id : "without id");
    buf_printf(b, "</span>" DOT "<span>seed %" PRIu64 "</span>", r->run.seed);
    part(b, r->run.engine);
    buf_puts(b, "</footer>\n<dialog class=\"help\" aria-labelledby=\"h-keys\"><h2 id=\"h-keys\">"
                "Keys</h2><dl>"
                "<dt><kbd>/</kbd></dt><dd>search properties</dd>"
                "<dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous failure</dd>"
                "<dt><kbd>[</kbd> <kbd>]</kbd></dt><dd>earlier and later event in the log</dd>"
                "<dt><kbd>c</kbd></dt><dd>copy the moment of the selected event</dd>"
                "<dt><kbd>+</kbd> <kbd>-</kbd></dt><dd>zoom the timeline</dd>"
                "<dt><kbd>?</kbd></dt><dd>this list</dd></dl>"
                "<form method=\"dialog\"><button>Close</button></form></dialog>\n"
                "<p class=\"toast\" role=\"status\" hidden></p>\n<script>\n");
    buf_puts(b, report_js);
    buf_puts(b, "</script>\n</body>\n</html>\n");
}

int report_html(struct report *r, struct buf *out, struct err *err)
{
    head(out, r);
    header(out, r);
    html_findings(out, r);
    if (html_properties(out, r, err)) {
        return -1;
    }
    html_utilization(out, r);
    html_environment(out, r);
    footer(out, r);
    return 0;
}
