/* Property sets: ordered arrays, commutative merging, verdicts. */
#include "store/property.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void property_set_init(struct property_set *set)
{
    *set = (struct property_set){0};
}

static void examples_fini(struct property_examples *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].details);
    }
    list->count = 0;
}

static void property_fini(struct property *p)
{
    free(p->id);
    free(p->group);
    free(p->name);
    free(p->item);
    free(p->display_type);
    free(p->file);
    free(p->function);
    free(p->class_name);
    examples_fini(&p->examples);
    examples_fini(&p->counterexamples);
}

void property_set_fini(struct property_set *set)
{
    for (size_t i = 0; i < set->prop_count; i++) {
        property_fini(&set->props[i]);
    }
    for (size_t i = 0; i < set->guidance_count; i++) {
        free(set->guidance[i].id);
    }
    for (size_t i = 0; i < set->note_count; i++) {
        free(set->notes[i].text);
    }
    free(set->props);
    free(set->guidance);
    free(set->notes);
    *set = (struct property_set){0};
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int property_compare(const struct property_key *a, const struct property_key *b)
{
    int order = strcmp(a->id, b->id);
    if (order == 0) {
        order = compare_u64(a->kind, b->kind);
    }
    return order ? order : compare_u64(a->must_hit, b->must_hit);
}

struct property_key property_key(const struct property *p)
{
    return (struct property_key){p->id, p->kind, p->must_hit};
}

/* Index of the first element not before `key`. */
static size_t prop_bound(const struct property_set *set, const struct property_key *key)
{
    size_t lo = 0;
    size_t hi = set->prop_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        struct property_key at = property_key(&set->props[mid]);
        if (property_compare(&at, key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

const struct property *property_find(const struct property_set *set, const struct property_key *key)
{
    size_t i = prop_bound(set, key);
    if (i == set->prop_count) {
        return NULL;
    }
    struct property_key at = property_key(&set->props[i]);
    return property_compare(&at, key) == 0 ? &set->props[i] : NULL;
}

struct property *property_get(struct property_set *set, const struct property_key *key)
{
    size_t i = prop_bound(set, key);
    if (i < set->prop_count) {
        struct property_key at = property_key(&set->props[i]);
        if (property_compare(&at, key) == 0) {
            return &set->props[i];
        }
    }
    if (set->prop_count >= PROPERTY_COUNT_MAX) {
        set->refused++;
        return NULL;
    }
    (void)ARRAY_PUSH(set->props, set->prop_count, set->prop_cap);
    struct property *p = &set->props[i];
    memmove(p + 1, p, (set->prop_count - 1 - i) * sizeof *p);
    *p = (struct property){.id = mem_strdup(key->id), .kind = key->kind, .must_hit = key->must_hit};
    p->name = mem_strdup(key->id);
    return p;
}

static int guidance_compare(const struct guidance *g, const char *id, enum guidance_type type,
                            bool maximize)
{
    int order = strcmp(g->id, id);
    if (order == 0) {
        order = compare_u64(g->type, type);
    }
    return order ? order : compare_u64(g->maximize, maximize);
}

struct guidance *guidance_get(struct property_set *set, const char *id, enum guidance_type type,
                              bool maximize)
{
    size_t i = 0;
    size_t hi = set->guidance_count;
    while (i < hi) {
        size_t mid = i + (hi - i) / 2;
        if (guidance_compare(&set->guidance[mid], id, type, maximize) < 0) {
            i = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (i < set->guidance_count && guidance_compare(&set->guidance[i], id, type, maximize) == 0) {
        return &set->guidance[i];
    }
    if (set->guidance_count >= PROPERTY_COUNT_MAX) {
        return NULL;
    }
    (void)ARRAY_PUSH(set->guidance, set->guidance_count, set->guidance_cap);
    struct guidance *g = &set->guidance[i];
    memmove(g + 1, g, (set->guidance_count - 1 - i) * sizeof *g);
    *g = (struct guidance){.id = mem_strdup(id), .type = type, .maximize = maximize};
    return g;
}

static int note_compare(const struct note *n, enum note_kind kind, const char *text, int64_t value)
{
    int order = compare_u64(n->kind, kind);
    if (order == 0) {
        order = strcmp(n->text, text);
    }
    return order ? order : (n->value > value) - (n->value < value);
}

static struct note *note_get(struct property_set *set, enum note_kind kind, const char *text,
                             int64_t value)
{
    size_t i = 0;
    size_t hi = set->note_count;
    while (i < hi) {
        size_t mid = i + (hi - i) / 2;
        if (note_compare(&set->notes[mid], kind, text, value) < 0) {
            i = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (i < set->note_count && note_compare(&set->notes[i], kind, text, value) == 0) {
        return &set->notes[i];
    }
    if (set->note_count >= PROPERTY_COUNT_MAX) {
        return NULL;
    }
    (void)ARRAY_PUSH(set->notes, set->note_count, set->note_cap);
    struct note *n = &set->notes[i];
    memmove(n + 1, n, (set->note_count - 1 - i) * sizeof *n);
    *n = (struct note){.kind = kind, .text = mem_strdup(text), .value = value};
    return n;
}

/* Adds occurrences; the earliest (universe, vtime) stays as the first. */
static void note_count(struct note *n, const struct note *more)
{
    bool earlier = more->universe < n->universe ||
                   (more->universe == n->universe && more->vtime_ns < n->vtime_ns);
    if (n->count == 0 || earlier) {
        n->universe = more->universe;
        n->vtime_ns = more->vtime_ns;
    }
    n->count += more->count;
    n->universes += more->universes;
}

void note_add(struct property_set *set, enum note_kind kind, const char *text, int64_t value,
              uint64_t universe, uint64_t vtime_ns)
{
    struct note *n = note_get(set, kind, text, value);
    if (n) {
        struct note one = {
            .count = 1, .universes = n->count == 0, .universe = universe, .vtime_ns = vtime_ns};
        note_count(n, &one);
    }
}

static int example_compare(const struct property_example *a, const struct property_example *b)
{
    int order = compare_u64(a->rank, b->rank);
    if (order == 0) {
        order = compare_u64(a->universe, b->universe);
    }
    return order ? order : compare_u64(a->seq, b->seq);
}

void property_example_add(struct property_examples *list, const struct property_example *x)
{
    size_t i = list->count;
    while (i > 0 && example_compare(x, &list->item[i - 1]) < 0) {
        i--;
    }
    if (i == PROPERTY_EXAMPLE_MAX) {
        return;
    }
    if (list->count == PROPERTY_EXAMPLE_MAX) {
        free(list->item[--list->count].details);
    }
    memmove(&list->item[i + 1], &list->item[i], (list->count - i) * sizeof *list->item);
    list->item[i] = *x;
    list->item[i].details = x->details ? mem_strdup(x->details) : NULL;
    list->count++;
}

void property_record(struct property *p, bool good, const struct property_example *at)
{
    uint64_t before = good ? p->good : p->bad;
    struct property_example x = *at;
    x.rank = before > UINT32_MAX ? UINT32_MAX : (uint32_t)before;
    property_example_add(good ? &p->examples : &p->counterexamples, &x);
    p->universes = 1;
    if (good) {
        p->good++;
        p->universes_good = 1;
    } else {
        p->bad++;
        p->universes_bad = 1;
    }
}

/* The smaller text wins, so that merging does not depend on order; any text beats none. */
static void merge_text(char **into, const char *from)
{
    if (from && (!*into || strcmp(from, *into) < 0)) {
        free(*into);
        *into = mem_strdup(from);
    }
}

static bool location_before(const struct property *a, const struct property *b)
{
    if (!a->file || !b->file) {
        return a->file != NULL;
    }
    int order = strcmp(a->file, b->file);
    return order ? order < 0 : a->line < b->line;
}

static void property_merge(struct property *into, const struct property *from)
{
    if (location_before(from, into)) {
        free(into->file);
        free(into->function);
        free(into->class_name);
        into->file = mem_strdup(from->file);
        into->function = from->function ? mem_strdup(from->function) : NULL;
        into->class_name = from->class_name ? mem_strdup(from->class_name) : NULL;
        into->line = from->line;
    }
    merge_text(&into->group, from->group);
    merge_text(&into->name, from->name);
    merge_text(&into->item, from->item);
    merge_text(&into->display_type, from->display_type);
    into->declared |= from->declared;
    into->good += from->good;
    into->bad += from->bad;
    into->universes += from->universes;
    into->universes_good += from->universes_good;
    into->universes_bad += from->universes_bad;
    for (size_t i = 0; i < from->examples.count; i++) {
        property_example_add(&into->examples, &from->examples.item[i]);
    }
    for (size_t i = 0; i < from->counterexamples.count; i++) {
        property_example_add(&into->counterexamples, &from->counterexamples.item[i]);
    }
}

static void guidance_merge(struct guidance *into, const struct guidance *from)
{
    into->hits += from->hits;
    if (!from->has_best) {
        return;
    }
    double a = from->left - from->right;
    double b = into->left - into->right;
    bool better = !into->has_best || (into->maximize ? a > b : a < b);
    bool same = into->has_best && !(a > b) && !(a < b);
    bool earlier = from->universe < into->universe ||
                   (from->universe == into->universe && from->vtime_ns < into->vtime_ns);
    if (better || (same && earlier)) {
        into->has_best = true;
        into->left = from->left;
        into->right = from->right;
        into->universe = from->universe;
        into->vtime_ns = from->vtime_ns;
    }
}

void property_set_merge(struct property_set *into, const struct property_set *from)
{
    for (size_t i = 0; i < from->prop_count; i++) {
        struct property_key key = property_key(&from->props[i]);
        bool fresh = property_find(into, &key) == NULL;
        struct property *p = property_get(into, &key);
        if (p) {
            if (fresh) {
                free(p->name);
                p->name = mem_strdup(from->props[i].name);
            }
            property_merge(p, &from->props[i]);
        }
    }
    for (size_t i = 0; i < from->guidance_count; i++) {
        const struct guidance *g = &from->guidance[i];
        struct guidance *mine = guidance_get(into, g->id, g->type, g->maximize);
        if (mine) {
            guidance_merge(mine, g);
        }
    }
    for (size_t i = 0; i < from->note_count; i++) {
        const struct note *n = &from->notes[i];
        struct note *mine = note_get(into, n->kind, n->text, n->value);
        if (mine) {
            note_count(mine, n);
        }
    }
    into->refused += from->refused;
}
