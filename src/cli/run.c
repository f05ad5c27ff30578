/* everett run: from a compose directory to a verdict. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/run_output.h"
#include "cli/system.h"
#include "cli/verbs.h"
#include "compose/paths.h"
#include "image/store.h"
#include "report/report.h"
#include "runner/run_inputs.h"
#include "store/hide.h"

#define NOT_GIVEN        UINT64_MAX
#define DEFAULT_WALL_NS  (600ull * 1000000000)
#define LENGTH_NS        (60ull * 1000000000)
#define SETUP_LIMIT_NS   (600ull * 1000000000)
#define UNIVERSE_WALL_NS (1800ull * 1000000000) /* a universe this slow is stuck */
#define INTERRUPTED      130

struct run_options {
    uint64_t wall_ns, virtual_ns, length_ns, setup_ns, universes, jobs, seed;
    const char *out, *template_only, *faults, *engine, *images;
    const char *source, *hide_pattern, *name, *description, *commit;
    struct cli_list profiles;
    bool json, quiet, go_on;
};

struct run {
    const struct run_options *o;
    const char *dir;
    struct system_ready system;
    struct system_request request;
    struct run_identity identity;
    char *engine;  /* owned */
    char *run_dir; /* owned */
    char *name;    /* owned: what the report calls it */
    uint64_t seed; /* the option's, or that of the run which goes on */
    struct store *store;
    struct hide *hide; /* owned, or NULL */
    struct explorer_summary summary;
};

static volatile int interrupts;

static void on_signal(int signo)
{
    (void)signo;
    interrupts = interrupts + 1;
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static uint32_t cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}

/* --- names ------------------------------------------------------------------------------------ */

/* runs/2026-11-22T18-04-07, with a number behind it when that second has a run already. */
static char *default_run_dir(void)
{
    char stamp[40];
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "runs/%Y-%m-%dT%H-%M-%S", &tm);
    for (unsigned n = 1;; n++) {
        struct buf b = {0};
        buf_puts(&b, stamp);
        if (n > 1) {
            buf_printf(&b, "-%u", n);
        }
        if (access(b.data, F_OK)) {
            return buf_steal(&b);
        }
        buf_free(&b);
    }
}

/* A project that names itself is shown by that name, else by its directory's. */
static char *shown_name(const struct compose_project *p, const char *dir)
{
    cleanup_free char *full = realpath(dir, NULL);
    const char *slash = full ? strrchr(full, '/') : NULL;
    bool unnamed = strcmp(p->name, "project") == 0;
    return mem_strdup(unnamed && slash && slash[1] ? slash + 1 : p->name);
}

static char *cpu_model(void)
{
    cleanup_fclose FILE *f = fopen("/proc/cpuinfo", "re");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            colon[strcspn(colon, "\n")] = 0;
            return mem_strdup(colon + 1 + strspn(colon + 1, " "));
        }
    }
    return NULL;
}

/* --- the run directory ------------------------------------------------------------------------ */

static void put_config(const struct run *r, struct buf *b)
{
    const struct run_options *o = r->o;
    buf_printf(b,
               "{\"seed\":\"%" PRIu64 "\",\"jobs\":%" PRIu64 ",\"for_ns\":%" PRIu64
               ",\"virtual_ns\":%" PRIu64 ",\"universes\":%" PRIu64 ",\"length_ns\":%" PRIu64
               ",\"setup_limit_ns\":%" PRIu64 ",\"template\":",
               o->seed, o->jobs, o->wall_ns, o->virtual_ns, o->universes, o->length_ns,
               o->setup_ns);
    if (o->template_only) {
        buf_json_string(b, o->template_only, strlen(o->template_only));
    } else {
        buf_puts(b, "null");
    }
    buf_puts(b, ",\"faults\":");
    fault_config_json(&r->system.faults, b);
    buf_putc(b, '}');
}

