/* Words and numbers as people read them, and text made safe for each output. */
#ifndef EVERETT_REPORT_TEXT_H
#define EVERETT_REPORT_TEXT_H

#include "base/buf.h"

/* "9,204" */
void text_count(struct buf *b, uint64_t n);
/* "1 universe", "212 universes" */
void text_plural(struct buf *b, uint64_t n, const char *one, const char *many);
/* "0.4 s", "58 s", "41 min", "3 h 31 min", "2 d 5 h" */
void text_duration(struct buf *b, uint64_t ns);
/* "2026-11-22 18:04:07 UTC" */
void text_date(struct buf *b, int64_t unix_ns);

/* Appends what a program printed as valid UTF-8 without control characters: terminal sequences are
 * dropped, tabs become spaces, anything else that cannot be shown becomes U+FFFD. At most
 * `len_max` bytes, then an ellipsis. Safe as input to the escapers below. */
void text_clean(struct buf *b, const char *s, size_t len, size_t len_max);
/* Cleaned and escaped for HTML or XML, text or double-quoted attribute; all of a string. */
void text_html(struct buf *b, const char *s);
void text_html_n(struct buf *b, const char *s, size_t len, size_t len_max);

/* Columns that valid UTF-8 takes in a terminal. */
size_t text_width(const char *s);
/* Appends `s`, cut to `width` columns with an ellipsis. Returns the columns used. */
size_t text_fit(struct buf *b, const char *s, size_t width);

#endif
