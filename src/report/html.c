/* report.html: the parts as one file that asks for nothing and is readable without scripts. */
#include <inttypes.h>

#include "report/html_parts.h"
#include "report/text.h"

/* web/base.css with web/report.css, and web/report.js with what it imports; embedded at build time,
 * NUL-terminated. */
extern const char report_css[];
extern const char report_js[];

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
    text_html(b, html_title(r));
    buf_puts(b, "</title>\n<style>\n");
    buf_puts(b, report_css);
    buf_puts(b, "</style>\n</head>\n<body>\n");
}

static void foot(struct buf *b, const struct report *r)
{
    static const struct html_key keys[] = {
        {"/", "search properties"},
        {"j k", "next and previous failure"},
        {"[ ]", "earlier and later event in the log"},
        {"a A", "next and previous assertion in the log"},
        {"c", "copy the moment of the selected event"},
        {"+ - 0", "zoom the timeline"},
        {"\xe2\x86\x90 \xe2\x86\x92", "move along the timeline"},
        {"?", "this list"},
    };
    buf_puts(b, "</main>\n<footer class=\"wrap\"><span>run ");
    text_html(b, r->run.id ? r->run.id : "without id");
    buf_printf(b, "</span>" HTML_DOT "<span>seed %" PRIu64 "</span>", r->run.seed);
    if (r->run.engine) {
        buf_puts(b, HTML_DOT "<span>");
        text_html(b, r->run.engine);
        buf_puts(b, "</span>");
    }
    buf_puts(b, "</footer>\n");
    html_help(b, keys, ARRAY_LEN(keys));
    buf_puts(b, "<script>\n");
    buf_puts(b, report_js);
    buf_puts(b, "</script>\n</body>\n</html>\n");
}

int report_html(struct report *r, struct buf *out, struct err *err)
{
    const struct html_view whole = {0};
    head(out, r);
    buf_puts(out, "<header>\n");
    html_verdict_bar(out, r, &whole);
    buf_puts(out,
             "</header>\n<nav class=\"sections wrap\" aria-label=\"Sections\">"
             "<a href=\"#findings\">Findings</a><a href=\"#properties\">Properties</a>"
             "<a href=\"#utilization\">Utilization</a>"
             "<a href=\"#environment\">Environment</a>"
             "<button type=\"button\" class=\"js help-open\">Keys <kbd>?</kbd></button></nav>\n"
             "<main class=\"wrap\">\n");
    html_status(out, r, &whole);
    html_findings(out, r, &whole);
    if (html_properties(out, r, &whole, err)) {
        return -1;
    }
    html_utilization(out, r);
    html_environment(out, r);
    foot(out, r);
    return 0;
}
