#include "server/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

void log_begin(struct buf *b, enum log_level level, const char *event)
{
    static const char *const words[] = {"info", "warning", "error"};
    struct timespec now;
    struct tm tm;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(b, "at=%s.%03ldZ level=%s event=%s", text, now.tv_nsec / 1000000, words[level],
               event);
}

static bool is_plain(const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p <= ' ' || *p >= 127 || *p == '"' || *p == '\\' || *p == '=') {
            return false;
        }
    }
    return *value != 0;
}

void log_pair(struct buf *b, const char *key, const char *value)
{
    if (!value) {
        return;
    }
    buf_printf(b, " %s=", key);
    if (is_plain(value)) {
        buf_puts(b, value);
    } else {
        buf_json_string(b, value, strlen(value));
    }
}

void log_pair_u64(struct buf *b, const char *key, uint64_t value)
{
    buf_printf(b, " %s=%llu", key, (unsigned long long)value);
}

void log_end(struct buf *b)
{
    buf_putc(b, '\n');
    for (size_t at = 0; at < b->len;) {
        ssize_t n = write(STDERR_FILENO, b->data + at, b->len - at);
        if (n < 0 && errno != EINTR) {
            break; /* nobody reads the log: the service goes on */
        }
        at += n > 0 ? (size_t)n : 0;
    }
    buf_reset(b);
}

void log_message(enum log_level level, const char *event, const char *fmt, ...)
{
    cleanup_buf struct buf b = {0};
    cleanup_free char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    log_begin(&b, level, event);
    log_pair(&b, "message", n < 0 ? "" : text);
    log_end(&b);
}

void log_err(const char *event, const struct err *err)
{
    log_message(LOG_LEVEL_ERROR, event, "%s", err->msg ? err->msg : "unknown error");
}
