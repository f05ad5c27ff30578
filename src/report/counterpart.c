/* Finding the same history without the failure. */
#include "report/counterpart.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/report.h"
#include "store/ingest.h"

#define TRIED_MAX 6u          /* universes whose events are judged again */
#define AFTER_NS  2000000000u /* how far past the failure both are read */

void counterpart_fini(struct counterpart *c)
{
    struct counterpart_side *sides[] = {&c->common, &c->failing, &c->other};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        for (size_t k = 0; k < sides[i]->count; k++) {
            free(sides[i]->lines[k].text);
        }
        free(sides[i]->lines);
    }
    *c = (struct counterpart){0};
}

/* ---- which universes have much in common ---- */

struct branch {
    uint64_t number;
    int64_t parent;
    uint64_t branch_ns;
    bool is_broken; /* an engine error: it shows nothing */
};

struct candidate {
    uint64_t universe, common_ns;
    bool is_example; /* the property is known to have held there */
};

struct family {
    struct branch *branches; /* owned; ascending number */
    size_t count, cap;
    struct candidate *candidates; /* owned */
    size_t candidate_count, candidate_cap;
};

static int add_branch(void *ctx, const struct store_universe *u)
{
    struct family *f = ctx;
    *ARRAY_PUSH(f->branches, f->count, f->cap) =
        (struct branch){.number = u->number,
                        .parent = u->parent,
                        .branch_ns = u->branch_vtime_ns,
                        .is_broken = u->engine_error || u->end_reason == END_ENGINE_ERROR};
    return 0;
}

static int compare_number(const void *key, const void *element)
{
    const struct branch *b = element;
    uint64_t n = *(const uint64_t *)key;
    return n < b->number ? -1 : n > b->number;
}

static const struct branch *branch_of(const struct family *f, uint64_t number)
{
    return f->count ? bsearch(&number, f->branches, f->count, sizeof *f->branches, compare_number)
                    : NULL;
}

/* The time until which two histories are one: on the way up from each, the first universe that both
 * pass through, and the earlier of the times at which they leave it. 0: none. */
static uint64_t common_ns(const struct family *f, uint64_t a, uint64_t b)
{
    uint64_t left_a = UINT64_MAX; /* when a's history leaves the universe looked at */
    for (const struct branch *x = branch_of(f, a); x; x = branch_of(f, (uint64_t)x->parent)) {
        uint64_t left_b = UINT64_MAX;
        for (const struct branch *y = branch_of(f, b); y; y = branch_of(f, (uint64_t)y->parent)) {
            if (x->number == y->number) {
                return min_u64(left_a, left_b);
            }
            if (y->parent < 0) {
                break;
            }
            left_b = y->branch_ns;
        }
        if (x->parent < 0) {
            break;
        }
        left_a = x->branch_ns;
    }
    return 0;
}

static bool has_universe(const struct property_examples *list, uint64_t universe)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].universe == universe) {
            return true;
        }
    }
    return false;
}

/* Longest common past first; then those known to have held; then the number. */
static int compare_candidates(const void *x, const void *y)
{
    const struct candidate *a = x;
    const struct candidate *b = y;
    if (a->common_ns != b->common_ns) {
        return a->common_ns > b->common_ns ? -1 : 1;
    }
    if (a->is_example != b->is_example) {
        return a->is_example ? -1 : 1;
    }
    return a->universe < b->universe ? -1 : a->universe > b->universe;
}

static int gather(struct family *f, struct report *r, const struct property *p,
                  const struct property_example *x, struct err *err)
{
    if (store_each_universe(r->store, add_branch, f, err)) {
        return -1;
    }
    for (size_t i = 0; i < f->count; i++) {
        const struct branch *b = &f->branches[i];
        if (b->number == x->universe || b->is_broken ||
            has_universe(&p->counterexamples, b->number)) {
            continue;
        }
        uint64_t ns = common_ns(f, x->universe, b->number);
        if (ns <= x->vtime_ns) { /* one that branches off later has the failure too */
            *ARRAY_PUSH(f->candidates, f->candidate_count, f->candidate_cap) =
                (struct candidate){b->number, ns, has_universe(&p->examples, b->number)};
        }
    }
    if (f->candidate_count) {
        qsort(f->candidates, f->candidate_count, sizeof *f->candidates, compare_candidates);
    }
    return 0;
}

/* ---- did it hold there ---- */

static int judge_event(void *ctx, const struct event *ev)
{
    ingest_event(ctx, ev);
    return 0;
}

/* 1: judged and held, 0: not. */
static int holds_in(struct report *r, const struct property *p, uint64_t universe, struct err *err)
{
    size_t count;
    const struct store_node *nodes = store_nodes(r->store, &count);
    const char **names = mem_zalloc((count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++) {
        names[i] = nodes[i].name;
    }
    struct ingest *in = ingest_create(universe, names, count);
    int rc = store_each_event(r->store, universe, 0, UINT64_MAX, judge_event, in, err);
    if (rc == 0) {
        ingest_finish(in, NULL);
        struct property_key key = property_key(p);
        const struct property *there = property_find(ingest_set(in), &key);
        rc = there ? there->good > 0 && property_failures(there) == 0
                   : p->kind != PROPERTY_SOMETIMES && p->group && strcmp(p->group, "SDK") != 0;
    }
    ingest_destroy(in);
    free(names);
    return rc;
}

/* ---- where they part ---- */

struct record {
    uint64_t hash, vtime_ns;
};

struct comparison {
    struct counterpart *c;
    struct report *r;
    struct record *records; /* of the failing history; owned */
    size_t count, cap;
    size_t at; /* of the other one */
    bool differs;
};

/* FNV-1a over what a record says. */
static uint64_t hash_of(const struct event *ev)
{
    uint64_t h = 0xcbf29ce484222325u;
    const uint64_t head[] = {ev->type, ev->node, ev->vtime_ns, ev->pid, ev->length};
    const unsigned char *parts[] = {(const unsigned char *)head, ev->payload};
    const size_t lengths[] = {sizeof head, ev->length};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t k = 0; k < lengths[i]; k++) {
            h = (h ^ parts[i][k]) * 0x100000001b3u;
        }
    }
    return h;
}

