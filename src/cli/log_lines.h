/* The log of a universe as lines of text; the same for stored events and for those of a replay, so
 * that `diff` shows whether two are equal. */
#ifndef EVERETT_CLI_LOG_LINES_H
#define EVERETT_CLI_LOG_LINES_H

#include "abi/event.h"
#include "base/buf.h"
#include "store/moment.h"
#include "store/store.h"

/* "  18.402000000  counter0  | text": appends nothing for events that are not shown to people. */
void log_line(struct buf *b, struct store *s, const struct event *e);

/* Finds the universe of a moment HASH@SECONDS, or of HASH alone: its whole history, with
 * *vtime_ns UINT64_MAX. HASH may be shortened to its first digits. ERR_USAGE when none or more than
 * one fits. The caller frees `u` (store_universe_free). */
int log_find(struct store *s, const char *moment, struct store_universe *u, uint64_t *vtime_ns,
             struct err *err) must_check;

#endif
