/* The report of a run, made from its store alone: report.html, report.json, junit.xml in the run
 * directory. The same model feeds the terminal summary (terminal.h). */
#ifndef EVERETT_REPORT_REPORT_H
#define EVERETT_REPORT_REPORT_H

#include "base/buf.h"
#include "store/store.h"

/* A finding: how a property stands against the earlier runs of the same source. */
enum finding {
    FINDING_NONE = 0,
    FINDING_NEW,      /* fails, and did not in the last run (or there was none) */
    FINDING_RARE,     /* at the limit of what a run of this size detects: it fails in one universe,
                         or failed in one universe of an earlier run and was not found this time */
    FINDING_ONGOING,  /* fails as in the last run */
    FINDING_RESOLVED, /* failed in the last run, passes now */
};

#define REPORT_HISTORY_MAX 20u

struct report_property {
    const struct property *p; /* in the store's set */
    enum verdict verdict;
    uint64_t failures;
    enum finding finding;
    const struct store_confirmation *confirmation; /* or NULL */
    /* Share of failing universes, oldest run first, this run last; below 0: not in that run. */
    double history[REPORT_HISTORY_MAX + 1];
    size_t number; /* position in the report, for links */
};

struct report {
    struct store *store; /* borrowed */
    char *run_path;      /* as the user would type it */
    struct store_run run;
    struct store_totals totals;
    struct verdict_counts counts;
    const struct property_set *set;
    /* Failed, then never reached, then passed; within each by group, name, item. */
    struct report_property *props;
    size_t prop_count;
    struct store_progress *progress;
    size_t progress_count;
    struct store_compose_key *compose; /* with their texts */
    size_t compose_count;
    struct store_confirmation *confirmations; /* with their texts */
    size_t confirmation_count;
    size_t history_count;  /* earlier runs that were found */
    char *history_started; /* when the last of them started; or NULL */
    size_t findings[FINDING_RESOLVED + 1];
};

struct report_options {
    const char *run_path; /* shown in commands; NULL: the store's directory */
    /* Earlier runs are the run directories beside this one with the same source (or name). */
    bool no_history;
};

/* NULL with `err`. The report borrows the store. */
struct report *report_create(struct store *s, const struct report_options *options,
                             struct err *err) must_check;
void report_destroy(struct report *r); /* accepts NULL */

int report_html(struct report *r, struct buf *out, struct err *err) must_check;
int report_json(struct report *r, struct buf *out, struct err *err) must_check;
int report_junit(struct report *r, struct buf *out, struct err *err) must_check;
/* Writes all three into the run directory, each replaced whole. */
int report_write(struct report *r, struct err *err) must_check;

/* "new", "rare", "ongoing", "resolved"; "" for none. */
const char *finding_word(enum finding f);
/* "Always: Commands ... → item": a property's whole name. */
void report_property_name(struct buf *b, const struct property *p);
/* "everett replay RUN --moment HASH@SECONDS"; 0, or -1 when the universe is unknown. */
int report_replay_command(struct report *r, uint64_t universe, uint64_t vtime_ns, struct buf *b,
                          struct err *err) must_check;
/* Where a failing property is looked at first: its confirmed minimal example, else the earliest. */
const struct property_example *report_first_failure(const struct report_property *rp);

#endif
