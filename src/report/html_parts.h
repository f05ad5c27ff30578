/* The parts of report.html; for the files that draw it. Each appends markup in which every text
 * that did not come from us is cleaned and escaped. */
#ifndef EVERETT_REPORT_HTML_PARTS_H
#define EVERETT_REPORT_HTML_PARTS_H

#include "report/report.h"
#include "report/scene.h"

/* web/report.css and web/report.js, embedded at build time; NUL-terminated. */
extern const char report_css[];
extern const char report_js[];

void html_findings(struct buf *b, struct report *r);
int html_properties(struct buf *b, struct report *r, struct err *err) must_check;
void html_utilization(struct buf *b, const struct report *r);
void html_environment(struct buf *b, const struct report *r);

/* html_scene.c. `anchor` makes the ids of this scene's log lines unique ("3-0"). */
void html_story(struct buf *b, struct report *r, const struct scene *sc, const char *anchor);
void html_log(struct buf *b, struct report *r, const struct scene *sc, const char *anchor);
/* timeline.c */
void html_timeline(struct buf *b, struct report *r, const struct scene *sc);
/* plot.c */
void plot_progress(struct buf *b, const struct report *r);
void plot_history(struct buf *b, const struct report_property *rp, size_t runs);
void plot_curve(struct buf *b, const char *curve_json, uint64_t inevitable_ns);

/* A command or moment with a button that copies it. */
void html_copy(struct buf *b, const char *text);
/* "18.402 s" */
void html_seconds(struct buf *b, uint64_t vtime_ns);
const char *html_mark(enum verdict v);          /* a character */
const char *html_verdict_class(enum verdict v); /* CSS class */

#endif
