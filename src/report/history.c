/* Comparison with earlier runs of the same source. */
#include "report/history.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "report/report.h"
#include "report/text.h"

struct earlier {
    char *path; /* owned */
    int64_t started_unix_ns;
};

struct earlier_runs {
    struct earlier *runs; /* owned */
    size_t count, cap;
};

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* A run belongs to the history when it is of the same source and is over. */
static bool belongs(const struct report *r, const struct store_run *other)
{
    bool source = r->run.source && *r->run.source;
    bool same = source
                    ? same_text(r->run.source, other->source) && same_text(r->run.name, other->name)
                    : !other->source && same_text(r->run.name, other->name);
    return same && other->status == RUN_COMPLETED &&
           other->started_unix_ns < r->run.started_unix_ns;
}

static void consider(struct report *r, struct earlier_runs *list, const char *path, bool chosen)
{
    cleanup_err struct err ignored = {0};
    struct store *s = store_open_part(path, STORE_RUN, &ignored);
    struct store_run run;
    if (!s) {
        return;
    }
    if (store_run(s, &run, &ignored) == 0) {
        if (chosen ? run.status == RUN_COMPLETED : belongs(r, &run)) {
            *ARRAY_PUSH(list->runs, list->count, list->cap) =
                (struct earlier){mem_strdup(path), run.started_unix_ns};
        }
        store_run_free(&run);
    }
    store_close(s);
}

/* Oldest first; the path breaks ties. */
static int compare_earlier(const void *x, const void *y)
{
    const struct earlier *a = x;
    const struct earlier *b = y;
    int order =
        (a->started_unix_ns > b->started_unix_ns) - (a->started_unix_ns < b->started_unix_ns);
    return order ? order : strcmp(a->path, b->path);
}

/* False when there is no such file. */
static bool read_chosen(struct report *r, struct earlier_runs *list)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/" HISTORY_FILE, store_dir(r->store));
    cleanup_fclose FILE *f = fopen(path.data, "re");
    cleanup_free char *line = NULL;
    size_t cap = 0;
    while (f && getline(&line, &cap, f) > 0) {
        cleanup_buf struct buf run = {0};
        line[strcspn(line, "\n")] = 0;
        buf_printf(&run, "%s%s%s", line[0] == '/' ? "" : store_dir(r->store),
                   line[0] == '/' ? "" : "/", line);
        if (line[0]) {
            consider(r, list, run.data, true);
        }
    }
    return f != NULL;
}

static void find_beside(struct report *r, struct earlier_runs *list)
{
    cleanup_buf struct buf parent = {0};
    buf_printf(&parent, "%s/..", store_dir(r->store));
    cleanup_closedir DIR *dir = opendir(parent.data);
    if (!dir) {
        return; /* a run directory may stand alone */
    }
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            cleanup_buf struct buf path = {0};
            buf_printf(&path, "%s/%s", parent.data, e->d_name);
            consider(r, list, path.data, false);
        }
    }
}

static void find_earlier(struct report *r, struct earlier_runs *list)
{
    if (!read_chosen(r, list)) {
        find_beside(r, list);
    }
    if (list->count) {
        qsort(list->runs, list->count, sizeof *list->runs, compare_earlier);
    }
}

static double failing_share(const struct property *p)
{
    return property_failures(p) && p->universes ? (double)p->universes_bad / (double)p->universes
                                                : 0;
}

/* What the earlier runs say of one property; `last` is of the most recent run. */
struct past {
    bool last_failed;
    bool was_rare; /* failed in a single universe in some run */
};

static enum finding classify(const struct report_property *rp, const struct past *past)
{
    bool fails = rp->verdict == VERDICT_FAILED;
    if (fails && past->last_failed) {
        return FINDING_ONGOING;
    }
    if (fails) {
        return past->was_rare ? FINDING_RARE : FINDING_NEW;
    }
    if (past->last_failed && past->was_rare) {
        return FINDING_RARE; /* absence proves nothing yet */
    }
    return past->last_failed && rp->verdict == VERDICT_PASSED ? FINDING_RESOLVED : FINDING_NONE;
}

static void look_back(struct report *r, const struct property_set *set, size_t column, bool last,
                      struct past *past)
{
    for (size_t i = 0; i < r->prop_count; i++) {
        struct property_key key = property_key(r->props[i].p);
        const struct property *p = property_find(set, &key);
        r->props[i].history[column] = p ? failing_share(p) : -1;
        if (p && property_verdict(p) == VERDICT_FAILED) {
            past[i].last_failed |= last;
            past[i].was_rare |= p->universes_bad == 1 && p->universes >= 10;
        }
    }
}

static int read_past(struct report *r, const struct earlier_runs *list, struct past *past,
                     struct err *err)
{
    size_t skip = list->count > REPORT_HISTORY_MAX ? list->count - REPORT_HISTORY_MAX : 0;
    for (size_t i = skip; i < list->count; i++) {
        struct store *s = store_open_part(list->runs[i].path, STORE_COUNTS, err);
        if (!s) {
            return -1;
        }
        look_back(r, store_properties(s), i - skip, i + 1 == list->count, past);
        store_close(s);
    }
    r->history_count = list->count - skip;
    if (list->count) {
        struct buf date = {0};
        text_date(&date, list->runs[list->count - 1].started_unix_ns);
        r->history_started = buf_steal(&date);
    }
    return 0;
}

int history_compare(struct report *r, bool look, struct err *err)
{
    struct earlier_runs list = {0};
    struct past *past = mem_zalloc(r->prop_count * sizeof *past);
    if (look) {
        find_earlier(r, &list);
    }
    int rc = read_past(r, &list, past, err);
    for (size_t i = 0; rc == 0 && i < r->prop_count; i++) {
        struct report_property *rp = &r->props[i];
        rp->history[r->history_count] = failing_share(rp->p);
        rp->finding = classify(rp, &past[i]);
        r->findings[rp->finding]++;
    }
    for (size_t i = 0; i < list.count; i++) {
        free(list.runs[i].path);
    }
    free(list.runs);
    free(past);
    return rc;
}
