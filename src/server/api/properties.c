/* GET runs/{id}/properties. Rules that hold of many things (commands, containers) are groups: an
 * entry for the group, then one for each thing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/report.h"
#include "server/api/api_priv.h"
#include "server/logs/event_view.h"
#include "server/server.h"

#define EXAMPLES_MAX 3u /* of each kind: a sample */

struct entry {
    const struct report_property *rp; /* of a group: its first member */
    bool is_group, passes;
    uint64_t good, bad;
};

struct entries {
    struct entry *items; /* owned */
    size_t count, cap;
};

/* --- the list -----------------------------------------------------------------------------------
 */

/* Properties of things, ordered by group and, within one, as the report has them. */
static int compare_groups(const void *x, const void *y)
{
    const struct report_property *a = *(const struct report_property *const *)x;
    const struct report_property *b = *(const struct report_property *const *)y;
    int order = strcmp(a->p->name, b->p->name);
    order = order ? order : (a->p->kind > b->p->kind) - (a->p->kind < b->p->kind);
    return order ? order : a->p->must_hit - b->p->must_hit;
}

static int compare_members(const void *x, const void *y)
{
    const struct report_property *const *a = x, *const *b = y;
    int order = compare_groups(x, y);
    return order ? order : (*a > *b) - (*a < *b);
}

static size_t add_groups(const struct report_property **members, size_t count, struct entry *groups)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_groups(&members[i - 1], &members[i]) != 0) {
            groups[n++] = (struct entry){.rp = members[i], .is_group = true, .passes = true};
        }
        groups[n - 1].passes &= members[i]->verdict == VERDICT_PASSED;
        groups[n - 1].good += members[i]->p->good;
        groups[n - 1].bad += members[i]->p->bad;
    }
    return n;
}

static int compare_first(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    return (a->rp > b->rp) - (a->rp < b->rp);
}

static void add(struct entries *list, const struct entry *e, const bool *wanted)
{
    if (!wanted || *wanted == e->passes) {
        *ARRAY_PUSH(list->items, list->count, list->cap) = *e;
    }
}

/* In the report's order, a group before its first member. `wanted`: passing or failing ones alone;
 * NULL: all. */
static void list_entries(const struct report *r, const bool *wanted, struct entries *list)
{
    const struct report_property **members = mem_zalloc((r->prop_count + 1) * sizeof *members);
    struct entry *groups = mem_zalloc((r->prop_count + 1) * sizeof *groups);
    size_t count = 0, next = 0;
    for (size_t i = 0; i < r->prop_count; i++) {
        if (r->props[i].p->item) {
            members[count++] = &r->props[i];
        }
    }
    qsort(members, count, sizeof *members, compare_members);
    size_t group_count = add_groups(members, count, groups);
    qsort(groups, group_count, sizeof *groups, compare_first);
    for (size_t i = 0; i < r->prop_count; i++) {
        const struct report_property *rp = &r->props[i];
        if (next < group_count && groups[next].rp == rp) {
            add(list, &groups[next++], wanted);
        }
        const struct entry e = {.rp = rp,
                                .passes = rp->verdict == VERDICT_PASSED,
                                .good = rp->p->good,
                                .bad = rp->p->bad};
        add(list, &e, wanted);
    }
    free(groups);
    free(members);
}

/* --- one property -------------------------------------------------------------------------------
 */

struct writer {
    struct report *report;
    struct event_view *view; /* owned */
    struct buf *b;
};

static int put_examples(struct writer *w, const char *key, const struct property_examples *list,
                        struct err *err)
{
    buf_printf(w->b, ",\"%s\":[", key);
    for (size_t i = 0; i < list->count && i < EXAMPLES_MAX; i++) {
        buf_puts(w->b, i ? "," : "");
        if (api_put_event(w->report->store, w->view, &list->item[i], w->b, err)) {
            return -1;
        }
    }
    buf_putc(w->b, ']');
    return 0;
}

static void put_name(struct writer *w, const struct entry *e)
{
    cleanup_buf struct buf name = {0};
    if (e->is_group) {
        buf_puts(&name, e->rp->p->name);
    } else {
        report_property_name(&name, e->rp->p);
    }
    buf_json_string(w->b, name.data ? name.data : "", name.len);
}

static void put_description(struct writer *w, const struct property *p)
{
    cleanup_buf struct buf text = {0};
    buf_puts(&text, p->display_type ? p->display_type : property_kind_word(p->kind));
    if (p->file) {
        buf_printf(&text, " at %s:%" PRId64, p->file, p->line);
    }
    if (p->function && *p->function) {
        buf_printf(&text, " in %s", p->function);
    }
    buf_json_string(w->b, text.data, text.len);
}

