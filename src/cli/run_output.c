#include "cli/run_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "report/report.h"
#include "store/moment.h"

void run_output_init(struct run_output *o, bool json, bool quiet, const char *name,
                     uint32_t workers)
{
    *o = (struct run_output){
        .json = json, .quiet = quiet, .style = terminal_style_of(STDERR_FILENO)};
    o->now.name = o->last.name = name;
    o->now.workers = o->last.workers = workers;
}

void run_output_clear(struct run_output *o)
{
    if (o->line_open) {
        fputs("\r\033[K", stderr);
        o->line_open = false;
    }
}

static void put_line(struct buf *b)
{
    buf_puts(b, "}\n");
    fwrite(b->data, 1, b->len, stdout);
    fflush(stdout);
}

static void put_text(struct buf *b, const char *key, const char *value)
{
    if (value) {
        buf_printf(b, ",\"%s\":", key);
        buf_json_string(b, value, strlen(value));
    }
}

static void put_seconds(struct buf *b, const char *key, uint64_t ns)
{
    char text[VTIME_TEXT_MAX];
    vtime_seconds(ns, text);
    buf_printf(b, ",\"%s\":%s", key, text);
}

#define PROGRESS_LINE_NS 1000000000ull

static void progress_json(struct run_output *o, const struct explorer_progress *p)
{
    if (p->wall_ns - o->last.wall_ns < PROGRESS_LINE_NS) {
        return;
    }
    o->last = o->now;
    cleanup_buf struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"progress\",\"universes\":%" PRIu64 ",\"behaviours\":%" PRIu64
               ",\"properties_seen\":%" PRIu64 ",\"properties\":%" PRIu64 ",\"failures\":%" PRIu64,
               p->universes, p->behaviours, p->properties_seen, p->properties, p->failures);
    put_seconds(&b, "virtual_seconds", p->virtual_ns);
    put_seconds(&b, "wall_seconds", p->wall_ns);
    put_line(&b);
}

void run_output_progress(void *ctx, const struct explorer_progress *p)
{
    struct run_output *o = ctx;
    o->now.universes = p->universes;
    o->now.virtual_ns = p->virtual_ns;
    o->now.wall_ns = p->wall_ns;
    o->now.properties_seen = p->properties_seen;
    o->now.properties = p->properties;
    o->now.failures = p->failures;
    if (o->json) {
        progress_json(o, p);
        return;
    }
    if (o->quiet) {
        return;
    }
    cleanup_buf struct buf b = {0};
    if (o->style.live) {
        buf_puts(&b, "\r\033[K");
        terminal_live(&b, &o->style, &o->now);
        o->line_open = true;
    } else {
        terminal_change(&b, &o->last, &o->now);
        if (b.len) {
            o->last = o->now;
        }
    }
    if (b.len) {
        fwrite(b.data, 1, b.len, stderr);
        fflush(stderr);
    }
}

static const char *end_word(uint32_t reason)
{
    static const char *const words[] = {
        [0] = "none",
        [END_TIME_LIMIT] = "time_limit",
        [END_ALL_EXITED] = "all_exited",
        [END_COMPOSER] = "composer",
        [END_SETUP_FAILED] = "setup_failed",
        [END_SETUP_TIMEOUT] = "setup_timeout",
        [END_ENGINE_ERROR] = "engine_error",
        [END_STOPPED] = "stopped",
        [END_DEADLOCK] = "deadlock",
        [END_BRANCH] = "branch_ended",
        [END_NOT_COVERED] = "not_covered",
        [END_WALL_LIMIT] = "wall_limit",
    };
    return reason < ARRAY_LEN(words) ? words[reason] : "unknown";
}

void run_output_universe(void *ctx, const struct store_universe *u, uint64_t new_behaviours)
{
    struct run_output *o = ctx;
    if (!o->json) {
        if (u->engine_error && !o->quiet) {
            run_output_clear(o);
            fprintf(stderr, "everett: universe %" PRIu64 " (seed %" PRIu64 "): engine error: %s\n",
                    u->number, u->seed, u->engine_error);
        }
        return;
    }
    cleanup_buf struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"universe\",\"number\":%" PRIu64 ",\"seed\":\"%" PRIu64
               "\",\"input_hash\":\"%" PRId64 "\",\"end\":\"%s\",\"setup_complete\":%s"
               ",\"new_behaviours\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "%016" PRIx64 "\"",
               u->number, u->seed, u->input_hash, end_word(u->end_reason),
               u->setup_complete ? "true" : "false", new_behaviours, u->digest[0], u->digest[1]);
    put_seconds(&b, "virtual_seconds", u->virtual_ns);
    put_seconds(&b, "wall_seconds", u->wall_ns);
    put_text(&b, "engine_error", u->engine_error);
    put_line(&b);
}

