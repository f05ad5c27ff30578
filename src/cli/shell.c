/* everett shell: runs a history again up to a moment and there, on a fresh branch, one more command
 * in one of its containers. The run itself is not changed. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/history.h"
#include "cli/verbs.h"
#include "runner/universe.h"
#include "store/moment.h"

#define DEFAULT_TIMEOUT_NS (30ull * 1000000000)

/* bash where the container has it, as people expect, else its sh. */
#define SCRIPT_RUNNER "command -v bash >/dev/null 2>&1 && exec bash -c \"$0\"; exec sh -c \"$0\""

struct shell {
    const char *run, *moment, *node, *script, *engine;
    uint64_t timeout_ns;
    bool json;
    char **command;

    struct history h;
    size_t seen;
    bool differs;
    int64_t branch_hash;
    struct buf line;
};

static volatile int stop_requested;

static void on_signal(int signo)
{
    (void)signo;
    stop_requested = 1;
}

/* --- output ----------------------------------------------------------------------------------- */

static void print_output(struct shell *sh, const struct event *e)
{
    const struct event_output *head = (const struct event_output *)(const void *)e->payload;
    const char *bytes = (const char *)e->payload + sizeof *head;
    size_t len = e->length - sizeof *head;
    FILE *to = head->stream == 2 && !sh->json ? stderr : stdout;
    if (!sh->json) {
        fwrite(bytes, 1, len, to);
        fflush(to);
        return;
    }
    buf_reset(&sh->line);
    buf_printf(&sh->line,
               "{\"output\":{\"stream\":\"%s\",\"text\":", head->stream == 2 ? "stderr" : "stdout");
    buf_json_string(&sh->line, bytes, len);
    buf_puts(&sh->line, ",\"moment\":");
    moment_put_json(&sh->line, sh->branch_hash, e->vtime_ns);
    buf_puts(&sh->line, "}}\n");
    fwrite(sh->line.data, 1, sh->line.len, stdout);
    fflush(stdout);
}

static void on_event(void *ctx, const struct event *e)
{
    struct shell *sh = ctx;
    if (e->vtime_ns <= sh->h.at_ns) {
        sh->differs |= !history_has(&sh->h, sh->seen++, e);
        stop_requested |= sh->differs;
    } else if (e->type == EVENT_TTY) {
        print_output(sh, e);
    }
}

static int finish_json(const struct shell *sh, const struct universe_result *r, struct err *err)
{
    cleanup_buf struct buf b = {0};
    bool exited = r->end.reason == END_BRANCH, timed_out = r->end.reason == END_TIME_LIMIT;
    if (!exited && !timed_out) {
        buf_puts(&b, "{\"error\":");
        buf_json_string(&b, err->msg, strlen(err->msg));
    } else {
        buf_printf(&b, "{\"%s\":{", exited ? "exited" : "timed_out");
        if (exited) {
            buf_printf(&b, "\"exit_code\":%u,",
                       r->end.signal ? 128 + r->end.signal : r->end.exit_code);
        }
        buf_puts(&b, "\"end_moment\":");
        moment_put_json(&b, sh->branch_hash, r->virtual_ns);
        buf_putc(&b, '}');
    }
    buf_puts(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    return exited ? CLI_OK : CLI_SETUP;
}

static void explain(const struct shell *sh, const struct universe_result *r, struct err *err)
{
    if (sh->differs) {
        err_set(err, ERR_ENGINE,
                "the history of this moment did not come out as the run stored it (record %zu)",
                sh->seen - 1);
        err_hint(err, "everett replay %s %s tells the difference", sh->run, sh->moment);
    } else if (r->engine_error) {
        err_set(err, ERR_ENGINE, "engine error: %s", r->engine_error);
    } else {
        err_set(err, ERR_SETUP, "%s", r->end_text[0] ? r->end_text : "the universe ended early");
    }
}

static int finish(struct shell *sh, const struct universe_result *r)
{
    cleanup_err struct err err = {0};
    if (r->stopped && !sh->differs) {
        return 130;
    }
    bool exited = r->end.reason == END_BRANCH && !sh->differs && !r->engine_error;
    if (!exited) {
        explain(sh, r, &err);
    }
    if (sh->json) {
        return finish_json(sh, r, &err);
    }
    if (!exited) {
        return cli_fail(&err);
    }
    return r->end.signal ? 128 + (int)r->end.signal : (int)r->end.exit_code;
}

/* --- preparing -------------------------------------------------------------------------------- */

struct last_node {
    uint16_t node;
};

static int note_node(void *ctx, const struct event *e)
{
    struct last_node *l = ctx;
    if (e->node != EVENT_NO_NODE) {
        l->node = e->node;
    }
    return 0;
}

static int no_such_node(const struct shell *sh, const struct store_node *nodes, size_t count,
                        struct err *err)
{
    cleanup_buf struct buf names = {0};
    for (size_t i = 0; i < count; i++) {
        buf_printf(&names, "%s%s", i ? ", " : "", nodes[i].name);
    }
    err_set(err, ERR_USAGE, "the run has no container `%s`", sh->node);
    return err_hint(err, "its containers are: %s", names.data ? names.data : "(none)");
}

/* Without a name: the container that the last record before the moment speaks of. */
static int choose_node(struct shell *sh, uint32_t *out, struct err *err)
{
    size_t count;
    const struct store_node *nodes = store_nodes(sh->h.store, &count);
    if (!sh->node) {
        struct last_node l = {.node = 0};
        *out = 0;
        int r = store_each_event(sh->h.store, sh->h.universe.number, 0, sh->h.at_ns, note_node, &l,
                                 err);
        *out = l.node;
        return r < 0 ? -1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(nodes[i].name, sh->node) == 0 || strcmp(nodes[i].service, sh->node) == 0) {
            *out = (uint32_t)i;
            return 0;
        }
    }
    return no_such_node(sh, nodes, count, err);
}