static uint32_t capped(uint64_t n)
{
    return (uint32_t)min_u64(n, UINT32_MAX);
}

static int put_entry(struct writer *w, const struct entry *e, struct err *err)
{
    static const struct property_examples none = {.count = 0};
    const struct property *p = e->rp->p;
    buf_puts(w->b, "{\"name\":");
    put_name(w, e);
    buf_puts(w->b, ",\"description\":");
    put_description(w, p);
    buf_printf(w->b, ",\"status\":\"%s\",\"is_event\":%s,\"is_group\":%s",
               e->passes ? "Passing" : "Failing", e->is_group ? "false" : "true",
               e->is_group ? "true" : "false");
    if (!e->is_group && p->item) {
        buf_puts(w->b, ",\"group\":");
        api_put_text(w->b, p->name);
    }
    buf_printf(w->b, ",\"example_count\":%" PRIu32 ",\"counterexample_count\":%" PRIu32,
               capped(e->good), capped(e->bad));
    if (put_examples(w, "examples", e->is_group ? &none : &p->examples, err) ||
        put_examples(w, "counterexamples", e->is_group ? &none : &p->counterexamples, err)) {
        return -1;
    }
    if (!e->is_group) {
        buf_printf(w->b, ",\"everett\":{\"verdict\":\"%s\",\"finding\":",
                   e->rp->verdict == VERDICT_NEVER ? "never_reached"
                                                   : verdict_word(e->rp->verdict));
        api_put_text(w->b, e->rp->finding ? finding_word(e->rp->finding) : NULL);
        buf_puts(w->b, ",\"section\":");
        api_put_text(w->b, p->group);
        buf_printf(w->b, ",\"universes\":%" PRIu64 ",\"universes_failing\":%" PRIu64 "}",
                   p->universes, p->universes_bad);
    }
    buf_putc(w->b, '}');
    return 0;
}

/* --- the page -----------------------------------------------------------------------------------
 */

struct page {
    uint64_t limit, after;
    bool passing;
    const bool *wanted; /* &passing or NULL */
};

static bool read_page(const struct http_request *rq, struct http_response *rs, struct page *p)
{
    const char *status = http_query(rq, "status");
    *p = (struct page){.limit = 50};
    if (!api_number(rq, rs, "limit", 1, 100, &p->limit) ||
        !api_number(rq, rs, "after", 1, INT64_MAX, &p->after)) {
        return false;
    }
    if (status) {
        p->passing = strcmp(status, "Passing") == 0;
        p->wanted = &p->passing;
        if (!p->passing && strcmp(status, "Failing") != 0) {
            http_error(rq, rs, 400, "status must be Passing or Failing");
            return false;
        }
    }
    return true;
}

static int put_page(struct writer *w, const struct page *p, struct err *err)
{
    struct entries list = {0};
    list_entries(w->report, p->wanted, &list);
    uint64_t end = min_u64(list.count, p->after + p->limit);
    int r = 0;
    buf_puts(w->b, "{\"data\":[");
    for (uint64_t i = p->after; r == 0 && i < end; i++) {
        buf_puts(w->b, i > p->after ? "," : "");
        r = put_entry(w, &list.items[i], err);
    }
    buf_puts(w->b, "],\"next_cursor\":");
    if (end < list.count) {
        buf_printf(w->b, "\"%" PRIu64 "\"}\n", end);
    } else {
        buf_puts(w->b, "null}\n");
    }
    free(list.items);
    return r;
}

/* Takes the store. */
static void respond(struct http_request *rq, struct http_response *rs, struct store *s,
                    const struct page *p)
{
    cleanup_err struct err err = {0};
    const struct report_options options = {.run_path = rq->vars[0]};
    struct report *report = report_create(s, &options, &err);
    struct writer w = {.report = report, .view = event_view_create(s), .b = &rs->body};
    if (!report || put_page(&w, p, &err)) {
        http_fail(rq, rs, &err);
    } else {
        http_json(rs, 200);
    }
    event_view_destroy(w.view);
    report_destroy(report);
    store_close(s);
}

void api_properties(struct http_request *rq, struct http_response *rs)
{
    struct launch l = {0};
    struct page p;
    bool missing;
    if (api_accepts(rq, rs, TYPE_JSON) && api_run(rq, rs, &l) && read_page(rq, rs, &p)) {
        bool over = l.status >= LAUNCH_COMPLETED;
        struct store *s = over ? api_store(rq, rs, &l, &missing) : NULL;
        if (s) {
            respond(rq, rs, s, &p);
        } else if (!over || missing) {
            http_error(rq, rs, 404, "Run %s has no properties %s", l.id, over ? "" : "yet");
        }
    }
    launch_fini(&l);
}
