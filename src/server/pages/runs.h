/* The Runs page: a table of launches, newest first, with what each found. */
#ifndef EVERETT_SERVER_PAGES_RUNS_H
#define EVERETT_SERVER_PAGES_RUNS_H

#include "server/pages/frame.h"
#include "server/queue/queue.h"

#define RUNS_PAGE    50u
#define RUNS_HISTORY 20u

struct run_row {
    struct launch l; /* owned */
    /* Failed properties of the source's ended runs up to this one, oldest first. */
    int64_t history[RUNS_HISTORY];
    size_t history_count;
};

struct runs_model {
    struct run_row *rows; /* owned */
    size_t count, cap;
    bool has_older;
    /* As asked; borrowed. */
    const char *status, *source, *text, *launcher;
    bool with_ephemeral, is_filtered, is_first_page;
    const char *public_url;
};
void runs_model_fini(struct runs_model *m);

/* ---- drawing (runs_html.c) ---- */

void runs_html(struct buf *b, const struct frame *f, const struct runs_model *m);
/* The cells of one row, without <tr>. */
void runs_cells(struct buf *b, const struct frame *f, const struct run_row *row);
/* "✗ failed" as a marked word; what the mark's class is. */
void run_status_html(struct buf *b, const struct launch *l);
const char *run_status_text(const struct launch *l);
const char *run_status_class(const struct launch *l);
bool run_is_over(const struct launch *l);
/* What a run is called: test name, else the description's start, else its launcher. */
const char *run_name(const struct launch *l);
/* "/runs/ID" and what follows. */
void run_url(struct buf *b, const char *id, const char *rest);
/* "2 new, 1 ongoing" as badges, failed and never reached properties. */
void run_findings_html(struct buf *b, const struct launch *l);
/* Wall time in ns: so far, when it still goes on at `now_ms`. */
uint64_t run_wall_ns(const struct launch *l, int64_t now_ms);
/* The button that ends a run that is not over, if `f` may. */
void run_cancel_html(struct buf *b, const struct frame *f, const struct launch *l);
/* The curl line that launches a first run on this server. */
void launch_example(struct buf *b, const char *public_url);

/* ---- requests (runs.c) ---- */

http_handler page_runs, page_runs_live, page_cancel;

#endif
