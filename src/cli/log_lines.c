#include "cli/log_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/describe.h"

#define NODE_WIDTH_MAX 24

static int node_width(const struct store *s)
{
    size_t count, width = 8; /* "universe" */
    const struct store_node *nodes = store_nodes(s, &count);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(nodes[i].name);
        width = n > width ? n : width;
    }
    return (int)(width < NODE_WIDTH_MAX ? width : NODE_WIDTH_MAX);
}

static char mark_of(enum event_class c)
{
    switch (c) {
    case CLASS_ERR:
        return '!';
    case CLASS_VIOLATION:
    case CLASS_CRASH:
        return 'X';
    case CLASS_FAULT:
        return '*';
    default:
        return '|';
    }
}

void log_line(struct buf *b, struct store *s, const struct event *e)
{
    struct description d;
    description_init(&d);
    describe_event(s, e, &d);
    const char *node = store_node_name(s, e->node);
    const char *text = d.text.data ? d.text.data : "";
    while (d.class != CLASS_SILENT && text) {
        size_t n = strcspn(text, "\n");
        buf_printf(b, "%6" PRIu64 ".%09" PRIu64 "  %-*.*s %c %.*s\n", e->vtime_ns / 1000000000,
                   e->vtime_ns % 1000000000, node_width(s), NODE_WIDTH_MAX,
                   *node ? node : "universe", mark_of(d.class), (int)n, text);
        text = text[n] ? text + n + 1 : NULL;
    }
    description_fini(&d);
}

/* --- moments ---------------------------------------------------------------------------------- */

struct search {
    const char *prefix;
    uint64_t hits, number;
};

static int match(void *ctx, const struct store_universe *u)
{
    struct search *s = ctx;
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, u->input_hash);
    size_t n = strlen(s->prefix);
    if (strcmp(text, s->prefix) == 0) {
        s->hits = 1;
        s->number = u->number;
        return 1;
    }
    if (strncmp(text, s->prefix, n) == 0) {
        s->hits++;
        s->number = u->number;
    }
    return 0;
}

static int check_hash(const char *hash, const char *moment, struct err *err)
{
    const char *digits = hash + (hash[0] == '-');
    if (*digits && strspn(digits, "0123456789") == strlen(digits)) {
        return 0;
    }
    err_set(err, ERR_USAGE, "`%s` is no moment", moment);
    return err_hint(err, "copy one from the report, for example 7402112918@18.402");
}

int log_find(struct store *s, const char *moment, struct store_universe *u, uint64_t *vtime_ns,
             struct err *err)
{
    const char *at = strchr(moment, '@');
    cleanup_free char *hash = at ? mem_strndup(moment, (size_t)(at - moment)) : mem_strdup(moment);
    *vtime_ns = UINT64_MAX;
    if (check_hash(hash, moment, err)) {
        return -1;
    }
    if (at) {
        cleanup_buf struct buf whole = {0};
        struct moment m;
        buf_printf(&whole, "1%s", at); /* the hash may be longer than 64 bits here, or short */
        if (moment_parse(whole.data, &m, err)) {
            return err_wrap(err, "`%s`", moment);
        }
        *vtime_ns = m.vtime_ns;
    }
    struct search found = {.prefix = hash};
    if (store_each_universe(s, match, &found, err) < 0) {
        return -1;
    }
    if (found.hits != 1) {
        err_set(err, ERR_USAGE, "%s universe of %s has a moment `%s`",
                found.hits ? "more than one" : "no", store_dir(s), moment);
        return err_hint(err, found.hits ? "give more digits of it"
                                        : "is it from another run? The report names both");
    }
    return store_universe(s, found.number, u, err) == 1
               ? 0
               : err_set(err, ERR_HOST, "%s: universe %" PRIu64 " is gone", store_dir(s),
                         found.number);
}
