/* Server-sent events. */
#include "server/pages/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct live {
    live_next *next;
    void (*destroy)(void *ctx);
    void *ctx;
    struct buf out; /* not yet sent from `sent` on */
    size_t sent;
    bool is_over;
};

static ssize_t live_read(void *ctx, char *out, size_t len)
{
    struct live *l = ctx;
    if (l->sent == l->out.len) {
        if (l->is_over) {
            return 0;
        }
        buf_reset(&l->out);
        l->sent = 0;
        l->is_over = !l->next(l->ctx, &l->out);
        if (l->out.len == 0) {
            buf_puts(&l->out, ":\n\n"); /* a comment: shows a gone browser as a failed write */
        }
    }
    size_t n = min_u64(len, l->out.len - l->sent);
    memcpy(out, l->out.data + l->sent, n);
    l->sent += n;
    return (ssize_t)n;
}

static void live_close(void *ctx)
{
    struct live *l = ctx;
    l->destroy(l->ctx);
    buf_free(&l->out);
    free(l);
}

void live_start(struct http_response *rs, live_next *next, void (*destroy)(void *ctx), void *ctx)
{
    struct live *l = mem_zalloc(sizeof *l);
    *l = (struct live){.next = next, .destroy = destroy, .ctx = ctx};
    /* A browser that lost the stream asks again after this long. */
    buf_puts(&l->out, "retry: 2000\n\n");
    rs->status = 200;
    http_set(rs, "Content-Type", "text/event-stream; charset=utf-8");
    http_set(rs, "Cache-Control", "no-store");
    rs->read = live_read;
    rs->close = live_close;
    rs->read_ctx = l;
    rs->is_live = true;
}

void live_event(struct buf *out, const char *name, const struct buf *json)
{
    ASSERT(!memchr(json->data, '\n', json->len));
    buf_printf(out, "event: %s\ndata: ", name);
    buf_append(out, json->data, json->len);
    buf_puts(out, "\n\n");
}