/* The address of what the branch does: that of its parent, the moment and the command. */
static int64_t hash_branch(const struct shell *sh, uint32_t node, char *const *argv, size_t argc)
{
    uint8_t sum[DIGEST_LEN];
    int64_t hash;
    const uint64_t head[] = {(uint64_t)sh->h.universe.input_hash, sh->h.at_ns, node, argc};
    struct digest d;
    digest_init(&d);
    digest_update(&d, head, sizeof head);
    for (size_t i = 0; i < argc; i++) {
        digest_update(&d, argv[i], strlen(argv[i]) + 1);
    }
    digest_final(&d, sum);
    digest_fini(&d);
    memcpy(&hash, sum, sizeof hash);
    return hash ? hash : 1;
}

static void plan_the_branch(struct shell *sh, uint32_t node)
{
    static char shell[] = "/bin/sh", option[] = "-c", runner[] = SCRIPT_RUNNER;
    cleanup_free char *text = sh->script ? mem_strdup(sh->script) : NULL;
    char *script[] = {shell, option, runner, text};
    char **argv = sh->script ? script : sh->command;
    size_t argc = sh->script ? ARRAY_LEN(script) : 0;
    while (!sh->script && argv[argc]) {
        argc++;
    }
    struct plan_builder *b = &sh->h.plan.builder;
    struct plan_list list = plan_put_strs(b, argv, argc);
    plan_head(b)->branch = (struct plan_branch){
        .at_ns = sh->h.at_ns, .timeout_ns = sh->timeout_ns, .node = node, .argv = list};
    plan_head(b)->length = b->bytes.len;
    sh->branch_hash = hash_branch(sh, node, argv, argc);
}

static int prepare(struct shell *sh, struct err *err)
{
    uint32_t node = 0;
    if (history_open(&sh->h, sh->run, sh->moment, sh->engine, err) || choose_node(sh, &node, err)) {
        return -1;
    }
    if (sh->h.at_ns == UINT64_MAX || sh->h.at_ns == 0) {
        err_set(err, ERR_USAGE, "`%s` names a history, not a moment in it", sh->moment);
        return err_hint(err, "say when: %s@18.402", sh->moment);
    }
    if (sh->h.at_ns >= sh->h.stored_end_ns) {
        char end[VTIME_TEXT_MAX];
        vtime_seconds(sh->h.stored_end_ns, end);
        return err_set(err, ERR_USAGE, "that history ends at %s s, before the moment", end);
    }
    plan_the_branch(sh, node);
    return 0;
}

static int fail(struct shell *sh, const struct err *err)
{
    int status = cli_fail(err);
    if (sh->json) {
        buf_reset(&sh->line);
        buf_puts(&sh->line, "{\"error\":");
        buf_json_string(&sh->line, err->msg, strlen(err->msg));
        buf_puts(&sh->line, "}\n");
        fwrite(sh->line.data, 1, sh->line.len, stdout);
    }
    return status;
}

static int run(struct shell *sh)
{
    cleanup_err struct err err = {0};
    struct universe_result r;
    if (prepare(sh, &err)) {
        return fail(sh, &err);
    }
    struct universe_options o = {.engine_path = sh->h.engine,
                                 .core = -1,
                                 .spins = sh->h.spins,
                                 .spin_count = sh->h.spin_count,
                                 .recorded_ns = sh->h.at_ns,
                                 .on_event = on_event,
                                 .ctx = sh,
                                 .stop = &stop_requested};
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    if (universe_run(&sh->h.plan.builder, &o, &r, &err)) {
        return fail(sh, &err);
    }
    int status = finish(sh, &r);
    universe_result_fini(&r);
    return status;
}

int verb_shell(const struct cli_verb *v, int argc, char **argv)
{
    struct shell sh = {.timeout_ns = DEFAULT_TIMEOUT_NS};
    const struct cli_option options[] = {
        {"node", CLI_STRING, &sh.node, "NAME",
         "the container; without it the one that the log speaks of at the moment"},
        {"script", CLI_STRING, &sh.script, "TEXT", "run a shell script instead of CMD"},
        {"timeout", CLI_DURATION, &sh.timeout_ns, "TIME", "virtual time it may take (30s)"},
        {"json", CLI_FLAG, &sh.json, NULL, "print output and end as one JSON object a line"},
        {"engine", CLI_STRING, &sh.engine, "FILE", "engine executable to use"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    sh.run = argv[first];
    sh.moment = sh.run ? argv[first + 1] : NULL;
    if (!sh.moment) {
        return cli_usage(v, sh.run ? "which moment?" : "which run directory?");
    }
    sh.command = argv + first + 2;
    if (!sh.script == !*sh.command) {
        return cli_usage(v, sh.script ? "a script or a command, not both" : "which command?");
    }
    if (!sh.timeout_ns) {
        return cli_usage(v, "--timeout 0 leaves no time to run in");
    }
    int status = run(&sh);
    history_fini(&sh.h);
    buf_free(&sh.line);
    return status;
}
