#include "explorer/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/property.h"

void wire_put_u64(struct buf *b, uint64_t v)
{
    buf_append(b, &v, sizeof v);
}

void wire_put_str(struct buf *b, const char *s)
{
    wire_put_u64(b, s ? strlen(s) + 1 : 0);
    if (s) {
        buf_append(b, s, strlen(s));
    }
}

uint64_t wire_u64(struct wire *w)
{
    uint64_t v = 0;
    if (w->len - w->at < sizeof v) {
        w->bad = true;
        w->at = w->len;
        return 0;
    }
    memcpy(&v, w->data + w->at, sizeof v);
    w->at += sizeof v;
    return v;
}

char *wire_str(struct wire *w)
{
    uint64_t n = wire_u64(w);
    if (n == 0) {
        return NULL;
    }
    if (n - 1 > w->len - w->at) {
        w->bad = true;
        return NULL;
    }
    char *s = mem_strndup(w->data + w->at, (size_t)(n - 1));
    w->at += (size_t)(n - 1);
    return s;
}

/* A double as its bits. */
static void put_double(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    wire_put_u64(b, bits);
}

static double get_double(struct wire *w)
{
    uint64_t bits = wire_u64(w);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* --- properties ------------------------------------------------------------------------------- */

static void put_examples(struct buf *b, const struct property_examples *list)
{
    wire_put_u64(b, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct property_example *x = &list->item[i];
        const uint64_t numbers[] = {x->universe, x->vtime_ns, x->seq,       x->rank,
                                    x->node,     x->pid,      x->command_id};
        for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
            wire_put_u64(b, numbers[k]);
        }
        wire_put_str(b, x->details);
    }
}

static void get_examples(struct wire *w, struct property_examples *list)
{
    uint64_t count = wire_u64(w);
    w->bad |= count > PROPERTY_EXAMPLE_MAX;
    for (list->count = 0; !w->bad && list->count < count; list->count++) {
        struct property_example *x = &list->item[list->count];
        x->universe = wire_u64(w);
        x->vtime_ns = wire_u64(w);
        x->seq = wire_u64(w);
        x->rank = (uint32_t)wire_u64(w);
        x->node = (uint16_t)wire_u64(w);
        x->pid = (uint32_t)wire_u64(w);
        x->command_id = (uint32_t)wire_u64(w);
        x->details = wire_str(w);
    }
}

static void put_property(struct buf *b, const struct property *p)
{
    const char *const texts[] = {p->group, p->name,     p->item,      p->display_type,
                                 p->file,  p->function, p->class_name};
    const uint64_t numbers[] = {(uint64_t)p->line, p->declared,       p->good,         p->bad,
                                p->universes,      p->universes_good, p->universes_bad};
    wire_put_str(b, p->id);
    wire_put_u64(b, p->kind);
    wire_put_u64(b, p->must_hit);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        wire_put_str(b, texts[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        wire_put_u64(b, numbers[i]);
    }
    put_examples(b, &p->examples);
    put_examples(b, &p->counterexamples);
}

static void get_property(struct wire *w, struct property_set *set)
{
    char *id = wire_str(w);
    struct property_key key = {.id = id};
    key.kind = (enum property_kind)wire_u64(w);
    key.must_hit = wire_u64(w) != 0;
    struct property *p = id && !w->bad ? property_get(set, &key) : NULL;
    free(id);
    if (!p) {
        w->bad = true;
        return;
    }
    free(p->name);
    char **texts[] = {&p->group, &p->name,     &p->item,      &p->display_type,
                      &p->file,  &p->function, &p->class_name};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = wire_str(w);
    }
    p->name = p->name ? p->name : mem_strdup(p->id);
    p->line = (int64_t)wire_u64(w);
    p->declared = wire_u64(w) != 0;
    p->good = wire_u64(w);
    p->bad = wire_u64(w);
    p->universes = wire_u64(w);
    p->universes_good = wire_u64(w);
    p->universes_bad = wire_u64(w);
    get_examples(w, &p->examples);
    get_examples(w, &p->counterexamples);
}

static void put_guidance(struct buf *b, const struct guidance *g)
{
    wire_put_str(b, g->id);
    wire_put_u64(b, g->type);
    wire_put_u64(b, g->maximize);
    wire_put_u64(b, g->hits);
    wire_put_u64(b, g->has_best);
    put_double(b, g->left);
    put_double(b, g->right);
    wire_put_u64(b, g->universe);
    wire_put_u64(b, g->vtime_ns);
}

static void get_guidance(struct wire *w, struct property_set *set)
{
    char *id = wire_str(w);
    enum guidance_type type = (enum guidance_type)wire_u64(w);
    bool maximize = wire_u64(w) != 0;
    struct guidance *g = id && !w->bad ? guidance_get(set, id, type, maximize) : NULL;
    free(id);
    if (!g) {
        w->bad = true;
        return;
    }
    g->hits = wire_u64(w);
    g->has_best = wire_u64(w) != 0;
    g->left = get_double(w);
    g->right = get_double(w);
    g->universe = wire_u64(w);
    g->vtime_ns = wire_u64(w);
}

static void put_note(struct buf *b, const struct note *n)
{
    wire_put_str(b, n->text);
    const uint64_t numbers[] = {n->kind,      (uint64_t)n->value, n->count,
                                n->universes, n->universe,        n->vtime_ns};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        wire_put_u64(b, numbers[i]);
    }
}

/* The writer's set was in order already, so appending keeps the order. */
static void get_note(struct wire *w, struct property_set *set)
{
    char *text = wire_str(w);
    if (!text || w->bad) {
        free(text);
        w->bad = true;
        return;
    }
    struct note *n = ARRAY_PUSH(set->notes, set->note_count, set->note_cap);
    n->text = text;
    n->kind = (enum note_kind)wire_u64(w);
    n->value = (int64_t)wire_u64(w);
    n->count = wire_u64(w);
    n->universes = wire_u64(w);
    n->universe = wire_u64(w);
    n->vtime_ns = wire_u64(w);
}

void wire_put_set(struct buf *b, const struct property_set *set)
{
    wire_put_u64(b, set->prop_count);
    wire_put_u64(b, set->guidance_count);
    wire_put_u64(b, set->note_count);
    wire_put_u64(b, set->refused);
    for (size_t i = 0; i < set->prop_count; i++) {
        put_property(b, &set->props[i]);
    }
    for (size_t i = 0; i < set->guidance_count; i++) {
        put_guidance(b, &set->guidance[i]);
    }
    for (size_t i = 0; i < set->note_count; i++) {
        put_note(b, &set->notes[i]);
    }
}

void wire_set(struct wire *w, struct property_set *set)
{
    property_set_init(set);
    uint64_t props = wire_u64(w), guidance = wire_u64(w), notes = wire_u64(w);
    uint64_t refused = wire_u64(w);
    for (uint64_t i = 0; !w->bad && i < props; i++) {
        get_property(w, set);
    }
    for (uint64_t i = 0; !w->bad && i < guidance; i++) {
        get_guidance(w, set);
    }
    for (uint64_t i = 0; !w->bad && i < notes; i++) {
        get_note(w, set);
    }
    set->refused = refused;
}
