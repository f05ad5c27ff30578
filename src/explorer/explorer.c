#include "explorer/explorer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "explorer/crew.h"
#include "explorer/novelty.h"
#include "explorer/resume.h"
#include "explorer/wire.h"

#define TICK_MS            200
#define PROGRESS_ROW_NS    1000000000ull /* a point of the report's plot */
#define GRACE_MIN_NS       2000000000ull /* for universes that run when the time is up */
#define CRASHES_IN_A_ROW   5u
#define SETUP_FAILURES_MAX 2u /* so many, and no success: the system does not come up */

struct explorer {
    const struct explorer_options *o;
    struct explorer_summary *out;
    struct err *err;
    struct crew crew;
    struct novelty seen;
    uint64_t started_ns, next_number, last_row_ns;
    uint64_t finished_virtual_ns;
    uint64_t setup_failures;
    uint64_t setup_message_of; /* universe whose message is kept */
    uint32_t crashes;          /* in a row */
    bool closing;              /* no new universes */
    bool stopping;             /* running ones were told to end */
    bool broken;
};

static uint64_t elapsed(const struct explorer *x)
{
    return clock_host_ns() - x->started_ns;
}

static void stop_running(struct explorer *x)
{
    x->closing = x->stopping = true;
    crew_stop(&x->crew);
}

/* `err` is filled; the first trouble is the one that is told. */
static void break_off(struct explorer *x)
{
    x->broken = true;
    x->out->outcome = EXPLORER_BROKEN;
    stop_running(x);
}

/* --- counting --------------------------------------------------------------------------------- */

/* What no later universe can mend: a "sometimes" that was only false so far is no failure yet. */
static uint64_t violated(const struct property_set *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->prop_count; i++) {
        const struct property *p = &set->props[i];
        bool lasting = p->kind == PROPERTY_ALWAYS || p->kind == PROPERTY_UNREACHABLE;
        n += lasting && property_verdict(p) == VERDICT_FAILED && !property_is_shadowed(set, p);
    }
    return n;
}

static void count(struct explorer *x)
{
    struct explorer_progress *p = &x->out->last;
    const struct property_set *set = store_properties(x->o->store);
    struct verdict_counts counts = property_set_count(set);
    p->virtual_ns = x->finished_virtual_ns;
    for (size_t i = 0; i < x->crew.count; i++) {
        p->virtual_ns += x->crew.members[i].busy ? x->crew.members[i].tick.vtime_ns : 0;
    }
    p->wall_ns = elapsed(x);
    p->behaviours = x->seen.count;
    p->properties = counts.passed + counts.failed + counts.never;
    p->failures = violated(set);
    p->properties_seen = p->properties - counts.never;
}

static void add_row(struct explorer *x)
{
    const struct explorer_progress *p = &x->out->last;
    struct store_progress row = {p->wall_ns,    p->virtual_ns,      p->universes,
                                 p->behaviours, p->properties_seen, p->failures};
    x->last_row_ns = clock_host_ns();
    if (!x->broken && store_add_progress(x->o->store, &row, x->err)) {
        break_off(x);
    }
}

static void tell_progress(struct explorer *x)
{
    count(x);
    if (x->o->on_progress) {
        x->o->on_progress(x->o->ctx, &x->out->last);
    }
}

/* --- what universes came to ------------------------------------------------------------------- */

static void keep_setup_message(struct explorer *x, const struct worker_result *r)
{
    if (x->out->setup_message && r->universe.number > x->setup_message_of) {
        return;
    }
    struct buf b = {0};
    const char *why = r->universe.end_text;
    buf_puts(&b, why && *why ? why : "set-up did not complete");
    buf_puts(&b, r->setup_words);
    free(x->out->setup_message);
    x->out->setup_message = buf_steal(&b);
    x->setup_message_of = r->universe.number;
}

static void judge_setup(struct explorer *x, const struct worker_result *r)
{
    if (!r->setup_words) {
        return;
    }
    x->setup_failures++;
    keep_setup_message(x, r);
    uint64_t enough =
        x->o->universes ? min_u64(x->o->universes, SETUP_FAILURES_MAX) : SETUP_FAILURES_MAX;
    if (!x->out->last.setups && x->setup_failures >= enough && !x->broken) {
        x->out->outcome = EXPLORER_SETUP_FAILED;
        stop_running(x);
    }
}

static void count_universe(struct explorer *x, const struct store_universe *u, uint64_t fresh)
{
    x->finished_virtual_ns += u->virtual_ns;
    x->out->last.universes++;
    x->out->last.setups += u->setup_complete;
    x->out->last.engine_errors += u->engine_error != NULL;
    if (u->number == 0) {
        memcpy(x->out->digest, u->digest, sizeof x->out->digest);
    }
    if (x->o->on_universe) {
        x->o->on_universe(x->o->ctx, u, fresh);
    }
    tell_progress(x);
    if (clock_host_ns() - x->last_row_ns >= PROGRESS_ROW_NS || x->out->last.universes == 1) {
        add_row(x);
    }
}

