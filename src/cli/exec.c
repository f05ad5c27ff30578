/* everett exec: one program in a universe of one node. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "cli/verify.h"
#include "image/hostimport.h"
#include "image/image.h"
#include "image/store.h"
#include "runner/exec_plan.h"
#include "runner/plan_builder.h"
#include "runner/universe.h"

struct exec_options {
    const char *image, *cwd, *summary, *engine;
    struct cli_list env;
    uint64_t seed, duration_ns, core, preempt, verify;
    bool strace, no_patch, strict, is_quiet;
    FILE *record; /* of --verify: every record, or NULL */
    char **command;
};

#define NOTE_AFTER_S 10 /* of computing without a call */

/* What the summary lists: everything the program asked for in vain. */
struct observed {
    const struct exec_options *options;
    struct buf unknown; /* JSON array elements */
    size_t unknown_count, spin_count;
    uint64_t calls;       /* at the last tick that saw a new one, */
    time_t calls_since_s; /* and when that was */
    bool noted;
};

static volatile int stop_requested;

static void on_signal(int signo)
{
    (void)signo;
    stop_requested = 1;
}

static void write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR) {
            return; /* the reader is gone: the program goes on, as with docker run */
        }
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void note_unknown(struct observed *o, const struct event *e)
{
    const char *text = (const char *)e->payload + sizeof(struct event_unknown);
    if (o->unknown_count++) {
        buf_putc(&o->unknown, ',');
    }
    buf_json_string(&o->unknown, text, e->length - sizeof(struct event_unknown));
}

static void count_spin(struct observed *o, const struct event *e)
{
    struct event_decision d;
    if (e->length >= sizeof d) {
        memcpy(&d, e->payload, sizeof d);
        o->spin_count += d.stream == EVENT_DECISION_SPIN;
    }
}

static void on_event(void *ctx, const struct event *e)
{
    const struct observed *seen = ctx;
    if (seen->options->record) {
        verify_record(seen->options->record, e);
    }
    if (seen->options->is_quiet) {
        return;
    }
    switch (e->type) {
    case EVENT_TTY: {
        const struct event_output *out = (const struct event_output *)(const void *)e->payload;
        write_all(out->stream == 2 ? 2 : 1, e->payload + sizeof *out, e->length - sizeof *out);
        break;
    }
    case EVENT_STRACE:
    case EVENT_DIAGNOSTIC:
        fprintf(stderr, "%.*s\n", (int)e->length, (const char *)e->payload);
        break;
    case EVENT_UNKNOWN:
        note_unknown(ctx, e);
        break;
    case EVENT_DECISION:
        count_spin(ctx, e);
        break;
    default:
        break;
    }
}

/* Whoever waits for a program that computes for ever should not think that Everett hangs. */
static void on_tick(void *ctx, uint64_t vtime_ns, uint64_t calls)
{
    (void)vtime_ns;
    struct observed *o = ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (calls != o->calls || !o->calls_since_s) {
        o->calls = calls;
        o->calls_since_s = now.tv_sec;
    } else if (!o->noted && now.tv_sec - o->calls_since_s >= NOTE_AFTER_S) {
        o->noted = true;
        fprintf(stderr,
                "everett: the program has made no system call for %d s, and nothing else in its "
                "universe can run; it goes on until it ends or you interrupt it\n",
                NOTE_AFTER_S);
    }
}

static int write_summary(const char *path, const struct universe_result *r,
                         const struct observed *o, struct err *err)
{
    cleanup_fclose FILE *f = fopen(path, "we");
    if (!f) {
        return err_errno(err, errno, "%s", path);
    }
    fprintf(
        f,
        "{\"exit_code\":%u,\"signal\":%u,\"digest\":\"%016llx%016llx\",\"virtual_seconds\":%.9f,"
        "\"wall_seconds\":%.6f,\"calls\":%llu,\"switches\":%llu,\"attempts\":%u,\"spins\":%zu,"
        "\"unknown_calls\":[%s]}\n",
        r->end.exit_code, r->end.signal, (unsigned long long)r->end.digest[0],
        (unsigned long long)r->end.digest[1], (double)r->virtual_ns / 1e9, (double)r->wall_ns / 1e9,
        (unsigned long long)r->end.calls, (unsigned long long)r->end.switches, r->attempts,
        o->spin_count, o->unknown.data ? o->unknown.data : "");
    return 0;
}

/* A bare command name is looked up here along the caller's PATH: it is part of what was asked for,
 * while the universe itself has a PATH of its own. */
static char *host_command(const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') || !path) {
        return NULL;
    }
    cleanup_free char *copy = mem_strdup(path);
    for (char *save = NULL, *dir = strtok_r(copy, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        struct buf full = {0};
        struct stat st;
        buf_printf(&full, "%s/%s", dir, name);
        if (full.data[0] == '/' && stat(full.data, &st) == 0 && S_ISREG(st.st_mode) &&
            access(full.data, X_OK) == 0) {
            return buf_steal(&full);
        }
        buf_free(&full);
    }
    return NULL;
}

static int exit_status(const struct universe_result *r, struct err *err)
{
    switch (r->end.reason) {
    case END_ALL_EXITED:
        return r->end.signal ? 128 + (int)r->end.signal : (int)r->end.exit_code;
    case END_TIME_LIMIT:
        err_set(err, ERR_SETUP, "the virtual time limit was reached");
        break;
    case END_DEADLOCK:
        err_set(err, ERR_SETUP, "%s", r->end_text);
        break;
    default:
        err_set(err, ERR_SETUP, "%s", r->end_text[0] ? r->end_text : "the universe ended early");
    }
    return cli_fail(err);
}

