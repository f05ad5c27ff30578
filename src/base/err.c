#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_clear(err);
    err->kind = kind;
    err->msg = mem_vprintf(fmt, ap);
    va_end(ap);
    return -1;
}

int err_errno(struct err *err, int host_errno, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = mem_vprintf(fmt, ap);
    va_end(ap);
    err_set(err, ERR_HOST, "%s: %s", what, strerror(host_errno));
    err->host_errno = host_errno;
    free(what);
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *prefix = mem_vprintf(fmt, ap);
    va_end(ap);
    char *joined = NULL;
    if (asprintf(&joined, "%s: %s", prefix, err->msg ? err->msg : "unknown error") < 0) {
        abort();
    }
    free(prefix);
    free(err->msg);
    err->msg = joined;
    return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    free(err->hint);
    err->hint = mem_vprintf(fmt, ap);
    va_end(ap);
    return -1;
}

void err_clear(struct err *err)
{
    free(err->msg);
    free(err->hint);
    *err = (struct err){0};
}