static struct store_node *list_nodes(const struct run *r, struct buf *digests)
{
    const struct compose_project *p = r->system.project;
    struct store_node *v = mem_zalloc((p->container_count + 1) * sizeof *v);
    const size_t width = sizeof "sha256:" + 64;
    buf_reserve(digests, p->container_count * width + 1); /* or pointers into it would move */
    for (size_t i = 0; i < p->container_count; i++) {
        const struct compose_container *c = &p->containers[i];
        const struct compose_service *s = &p->services[c->service];
        size_t at = system_images_find(&r->system.plan.images, SYSTEM_IMAGE_STORED, s->image);
        ASSERT(at != SIZE_MAX);
        v[i] = (struct store_node){c->name, s->name, c->hostname, s->image,
                                   digests->data + digests->len};
        buf_printf(digests, "sha256:%s", r->system.plan.images.items[at].id);
        buf_append(digests, "", 1);
    }
    return v;
}

static int create_store(struct run *r, struct err *err)
{
    cleanup_buf struct buf config = {0}, engine = {0}, id = {0}, digests = {0};
    cleanup_free char *cpu = cpu_model();
    cleanup_free struct store_node *nodes = list_nodes(r, &digests);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_config(r, &config);
    buf_printf(&engine, "everett %s (sha256:%.16s)", EVERETT_VERSION, r->identity.engine);
    char sum[DIGEST_HEX];
    digest_hex(r->identity.sum, sum);
    buf_printf(&id, "%.32s-%" PRIx64, sum, (uint64_t)now.tv_sec);
    struct store_run run = {.id = id.data,
                            .name = r->name,
                            .source = r->o->source,
                            .commit = r->o->commit,
                            .description = r->o->description,
                            .config = config.data,
                            .engine = engine.data,
                            .cpu = cpu,
                            .seed = r->o->seed,
                            .workers = (uint32_t)r->o->jobs,
                            .started_unix_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                            .status = RUN_RUNNING};
    r->store = store_create(r->run_dir, &run, nodes, r->system.project->container_count, err);
    return r->store ? store_add_input(r->store, "config.json", config.data, config.len, err) : -1;
}

/* True when --continue finds a run to go on with. */
static bool goes_on(const struct run *r)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/run.db", r->run_dir);
    return r->o->go_on && access(path.data, F_OK) == 0;
}

/* A history is a function of plan, engine build and seed: with another plan or build the universes
 * of one run would not belong together. */
static int resume_store(struct run *r, struct err *err)
{
    struct store_run run;
    char sum[DIGEST_HEX];
    digest_hex(r->identity.sum, sum);
    r->store = store_resume(r->run_dir, err);
    if (!r->store || store_run(r->store, &run, err)) {
        return -1;
    }
    bool same = run.id && strncmp(run.id, sum, 32) == 0;
    r->seed = run.seed;
    uint64_t wall_ns = run.wall_ns;
    store_run_free(&run);
    if (!same) {
        err_set(err, ERR_USAGE,
                "the run in %s is of other images, another configuration or another build of "
                "Everett",
                r->run_dir);
        return err_hint(err, "start a new run with another --out");
    }
    return store_set_status(r->store, RUN_RUNNING, NULL, wall_ns, err);
}

static int keep_file(struct run *r, int dirfd, const char *name, struct err *err)
{
    cleanup_buf struct buf text = {0};
    return dir_read(dirfd, name, &text)
               ? 0
               : store_add_input(r->store, name, text.data ? text.data : "", text.len, err);
}

static int keep_compose(struct run *r, struct err *err)
{
    const struct compose_project *p = r->system.project;
    cleanup_close int dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keep_file(r, dirfd, p->file, err) || keep_file(r, dirfd, ".env", err)) {
        return -1;
    }
    for (size_t i = 0; i < p->others.n; i++) {
        if (keep_file(r, dirfd, p->others.v[i], err)) {
            return -1;
        }
    }
    struct store_compose_key *keys = mem_zalloc((p->note_count + 1) * sizeof *keys);
    static const enum compose_effect effects[] = {[COMPOSE_HONOURED] = EFFECT_HONOURED,
                                                  [COMPOSE_WITHOUT_EFFECT] = EFFECT_NONE,
                                                  [COMPOSE_REFUSED] = EFFECT_REFUSED};
    for (size_t i = 0; i < p->note_count; i++) {
        keys[i] = (struct store_compose_key){p->notes[i].path, effects[p->notes[i].class],
                                             p->notes[i].reason};
    }
    int status = store_add_compose_keys(r->store, keys, p->note_count, err);
    free(keys);
    return status;
}

