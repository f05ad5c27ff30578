/* The verdict bar, the state of the run, the findings; and small pieces of all parts. */
#include "report/html_parts.h"

#include <inttypes.h>
#include <string.h>

#include "report/text.h"
#include "store/ingest.h"

/* A page shows so many findings; a run that fails everywhere has too many to read anyway. */
#define FINDINGS_MAX 50u

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

void html_part_heading(struct buf *b, const struct scene *sc, const char *text)
{
    buf_printf(b, "<h%u class=\"part\">%s</h%u>", sc->heading, text, sc->heading);
}

void html_help(struct buf *b, const struct html_key *keys, size_t count)
{
    buf_puts(b, "<dialog class=\"help\" aria-labelledby=\"h-keys\"><h2 id=\"h-keys\">Keys</h2>"
                "<dl>");
    for (size_t i = 0; i < count; i++) {
        buf_puts(b, "<dt>");
        for (const char *k = keys[i].keys; *k;) {
            size_t len = strcspn(k, " ");
            buf_printf(b, "%s<kbd>%.*s</kbd>", k == keys[i].keys ? "" : " ", (int)len, k);
            k += len + (k[len] == ' ');
        }
        buf_printf(b, "</dt><dd>%s</dd>", keys[i].does);
    }
    buf_puts(b, "</dl><form method=\"dialog\"><button>Close</button></form></dialog>\n"
                "<p class=\"toast\" role=\"status\" hidden></p>\n");
}

const char *html_title(const struct report *r)
{
    return r->run.name && *r->run.name ? r->run.name : "unnamed run";
}

static void chip(struct buf *b, const struct html_view *v, enum verdict verdict, uint64_t count)
{
    const char *class = html_verdict_class(verdict);
    buf_printf(b, "<a class=\"chip %s%s\" href=\"", class, count ? "" : " zero");
    if (v->run_url) {
        buf_printf(b, "?show=%s", class);
    }
    buf_printf(b, "#properties\"><b aria-hidden=\"true\">%s</b> ", html_mark(verdict));
    text_count(b, count);
    buf_printf(b, " %s</a>\n", verdict_word(verdict));
}

static void part(struct buf *b, const char *text)
{
    if (text && *text) {
        buf_puts(b, HTML_DOT "<span>");
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

void html_verdict_bar(struct buf *b, const struct report *r, const struct html_view *v)
{
    buf_printf(b, "<div class=\"verdict %s\">\n<div class=\"wrap\">\n<h1>",
               r->counts.failed  ? "failed"
               : r->counts.never ? "never"
                                 : "passed");
    text_html(b, html_title(r));
    buf_puts(b, "</h1>\n<p class=\"chips\">");
    chip(b, v, VERDICT_FAILED, r->counts.failed);
    chip(b, v, VERDICT_NEVER, r->counts.never);
    chip(b, v, VERDICT_PASSED, r->counts.passed);
    buf_puts(b, "</p>\n");
    facts(b, r);
    if (r->run.description && *r->run.description) {
        buf_puts(b, "<p class=\"description\">");
        text_html(b, r->run.description);
        buf_puts(b, "</p>\n");
    }
    buf_puts(b, "</div>\n</div>\n");
}

static void link_open(struct buf *b, const struct html_view *v, const struct report_property *rp)
{
    if (v->run_url && rp->verdict == VERDICT_FAILED) {
        buf_printf(b, "<a href=\"%s/failure/%zu\">", v->run_url, rp->number);
    } else if (v->run_url) {
        buf_printf(b, "<a href=\"%s/report?property=%zu#p%zu\">", v->run_url, rp->number,
                   rp->number);
    } else {
        buf_printf(b, "<a href=\"#p%zu\">", rp->number);
    }
}

void html_status(struct buf *b, const struct report *r, const struct html_view *v)
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
                buf_putc(b, ' ');
                link_open(b, v, rp);
                buf_puts(b, "What happened during set-up</a>");
            }
        }
        buf_puts(b, "</p>\n");
    }
}

/* "fails in 3 of 212 universes; first at 18.402 s of universe 7 on client1" */
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

static void finding_row(struct buf *b, struct report *r, const struct html_view *v,
                        const struct report_property *rp)
{
    cleanup_buf struct buf name = {0};
    report_property_name(&name, rp->p);
    buf_printf(b, "<li class=\"%s\">", html_verdict_class(rp->verdict));
    link_open(b, v, rp);
    buf_printf(b,
               "<span class=\"mark\" aria-hidden=\"true\">%s</span><span class=\"tag\">%s</span>"
               "<b>",
               html_mark(rp->verdict), finding_word(rp->finding));
    text_html(b, name.data);
    buf_puts(b, "</b><span class=\"why\">");
    finding_summary(b, r, rp);
    buf_puts(b, "</span></a></li>\n");
}

void html_findings(struct buf *b, struct report *r, const struct html_view *v)
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
        text_html(b, r->run.source && *r->run.source ? r->run.source : html_title(r));
        buf_printf(b, " (%s)", r->history_started);
    } else {
        buf_puts(b, "no earlier run of this source is beside this one");
    }
    buf_puts(b, "</span></p>\n<ul class=\"findings\">\n");
    size_t shown = 0;
    size_t all = 0;
    for (size_t i = 0; i < r->prop_count; i++) {
        bool is_one = r->props[i].finding != FINDING_NONE;
        all += is_one;
        if (is_one && (!v->run_url || shown < FINDINGS_MAX)) {
            finding_row(b, r, v, &r->props[i]);
            shown++;
        }
    }
    buf_puts(b, "</ul>\n");
    if (all > shown) {
        buf_puts(b, "<p class=\"note\">");
        text_count(b, all - shown);
        buf_puts(b, " more are in the list of properties.</p>\n");
    }
    if (!shown) {
        buf_puts(b, r->totals.universes
                        ? "<p class=\"empty\">No property fails, and none changed.</p>\n"
                        : "<p class=\"empty\">No universe has finished yet: there is nothing to "
                          "judge.</p>\n");
    }
    buf_puts(b, "</section>\n");
}
