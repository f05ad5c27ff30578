/* Error object of the host layers (runner, image, compose, explorer, report, CLI).
 *
 * A fallible function takes `struct err *err` last and returns a negative value (or NULL) on
 * failure with `err` filled in; on success `err` is untouched. `err_wrap` puts context in front on
 * the way up ("image etcd:v1: layer 2: unexpected end of archive"). Only cli/ prints and exits. */
#ifndef EVERETT_BASE_ERR_H
#define EVERETT_BASE_ERR_H

#include "base/base.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_USAGE,  /* the user's input or command line is wrong: exit status 2 */
    ERR_SETUP,  /* the system under test did not come up: exit status 3 */
    ERR_HOST,   /* the host refused something (errno in `host_errno`) */
    ERR_ENGINE, /* Everett's own fault */
};

struct err {
    enum err_kind kind;
    int host_errno;
    char *msg;  /* owned; may hold several lines (a caret excerpt) */
    char *hint; /* owned or NULL: what to type or change next */
};

/* Both return -1 so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) printf_like(3, 4);
int err_errno(struct err *err, int host_errno, const char *fmt, ...) printf_like(3, 4);
/* Prefixes the message with "fmt: ". Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) printf_like(2, 3);
int err_hint(struct err *err, const char *fmt, ...) printf_like(2, 3);
void err_clear(struct err *err);

#define cleanup_err __attribute__((cleanup(err_clear)))

#endif
