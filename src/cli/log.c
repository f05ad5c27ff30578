/* everett log: the stored log of a history. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/log_lines.h"
#include "cli/verbs.h"

struct printer {
    struct store *store;
    struct buf line;
};

static int print(void *ctx, const struct event *e)
{
    struct printer *p = ctx;
    buf_reset(&p->line);
    log_line(&p->line, p->store, e);
    fwrite(p->line.data ? p->line.data : "", 1, p->line.len, stdout);
    return 0;
}

static int find(struct store *s, const char *moment, uint64_t universe, struct store_universe *u,
                uint64_t *vtime_ns, struct err *err)
{
    if (moment) {
        return log_find(s, moment, u, vtime_ns, err);
    }
    *vtime_ns = UINT64_MAX;
    int found = store_universe(s, universe, u, err);
    return found == 1 ? 0
           : found < 0
               ? -1
               : err_set(err, ERR_USAGE, "%s has no universe %" PRIu64, store_dir(s), universe);
}

static int show(const char *run, const char *moment, uint64_t universe, uint64_t past_ns)
{
    cleanup_err struct err err = {0};
    struct store *s = store_open(run, &err);
    struct store_universe u = {0};
    uint64_t to;
    if (!s || find(s, moment, universe, &u, &to, &err)) {
        store_close(s);
        return cli_fail(&err);
    }
    struct printer p = {.store = s};
    to = to > UINT64_MAX - past_ns ? UINT64_MAX : to + past_ns;
    int r = store_each_event(s, u.number, 0, to, print, &p, &err);
    buf_free(&p.line);
    store_universe_free(&u);
    store_close(s);
    return r < 0 ? cli_fail(&err) : CLI_OK;
}

int verb_log(const struct cli_verb *v, int argc, char **argv)
{
    uint64_t past_ns = 0, universe = 0;
    const char *moment = NULL;
    const struct cli_option options[] = {
        {"moment", CLI_STRING, &moment, "M",
         "INPUT_HASH@SECONDS, as the report gives it; the log ends there"},
        {"past", CLI_DURATION, &past_ns, "TIME", "go on past the moment for so long"},
        {"universe", CLI_U64, &universe, "N", "without a moment: this universe, to its end (0)"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    if (!argv[first]) {
        return cli_usage(v, "which run directory?");
    }
    if (argv[first + 1]) {
        moment = argv[first + 1];
    }
    return show(argv[first], moment, universe, past_ns);
}
