/* Growable byte string of the host layers; always NUL-terminated once non-NULL. Aborts when the
 * host is out of memory. */
#ifndef EVERETT_BASE_BUF_H
#define EVERETT_BASE_BUF_H

#include "base/base.h"

struct buf {
    char *data; /* owned; NULL while empty */
    size_t len, cap;
};

void buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
/* Appends `s` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD. */
void buf_json_string(struct buf *b, const char *s, size_t len);
/* Appends `s` escaped for HTML text and double-quoted attributes. */
void buf_html(struct buf *b, const char *s, size_t len);
/* Gives the string (never NULL) to the caller, who frees it. */
char *buf_steal(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory */
void buf_free(struct buf *b);

#define cleanup_buf __attribute__((cleanup(buf_free)))

#endif
