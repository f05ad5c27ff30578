/* Words and numbers as people read them, and text made safe for each output. */
#include "report/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

void text_count(struct buf *b, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf_putc(b, ',');
        }
        buf_putc(b, digits[i]);
    }
}

void text_plural(struct buf *b, uint64_t n, const char *one, const char *many)
{
    text_count(b, n);
    buf_printf(b, " %s", n == 1 ? one : many);
}

void text_duration(struct buf *b, uint64_t ns)
{
    uint64_t tenths = ns / 100000000;
    uint64_t s = ns / 1000000000;
    if (tenths < 100) {
        buf_printf(b, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
    } else if (s < 120) {
        buf_printf(b, "%" PRIu64 " s", s);
    } else if (s < 7200) {
        buf_printf(b, "%" PRIu64 " min", s / 60);
    } else if (s < 48 * 3600) {
        buf_printf(b, "%" PRIu64 " h", s / 3600);
        if (s / 60 % 60) {
            buf_printf(b, " %" PRIu64 " min", s / 60 % 60);
        }
    } else {
        text_count(b, s / 86400);
        buf_printf(b, " d %" PRIu64 " h", s / 3600 % 24);
    }
}

void text_date(struct buf *b, int64_t unix_ns)
{
    time_t t = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    char text[40];
    if (gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm)) {
        buf_puts(b, text);
    }
}

/* Decodes one character of well-formed UTF-8 (Unicode 15, table 3-7); 0 when it is not. */
static size_t decode(const unsigned char *s, size_t len, uint32_t *out)
{
    if (s[0] < 0x80) {
        *out = s[0];
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len) {
        return 0;
    }
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return 0;
    }
    *out = c;
    return n;
}

/* Length of the terminal sequence at s (ECMA-48 CSI, OSC, or two bytes), which starts with ESC. */
static size_t escape_length(const unsigned char *s, size_t len)
{
    size_t i = 2;
    if (len < 2) {
        return len;
    }
    if (s[1] == '[') {
        while (i < len && (s[i] < 0x40 || s[i] > 0x7e)) {
            i++;
        }
        return i < len ? i + 1 : len;
    }
    if (s[1] == ']') {
        while (i < len && s[i] != 7 && s[i] != 0x1b) {
            i++;
        }
        return i < len && s[i] == 7 ? i + 1 : i;
    }
    return 2;
}

/* Not a character, or one that only commands the display: C0, DEL, C1, bidi controls (they could
 * make a line read as another), noncharacters. */
static bool is_unshowable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || (c & 0xfffe) == 0xfffe;
}

void text_clean(struct buf *b, const char *str, size_t len, size_t len_max)
{
    const unsigned char *s = (const unsigned char *)str;
    size_t start = b->len;
    for (size_t i = 0; i < len;) {
        if (b->len - start >= len_max) {
            buf_puts(b, ELLIPSIS);
            return;
        }
        uint32_t c = 0;
        size_t n = decode(s + i, len - i, &c);
        if (c == 0x1b && n == 1) {
            i += escape_length(s + i, len - i);
        } else if (n == 0) {
            buf_puts(b, REPLACEMENT);
            i++;
        } else if (c == '\t') {
            buf_puts(b, "    ");
            i++;
        } else if (c == '\n') {
            buf_putc(b, '\n');
            i++;
        } else if (c == '\r') {
            i++;
        } else if (is_unshowable(c)) {
            buf_puts(b, REPLACEMENT);
            i += n;
        } else {
            buf_append(b, s + i, n);
            i += n;
        }
    }
}

void text_html_n(struct buf *b, const char *s, size_t len, size_t len_max)
{
    cleanup_buf struct buf clean = {0};
    text_clean(&clean, s, len, len_max);
    if (clean.len) {
        buf_html(b, clean.data, clean.len);
    }
}

void text_html(struct buf *b, const char *s)
{
    if (s) {
        text_html_n(b, s, strlen(s), SIZE_MAX);
    }
}

/* East Asian wide and emoji blocks; wcwidth() would depend on the process's locale. */
static size_t char_width(uint32_t c)
{
    bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
    bool combining = (c >= 0x300 && c <= 0x36f) || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
    return wide ? 2 : combining ? 0 : 1;
}

size_t text_width(const char *str)
{
    const unsigned char *s = (const unsigned char *)str;
    size_t len = strlen(str);
    size_t width = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = decode(s + i, len - i, &c);
        width += n ? char_width(c) : 1;
        i += n ? n : 1;
    }
    return width;
}

size_t text_fit(struct buf *b, const char *str, size_t width)
{
    if (text_width(str) <= width) {
        buf_puts(b, str);
        return text_width(str);
    }
    const unsigned char *s = (const unsigned char *)str;
    size_t len = strlen(str);
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = decode(s + i, len - i, &c);
        size_t w = n ? char_width(c) : 1;
        if (used + w + 1 > width) {
            break;
        }
        buf_append(b, s + i, n ? n : 1);
        used += w;
        i += n ? n : 1;
    }
    buf_puts(b, ELLIPSIS);
    return used + 1;
}