static int keep_inputs(struct run *r, struct err *err)
{
    struct run_inputs in = {0};
    int status = run_inputs_collect(&r->system.plan, &r->identity, &in, err);
    for (size_t i = 0; status == 0 && i < in.count; i++) {
        status = store_add_input(r->store, in.items[i].name, in.items[i].data.data,
                                 in.items[i].data.len, err);
    }
    run_inputs_fini(&in);
    const char *images = image_store_path(r->system.store);
    status =
        status ? status : store_add_input(r->store, IMAGE_STORE_INPUT, images, strlen(images), err);
    return status ? status : keep_compose(r, err);
}

/* --- the verdict ------------------------------------------------------------------------------ */

static enum run_verdict verdict_of(const struct run *r)
{
    const struct explorer_summary *s = &r->summary;
    struct verdict_counts c = property_set_count(store_properties(r->store));
    if (s->outcome == EXPLORER_SETUP_FAILED) {
        return RUN_SETUP_FAILED;
    }
    bool holds = s->outcome != EXPLORER_BROKEN && s->last.setups && !s->last.engine_errors &&
                 !c.failed && !c.never;
    return holds ? RUN_PASSED : RUN_FAILED;
}

static int mark_end(struct run *r, const char *error, struct err *err)
{
    static const enum run_status statuses[] = {[EXPLORER_COMPLETED] = RUN_COMPLETED,
                                               [EXPLORER_INTERRUPTED] = RUN_CANCELLED,
                                               [EXPLORER_ABANDONED] = RUN_CANCELLED,
                                               [EXPLORER_SETUP_FAILED] = RUN_INCOMPLETE,
                                               [EXPLORER_BROKEN] = RUN_INCOMPLETE};
    const char *text = error                                           ? error
                       : r->summary.outcome == EXPLORER_SETUP_FAILED   ? r->summary.setup_message
                       : statuses[r->summary.outcome] == RUN_CANCELLED ? "interrupted"
                                                                       : NULL;
    return store_set_status(r->store, statuses[r->summary.outcome], text, r->summary.last.wall_ns,
                            err);
}

/* Why a run in which nothing failed still proves nothing; NULL when it does. */
static const char *emptiness(const struct run *r)
{
    if (r->summary.outcome == EXPLORER_SETUP_FAILED || r->summary.outcome == EXPLORER_BROKEN ||
        r->summary.last.setups || r->summary.last.engine_errors) {
        return NULL; /* other words say what went wrong */
    }
    return r->summary.last.universes ? "no universe completed its set-up within the budget"
                                     : "no universe was finished";
}

static int report_end(struct run *r, struct run_output *out, struct err *trouble)
{
    cleanup_err struct err err = {0};
    const char *empty = trouble->msg ? NULL : emptiness(r);
    struct report_options ro = {.run_path = r->run_dir};
    int status = mark_end(r, trouble->msg ? trouble->msg : empty, &err);
    struct report *report = status ? NULL : report_create(r->store, &ro, &err);
    status = report ? report_write(report, &err) : -1;
    enum run_verdict verdict = verdict_of(r);
    struct run_ending e = {.report = report,
                           .summary = &r->summary,
                           .verdict = verdict,
                           .dir = r->run_dir,
                           .error = trouble->msg ? trouble->msg : empty,
                           .one_universe = r->o->universes == 1};
    struct err shown = {0};
    int told = run_output_end(out, &e, &shown);
    report_destroy(report);
    if (trouble->msg) {
        err_clear(&shown);
        return cli_fail(trouble);
    }
    if (status || told) {
        int failed = cli_fail(status ? &err : &shown);
        err_clear(&shown);
        return failed;
    }
    if (empty) {
        fprintf(stderr, "everett: %s\n", empty);
        return CLI_SETUP;
    }
    return verdict == RUN_PASSED ? CLI_OK : verdict == RUN_FAILED ? CLI_FAILED : CLI_SETUP;
}

