/* The triage report of a run as a page, and one failure told to people. */
#ifndef EVERETT_SERVER_PAGES_REPORT_PAGE_H
#define EVERETT_SERVER_PAGES_REPORT_PAGE_H

#include "server/pages/frame.h"

struct opened;

http_handler page_report, page_failure;

/* "Overview, Report, Logs" of a run, with the one that is `here` marked. */
void run_tabs(struct buf *b, const char *run_id, const char *here);
/* Finds a run's report or answers with why there is none: NULL. */
struct opened *report_or_answer(struct http_request *rq, struct http_response *rs,
                                const char *run_id);

#endif
