/* The service's log: one line an event to standard error, as systemd and container runtimes collect
 * it: `at=2026-11-22T18:04:05.123Z level=info event=start dir="/srv/everett"`. Lines never hold
 * secrets. One write(2) a line, so that lines of different threads do not mix; never blocks on
 * anything else. */
#ifndef EVERETT_SERVER_LOG_H
#define EVERETT_SERVER_LOG_H

#include "base/buf.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* Starts a line in `b`: time, level, event. */
void log_begin(struct buf *b, enum log_level level, const char *event);
/* ` key="value"`, quoted where it has to be; a NULL value leaves the pair out. */
void log_pair(struct buf *b, const char *key, const char *value);
void log_pair_u64(struct buf *b, const char *key, uint64_t value);
/* Writes and empties it. */
void log_end(struct buf *b);

/* A line with a message: `... event=EVENT message="..."`. */
void log_message(enum log_level level, const char *event, const char *fmt, ...) printf_like(3, 4);
/* The same from an error that nobody else will see. */
void log_err(const char *event, const struct err *err);

#endif