static int explore(struct run *r)
{
    cleanup_err struct err trouble = {0};
    struct run_output out;
    run_output_init(&out, r->o->json, r->o->quiet, r->name, (uint32_t)r->o->jobs);
    run_output_begin(&out, r->run_dir, r->seed);
    struct explorer_options eo = {.store = r->store,
                                  .plan = &r->system.plan.builder,
                                  .identity = &r->identity,
                                  .engine_path = r->engine,
                                  .hide = r->hide,
                                  .seed = r->seed,
                                  .jobs = (uint32_t)r->o->jobs,
                                  .wall_ns = r->o->wall_ns,
                                  .virtual_ns = r->o->virtual_ns,
                                  .universes = r->o->universes,
                                  .universe_wall_ns = UNIVERSE_WALL_NS,
                                  .interrupts = &interrupts,
                                  .on_progress = run_output_progress,
                                  .on_universe = run_output_universe,
                                  .ctx = &out};
    int status = explorer_run(&eo, &r->summary, &trouble);
    (void)status; /* told by `trouble` */
    if (r->summary.outcome == EXPLORER_ABANDONED) {
        cleanup_err struct err ignored = {0};
        run_output_clear(&out);
        fprintf(stderr, "everett: stopped; what was finished is kept in %s\n", r->run_dir);
        status = mark_end(r, NULL, &ignored);
        return INTERRUPTED;
    }
    return report_end(r, &out, &trouble);
}

static void tell_warnings(const struct run *r)
{
    const struct compose_project *p = r->system.project;
    for (size_t i = 0; i < p->warning_count; i++) {
        const struct compose_warning *w = &p->warnings[i];
        if (w->line) {
            fprintf(stderr, "%s:%u:%u: warning: %s\n", w->file, w->line, w->col, w->text);
        } else {
            fprintf(stderr, "%s: warning: %s\n", w->file, w->text);
        }
    }
    for (size_t i = 0; i < r->system.plan.warning_count; i++) {
        fprintf(stderr, "warning: %s\n", r->system.plan.warnings[i]);
    }
    for (size_t i = 0; i < r->system.commands.finding_count; i++) {
        fprintf(stderr, "warning: %s\n", r->system.commands.findings[i].text);
    }
    if (!r->system.commands.count) {
        fprintf(stderr, "warning: no test commands under " TEST_COMMANDS_DIR
                        " in any image: nothing but the containers themselves will run\n");
    }
}

static int prepare(struct run *r, struct err *err)
{
    r->request = (struct system_request){.dir = r->dir,
                                         .profiles = &r->o->profiles,
                                         .template_only = r->o->template_only,
                                         .faults = r->o->faults,
                                         .images = r->o->images,
                                         .length_ns = r->o->length_ns,
                                         .setup_limit_ns = r->o->setup_ns};
    if (r->o->hide_pattern && !(r->hide = hide_create(r->o->hide_pattern, err))) {
        return err_wrap(err, "--hide");
    }
    if (system_load(&r->system, &r->request, false, err) ||
        system_build(&r->system, &r->request, err)) {
        return -1;
    }
    r->engine = r->o->engine ? mem_strdup(r->o->engine) : cli_companion("everett-engine", err);
    if (!r->engine || run_identity_of(&r->system.plan, r->engine, &r->identity, err)) {
        return -1;
    }
    r->name = r->o->name ? mem_strdup(r->o->name) : shown_name(r->system.project, r->dir);
    r->seed = r->o->seed;
    r->run_dir = r->o->out ? mem_strdup(r->o->out) : default_run_dir();
    return (goes_on(r) ? resume_store(r, err) : create_store(r, err)) || keep_inputs(r, err) ? -1
                                                                                             : 0;
}

static int run(const struct run_options *o, const char *dir)
{
    cleanup_err struct err err = {0};
    struct run r = {.o = o, .dir = dir};
    int status;
    if (prepare(&r, &err)) {
        status = cli_fail(&err);
    } else {
        if (!o->quiet) {
            tell_warnings(&r);
        }
        catch_signals();
        status = explore(&r);
    }
    explorer_summary_fini(&r.summary);
    store_close(r.store);
    hide_destroy(r.hide);
    system_fini(&r.system);
    free(r.engine);
    free(r.run_dir);
    free(r.name);
    return status;
}

/* --- options ---------------------------------------------------------------------------------- */