static void take_result(struct explorer *x, struct crew_member *m, const char *data, size_t len)
{
    struct worker_result r;
    m->busy = false;
    if (!message_get_result(data, len, &r) || r.universe.number != m->job.number) {
        err_set(x->err, ERR_ENGINE, "a worker's result of universe %" PRIu64 " makes no sense",
                m->job.number);
        break_off(x);
        return;
    }
    x->crashes = 0;
    if (x->broken) {
        /* The store is in trouble already; its first error is the one to tell. */
    } else if (store_universe_adopt(x->o->store, &r.universe, &r.found, x->err)) {
        break_off(x);
    } else {
        uint64_t fresh = 0;
        for (size_t i = 0; i < r.behaviour_count; i++) {
            fresh += novelty_add(&x->seen, r.behaviours[i]);
        }
        count_universe(x, &r.universe, fresh);
        judge_setup(x, &r);
    }
    worker_result_fini(&r);
}

static void take_trouble(struct explorer *x, const char *data, size_t len)
{
    struct wire w = {.data = data, .len = len};
    enum err_kind kind = (enum err_kind)wire_u64(&w);
    int host_errno = (int)wire_u64(&w);
    cleanup_free char *msg = wire_str(&w), *hint = wire_str(&w);
    if (x->broken) {
        return;
    }
    err_set(x->err, kind, "%s", msg ? msg : "a worker could not go on");
    x->err->host_errno = host_errno;
    if (hint) {
        err_hint(x->err, "%s", hint);
    }
    break_off(x);
}

/* --- workers that died ------------------------------------------------------------------------ */

static void describe_death(struct buf *b, int status, const struct strategy *s)
{
    if (WIFSIGNALED(status)) {
        buf_printf(b, "the worker was killed by signal %d", WTERMSIG(status));
    } else {
        buf_printf(b, "the worker exited with status %d", WEXITSTATUS(status));
    }
    buf_printf(b, " while it ran this universe (seed %" PRIu64 ")", s->seed);
}

/* The universe that died with its worker is kept as an engine error: never lost, never a pass. */
static int store_crash(struct explorer *x, const struct worker_job *job, const char *text,
                       struct store_universe *u)
{
    *u = (struct store_universe){.number = job->number,
                                 .seed = job->strategy.seed,
                                 .input_hash = job->strategy.input_hash,
                                 .parent = -1,
                                 .engine_error = text};
    cleanup_free char *path = store_event_path(store_dir(x->o->store), job->number);
    unlink(path); /* complete, perhaps, but judged by nobody */
    struct store_writer *w = store_universe_begin(x->o->store, u, x->err);
    if (!w) {
        return -1;
    }
    struct event head = {
        .type = EVENT_DIAGNOSTIC, .node = EVENT_NO_NODE, .length = (uint32_t)strlen(text)};
    head.size = (uint32_t)round_up_u64(sizeof head + head.length, 8);
    cleanup_buf struct buf record = {0};
    static const char zero[8];
    buf_append(&record, &head, sizeof head);
    buf_append(&record, text, head.length);
    buf_append(&record, zero, head.size - record.len);
    if (store_universe_append(w, record.data, record.len, x->err)) {
        store_universe_abort(w);
        return -1;
    }
    return store_universe_commit(w, 0, text, NULL, x->err);
}

static void bury(struct explorer *x, size_t member, int status)
{
    struct crew_member *m = &x->crew.members[member];
    if (!m->busy) {
        return; /* it told its trouble, or left after its last job */
    }
    m->busy = false;
    if (x->broken) {
        return;
    }
    struct store_universe u;
    cleanup_buf struct buf text = {0};
    describe_death(&text, status, &m->job.strategy);
    if (store_crash(x, &m->job, text.data, &u)) {
        break_off(x);
        return;
    }
    count_universe(x, &u, 0);
    if (++x->crashes >= CRASHES_IN_A_ROW) {
        err_set(x->err, ERR_ENGINE, "workers died %u times in a row; last: %s", x->crashes,
                text.data);
        break_off(x);
    }
}

