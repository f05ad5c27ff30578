/* One universe's event records on disk: events/<universe>.zst.
 *
 * The file is a series of zstd frames, each holding whole `struct event` records in order, then one
 * skippable frame with the index. So `zstd -dc` yields the raw records, and the log around a moment
 * is read by decoding only the frames that overlap it. A file without its index is unfinished. */
#ifndef EVERETT_STORE_EVENT_LOG_H
#define EVERETT_STORE_EVENT_LOG_H

#include "abi/event.h"
#include "base/err.h"

#define EVENT_LOG_CHUNK_MAX  (128u << 10) /* raw bytes after which a frame is closed */
#define EVENT_LOG_RECORD_MAX (64u << 20)  /* larger records are refused as corrupt */

struct event_log_writer;
struct event_log;

/* Writes to `path`.part until closed. NULL with `err` on failure. */
struct event_log_writer *event_log_create(const char *path, struct err *err) must_check;
/* Borrows whole records. Refuses (ERR_ENGINE) a malformed record, a gap in seq or time that runs
 * backwards: such a log could not be trusted at replay. The first record may have any seq, because
 * a branch continues its parent's numbering. */
int event_log_append(struct event_log_writer *w, const void *records, size_t len,
                     struct err *err) must_check;
/* Complete and on disk under `path` (file and directory synced) once this returns 0. Frees `w` in
 * every case; after a failure nothing is left under `path`. */
int event_log_close(struct event_log_writer *w, struct err *err) must_check;
/* Removes what was written and frees `w`; accepts NULL. */
void event_log_discard(struct event_log_writer *w);

/* NULL with `err`: missing, unfinished or damaged. */
struct event_log *event_log_open(const char *path, struct err *err) must_check;
void event_log_free(struct event_log *log); /* accepts NULL */
uint64_t event_log_first_seq(const struct event_log *log);
uint64_t event_log_count(const struct event_log *log);

/* Return non-zero to stop; the record is borrowed for the call. */
typedef int event_visit_fn(void *ctx, const struct event *ev);
/* Visits the records with from_ns <= vtime <= to_ns in order. Returns 0, the visitor's non-zero
 * value, or -1 with `err` set (a visitor must therefore stop with a positive value). */
int event_log_visit(struct event_log *log, uint64_t from_ns, uint64_t to_ns, event_visit_fn *visit,
                    void *ctx, struct err *err) must_check;

/* True when the record at `p`, with `left` bytes behind it, is whole and well-formed. */
bool event_well_formed(const void *p, size_t left);

#endif
