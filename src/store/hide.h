/* Lines of output that a run does not keep: `everett run --hide REGEX`.
 *
 * The event stays in the log with its place, time and source, but without its text, so that a
 * replay can still be compared record by record. Whatever judges a universe sees the whole line. */
#ifndef EVERETT_STORE_HIDE_H
#define EVERETT_STORE_HIDE_H

#include "abi/event.h"
#include "base/buf.h"
#include "base/err.h"

struct hide;

#define HIDE_PATTERN_MAX 1023u /* bytes */

/* A regular expression in RE2's syntax as far as PCRE2 has it; unanchored, case matters. ERR_USAGE:
 * it does not compile, is too long, or matches the empty line (and so all of them). */
struct hide *hide_create(const char *pattern, struct err *err) must_check;
void hide_destroy(struct hide *h); /* accepts NULL */
/* True for an output line that matches; false with h NULL. Not for several threads at once. */
bool hide_matches(struct hide *h, const struct event *e);

/* An output event, whole. */
bool hide_can(const struct event *e);
/* hide_can(e): replaces `out` by the record that is stored in its place. */
void hide_record(const struct event *e, struct buf *out);
bool hide_is_hidden(const struct event *e);

#endif
