#include "compose/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "compose/pool.h"

enum {
    SHOWN_MAX = 20,    /* errors printed; the rest is counted */
    EXCERPT_MAX = 96,  /* characters of a source line shown */
    NAME_MAX_LEN = 48, /* longer names get no suggestion */
};

static struct diag *push(struct diags *d, struct mark at, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(n >= 0);
    char *text = pool_zalloc(d->pool, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    size_t seq = d->n;
    struct diag *one = POOL_PUSH(d->pool, d->v, d->n, d->cap);
    one->at = at;
    one->seq = seq;
    one->text = text;
    return one;
}

int diag_error(struct diags *d, struct mark at, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct diag *one = push(d, at, fmt, ap);
    va_end(ap);
    one->is_error = true;
    one->hint = hint ? pool_strdup(d->pool, hint) : NULL;
    d->errors++;
    return -1;
}

void diag_warn(struct diags *d, struct mark at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    push(d, at, fmt, ap);
    va_end(ap);
}

static int compare(const void *pa, const void *pb)
{
    const struct diag *a = pa, *b = pb;
    const char *na = a->at.source ? a->at.source->name : "";
    const char *nb = b->at.source ? b->at.source->name : "";
    int c = strcmp(na, nb);
    if (c) {
        return c;
    }
    if (a->at.line != b->at.line) {
        return a->at.line < b->at.line ? -1 : 1;
    }
    if (a->at.col != b->at.col) {
        return a->at.col < b->at.col ? -1 : 1;
    }
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void diags_sort(struct diags *d)
{
    if (d->n) {
        qsort(d->v, d->n, sizeof *d->v, compare);
    }
}

/* Length of the line break at s, 0 if none. YAML 1.1, which libyaml counts by, also breaks lines
 * at NEL, LS and PS (section 5.4 of that version). */
static size_t break_len(const char *s, size_t left)
{
    if (left >= 2 && s[0] == '\r' && s[1] == '\n') {
        return 2;
    }
    if (left >= 1 && (s[0] == '\n' || s[0] == '\r')) {
        return 1;
    }
    if (left >= 2 && memcmp(s, "\xc2\x85", 2) == 0) {
        return 2;
    }
    if (left >= 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0)) {
        return 3;
    }
    return 0;
}

static bool find_line(const struct source *src, uint32_t line, const char **start, size_t *len)
{
    size_t pos = 0;
    for (uint32_t at = 1; at < line; at++) {
        size_t brk = 0;
        while (pos < src->len && !(brk = break_len(src->text + pos, src->len - pos))) {
            pos++;
        }
        if (pos >= src->len) {
            return false;
        }
        pos += brk;
    }
    size_t end = pos;
    while (end < src->len && !break_len(src->text + end, src->len - end)) {
        end++;
    }
    *start = src->text + pos;
    *len = end - pos;
    return true;
}

static bool continues_char(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Prints `len` bytes; control characters, which could drive the terminal, become '?'. */
static void put_line(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        buf_putc(out, (c < 0x20 && c != '\t') || c == 0x7f ? '?' : s[i]);
    }
}

static void put_excerpt(struct buf *out, const struct mark *at)
{
    const char *line = NULL;
    size_t len = 0;
    if (!find_line(at->source, at->line, &line, &len)) {
        return;
    }
    /* Byte offset of the marked character; a window around it when the line is long. */
    size_t target = 0;
    for (uint32_t c = 1; c < at->col && target < len; c++) {
        target++;
        while (target < len && continues_char(line[target])) {
            target++;
        }
    }
    size_t from = 0;
    if (target > EXCERPT_MAX * 3 / 4) {
        from = target - EXCERPT_MAX / 2;
        while (from < target && continues_char(line[from])) {
            from++;
        }
    }
    size_t to = len;
    if (to - from > EXCERPT_MAX) {
        to = from + EXCERPT_MAX;
        while (to > target && to > from && continues_char(line[to])) {
            to--;
        }
    }
    buf_printf(out, "\n%5u | %s", at->line, from ? "..." : "");
    put_line(out, line + from, to - from);
    buf_printf(out, "%s\n      | %s", to < len ? "..." : "", from ? "   " : "");
    for (size_t i = from; i < target; i++) {
        if (!continues_char(line[i])) {
            buf_putc(out, line[i] == '\t' ? '\t' : ' ');
        }
    }
    buf_putc(out, '^');
}

void diag_render(const struct diag *d, struct buf *out)
{
    if (d->at.source) {
        buf_puts(out, d->at.source->name);
        if (d->at.line) {
            buf_printf(out, ":%u:%u", d->at.line, d->at.col);
        }
        buf_puts(out, ": ");
    }
    put_line(out, d->text, strlen(d->text));
    if (d->at.source && d->at.line) {
        put_excerpt(out, &d->at);
    }
}

int diags_to_err(struct diags *d, struct err *err)
{
    ASSERT(d->errors > 0);
    diags_sort(d);
    struct buf text cleanup_buf = {0};
    size_t shown = 0;
    const char *hint = NULL;
    for (size_t i = 0; i < d->n && shown < SHOWN_MAX; i++) {
        if (!d->v[i].is_error) {
            continue;
        }
        if (shown++) {
            buf_putc(&text, '\n');
        }
        diag_render(&d->v[i], &text);
        if (d->errors > 1 && d->v[i].hint) {
            buf_printf(&text, "\n        hint: %s", d->v[i].hint);
        }
        hint = d->v[i].hint;
    }
    if (d->errors > shown) {
        buf_printf(&text, "\nand %zu more errors", d->errors - shown);
    }
    err_set(err, ERR_USAGE, "%s", text.data ? text.data : "");
    if (d->errors == 1 && hint) {
        err_hint(err, "%s", hint);
    }
    return -1;
}

/* Edits between two names, where swapping two neighbours counts once (optimal string alignment). */
static size_t edit_distance(const char *a, size_t la, const char *b, size_t lb)
{
    size_t row[3][NAME_MAX_LEN + 1];
    size_t *two = row[0], *prev = row[1], *cur = row[2];
    for (size_t j = 0; j <= lb; j++) {
        prev[j] = j;
        two[j] = 0;
    }
    for (size_t i = 1; i <= la; i++) {
        cur[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = prev[j - 1] + (a[i - 1] != b[j - 1]);
            best = min_u64(best, min_u64(prev[j], cur[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = min_u64(best, two[j - 2] + 1);
            }
            cur[j] = best;
        }
        size_t *t = two;
        two = prev;
        prev = cur;
        cur = t;
    }
    return prev[lb];
}

const char *suggest_name(const char *given, const void *names, size_t count, size_t stride)
{
    size_t len = strlen(given);
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name;
        memcpy(&name, (const char *)names + i * stride, sizeof name);
        size_t name_len = strlen(name);
        if (name_len > NAME_MAX_LEN) {
            continue;
        }
        size_t distance = edit_distance(given, len, name, name_len);
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    size_t allowed = len <= 3 ? 1 : len <= 8 ? 2 : 3;
    return best_distance <= allowed ? best : NULL;
}
