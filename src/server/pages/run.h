/* The page of one run: what it is doing while it runs, what came of it afterwards. */
#ifndef EVERETT_SERVER_PAGES_RUN_H
#define EVERETT_SERVER_PAGES_RUN_H

#include "server/pages/frame.h"
#include "server/pages/runs.h"

struct report;

struct run_notice { /* a mail or callback */
    char *kind, *target, *state, *last_error;
    int64_t attempts;
};

struct run_model {
    struct launch l;       /* owned */
    struct report *report; /* borrowed; NULL: nothing has been judged yet */
    char *live;            /* owned: the last progress object of the run, or NULL */
    char *build_log;       /* owned: its last part, NDJSON; or NULL */
    bool build_log_is_cut;
    struct run_notice *notices; /* owned */
    size_t notice_count, notice_cap;
    int64_t now_unix_ms;
};
void run_model_fini(struct run_model *m);

/* The parts of the page that change while a run goes on; each is one element with the id that its
 * name says. */
enum run_part { PART_HEAD, PART_PROGRESS, PART_FINDINGS, PART_BUILD, PART_NOTICES, PART_COUNT };
const char *run_part_id(enum run_part part);
void run_part_html(struct buf *b, const struct frame *f, const struct run_model *m,
                   enum run_part part);
/* The whole page between frame_open and frame_close. */
void run_html(struct buf *b, const struct frame *f, const struct run_model *m);

http_handler page_run, page_run_live, page_report_file;

#endif
