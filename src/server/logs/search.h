/* Searching the events of all universes of a run: the query language of the logs explorer and of
 * the API's events endpoints, and its evaluation over a run directory.
 *
 * A query is rows of (field, operator, value) joined by and / or ("and" binds tighter), optionally
 * with one clause: preceded by, not preceded by, followed by or not followed by another set of
 * rows, within N virtual seconds. Fields are those of event_view.h, `universe`, `time` (seconds),
 * and paths into an event's own JSON: `.counter.value`. Operators: contains, excludes (without
 * case), is, is_not, matches (POSIX extended regular expression), and for numbers before, after.
 * true and 1, false and 0, 17 and 17.0 are equal. An event that lacks the field matches no row, not
 * even a negative one.
 *
 * Written forms: text
 *     text contains "timeout" and container is etcd0 not followed by text contains ok within 5
 * and JSON {"where":[{"field","op","value","join":"and"|"or"}], "clause":{"kind":"not followed by",
 * "within":5,"where":[...]}}. Both give one canonical text, which is what URLs carry. */
#ifndef EVERETT_SERVER_LOGS_SEARCH_H
#define EVERETT_SERVER_LOGS_SEARCH_H

#include "base/buf.h"
#include "base/err.h"

struct store;
struct search;
struct event_view;

/* Either written form. NULL with ERR_USAGE that says where and what is expected. */
struct search *search_parse(const char *text, struct err *err) must_check;
/* Events that show `text` anywhere: in their line, command, property, function. */
struct search *search_plain(const char *text);
void search_free(struct search *q); /* accepts NULL */
void search_text(const struct search *q, struct buf *b);
/* Adds a row, as people type it into a form: "text", "contains", "timeout". `q` NULL begins a
 * query. The query is freed on an error; NULL with ERR_USAGE. */
struct search *search_add(struct search *q, bool is_or, const char *const row[static 3],
                          struct err *err) must_check;
/* Replaces the clause by one row; `kind` as in JSON, `within` a number of seconds or "". */
struct search *search_clause(struct search *q, const char *kind, const char *within,
                             const char *const row[static 3], struct err *err) must_check;

/* Non-zero stops the search and is returned. */
typedef int search_fn(void *ctx, struct event_view *hit);
struct search_range {
    uint64_t universe_from, universe_to; /* inclusive */
    uint64_t hits_per_universe;          /* shown of each; 0: all. The rest is counted only */
    uint64_t deadline_ns;                /* CLOCK_MONOTONIC; 0: none. Ends after a whole universe */
};
struct search_result {
    uint64_t universes, histories, hits; /* looked at; with a hit; hits in all of them */
    uint64_t next_universe; /* where to go on after the deadline; UINT64_MAX: nothing is left */
};
/* In order of universe, then event; `fn` may be NULL. Constant memory but for the times of a
 * clause's events in one universe. A run that is still being written is searched as far as it is.
 */
int search_run(const struct search *q, struct store *s, const struct search_range *range,
               search_fn *fn, void *ctx, struct search_result *out, struct err *err) must_check;

#endif
