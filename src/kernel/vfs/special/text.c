#include "kernel/vfs/special/text.h"

#include "base/str.h"
#include "kernel/alloc.h"

void text_init(struct text *x, struct machine *m)
{
    *x = (struct text){.m = m};
}

void text_fini(struct text *x)
{
    kfree(x->m, x->buf);
    x->buf = NULL;
    x->len = x->cap = 0;
}

static void reserve(struct text *x, size_t extra)
{
    size_t cap = x->cap ? x->cap : 512;

    while (cap - x->len < extra) {
        cap *= 2;
    }
    if (cap != x->cap) {
        x->buf = krealloc(x->m, x->buf, cap);
        x->cap = cap;
    }
}

void text_append(struct text *x, const void *data, size_t len)
{
    if (len) {
        reserve(x, len);
        memcpy(x->buf + x->len, data, len);
        x->len += len;
    }
}

void text_puts(struct text *x, const char *s)
{
    text_append(x, s, str_len(s));
}

void text_printf(struct text *x, const char *fmt, ...)
{
    va_list ap;
    size_t n;

    reserve(x, 128);
    va_start(ap, fmt);
    n = str_vformat(x->buf + x->len, x->cap - x->len, fmt, ap);
    va_end(ap);
    if (n >= x->cap - x->len) {
        reserve(x, n + 1);
        va_start(ap, fmt);
        n = str_vformat(x->buf + x->len, x->cap - x->len, fmt, ap);
        va_end(ap);
    }
    x->len += n;
}

void text_escaped(struct text *x, const char *s, size_t len, const char *set)
{
    for (size_t i = 0; i < len; i++) {
        if (str_chr(set, s[i], str_len(set))) {
            text_printf(x, "\\%03o", (unsigned char)s[i]);
        } else {
            text_append(x, &s[i], 1);
        }
    }
}