static int remember(void *ctx, const struct event *ev)
{
    struct comparison *cmp = ctx;
    *ARRAY_PUSH(cmp->records, cmp->count, cmp->cap) = (struct record){hash_of(ev), ev->vtime_ns};
    return 0;
}

static int find_difference(void *ctx, const struct event *ev)
{
    struct comparison *cmp = ctx;
    if (cmp->at < cmp->count && cmp->records[cmp->at].hash == hash_of(ev)) {
        cmp->at++;
        return 0;
    }
    uint64_t here = cmp->at < cmp->count ? cmp->records[cmp->at].vtime_ns : ev->vtime_ns;
    cmp->c->differs_ns = min_u64(here, ev->vtime_ns);
    cmp->c->differs_seq = cmp->at;
    cmp->differs = true;
    return 1;
}

/* ---- what each says ---- */

struct reader {
    struct counterpart *c;
    struct report *r;
    struct counterpart_side *side;
    uint64_t seq; /* position in the history */
    bool with_common;
};

static void keep(struct counterpart_side *side, const struct event *ev, uint64_t position,
                 struct description *d)
{
    *ARRAY_PUSH(side->lines, side->count, side->cap) =
        (struct scene_line){.class = d->class,
                            .vtime_ns = ev->vtime_ns,
                            .seq = position,
                            .node = ev->node,
                            .pid = ev->pid,
                            .text = mem_strdup(d->text.data ? d->text.data : "")};
}

static int read_line(void *ctx, const struct event *ev)
{
    struct reader *rd = ctx;
    uint64_t position = rd->seq++;
    bool before = position < rd->c->differs_seq;
    if (before && !rd->with_common) {
        return 0;
    }
    struct description d;
    description_init(&d);
    describe_event(rd->r->store, ev, &d);
    struct counterpart_side *side = before ? &rd->c->common : rd->side;
    if (d.class == CLASS_SILENT) {
        description_fini(&d);
        return 0;
    }
    if (before && side->count == COUNTERPART_COMMON_MAX) {
        free(side->lines[0].text);
        memmove(side->lines, side->lines + 1, --side->count * sizeof *side->lines);
    }
    if (side->count < COUNTERPART_LINES_MAX) {
        keep(side, ev, position, &d);
    } else {
        side->left_out++;
    }
    description_fini(&d);
    return 0;
}

static int read_sides(struct counterpart *c, struct report *r, const struct property_example *x,
                      struct err *err)
{
    uint64_t until = x->vtime_ns + AFTER_NS;
    struct reader failing = {.c = c, .r = r, .side = &c->failing, .with_common = true};
    struct reader other = {.c = c, .r = r, .side = &c->other};
    return store_each_event(r->store, x->universe, 0, until, read_line, &failing, err) ||
                   store_each_event(r->store, c->universe, 0, until, read_line, &other, err)
               ? -1
               : 0;
}

static int compare(struct counterpart *c, struct report *r, const struct property_example *x,
                   struct err *err)
{
    struct comparison cmp = {.c = c, .r = r};
    uint64_t until = x->vtime_ns + AFTER_NS;
    int rc = store_each_event(r->store, x->universe, 0, until, remember, &cmp, err);
    if (rc == 0) {
        rc = store_each_event(r->store, c->universe, 0, until, find_difference, &cmp, err);
    }
    if (rc >= 0 && !cmp.differs) { /* the other one ended first */
        c->differs_seq = cmp.at;
        c->differs_ns = cmp.at < cmp.count ? cmp.records[cmp.at].vtime_ns : x->vtime_ns;
    }
    free(cmp.records);
    return rc < 0 ? -1 : read_sides(c, r, x, err);
}

int counterpart_find(struct counterpart *out, struct report *r, const struct report_property *rp,
                     const struct property_example *x, struct err *err)
{
    struct family f = {0};
    *out = (struct counterpart){0};
    int rc = gather(&f, r, rp->p, x, err);
    bool found = false;
    for (size_t i = 0; rc == 0 && !found && i < f.candidate_count && i < TRIED_MAX; i++) {
        rc = holds_in(r, rp->p, f.candidates[i].universe, err);
        found = rc == 1;
        if (found) {
            out->universe = f.candidates[i].universe;
            out->has_common_past = f.candidates[i].common_ns > 0;
        }
        rc = rc < 0 ? -1 : 0;
    }
    if (found) {
        rc = compare(out, r, x, err);
    }
    free(f.branches);
    free(f.candidates);
    return rc ? -1 : found;
}