static int check_options(const struct cli_verb *v, struct run_options *o)
{
    if (o->wall_ns == 0 || o->virtual_ns == 0 || o->universes == 0 || o->length_ns == 0) {
        return cli_usage(v, "a budget of nothing tests nothing");
    }
    o->jobs = o->jobs != NOT_GIVEN ? o->jobs : cores();
    if (o->jobs == 0 || o->jobs > 4096) {
        return cli_usage(v, "--jobs must be from 1 to 4096");
    }
    bool budget =
        o->wall_ns != NOT_GIVEN || o->virtual_ns != NOT_GIVEN || o->universes != NOT_GIVEN;
    o->wall_ns = o->wall_ns != NOT_GIVEN ? o->wall_ns : budget ? 0 : DEFAULT_WALL_NS;
    o->virtual_ns = o->virtual_ns != NOT_GIVEN ? o->virtual_ns : 0;
    o->universes = o->universes != NOT_GIVEN ? o->universes : 0;
    if (o->virtual_ns && o->virtual_ns < o->length_ns) {
        o->length_ns = o->virtual_ns; /* one universe longer than the budget makes no sense */
    }
    if (o->go_on && !o->out) {
        return cli_usage(v, "which run? give its directory with --out");
    }
    if (o->seed == NOT_GIVEN && getrandom(&o->seed, sizeof o->seed, 0) != sizeof o->seed) {
        return cli_usage(v, "give a --seed: this host has no random numbers");
    }
    return CLI_OK;
}

int verb_run(const struct cli_verb *v, int argc, char **argv)
{
    struct run_options o = {.wall_ns = NOT_GIVEN,
                            .virtual_ns = NOT_GIVEN,
                            .universes = NOT_GIVEN,
                            .length_ns = LENGTH_NS,
                            .setup_ns = SETUP_LIMIT_NS,
                            .jobs = NOT_GIVEN,
                            .seed = NOT_GIVEN};
    const struct cli_option options[] = {
        {"for", CLI_DURATION, &o.wall_ns, "TIME",
         "budget of wall time (10m, unless another is given)"},
        {"virtual", CLI_DURATION, &o.virtual_ns, "TIME", "budget of tested (virtual) time"},
        {"universes", CLI_U64, &o.universes, "N", "budget of universes"},
        {"length", CLI_DURATION, &o.length_ns, "TIME", "virtual time of each universe (60s)"},
        {"setup", CLI_DURATION, &o.setup_ns, "TIME",
         "virtual time in which set-up must complete (10m)"},
        {"jobs", CLI_U64, &o.jobs, "N", "universes at a time (one for each core)"},
        {"seed", CLI_U64, &o.seed, "S", "seed of every random choice (a random one)"},
        {"out", CLI_STRING, &o.out, "DIR", "run directory (runs/TIME)"},
        {"continue", CLI_FLAG, &o.go_on, NULL,
         "go on with the run in --out, if there is one: budgets count what it has done"},
        {"template", CLI_STRING, &o.template_only, "NAME",
         "run only the commands of this template"},
        {"faults", CLI_STRING, &o.faults, "FILE|none", "faults to inject (all kinds)"},
        {"hide", CLI_STRING, &o.hide_pattern, "REGEX", "do not keep output lines that match"},
        {"images", CLI_STRING, &o.images, "FILE",
         "which stored image each reference means: `REF sha256:ID` lines"},
        {"profile", CLI_LIST, &o.profiles, "NAME", "switch on a compose profile; may be repeated"},
        {"source", CLI_STRING, &o.source, "NAME",
         "whose history the run belongs to, e.g. a branch"},
        {"name", CLI_STRING, &o.name, "NAME", "what the report calls the run (the project's name)"},
        {"description", CLI_STRING, &o.description, "TEXT", "shown in the report"},
        {"commit", CLI_STRING, &o.commit, "ID", "of the source that is tested"},
        {"json", CLI_FLAG, &o.json, NULL, "one JSON object a line; the last is the summary"},
        {"quiet", CLI_FLAG, &o.quiet, NULL, "print the summary only"},
        {"engine", CLI_STRING, &o.engine, "FILE", "engine executable to use"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done) {
        return CLI_OK;
    }
    if (first < 0) {
        return CLI_USAGE;
    }
    int status = !argv[first] ? cli_usage(v, "which compose directory?")
                 : argv[first + 1]
                     ? cli_usage(v, "one directory at a time, not also `%s`", argv[first + 1])
                     : check_options(v, &o);
    status = status ? status : run(&o, argv[first]);
    free(o.profiles.items);
    return status;
}
