/* JSON that is written piece by piece. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/api/api_priv.h"

void api_put_time(struct buf *b, int64_t unix_ms)
{
    struct tm tm;
    char text[40];
    time_t t = unix_ms / 1000;
    if (!unix_ms) {
        buf_puts(b, "null");
        return;
    }
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(b, "\"%s.%03dZ\"", text, (int)(unix_ms % 1000));
}

void api_put_text(struct buf *b, const char *text)
{
    if (text) {
        buf_json_string(b, text, strlen(text));
    } else {
        buf_puts(b, "null");
    }
}

void api_put_json(struct buf *b, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    buf_puts(b, text ? text : "null");
    free(text);
}
