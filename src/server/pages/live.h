/* Server-sent events: a stream that a thread of its connection fills as things change.
 * Source: HTML Living Standard, 9.2. */
#ifndef EVERETT_SERVER_PAGES_LIVE_H
#define EVERETT_SERVER_PAGES_LIVE_H

#include "base/buf.h"
#include "server/http/http.h"

#define LIVE_WAIT_MS 1500u /* how long `next` may block */

/* Blocks until something changed or LIVE_WAIT_MS passed, and appends events (live_event), if any.
 * False: the stream ends once they are sent. */
typedef bool live_next(void *ctx, struct buf *out);
/* Answers with the stream. `destroy` is called once, whatever becomes of the connection. */
void live_start(struct http_response *rs, live_next *next, void (*destroy)(void *ctx), void *ctx);
/* `json` is one line. */
void live_event(struct buf *out, const char *name, const struct buf *json);

#endif