static int finish(const struct exec_options *o, const struct universe_result *r,
                  const struct observed *seen, struct err *err)
{
    if (r->stopped) {
        return 130;
    }
    if (r->engine_error) {
        err_set(err, ERR_ENGINE, "engine error (seed %llu): %s", (unsigned long long)o->seed,
                r->engine_error);
        return cli_fail(err);
    }
    if (o->is_quiet) {
        return CLI_OK; /* how it ended is in the records */
    }
    if (o->summary && write_summary(o->summary, r, seen, err)) {
        return cli_fail(err);
    }
    return exit_status(r, err);
}

/* What tells one program from another: its arguments and where it starts. */
static void expect(struct hostimport *import, const struct exec_request *req)
{
    cleanup_buf struct buf key = {0};
    buf_append(&key, req->cwd, strlen(req->cwd) + 1);
    for (char *const *arg = req->argv; *arg; arg++) {
        buf_append(&key, *arg, strlen(*arg) + 1);
    }
    hostimport_expect(import, key.data, key.len);
}

static int run(const struct exec_options *o, char **command, struct err *err)
{
    struct image_store *store = image_store_open(NULL, err);
    if (!store) {
        return cli_fail(err);
    }
    struct image *img = NULL;
    struct hostimport *import = NULL;
    char cwd[PATH_MAX];
    struct exec_request req = {.argv = command,
                               .env = o->env.items,
                               .cwd = o->cwd,
                               .seed = o->seed,
                               .duration_ns = o->duration_ns,
                               .strace = o->strace,
                               .strict = o->strict,
                               .no_patch = o->no_patch,
                               .preempt_mean_calls = (uint32_t)o->preempt};
    if (o->image) {
        req.image = img = image_open(store, o->image, err);
    } else {
        req.import = import = hostimport_create(store, "/", err);
        char *full = host_command(command[0]);
        command[0] = full ? full : command[0];
        req.cwd = o->cwd ? o->cwd : getcwd(cwd, sizeof cwd) ? cwd : "/";
        if (import) {
            expect(import, &req);
        }
    }
    struct plan_builder plan;
    plan_builder_init(&plan);
    int status = CLI_SETUP;
    cleanup_free char *engine =
        o->engine ? mem_strdup(o->engine) : cli_companion("everett-engine", err);
    struct observed seen = {.options = o};
    if ((img || import) && engine && exec_plan_build(&plan, &req, err) == 0) {
        struct universe_options u = {.engine_path = engine,
                                     .core = (int)o->core,
                                     .import = import,
                                     .on_event = on_event,
                                     .on_tick = on_tick,
                                     .ctx = &seen,
                                     .stop = &stop_requested};
        struct universe_result r;
        status = universe_run(&plan, &u, &r, err) ? cli_fail(err) : finish(o, &r, &seen, err);
        universe_result_fini(&r);
    } else {
        status = cli_fail(err);
    }
    plan_builder_fini(&plan);
    buf_free(&seen.unknown);
    hostimport_destroy(import);
    if (img) {
        image_close(img);
    }
    image_store_close(store);
    return status;
}

static int run_once(void *ctx, FILE *record, bool is_quiet, bool strace)
{
    cleanup_err struct err err = {0};
    struct exec_options o = *(const struct exec_options *)ctx;
    o.record = record;
    o.is_quiet = is_quiet;
    o.strace |= strace;
    return run(&o, o.command, &err);
}

int verb_exec(const struct cli_verb *v, int argc, char **argv)
{
    struct exec_options o = {.seed = 1, .core = (uint64_t)-1};
    const struct cli_option options[] = {
        {"image", CLI_STRING, &o.image, "REF",
         "root file system; without it the host's, read-only"},
        {"seed", CLI_U64, &o.seed, "S", "seed of every random choice (1)"},
        {"env", CLI_LIST, &o.env, "K=V", "environment variable; may be repeated"},
        {"cwd", CLI_STRING, &o.cwd, "DIR", "working directory inside"},
        {"virtual", CLI_DURATION, &o.duration_ns, "TIME", "end after this much virtual time"},
        {"summary", CLI_STRING, &o.summary, "FILE", "write digest, times and counts as JSON"},
        {"strace", CLI_FLAG, &o.strace, NULL, "print system calls with virtual times"},
        {"strict", CLI_FLAG, &o.strict, NULL,
         "end at the first call, option or file that Everett does not cover"},
        {"core", CLI_U64, &o.core, "N", "pin to this CPU"},
        {"preempt", CLI_U64, &o.preempt, "N", "extra preemptions, one in about N calls (0: none)"},
        {"no-patch", CLI_FLAG, &o.no_patch, NULL, "trap every call (slow; for comparison)"},
        {"verify", CLI_U64, &o.verify, "N",
         "run it N times on a host that changes, and compare every record"},
        {"engine", CLI_STRING, &o.engine, "FILE", "engine executable to use"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, true, &done);
    if (done) {
        return CLI_OK;
    }
    if (first < 0) {
        return CLI_USAGE;
    }
    if (first >= argc) {
        return cli_usage(v, "which command?");
    }
    for (size_t i = 0; i < o.env.count; i++) {
        if (!strchr(o.env.items[i], '=')) {
            return cli_usage(v, "--env `%s` is not of the form NAME=VALUE", o.env.items[i]);
        }
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    cleanup_err struct err err = {0};
    o.command = argv + first;
    int status = o.verify > 1 ? verify(o.verify, run_once, &o) : run(&o, o.command, &err);
    free(o.env.items);
    return status;
}
