/* Growing text in the arena, for the contents of generated files. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_TEXT_H
#define EVERETT_KERNEL_VFS_SPECIAL_TEXT_H

#include "base/base.h"

struct machine;

struct text {
    struct machine *m;
    char *buf; /* owned; not terminated */
    size_t len, cap;
};

void text_init(struct text *x, struct machine *m);
void text_fini(struct text *x);
void text_append(struct text *x, const void *data, size_t len);
void text_puts(struct text *x, const char *s);
/* The subset of str_format. */
void text_printf(struct text *x, const char *fmt, ...) printf_like(2, 3);
/* Octal-escapes blanks, newlines, tabs and backslashes, as /proc/mounts and maps do. */
void text_escaped(struct text *x, const char *s, size_t len, const char *set);

#endif