static void hear(struct explorer *x)
{
    crew_wait(&x->crew, TICK_MS);
    for (size_t i = 0; i < x->crew.count; i++) {
        struct crew_member *m = &x->crew.members[i];
        struct message_head head;
        const char *data = NULL;
        int status = 0;
        bool gone = crew_reap(&x->crew, i, &status);
        while (crew_message(&x->crew, i, &head, &data)) {
            if (head.type == MESSAGE_TICK && head.len == sizeof m->tick) {
                memcpy(&m->tick, data, sizeof m->tick);
            } else if (head.type == MESSAGE_DONE) {
                take_result(x, m, data, (size_t)head.len);
            } else if (head.type == MESSAGE_TROUBLE) {
                m->busy = false;
                take_trouble(x, data, (size_t)head.len);
            }
        }
        if (gone) {
            bury(x, i, status);
        }
    }
}

/* --- the budget ------------------------------------------------------------------------------- */

static bool may_begin(struct explorer *x)
{
    const struct explorer_options *o = x->o;
    count(x);
    bool used = (o->universes && x->next_number >= o->universes) ||
                (o->wall_ns && elapsed(x) >= o->wall_ns) ||
                (o->virtual_ns && x->out->last.virtual_ns >= o->virtual_ns);
    x->closing |= used;
    return !x->closing;
}

static void begin_universes(struct explorer *x)
{
    for (size_t i = 0; i < x->crew.count; i++) {
        struct crew_member *m = &x->crew.members[i];
        if (m->busy || !may_begin(x)) {
            continue;
        }
        if (!m->pid && crew_start(&x->crew, i, x->err)) {
            break_off(x);
            return;
        }
        uint64_t number = x->next_number++;
        struct worker_job job = {
            .number = number,
            .strategy = strategy_of(x->o->identity, strategy_seed(x->o->seed, number))};
        bool given = crew_give(&x->crew, i, &job);
        (void)given; /* a worker that died meanwhile is busy until it is buried */
    }
}

static void heed_limits(struct explorer *x)
{
    const struct explorer_options *o = x->o;
    if (o->interrupts && *o->interrupts && !x->stopping) {
        x->out->outcome = EXPLORER_INTERRUPTED;
        stop_running(x);
    }
    uint64_t grace = max_u64(o->wall_ns / 10, GRACE_MIN_NS);
    if (o->wall_ns && !x->stopping && elapsed(x) >= o->wall_ns + grace) {
        stop_running(x);
    }
}

static void explore(struct explorer *x)
{
    for (;;) {
        begin_universes(x);
        if (!crew_busy(&x->crew)) {
            return;
        }
        hear(x);
        heed_limits(x);
        if (x->o->interrupts && *x->o->interrupts > 1) {
            x->out->outcome = EXPLORER_ABANDONED;
            return;
        }
        tell_progress(x);
    }
}

static int prepare(struct explorer *x, const char ***names)
{
    const struct explorer_options *o = x->o;
    size_t count;
    const struct store_node *nodes = store_nodes(o->store, &count);
    *names = mem_zalloc((count + 1) * sizeof **names);
    for (size_t i = 0; i < count; i++) {
        (*names)[i] = nodes[i].name;
    }
    struct worker_setup common = {.plan = o->plan,
                                  .engine_path = o->engine_path,
                                  .run_dir = store_dir(o->store),
                                  .hide = o->hide,
                                  .node_names = *names,
                                  .node_count = count,
                                  .wall_limit_ns = o->universe_wall_ns};
    uint64_t jobs = o->universes ? min_u64(o->jobs, o->universes) : o->jobs;
    return crew_init(&x->crew, &common, (size_t)max_u64(jobs, 1), x->err);
}

/* A run that goes on counts what it has done already against its budgets. */
static int take_up(struct explorer *x)
{
    struct resumed before;
    if (resume_read(x->o->store, &before, &x->seen, x->err)) {
        return -1;
    }
    x->next_number = before.next_number;
    x->finished_virtual_ns = before.virtual_ns;
    x->started_ns -= before.wall_ns;
    x->out->last.universes = before.universes;
    x->out->last.setups = before.setups;
    x->out->last.engine_errors = before.engine_errors;
    memcpy(x->out->digest, before.digest, sizeof x->out->digest);
    return 0;
}

int explorer_run(const struct explorer_options *o, struct explorer_summary *out, struct err *err)
{
    struct explorer x = {.o = o, .out = out, .err = err, .started_ns = clock_host_ns()};
    const char **names = NULL;
    *out = (struct explorer_summary){.outcome = EXPLORER_COMPLETED};
    if (take_up(&x) == 0 && prepare(&x, &names) == 0) {
        explore(&x);
        crew_fini(&x.crew);
        tell_progress(&x);
        add_row(&x);
    } else {
        x.broken = true;
        out->outcome = EXPLORER_BROKEN;
    }
    novelty_fini(&x.seen);
    free(names);
    return x.broken ? -1 : 0;
}

void explorer_summary_fini(struct explorer_summary *s)
{
    free(s->setup_message);
    *s = (struct explorer_summary){0};
}
