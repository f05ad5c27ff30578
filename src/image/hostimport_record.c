/* The record of what a universe learnt of the host. */
#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "image/hostimport_priv.h"

struct rows {
    const struct hostimport *h;
    const struct import_memo **items;
    size_t count, cap;
};

static void collect(const void *node, VISIT which, void *closure)
{
    struct rows *r = closure;
    const struct import_memo *m = *(const struct import_memo *const *)node;
    bool told = m->asked || (m->node && r->h->nodes[m->dir - 1]->asked & ASKED_LIST);
    if (told && (which == postorder || which == leaf)) {
        *ARRAY_PUSH(r->items, r->count, r->cap) = m;
    }
}

/* By the directory's path, then by name: not by number, so that records of different universes
 * line up. */
static int compare_row(const void *a, const void *b, void *closure)
{
    const struct hostimport *h = closure;
    const struct import_memo *x = *(const struct import_memo *const *)a;
    const struct import_memo *y = *(const struct import_memo *const *)b;
    int order = strcmp(h->nodes[x->dir - 1]->path, h->nodes[y->dir - 1]->path);
    return order ? order : strcmp(x->name, y->name);
}

static void put_contents(const struct import_node *n, struct buf *out)
{
    char hex[DIGEST_HEX];
    if (n->copied && n->asked & ASKED_DATA) {
        digest_hex(n->file.sha256, hex);
        buf_printf(out, ", \"sha256\": \"%s\"", hex);
    }
    if (n->target && n->asked & ASKED_LINK) {
        buf_puts(out, ", \"target\": ");
        buf_json_string(out, n->target, strlen(n->target));
    }
    if (n->listed && n->asked & ASKED_LIST) {
        buf_printf(out, ", \"entries\": %zu", n->listing_count);
    }
    int refused = n->data_result   ? n->data_result
                  : n->link_result ? n->link_result
                                   : n->list_result;
    if (refused) {
        buf_printf(out, ", \"refused\": %d", -refused);
    }
}

static void put_row(const struct hostimport *h, const struct import_memo *m, struct buf *out)
{
    struct buf path = {0};
    const char *dir = h->nodes[m->dir - 1]->path;
    buf_printf(&path, "/%s%s%s", dir, *dir ? "/" : "", m->name);
    buf_puts(out, "{\"path\": ");
    buf_json_string(out, path.data, path.len);
    buf_free(&path);
    if (!m->node) {
        buf_printf(out, ", \"error\": %d}", -m->result);
        return;
    }
    const struct import_attr *a = &m->node->attr;
    buf_printf(out, ", \"mode\": %u, \"uid\": %u, \"gid\": %u, \"nlink\": %u, \"size\": %llu",
               a->mode, a->uid, a->gid, a->nlink, (unsigned long long)a->size);
    buf_printf(out, ", \"mtime\": \"%lld.%09u\"", (long long)a->mtime_s, a->mtime_ns);
    put_contents(m->node, out);
    buf_putc(out, '}');
}

void hostimport_record(const struct hostimport *h, struct buf *out)
{
    struct rows rows = {.h = h};
    twalk_r(h->memos, collect, &rows);
    if (rows.count) {
        qsort_r(rows.items, rows.count, sizeof *rows.items, compare_row, (void *)(uintptr_t)h);
    }
    buf_puts(out, "[");
    for (size_t i = 0; i < rows.count; i++) {
        buf_puts(out, i ? ",\n " : "\n ");
        put_row(h, rows.items[i], out);
    }
    buf_puts(out, rows.count ? "\n]\n" : "]\n");
    free(rows.items);
}
