/* What a run says in the terminal: one live line, plain lines where there is no terminal, and the
 * summary. Numbers in, text out; nothing here prints. */
#ifndef EVERETT_REPORT_TERMINAL_H
#define EVERETT_REPORT_TERMINAL_H

#include "base/buf.h"
#include "base/err.h"

struct report;

struct terminal_style {
    bool color;
    bool live; /* the line can be rewritten in place */
    unsigned columns;
};

/* A terminal with colour unless NO_COLOR is set or TERM is "dumb"; else plain, 80 columns. */
struct terminal_style terminal_style_of(int fd);

struct terminal_numbers {
    const char *name;
    uint64_t universes, virtual_ns, wall_ns;
    uint64_t properties_seen, properties; /* evaluated; known */
    uint64_t failures;                    /* failing properties */
    uint32_t workers;
};

/* The live line, without newline, at most style->columns wide. The caller puts "\r" and erases. */
void terminal_live(struct buf *b, const struct terminal_style *style,
                   const struct terminal_numbers *now);
/* Without a terminal: a line (with newline) when properties or failures changed since `last`,
 * nothing otherwise; the caller then makes `now` the last. */
void terminal_change(struct buf *b, const struct terminal_numbers *last,
                     const struct terminal_numbers *now);
/* Failed, never reached, passed (folded after ten), totals, path of the report. */
int terminal_summary(struct buf *b, const struct terminal_style *style, struct report *r,
                     struct err *err) must_check;

#endif
