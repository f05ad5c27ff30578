/* What keeps the directory from growing for ever: finished runs that are too old or beyond the disk
 * budget, unreferenced blobs, ended sessions. One thread, every ten minutes. A run that has not
 * ended is never touched. */
#ifndef EVERETT_SERVER_HOUSEKEEPING_H
#define EVERETT_SERVER_HOUSEKEEPING_H

#include "base/err.h"

struct housekeeping;
struct server;

struct housekeeping *housekeeping_start(struct server *s, struct err *err) must_check;
void housekeeping_stop(struct housekeeping *h); /* accepts NULL */

struct housekeeping_stats {
    uint64_t runs_removed, blobs_removed, blob_bytes_removed; /* since the start */
    uint64_t run_bytes;                                       /* of DIR/runs, at the last look */
    int64_t last_unix;                                        /* 0: never */
};
void housekeeping_stats(struct housekeeping *h, struct housekeeping_stats *out);

/* One pass at `now_unix`, as the thread does it. */
int housekeeping_pass(struct housekeeping *h, int64_t now_unix, struct err *err) must_check;

#endif
