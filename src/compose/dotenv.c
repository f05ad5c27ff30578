#include "compose/dotenv.h"

#include <string.h>

#include "base/buf.h"
#include "compose/interp.h"
#include "compose/pool.h"

struct scan {
    const struct source *src;
    struct interp *in;
    const char *at, *end;
    uint32_t line;
    const char *line_start;
};

static struct mark here(const struct scan *s, const char *p)
{
    uint32_t col = 1;
    for (const char *c = s->line_start; c < p; c++) {
        col += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return (struct mark){s->src, s->line, col};
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && blank(*s->at)) {
        s->at++;
    }
}

static const char *line_end(const struct scan *s)
{
    const char *nl = memchr(s->at, '\n', (size_t)(s->end - s->at));
    return nl ? nl : s->end;
}

static void next_line(struct scan *s)
{
    const char *e = line_end(s);
    s->at = e < s->end ? e + 1 : e;
    s->line_start = s->at;
    s->line++;
}

static bool name_char(char c, bool first)
{
    bool letter = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

/* Unescapes in double quotes: \n \r \t \\ \" \' and \$ (which stays a plain dollar sign). */
static void put_escape(struct buf *out, char c)
{
    switch (c) {
    case 'n':
        buf_putc(out, '\n');
        break;
    case 'r':
        buf_putc(out, '\r');
        break;
    case 't':
        buf_putc(out, '\t');
        break;
    case '$':
        buf_puts(out, "$$"); /* interpolation turns it into one */
        break;
    case '\\':
    case '"':
    case '\'':
        buf_putc(out, c);
        break;
    default:
        buf_putc(out, '\\');
        buf_putc(out, c);
    }
}

/* A quoted value may span lines. Leaves `at` behind the closing quote. */
static int read_quoted(struct scan *s, struct buf *out)
{
    char quote = *s->at;
    struct mark open = here(s, s->at);
    s->at++;
    while (s->at < s->end && *s->at != quote) {
        char c = *s->at++;
        if (c == '\n') {
            s->line++;
            s->line_start = s->at;
        }
        if (c == '\\' && s->at < s->end && *s->at != '\n') {
            if (quote == '"') {
                put_escape(out, *s->at++);
                continue;
            }
            if (*s->at == '\'') { /* 'Let\'s go!' */
                c = *s->at++;
            }
        }
        buf_putc(out, c);
    }
    if (s->at >= s->end) {
        return diag_error(s->in->diags, open, NULL, "the quote that opens here is never closed");
    }
    s->at++;
    skip_blanks(s);
    if (s->at < line_end(s) && *s->at != '#') {
        return diag_error(s->in->diags, here(s, s->at),
                          "quote the whole value, or escape the inner quote with \\",
                          "text behind the closing quote");
    }
    return 0;
}

/* Up to the line's end or a comment, which a blank must precede. */
static void read_unquoted(struct scan *s, struct buf *out)
{
    const char *e = line_end(s);
    const char *stop = s->at;
    while (stop < e && !(*stop == '#' && (stop == s->at || blank(stop[-1])))) {
        stop++;
    }
    while (stop > s->at && blank(stop[-1])) {
        stop--;
    }
    buf_append(out, s->at, (size_t)(stop - s->at));
    s->at = e;
}

static int read_value(struct scan *s, const char *name, struct env *out)
{
    skip_blanks(s);
    struct buf text cleanup_buf = {0};
    struct mark at = here(s, s->at);
    char first = s->at < s->end ? *s->at : '\n';
    if (first == '"' || first == '\'') {
        if (read_quoted(s, &text)) {
            return -1;
        }
    } else {
        read_unquoted(s, &text);
    }
    const char *value = text.data ? text.data : "";
    if (first != '\'') {
        value = interpolate(s->in, at, value);
    }
    if (!value) {
        return -1;
    }
    env_put(s->in->pool, out, name, value);
    return 0;
}

/* One `[export] NAME[=value]`. */
static int read_entry(struct scan *s, struct env *out)
{
    if ((size_t)(s->end - s->at) > 7 && strncmp(s->at, "export", 6) == 0 && blank(s->at[6])) {
        s->at += 6;
        skip_blanks(s);
    }
    const char *start = s->at;
    while (s->at < s->end && name_char(*s->at, s->at == start)) {
        s->at++;
    }
    if (s->at == start) {
        return diag_error(s->in->diags, here(s, start), "each line reads NAME=value",
                          "a variable's name must start here");
    }
    const char *name = pool_strndup(s->in->pool, start, (size_t)(s->at - start));
    skip_blanks(s);
    const char *e = line_end(s);
    if (s->at == e || *s->at == '#') {
        env_put(s->in->pool, out, name, NULL);
        return 0;
    }
    if (*s->at != '=' && *s->at != ':') {
        return diag_error(s->in->diags, here(s, s->at), "each line reads NAME=value",
                          "`=` must follow the name `%s`", name);
    }
    s->at++;
    return read_value(s, name, out);
}

static int read_raw_entry(struct scan *s, struct env *out)
{
    const char *e = line_end(s);
    if (e > s->at && e[-1] == '\r') {
        e--;
    }
    const char *eq = memchr(s->at, '=', (size_t)(e - s->at));
    const char *name_end = eq ? eq : e;
    if (name_end == s->at) {
        return diag_error(s->in->diags, here(s, s->at), "each line reads NAME=value",
                          "a variable's name must start here");
    }
    const char *name = pool_strndup(s->in->pool, s->at, (size_t)(name_end - s->at));
    env_put(s->in->pool, out, name,
            eq ? pool_strndup(s->in->pool, eq + 1, (size_t)(e - eq - 1)) : NULL);
    return 0;
}

int dotenv_parse(const struct source *src, enum dotenv_format format, struct interp *in,
                 struct env *out)
{
    struct scan s = {.src = src,
                     .in = in,
                     .at = src->text,
                     .end = src->text + src->len,
                     .line = 1,
                     .line_start = src->text};
    const char *nul = memchr(src->text, 0, src->len);
    if (nul) {
        return diag_error(in->diags, (struct mark){src, 0, 0}, NULL,
                          "the file holds a NUL character");
    }
    if (src->len >= 3 && memcmp(src->text, "\xef\xbb\xbf", 3) == 0) {
        s.at += 3;
        s.line_start = s.at;
    }
    int rc = 0;
    while (s.at < s.end) {
        skip_blanks(&s);
        bool empty = s.at >= s.end || *s.at == '\n' || *s.at == '#';
        if (!empty && (format == DOTENV_RAW ? read_raw_entry(&s, out) : read_entry(&s, out))) {
            rc = -1;
        }
        next_line(&s);
    }
    return rc;
}
