/* Reports of runs, opened for pages. A run with ten thousand properties and a history takes a tenth
 * of a second or more to open, so the last few of ended runs stay open between requests. */
#ifndef EVERETT_SERVER_PAGES_REPORTS_H
#define EVERETT_SERVER_PAGES_REPORTS_H

#include "report/report.h"

struct reports;
struct server;

struct reports *reports_create(struct server *s);
void reports_destroy(struct reports *p); /* accepts NULL; all must have been put */

struct opened {
    char *run_id;
    struct store *store;
    struct report *report;
};
/* For the caller alone until reports_put. NULL with `err` empty: the run has no run directory yet
 * (it waits, or its set-up failed before it began); with `err`: it cannot be read. */
struct opened *reports_get(struct reports *p, const char *run_id, struct err *err) must_check;
/* Accepts NULL. Kept open when the run is over. */
void reports_put(struct reports *p, struct opened *o);

#endif
