/* DIR/runs/ID/build_log.ndjson: what happened on the way from a launch to a run. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/queue/queue_priv.h"
#include "store/files.h"

#define LOG_BYTES_MAX (16u << 20) /* a child that will not be quiet does not fill the disk */

struct build_log {
    int fd;
    off_t len;
};

struct build_log *build_log_open(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        files_errno(err, errno, "cannot write %s", path);
        return NULL;
    }
    struct build_log *log = mem_zalloc(sizeof *log);
    *log = (struct build_log){fd, lseek(fd, 0, SEEK_END)};
    return log;
}

void build_log_close(struct build_log *log)
{
    if (log) {
        close(log->fd);
        free(log);
    }
}

static void put_line(struct build_log *log, bool is_error, const char *text, size_t len)
{
    struct timespec now;
    struct tm tm;
    char stamp[40];
    cleanup_buf struct buf b = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(&b, "{\"timestamp\":\"%s.%03ldZ\",\"text\":", stamp, now.tv_nsec / 1000000);
    buf_json_string(&b, text, len);
    buf_printf(&b, ",\"stream\":\"%s\"}\n", is_error ? "stderr" : "stdout");
    if (log->len + (off_t)b.len <= LOG_BYTES_MAX && files_write_all(log->fd, b.data, b.len) == 0) {
        log->len += (off_t)b.len;
    }
}

void build_log_put(struct build_log *log, bool is_error, const char *fmt, ...)
{
    va_list ap;
    char *text;
    if (!log) {
        return;
    }
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len < 0) {
        return;
    }
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        put_line(log, is_error, at, n);
        at += n + (at[n] == '\n');
    }
    free(text);
}
