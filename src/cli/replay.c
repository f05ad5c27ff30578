/* everett replay: runs a history of a run again, prints its log up to a moment, and compares every
 * record of the universe, to its end, with what the run stored. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/history.h"
#include "cli/log_lines.h"
#include "cli/verbs.h"
#include "runner/universe.h"
#include "store/event_log.h"

struct replay {
    const char *run, *engine_option, *moment;
    uint64_t past_ns;
    bool json;

    struct history h;
    uint64_t until_ns; /* print up to here */

    size_t seen;             /* records of the replay */
    char *difference;        /* owned: the first one, or NULL */
    size_t differs_at;       /* its record */
    struct event *differing; /* owned: the replay's record there */
    struct buf line;
};

static volatile int stop_requested;

static void on_signal(int signo)
{
    (void)signo;
    stop_requested = 1;
}

/* --- what the run stored ---------------------------------------------------------------------- */

struct nth {
    size_t want, at;
    struct store *store;
    struct buf *out;
};

static int print_nth(void *ctx, const struct event *e)
{
    struct nth *n = ctx;
    if (n->at++ < n->want) {
        return 0;
    }
    log_line(n->out, n->store, e);
    return 1;
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void compare(struct replay *r, const struct event *e)
{
    size_t at = r->seen++;
    bool cut_here = r->h.is_cut && at + 1 >= r->h.stored_count;
    if (r->difference || cut_here || history_has(&r->h, at, e)) {
        return;
    }
    bool missing = at >= r->h.stored_count;
    struct buf b = {0};
    buf_printf(&b, "record %zu%s", at, missing ? ", which the run does not have" : "");
    r->difference = buf_steal(&b);
    r->differs_at = at;
    r->differing = mem_zalloc(e->size);
    memcpy(r->differing, e, e->size);
}

static void on_event(void *ctx, const struct event *e)
{
    struct replay *r = ctx;
    compare(r, e);
    if (e->vtime_ns <= r->until_ns && !r->json) {
        buf_reset(&r->line);
        log_line(&r->line, r->h.store, e);
        fwrite(r->line.data ? r->line.data : "", 1, r->line.len, stdout);
    }
    if (r->h.is_cut && r->seen + 1 >= r->h.stored_count) {
        stop_requested = 1; /* the run knows no more */
    }
}

/* --- verdict ---------------------------------------------------------------------------------- */

static void tell_difference(struct replay *r)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf then = {0}, now = {0};
    struct nth n = {.want = r->differs_at, .store = r->h.store, .out = &then};
    int found =
        store_each_event(r->h.store, r->h.universe.number, 0, UINT64_MAX, print_nth, &n, &err);
    if (r->differing) {
        log_line(&now, r->h.store, r->differing);
    }
    fprintf(stderr, "everett: the replay differs from the run, first at %s\n", r->difference);
    fprintf(stderr, "  run:    %s", found == 1 && then.len ? then.data : "(nothing to show)\n");
    fprintf(stderr, "  replay: %s", now.len ? now.data : "(nothing to show)\n");
}

static bool same_digest(const struct replay *r, const struct universe_result *ur)
{
    return r->h.is_cut || ur->engine_error ||
           memcmp(ur->end.digest, r->h.universe.digest, sizeof ur->end.digest) == 0;
}

static void tell_json(const struct replay *r, const struct universe_result *ur, bool equal)
{
    cleanup_buf struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"replay\",\"equal\":%s,\"records\":%zu,\"universe\":%" PRIu64
               ",\"seed\":\"%" PRIu64 "\",\"digest\":\"%016" PRIx64 "%016" PRIx64 "\",\"run\":",
               equal ? "true" : "false", r->seen, r->h.universe.number, r->h.universe.seed,
               ur->end.digest[0], ur->end.digest[1]);
    buf_json_string(&b, r->run, strlen(r->run));
    buf_putc(&b, '}');
    puts(b.data);
}

static void note_short(struct replay *r)
{
    size_t want = r->h.is_cut ? r->h.stored_count - 1 : r->h.stored_count;
    if (!r->difference && r->seen < want) {
        struct buf b = {0};
        buf_printf(&b, "record %zu, where the replay has ended", r->seen);
        r->difference = buf_steal(&b);
        r->differs_at = r->seen;
    }
}

static int judge(struct replay *r, const struct universe_result *ur)
{
    fflush(stdout);
    bool expected_error = r->h.universe.engine_error != NULL;
    note_short(r);
    bool equal = !r->difference && same_digest(r, ur) && expected_error == !!ur->engine_error;
    if (r->json) {
        tell_json(r, ur, equal);
    }
    if (equal) {
        if (!r->json) {
            fprintf(stderr,
                    "replayed universe %" PRIu64 " (seed %" PRIu64
                    "): all %zu records and the digest are equal to the run's\n",
                    r->h.universe.number, r->h.universe.seed, r->seen);
        }
        return CLI_OK;
    }
    if (r->difference) {
        tell_difference(r);
    } else if (!!ur->engine_error == expected_error) {
        fputs("everett: the digest of the replay differs from the run's\n", stderr);
    }
    if (ur->engine_error) {
        fprintf(stderr, "everett: engine error in the replay: %s\n", ur->engine_error);
    } else if (expected_error) {
        fprintf(stderr, "everett: the run had an engine error here, the replay had none: %s\n",
                r->h.universe.engine_error);
    }
    return CLI_FAILED;
}

/* --- preparing -------------------------------------------------------------------------------- */

static int prepare(struct replay *r, struct err *err)
{
    if (history_open(&r->h, r->run, r->moment, r->engine_option, err)) {
        return -1;
    }
    uint64_t at = r->h.at_ns;
    r->until_ns = at > UINT64_MAX - r->past_ns ? UINT64_MAX : at + r->past_ns;
    return 0;
}

static int run(struct replay *r)
{
    cleanup_err struct err err = {0};
    struct universe_result ur;
    if (prepare(r, &err)) {
        return cli_fail(&err);
    }
    struct universe_options o = {.engine_path = r->h.engine,
                                 .core = -1,
                                 .spins = r->h.spins,
                                 .spin_count = r->h.spin_count,
                                 .recorded_ns = r->h.stored_end_ns,
                                 .on_event = on_event,
                                 .ctx = r,
                                 .stop = &stop_requested};
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    if (universe_run(&r->h.plan.builder, &o, &ur, &err)) {
        return cli_fail(&err);
    }
    bool interrupted = ur.stopped && !r->h.is_cut;
    int status = interrupted ? 130 : judge(r, &ur);
    universe_result_fini(&ur);
    return status;
}

static void fini(struct replay *r)
{
    history_fini(&r->h);
    free(r->difference);
    free(r->differing);
    buf_free(&r->line);
}

int verb_replay(const struct cli_verb *v, int argc, char **argv)
{
    struct replay r = {0};
    const struct cli_option options[] = {
        {"moment", CLI_STRING, &r.moment, "M",
         "INPUT_HASH@SECONDS, as the report gives it; digits may be left out at the end of the "
         "hash"},
        {"past", CLI_DURATION, &r.past_ns, "TIME", "print the log past the moment for so long"},
        {"json", CLI_FLAG, &r.json, NULL, "print the comparison as one JSON object, and no log"},
        {"engine", CLI_STRING, &r.engine_option, "FILE", "engine executable to use"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    r.run = argv[first];
    if (r.run && argv[first + 1]) {
        r.moment = argv[first + 1];
    }
    if (!r.run || !r.moment) {
        return cli_usage(v, r.run ? "which moment?" : "which run directory?");
    }
    int status = run(&r);
    fini(&r);
    return status;
}
