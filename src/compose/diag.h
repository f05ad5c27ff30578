/* Positions in source files, and the errors and warnings of one load. Errors are collected so that
 * a user sees all of them at once, each as `file:line:col: message`, the line and a caret. */
#ifndef EVERETT_COMPOSE_DIAG_H
#define EVERETT_COMPOSE_DIAG_H

#include "base/base.h"

struct buf;
struct err;
struct pool;

struct source {
    const char *name; /* as shown to the user: relative to the compose directory */
    const char *text; /* NUL-terminated behind `len` */
    size_t len;
};

/* `line` and `col` count from 1, `col` in characters; line 0 means the file as a whole. */
struct mark {
    const struct source *source;
    uint32_t line, col;
};

struct diag {
    struct mark at;
    bool is_error;
    size_t seq; /* order of discovery: the last tie-break of the order shown */
    char *text;
    char *hint; /* or NULL */
};

struct diags {
    struct pool *pool; /* borrowed; holds all strings */
    struct diag *v;
    size_t n, cap;
    size_t errors;
};

/* Returns -1, so that `return diag_error(...)` reads well. `hint` may be NULL. */
int diag_error(struct diags *d, struct mark at, const char *hint, const char *fmt, ...)
    printf_like(4, 5);
void diag_warn(struct diags *d, struct mark at, const char *fmt, ...) printf_like(3, 4);

/* Orders by file name, line, column, then discovery. */
void diags_sort(struct diags *d);
/* Appends `file:line:col: text` and, where the line is known, the line with a caret. */
void diag_render(const struct diag *d, struct buf *out);
/* Fills `err` (ERR_USAGE) from all errors; a single error's hint goes to `err->hint`, those of
 * several stand below each. Returns -1. There must be at least one error. */
int diags_to_err(struct diags *d, struct err *err);

/* The nearest of `names` (stride bytes apart, each starting with a `const char *`) when it is near
 * enough to be a typing error, else NULL. The first of equals wins. */
const char *suggest_name(const char *given, const void *names, size_t count, size_t stride);

#endif
