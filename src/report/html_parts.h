/* The parts of the report as HTML, for the offline file and for the pages of the service alike.
 * Each appends markup in which every text that did not come from us is cleaned and escaped; none
 * holds style or script, which whoever makes the page includes (web/base.css, web/report.css,
 * web/report.js and what that imports). */
#ifndef EVERETT_REPORT_HTML_PARTS_H
#define EVERETT_REPORT_HTML_PARTS_H

#include "report/report.h"
#include "report/scene.h"

#define HTML_DOT "<span class=\"dot\">\xc2\xb7</span>"

/* What is drawn, and where links lead. */
struct html_view {
    /* "/runs/ID": a failure is a page of its own, tabs, search and paging are requests. NULL: one
     * file that holds everything and asks for nothing. */
    const char *run_url;
    /* Of a served list of properties: */
    const char *show;       /* "failed", "never", "passed"; anything else: all */
    const char *search;     /* words that all must occur, without case; or NULL */
    size_t page, page_size; /* from 0; size 0: all on one */
    size_t property;        /* number of one that is unfolded, with its page; 0: none */
};

/* ---- the report ---- */

/* "etcd-tutorial", never empty. */
const char *html_title(const struct report *r);
/* Title, verdict chips, facts, description. */
void html_verdict_bar(struct buf *b, const struct report *r, const struct html_view *v);
/* Why the run is not complete, if it is not. */
void html_status(struct buf *b, const struct report *r, const struct html_view *v);
void html_findings(struct buf *b, struct report *r, const struct html_view *v);
int html_properties(struct buf *b, struct report *r, const struct html_view *v,
                    struct err *err) must_check;
void html_utilization(struct buf *b, const struct report *r);
void html_environment(struct buf *b, const struct report *r);

/* ---- one failure (html_failure.c) ---- */

/* "Counter never loses ... was false on client1 at 9.481 s, 0.300 s after etcd0 was killed." `sc`
 * may be NULL. */
void html_violation(struct buf *b, struct report *r, const struct report_property *rp,
                    const struct property_example *x, const struct scene *sc);
/* What the rule asks, and where it stands in the code. */
void html_rule(struct buf *b, struct report *r, const struct report_property *rp);
/* "universe 7 at 00:00:18.402 on client1" */
void html_place(struct buf *b, struct report *r, const struct property_example *x);
/* How often it fails again, what is enough, from when it was inevitable. `c` may be NULL. */
void html_sure(struct buf *b, const struct store_confirmation *c);
/* Moment to copy, and what the program said about it. */
int html_moment(struct buf *b, struct report *r, const struct property_example *x,
                struct err *err) must_check;
int html_replay(struct buf *b, struct report *r, const struct property_example *x,
                struct err *err) must_check;

/* html_scene.c. `anchor` makes the ids of this scene's log lines unique ("3-0"). */
void html_story(struct buf *b, struct report *r, const struct scene *sc, const char *anchor);
void html_log(struct buf *b, struct report *r, const struct scene *sc, const char *anchor);
/* Both from the first difference on, side by side. */
struct counterpart;
void html_counterpart(struct buf *b, struct report *r, const struct scene *sc,
                      const struct counterpart *c);
/* timeline.c */
void html_timeline(struct buf *b, struct report *r, const struct scene *sc);

/* plot.c */
void plot_progress(struct buf *b, const struct store_progress *points, size_t count);
void plot_history(struct buf *b, const struct report_property *rp, size_t runs);
void plot_curve(struct buf *b, const char *curve_json, uint64_t inevitable_ns);

/* ---- small pieces ---- */

/* A command or moment with a button that copies it. */
void html_copy(struct buf *b, const char *text);
/* "18.402 s" */
void html_seconds(struct buf *b, uint64_t vtime_ns);
/* A heading of a part of a scene; `text` is markup. */
void html_part_heading(struct buf *b, const struct scene *sc, const char *text);
const char *html_mark(enum verdict v);          /* a character */
const char *html_verdict_class(enum verdict v); /* CSS class */

struct html_key {
    const char *keys, *does; /* "j k", "next and previous failure" */
};
/* The list of keys that `?` opens, and the place for notices: once a page. */
void html_help(struct buf *b, const struct html_key *keys, size_t count);

#endif
