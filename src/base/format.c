/* printf subset for freestanding code. */
#include "base/str.h"

struct out {
    char *dst;
    size_t cap, len;
};

struct spec {
    bool zero, left, alt, plus, upper;
    unsigned width;
    int precision; /* -1: none */
    int longs;     /* 0 int, 1 long, 2 long long; -1 short, -2 char */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->cap) {
        o->dst[o->len] = c;
    }
    o->len++;
}

static void pad(struct out *o, char c, unsigned have, unsigned want)
{
    for (; have < want; have++) {
        put(o, c);
    }
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t n)
{
    if (!s->left) {
        pad(o, ' ', (unsigned)n, s->width);
    }
    for (size_t i = 0; i < n; i++) {
        put(o, text[i]);
    }
    if (s->left) {
        pad(o, ' ', (unsigned)n, s->width);
    }
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base,
                       const char *sign)
{
    char digits[24];
    unsigned n = 0;
    do {
        digits[n++] = (s->upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v);
    unsigned min = s->precision > 0 ? (unsigned)s->precision : 0;
    char text[64];
    size_t len = 0;
    for (const char *p = sign; *p; p++) {
        text[len++] = *p;
    }
    if (s->zero && !s->left && s->precision < 0 && s->width > len) {
        min = (unsigned)(s->width - len);
    }
    for (unsigned i = n; i < min && len < 40; i++) {
        text[len++] = '0';
    }
    while (n > 0) {
        text[len++] = digits[--n];
    }
    put_text(o, s, text, len);
}

static int64_t signed_arg(const struct spec *s, va_list *ap)
{
    if (s->longs > 0) {
        return va_arg(*ap, int64_t);
    }
    int v = va_arg(*ap, int);
    return s->longs == -1 ? (short)v : s->longs == -2 ? (signed char)v : v;
}

static uint64_t unsigned_arg(const struct spec *s, va_list *ap)
{
    if (s->longs > 0) {
        return va_arg(*ap, uint64_t);
    }
    unsigned v = va_arg(*ap, unsigned);
    return s->longs == -1 ? (unsigned short)v : s->longs == -2 ? (unsigned char)v : v;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    for (;; f++) {
        if (*f == '0') {
            s->zero = true;
        } else if (*f == '-') {
            s->left = true;
        } else if (*f == '#') {
            s->alt = true;
        } else if (*f == '+') {
            s->plus = true;
        } else {
            break;
        }
    }
    if (*f == '*') {
        s->width = (unsigned)va_arg(*ap, int);
        f++;
    }
    while (*f >= '0' && *f <= '9') {
        s->width = s->width * 10 + (unsigned)(*f++ - '0');
    }
    if (*f == '.') {
        f++;
        s->precision = 0;
        if (*f == '*') {
            s->precision = va_arg(*ap, int);
            f++;
        }
        while (*f >= '0' && *f <= '9') {
            s->precision = s->precision * 10 + (*f++ - '0');
        }
    }
    for (; *f == 'l' || *f == 'h' || *f == 'z'; f++) {
        s->longs += *f == 'h' ? -1 : 1;
    }
    return f;
}

static void convert(struct out *o, char c, struct spec *s, va_list *ap)
{
    if (c == 'd' || c == 'i') {
        int64_t v = signed_arg(s, ap);
        put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10,
                   v < 0     ? "-"
                   : s->plus ? "+"
                             : "");
    } else if (c == 'u') {
        put_number(o, s, unsigned_arg(s, ap), 10, "");
    } else if (c == 'x' || c == 'X') {
        s->upper = c == 'X';
        put_number(o, s, unsigned_arg(s, ap), 16, s->alt ? "0x" : "");
    } else if (c == 'o') {
        put_number(o, s, unsigned_arg(s, ap), 8, s->alt ? "0" : "");
    } else if (c == 'p') {
        put_number(o, s, (uint64_t)(uintptr_t)va_arg(*ap, void *), 16, "0x");
    } else if (c == 'c') {
        char ch = (char)va_arg(*ap, int);
        put_text(o, s, &ch, 1);
    } else if (c == 's') {
        const char *t = va_arg(*ap, const char *);
        put_text(o, s, t, s->precision >= 0 ? str_nlen(t, (size_t)s->precision) : str_len(t));
    } else {
        put(o, c);
    }
}

size_t str_vformat(char *dst, size_t cap, const char *fmt, va_list args)
{
    struct out o = {dst, cap, 0};
    va_list ap;
    va_copy(ap, args);
    for (const char *f = fmt; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        struct spec s = {.precision = -1};
        f = parse_spec(f + 1, &s, &ap);
        if (!*f) {
            break;
        }
        convert(&o, *f, &s, &ap);
    }
    va_end(ap);
    if (cap > 0) {
        dst[o.len < cap ? o.len : cap - 1] = 0;
    }
    return o.len;
}

size_t str_format(char *dst, size_t cap, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t n = str_vformat(dst, cap, fmt, ap);
    va_end(ap);
    return n;
}
