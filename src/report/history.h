/* Comparison with earlier runs of the same source. */
#ifndef EVERETT_REPORT_HISTORY_H
#define EVERETT_REPORT_HISTORY_H

#include "base/err.h"

struct report;

#define HISTORY_FILE "history"

/* Fills findings and per-property history. Earlier runs are the directories beside the run's own
 * that hold a finished run of the same source (or, without one, of the same name) started before
 * it. A run directory with a file `history` (one run directory a line, relative ones below the
 * run's own) is compared with those instead, whatever source they are of: whoever wrote it has
 * chosen. Runs that cannot be read are left out: they may be of another version or removed. */
int history_compare(struct report *r, bool look, struct err *err) must_check;

#endif
