#include "server/logs/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/logs/query.h"
#include "store/store.h"

struct search_state {
    const struct search *q;
    struct store *store;
    const struct search_range *range;
    search_fn *fn;
    void *ctx;
    struct search_result *out;
    struct err *err;

    struct event_view *view;
    uint64_t *times; /* of the clause's events in this universe, ascending */
    size_t time_count, time_cap;
    uint64_t hits_here;
    bool is_late;
};

static int collect_times(void *ctx, const struct event *ev)
{
    struct search_state *st = ctx;
    if (event_view_load(st->view, ev) && rows_match(&st->q->clause, st->view)) {
        *ARRAY_PUSH(st->times, st->time_count, st->time_cap) = ev->vtime_ns;
    }
    return 0;
}

/* The first time that is at least `from`; the count when there is none. */
static size_t first_at(const struct search_state *st, uint64_t from)
{
    size_t low = 0, high = st->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (st->times[middle] < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* An event at the same instant neither precedes nor follows. */
static bool clause_holds(const struct search_state *st, uint64_t at)
{
    const struct search *q = st->q;
    uint64_t within = q->within_s > 0 ? (uint64_t)(q->within_s * 1e9) : UINT64_MAX;
    bool found;
    if (q->looks_ahead) {
        size_t i = first_at(st, at + 1);
        found = i < st->time_count && st->times[i] - at <= within;
    } else {
        size_t i = first_at(st, at);
        found = i > 0 && at - st->times[i - 1] <= within;
    }
    return found != q->is_negated;
}

static int look(void *ctx, const struct event *ev)
{
    struct search_state *st = ctx;
    if (!event_view_load(st->view, ev) || !rows_match(&st->q->where, st->view) ||
        (st->q->has_clause && !clause_holds(st, ev->vtime_ns))) {
        return 0;
    }
    st->out->hits++;
    bool is_shown = !st->range->hits_per_universe || st->hits_here < st->range->hits_per_universe;
    st->hits_here++;
    return st->fn && is_shown ? st->fn(st->ctx, st->view) : 0;
}

static int search_universe(void *ctx, const struct store_universe *u)
{
    struct search_state *st = ctx;
    if (u->number < st->range->universe_from || u->number > st->range->universe_to) {
        return 0;
    }
    st->out->universes++;
    st->hits_here = 0;
    st->time_count = 0;
    if (st->q->has_clause) {
        event_view_begin(st->view, u->number, u->input_hash);
        if (store_each_event(st->store, u->number, 0, UINT64_MAX, collect_times, st, st->err) < 0) {
            return -1;
        }
        if (!st->time_count && !st->q->is_negated) {
            return 0;
        }
    }
    event_view_begin(st->view, u->number, u->input_hash);
    int r = store_each_event(st->store, u->number, 0, UINT64_MAX, look, st, st->err);
    st->out->histories += st->hits_here > 0;
    st->is_late = r == 0 && st->range->deadline_ns && clock_host_ns() >= st->range->deadline_ns;
    st->out->next_universe = u->number + 1;
    return st->is_late ? 1 : r;
}

int search_run(const struct search *q, struct store *s, const struct search_range *range,
               search_fn *fn, void *ctx, struct search_result *out, struct err *err)
{
    struct search_state st = {.q = q,
                              .store = s,
                              .range = range,
                              .fn = fn,
                              .ctx = ctx,
                              .out = out,
                              .err = err,
                              .view = event_view_create(s)};
    *out = (struct search_result){0};
    int r = store_each_universe(s, search_universe, &st, err);
    if (r == 0) {
        out->next_universe = UINT64_MAX;
    }
    event_view_destroy(st.view);
    free(st.times);
    return st.is_late ? 0 : r;
}
