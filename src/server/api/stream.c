/* Responses that are made while they are read. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/api/api_priv.h"

static ssize_t read_stream(void *ctx, char *out, size_t len)
{
    struct api_stream *s = ctx;
    while (s->given == s->out.len) {
        buf_reset(&s->out);
        s->given = 0;
        if (!s->fill(s->ctx, &s->out) && !s->out.len) {
            return 0;
        }
    }
    size_t n = s->out.len - s->given;
    n = n < len ? n : len;
    memcpy(out, s->out.data + s->given, n);
    s->given += n;
    return (ssize_t)n;
}

static void close_stream(void *ctx)
{
    struct api_stream *s = ctx;
    s->close(s->ctx);
    buf_free(&s->out);
    free(s);
}

void api_respond(struct http_response *rs, struct api_stream *s, const char *type)
{
    rs->status = 200;
    http_set(rs, "Content-Type", type);
    rs->read = read_stream;
    rs->close = close_stream;
    rs->read_ctx = s;
}

void api_put_error(struct buf *b, const struct err *err)
{
    buf_puts(b, "{\"error\":");
    api_put_text(b, err->msg ? err->msg : "unknown error");
    buf_puts(b, "}\n");
}
