/* Option tables, help and errors. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"

int cli_fail(const struct err *err)
{
    fprintf(stderr, "everett: %s\n", err->msg ? err->msg : "unknown error");
    if (err->hint) {
        fprintf(stderr, "  %s\n", err->hint);
    }
    return err->kind == ERR_USAGE ? CLI_USAGE : CLI_SETUP;
}

int cli_usage(const struct cli_verb *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("everett: ", stderr);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n  try: everett %s --help\n", v->name);
    return CLI_USAGE;
}

static void print_verb_help(const struct cli_verb *v, const struct cli_option *opts, unsigned n)
{
    printf("usage: everett %s %s\n\n%s\n\n", v->name, v->synopsis, v->summary);
    for (unsigned i = 0; i < n; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", opts[i].name, opts[i].arg ? " " : "",
                 opts[i].arg ? opts[i].arg : "");
        printf("  %-20s %s\n", left, opts[i].help);
    }
    printf("  %-20s %s\n", "--help", "print this");
}

static uint64_t unit_ns(const char *s, size_t *len)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ms", 1000000ull},      {"us", 1000ull},         {"ns", 1ull},
                 {"s", 1000000000ull},    {"min", 60000000000ull}, {"m", 60000000000ull},
                 {"h", 3600000000000ull}, {"d", 86400000000000ull}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(s, units[i].name, n) == 0) {
            *len = n;
            return units[i].ns;
        }
    }
    *len = 0;
    return *s ? 0 : 1000000000ull; /* a bare number is seconds */
}

bool cli_parse_duration(const char *s, uint64_t *ns)
{
    double total = 0;
    if (!*s) {
        return false;
    }
    while (*s) {
        char *end;
        if (*s < '0' || *s > '9') {
            return false;
        }
        double v = strtod(s, &end);
        size_t len;
        uint64_t unit = unit_ns(end, &len);
        if (end == s || unit == 0) {
            return false;
        }
        total += v * (double)unit;
        s = end + len;
    }
    if (!(total < 1e18)) {
        return false;
    }
    *ns = (uint64_t)total;
    return true;
}

static bool parse_u64(const char *s, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 0);
    if (errno || !*s || *end || *s == '-') {
        return false;
    }
    *out = v;
    return true;
}

static bool store_value(const struct cli_option *o, char *value)
{
    struct cli_list *list = o->out;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->out = true;
        return true;
    case CLI_STRING:
        *(const char **)o->out = value;
        return true;
    case CLI_U64:
        return parse_u64(value, o->out);
    case CLI_DURATION:
        return cli_parse_duration(value, o->out);
    case CLI_LIST:
        *ARRAY_PUSH(list->items, list->count, list->cap) = value;
        list->items = mem_grow(list->items, list->count + 1, &list->cap, sizeof *list->items);
        list->items[list->count] = NULL;
        return true;
    }
    return false;
}

static const struct cli_option *find_option(const struct cli_option *opts, unsigned n,
                                            const char *name, size_t len)
{
    for (unsigned i = 0; i < n; i++) {
        if (strlen(opts[i].name) == len && strncmp(opts[i].name, name, len) == 0) {
            return &opts[i];
        }
    }
    return NULL;
}

/* One option at argv[i]; returns how many words it took, or -1. */
static int take_option(const struct cli_verb *v, const struct cli_option *opts, unsigned n, int i,
                       int argc, char **argv)
{
    const char *name = argv[i] + 2;
    char *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    const struct cli_option *o = argv[i][1] == '-' ? find_option(opts, n, name, len) : NULL;
    if (!o) {
        cli_usage(v, "unknown option `%s`", argv[i]);
        return -1;
    }
    if (o->kind == CLI_FLAG) {
        if (eq) {
            cli_usage(v, "option `--%s` takes no value", o->name);
            return -1;
        }
        store_value(o, NULL);
        return 1;
    }
    char *value = eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL;
    if (!value) {
        cli_usage(v, "option `--%s` needs a value (%s)", o->name, o->arg);
        return -1;
    }
    if (!store_value(o, value)) {
        cli_usage(v, "option `--%s`: `%s` is not a %s", o->name, value,
                  o->kind == CLI_DURATION ? "duration such as 90s, 10m or 1.5h" : "number");
        return -1;
    }
    return eq ? 1 : 2;
}

int cli_parse(const struct cli_verb *v, const struct cli_option *opts, unsigned n, int argc,
              char **argv, bool stop_early, bool *done)
{
    int operands = 1, i = 1;
    *done = false;
    while (i < argc) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        /* "-" is standard input; "-12@3.5" is a moment: input hashes are signed. */
        if (argv[i][0] != '-' || !argv[i][1] || (argv[i][1] >= '0' && argv[i][1] <= '9')) {
            if (stop_early) {
                break;
            }
            argv[operands++] = argv[i++];
            continue;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_verb_help(v, opts, n);
            *done = true;
            return 0;
        }
        int took = take_option(v, opts, n, i, argc, argv);
        if (took < 0) {
            return -1;
        }
        i += took;
    }
    if (stop_early) {
        return i;
    }
    /* Operands were moved to the front: close the gap the options left. */
    while (i < argc) {
        argv[operands++] = argv[i++];
    }
    argv[operands] = NULL;
    return 1;
}

char *cli_companion(const char *name, struct err *err)
{
    static const char *const places[] = {"", "../lib/everett/", "../lib/x86_64-linux-gnu/everett/"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        err_errno(err, errno, "cannot find Everett's own executable");
        return NULL;
    }
    self[n] = 0;
    char *slash = strrchr(self, '/');
    slash[1] = 0;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct buf path = {0};
        buf_printf(&path, "%s%s%s", self, places[i], name);
        if (access(path.data, R_OK) == 0) {
            return buf_steal(&path);
        }
        buf_free(&path);
    }
    err_set(err, ERR_HOST, "%s is missing beside %severett", name, self);
    err_hint(err, "build it with `make`, or install Everett again");
    return NULL;
}

int cli_become(const char *name, char *const *args, size_t count)
{
    cleanup_err struct err err = {0};
    cleanup_free char *program = cli_companion(name, &err);
    if (program) {
        char **argv = mem_zalloc((count + 2) * sizeof *argv);
        argv[0] = program;
        memcpy(argv + 1, args, count * sizeof *argv);
        execv(program, argv);
        err_errno(&err, errno, "cannot start %s", program);
        free(argv);
    }
    return cli_fail(&err);
}
