/* everett validate: everything that can be known to be wrong before a run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/system.h"
#include "cli/verbs.h"

struct findings {
    bool json;
    struct buf list; /* JSON array elements */
    size_t errors, warnings;
};

static void add(struct findings *f, bool is_error, const char *text, const char *hint)
{
    f->errors += is_error;
    f->warnings += !is_error;
    if (!f->json) {
        fprintf(stderr, "%s: %s\n", is_error ? "error" : "warning", text);
        if (hint) {
            fprintf(stderr, "  %s\n", hint);
        }
        return;
    }
    buf_printf(&f->list, "%s{\"severity\":\"%s\",\"message\":", f->list.len ? "," : "",
               is_error ? "error" : "warning");
    buf_json_string(&f->list, text, strlen(text));
    if (hint) {
        buf_puts(&f->list, ",\"hint\":");
        buf_json_string(&f->list, hint, strlen(hint));
    }
    buf_putc(&f->list, '}');
}

static void add_compose_warnings(struct findings *f, const struct compose_project *p)
{
    for (size_t i = 0; i < p->warning_count; i++) {
        const struct compose_warning *w = &p->warnings[i];
        cleanup_buf struct buf b = {0};
        buf_puts(&b, w->file);
        if (w->line) {
            buf_printf(&b, ":%u:%u", w->line, w->col);
        }
        buf_printf(&b, ": %s", w->text);
        add(f, false, b.data, NULL);
    }
}

static void add_system(struct findings *f, const struct system_ready *s)
{
    for (size_t i = 0; i < s->plan.warning_count; i++) {
        add(f, false, s->plan.warnings[i], NULL);
    }
    for (size_t i = 0; i < s->commands.finding_count; i++) {
        const struct test_finding *t = &s->commands.findings[i];
        add(f, t->is_problem, t->text, t->hint);
    }
    if (s->commands.count == 0) {
        add(f, false, "no image holds test commands under " TEST_COMMANDS_DIR,
            "without a template only the containers themselves run; add TEMPLATE/parallel_driver_X "
            "to an image");
    }
}

static void print_commands(const struct test_commands *t)
{
    printf("%s", t->count ? "\nTest commands\n" : "");
    for (size_t i = 0; i < t->count; i++) {
        const struct test_command *c = &t->commands[i];
        printf("  %s/%s (%s)\n", c->template, c->name, c->container);
    }
}

static void put_commands(struct buf *b, const struct test_commands *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct test_command *c = &t->commands[i];
        buf_puts(b, i ? ",{\"template\":" : "{\"template\":");
        buf_json_string(b, c->template, strlen(c->template));
        buf_puts(b, ",\"name\":");
        buf_json_string(b, c->name, strlen(c->name));
        buf_puts(b, ",\"container\":");
        buf_json_string(b, c->container, strlen(c->container));
        buf_putc(b, '}');
    }
}

static void print_json(const struct findings *f, const struct system_ready *s)
{
    cleanup_buf struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"validate\",\"valid\":%s,\"errors\":%zu,\"warnings\":%zu,"
               "\"findings\":[%s],\"commands\":[",
               f->errors ? "false" : "true", f->errors, f->warnings,
               f->list.data ? f->list.data : "");
    put_commands(&b, &s->commands);
    buf_puts(&b, "],\"project\":");
    if (s->project) {
        compose_json(s->project, &b);
    } else {
        buf_puts(&b, "null");
    }
    while (b.len && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == ' ')) {
        b.data[--b.len] = 0;
    }
    buf_putc(&b, '}');
    puts(b.data);
}

static int validate(const struct system_request *r, bool json)
{
    cleanup_err struct err err = {0};
    struct findings f = {.json = json};
    struct system_ready s;
    int loaded = system_load(&s, r, true, &err);
    if (s.project) {
        if (!json) {
            cleanup_buf struct buf text = {0};
            compose_describe(s.project, &text);
            fputs(text.data, stdout);
        } else {
            add_compose_warnings(&f, s.project);
        }
    }
    int built = loaded ? -1 : system_build(&s, r, &err);
    if (!json) {
        print_commands(&s.commands);
        fflush(stdout);
    }
    if (built == 0) {
        add_system(&f, &s);
    } else {
        add(&f, true, err.msg ? err.msg : "unknown", err.hint);
    }
    if (json) {
        print_json(&f, &s);
    } else if (f.errors == 0) {
        printf("\nvalid%s\n", f.warnings ? ", with warnings" : "");
    }
    int status = f.errors == 0 ? CLI_OK : err.msg && err.kind != ERR_USAGE ? CLI_SETUP : CLI_USAGE;
    buf_free(&f.list);
    system_fini(&s);
    return status;
}

int verb_validate(const struct cli_verb *v, int argc, char **argv)
{
    bool json = false, done;
    struct cli_list profiles = {0};
    struct system_request r = {.profiles = &profiles, .length_ns = 1, .setup_limit_ns = 1};
    const struct cli_option options[] = {
        {"profile", CLI_LIST, &profiles, "NAME", "switch on a compose profile; may be repeated"},
        {"faults", CLI_STRING, &r.faults, "FILE", "check this fault file as well"},
        {"json", CLI_FLAG, &json, NULL, "print one JSON object"},
    };
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    r.dir = argv[first];
    int status = !r.dir            ? cli_usage(v, "which compose directory?")
                 : argv[first + 1] ? cli_usage(v, "one directory at a time")
                                   : validate(&r, json);
    free(profiles.items);
    return status;
}
