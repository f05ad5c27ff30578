/* The report's model: what the store says, ordered and compared with earlier runs. */
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/history.h"
#include "report/text.h"
#include "store/files.h"
#include "store/moment.h"

static const char *dup_or_null(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

static void drop(const char *s)
{
    free((void *)(uintptr_t)s);
}

struct loader {
    struct report *r;
    size_t progress_cap, compose_cap, confirmation_cap;
};

static int add_progress(void *ctx, const struct store_progress *p)
{
    struct loader *l = ctx;
    *ARRAY_PUSH(l->r->progress, l->r->progress_count, l->progress_cap) = *p;
    return 0;
}

static int add_compose(void *ctx, const struct store_compose_key *key)
{
    struct loader *l = ctx;
    *ARRAY_PUSH(l->r->compose, l->r->compose_count, l->compose_cap) =
        (struct store_compose_key){dup_or_null(key->path), key->effect, dup_or_null(key->note)};
    return 0;
}

static int add_confirmation(void *ctx, const struct store_confirmation *c)
{
    struct loader *l = ctx;
    struct store_confirmation *mine =
        ARRAY_PUSH(l->r->confirmations, l->r->confirmation_count, l->confirmation_cap);
    *mine = *c;
    mine->property_id = dup_or_null(c->property_id);
    mine->minimal = dup_or_null(c->minimal);
    mine->curve = dup_or_null(c->curve);
    return 0;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int verdict_rank(enum verdict v)
{
    return v == VERDICT_FAILED ? 0 : v == VERDICT_NEVER ? 1 : 2;
}

/* SDK first: what the user wrote before what we add. */
static int group_rank(const char *group)
{
    return group && strcmp(group, "SDK") != 0;
}

/* Total: verdict, group, name, item, then identity. */
static int compare_props(const void *x, const void *y)
{
    const struct report_property *a = x;
    const struct report_property *b = y;
    int order = verdict_rank(a->verdict) - verdict_rank(b->verdict);
    order = order ? order : group_rank(a->p->group) - group_rank(b->p->group);
    order = order ? order : compare_text(a->p->group, b->p->group);
    order = order ? order : compare_text(a->p->name, b->p->name);
    order = order ? order : compare_text(a->p->item, b->p->item);
    if (order == 0) {
        struct property_key ka = property_key(a->p);
        struct property_key kb = property_key(b->p);
        order = property_compare(&ka, &kb);
    }
    return order;
}

static void gather_properties(struct report *r)
{
    r->props = mem_zalloc(r->set->prop_count * sizeof *r->props);
    for (size_t i = 0; i < r->set->prop_count; i++) {
        const struct property *p = &r->set->props[i];
        if (property_is_shadowed(r->set, p)) {
            continue;
        }
        struct report_property *rp = &r->props[r->prop_count++];
        rp->p = p;
        rp->verdict = property_verdict(p);
        rp->failures = property_failures(p);
        for (size_t c = 0; c < r->confirmation_count; c++) {
            if (strcmp(r->confirmations[c].property_id, p->id) == 0) {
                rp->confirmation = &r->confirmations[c];
            }
        }
    }
    if (r->prop_count) {
        qsort(r->props, r->prop_count, sizeof *r->props, compare_props);
    }
    for (size_t i = 0; i < r->prop_count; i++) {
        r->props[i].number = i + 1;
    }
}

struct report *report_create(struct store *s, const struct report_options *options, struct err *err)
{
    struct report *r = mem_zalloc(sizeof *r);
    struct loader l = {.r = r};
    r->store = s;
    r->run_path = mem_strdup(options->run_path ? options->run_path : store_dir(s));
    r->set = store_properties(s);
    r->counts = property_set_count(r->set);
    if (store_run(s, &r->run, err) || store_totals(s, &r->totals, err) ||
        store_each_progress(s, add_progress, &l, err) ||
        store_each_compose_key(s, add_compose, &l, err) ||
        store_each_confirmation(s, add_confirmation, &l, err)) {
        report_destroy(r);
        return NULL;
    }
    gather_properties(r);
    if (history_compare(r, !options->no_history, err)) {
        report_destroy(r);
        return NULL;
    }
    return r;
}

void report_destroy(struct report *r)
{
    if (!r) {
        return;
    }
    for (size_t i = 0; i < r->compose_count; i++) {
        drop(r->compose[i].path);
        drop(r->compose[i].note);
    }
    for (size_t i = 0; i < r->confirmation_count; i++) {
        drop(r->confirmations[i].property_id);
        drop(r->confirmations[i].minimal);
        drop(r->confirmations[i].curve);
    }
    store_run_free(&r->run);
    free(r->props);
    free(r->progress);
    free(r->compose);
    free(r->confirmations);
    free(r->history_started);
    free(r->run_path);
    free(r);
}

const char *finding_word(enum finding f)
{
    switch (f) {
    case FINDING_NEW:
        return "new";
    case FINDING_RARE:
        return "rare";
    case FINDING_ONGOING:
        return "ongoing";
    case FINDING_RESOLVED:
        return "resolved";
    case FINDING_NONE:
        break;
    }
    return "";
}

void report_property_name(struct buf *b, const struct property *p)
{
    text_clean(b, p->name, strlen(p->name), SIZE_MAX);
    if (p->item) {
        buf_puts(b, " \xe2\x86\x92 ");
        text_clean(b, p->item, strlen(p->item), SIZE_MAX);
    }
}

/* A path a shell reads as one word. */
static void shell_word(struct buf *b, const char *s)
{
    if (s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=")] ==
        0) {
        buf_puts(b, s);
        return;
    }
    buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'') {
            buf_puts(b, "'\\''");
        } else {
            buf_putc(b, *s);
        }
    }
    buf_putc(b, '\'');
}

int report_replay_command(struct report *r, uint64_t universe, uint64_t vtime_ns, struct buf *b,
                          struct err *err)
{
    struct store_universe u;
    int rc = store_universe(r->store, universe, &u, err);
    if (rc <= 0) {
        return rc < 0 ? -1
                      : err_set(err, ERR_HOST, "%s: universe %" PRIu64 " is missing",
                                store_dir(r->store), universe);
    }
    struct moment m = {u.input_hash, vtime_ns};
    store_universe_free(&u);
    char text[MOMENT_TEXT_MAX];
    moment_text(&m, text);
    buf_puts(b, "everett replay ");
    shell_word(b, r->run_path);
    buf_printf(b, " --moment %s", text);
    return 0;
}

const struct property_example *report_first_failure(const struct report_property *rp)
{
    const struct property_examples *list = &rp->p->counterexamples;
    for (size_t i = 0; rp->confirmation && i < list->count; i++) {
        if (list->item[i].universe == rp->confirmation->universe) {
            return &list->item[i];
        }
    }
    return list->count ? &list->item[0] : NULL;
}

typedef int render_fn(struct report *r, struct buf *out, struct err *err);

static int write_one(struct report *r, const char *name, render_fn *render, struct err *err)
{
    cleanup_buf struct buf out = {0};
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/%s", store_dir(r->store), name);
    if (render(r, &out, err)) {
        return err_wrap(err, "%s", name);
    }
    return files_replace(path.data, out.data, out.len, err);
}

int report_write(struct report *r, struct err *err)
{
    return write_one(r, "report.html", report_html, err) ||
                   write_one(r, "report.json", report_json, err) ||
                   write_one(r, "junit.xml", report_junit, err)
               ? -1
               : 0;
}