void run_output_begin(const struct run_output *o, const char *dir, uint64_t seed)
{
    if (o->json) {
        cleanup_buf struct buf b = {0};
        buf_printf(&b, "{\"kind\":\"start\",\"workers\":%" PRIu32 ",\"seed\":\"%" PRIu64 "\"",
                   o->now.workers, seed);
        put_text(&b, "run", dir);
        put_line(&b);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static const char *status_word(enum verdict v)
{
    return v == VERDICT_NEVER ? "never_reached" : verdict_word(v);
}

static int put_moment(struct buf *b, const struct run_ending *e, const struct report_property *rp,
                      struct err *err)
{
    const struct property_example *x =
        rp->verdict == VERDICT_FAILED ? report_first_failure(rp) : NULL;
    struct store_universe u;
    int found = x ? store_universe(e->report->store, x->universe, &u, err) : 0;
    if (found <= 0) {
        buf_puts(b, ",\"moment\":null");
        return found;
    }
    struct moment m = {u.input_hash, x->vtime_ns};
    char text[MOMENT_TEXT_MAX];
    moment_text(&m, text);
    store_universe_free(&u);
    put_text(b, "moment", text);
    return 0;
}

static int put_properties(struct buf *b, const struct run_ending *e, struct err *err)
{
    bool first = true;
    buf_puts(b, ",\"properties\":[");
    for (size_t i = 0; e->report && i < e->report->prop_count; i++) {
        const struct report_property *rp = &e->report->props[i];
        cleanup_buf struct buf name = {0};
        report_property_name(&name, rp->p);
        buf_puts(b, first ? "{\"name\":" : ",{\"name\":");
        first = false;
        buf_json_string(b, name.data, name.len);
        buf_printf(b, ",\"status\":\"%s\",\"hits\":%" PRIu64 ",\"failures\":%" PRIu64,
                   status_word(rp->verdict), rp->p->good + rp->p->bad, rp->failures);
        if (put_moment(b, e, rp, err) < 0) {
            return -1;
        }
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    return 0;
}

static void put_counts(struct buf *b, const struct report *r)
{
    if (!r) {
        return;
    }
    buf_printf(b, ",\"counts\":{\"failed\":%zu,\"never_reached\":%zu,\"passed\":%zu}",
               (size_t)r->counts.failed, (size_t)r->counts.never, (size_t)r->counts.passed);
    buf_puts(b, ",\"findings\":{");
    for (enum finding f = FINDING_NEW; f <= FINDING_RESOLVED; f++) {
        buf_printf(b, "%s\"%s\":%zu", f == FINDING_NEW ? "" : ",", finding_word(f), r->findings[f]);
    }
    buf_putc(b, '}');
}

static int end_json(const struct run_ending *e, struct err *err)
{
    static const char *const words[] = {
        [RUN_PASSED] = "passed", [RUN_FAILED] = "failed", [RUN_SETUP_FAILED] = "setup_failed"};
    static const char *const outcomes[] = {[EXPLORER_COMPLETED] = "completed",
                                           [EXPLORER_INTERRUPTED] = "interrupted",
                                           [EXPLORER_ABANDONED] = "abandoned",
                                           [EXPLORER_SETUP_FAILED] = "setup_failed",
                                           [EXPLORER_BROKEN] = "broken"};
    const struct explorer_progress *p = &e->summary->last;
    cleanup_buf struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"summary\",\"verdict\":\"%s\",\"outcome\":\"%s\",\"universes\":%" PRIu64,
               words[e->verdict], outcomes[e->summary->outcome], p->universes);
    put_seconds(&b, "virtual_seconds", p->virtual_ns);
    put_seconds(&b, "wall_seconds", p->wall_ns);
    buf_printf(&b, ",\"engine_errors\":%" PRIu64 ",\"behaviours\":%" PRIu64, p->engine_errors,
               p->behaviours);
    if (e->one_universe && p->universes == 1 && !p->engine_errors) {
        buf_printf(&b, ",\"digest\":\"%016" PRIx64 "%016" PRIx64 "\"", e->summary->digest[0],
                   e->summary->digest[1]);
    }
    put_counts(&b, e->report);
    if (put_properties(&b, e, err)) {
        return -1;
    }
    put_text(&b, "setup", e->summary->setup_message);
    put_text(&b, "error", e->error);
    put_text(&b, "run", e->dir);
    put_line(&b);
    return 0;
}

int run_output_end(struct run_output *o, const struct run_ending *e, struct err *err)
{
    run_output_clear(o);
    if (o->json) {
        return end_json(e, err);
    }
    if (e->report) {
        cleanup_buf struct buf b = {0};
        struct terminal_style style = terminal_style_of(STDOUT_FILENO);
        if (terminal_summary(&b, &style, e->report, err)) {
            return -1;
        }
        fwrite(b.data, 1, b.len, stdout);
        fflush(stdout);
    }
    if (e->summary->setup_message) {
        fprintf(stderr, "everett: set-up failed: %s\n", e->summary->setup_message);
    }
    return 0;
}
