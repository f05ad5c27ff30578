/* Searching the events of all universes of a run: the query language of the logs explorer and of
 * the API's events endpoints, and its evaluation over a run directory.
 *
 * A query is rows of (field, operator, value) joined by and / or, optionally with one clause
 * "preceded by" or "not followed by" (and their negations) another such set of rows, within N
 * virtual seconds. Fields: text, source, container, command, property, status, fault, type, time
 * (docs/logs.md has the table). Operators: contains, excludes, is, is_not, matches (RE2 syntax as
 * POSIX extended), before, after. An event that lacks the field matches no row, not even a negative
 * one.
 *
 * Written forms: JSON {"where":[{"field","op","value","join":"and|or"}], "clause":{"kind":
 * "preceded_by|not_preceded_by|followed_by|not_followed_by","within_s":N,"where":[...]}}, and the
 * short text form `text contains "timeout" and container is etcd0 not followed by text contains
 * "recovered" within 5 s`. Both give one canonical form, which is what URLs carry. */
#ifndef EVERETT_SERVER_LOGS_SEARCH_H
#define EVERETT_SERVER_LOGS_SEARCH_H

#include "abi/event.h"
#include "base/buf.h"
#include "base/err.h"

struct store;
struct search;

/* Either written form. NULL with ERR_USAGE that points at the place. */
struct search *search_parse(const char *text, struct err *err) must_check;
void search_free(struct search *q);                      /* accepts NULL */
void search_text(const struct search *q, struct buf *b); /* the canonical short form */
void search_json(const struct search *q, struct buf *b);

struct search_hit {
    uint64_t universe;
    int64_t input_hash;
    const struct event *event; /* until the callback returns */
};
/* Non-zero stops. */
typedef int search_fn(void *ctx, const struct search_hit *hit);
struct search_range {
    uint64_t universe_from, universe_to; /* inclusive; 0, UINT64_MAX: all */
    uint64_t hits_per_universe;          /* 0: all; the count goes on */
};
struct search_result {
    uint64_t universes, histories, hits; /* looked at; with a hit; in all */
};
/* In order of universe, then event. Constant memory; one pass; a run that is being written is fine.
 */
int search_run(const struct search *q, struct store *s, const struct search_range *range,
               search_fn *fn, void *ctx, struct search_result *out, struct err *err) must_check;

/* One event as the API writes it (platform.md section 5 and 2: {"moment":{"input_hash","vtime"},
 * "source":{...},"output_text":...}), without a newline. */
void search_event_json(struct store *s, const struct search_hit *hit, struct buf *b);

#endif
