#include "explorer/novelty.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stream.h"
#include "store/property.h"

#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME  0x100000001b3ull
#define SHAPE_MAX  160u /* bytes of a line that count */

void novelty_fini(struct novelty *n)
{
    free(n->table);
    *n = (struct novelty){0};
}

static bool insert(uint64_t *table, size_t cap, uint64_t x)
{
    size_t i = (size_t)stream_mix(x) & (cap - 1);
    while (table[i] && table[i] != x) {
        i = (i + 1) & (cap - 1);
    }
    if (table[i]) {
        return false;
    }
    table[i] = x;
    return true;
}

bool novelty_add(struct novelty *n, uint64_t behaviour)
{
    if (2 * (n->count + 1) > n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 256;
        uint64_t *table = mem_zalloc(cap * sizeof *table);
        for (size_t i = 0; i < n->cap; i++) {
            if (n->table[i]) {
                insert(table, cap, n->table[i]);
            }
        }
        free(n->table);
        n->table = table;
        n->cap = cap;
    }
    bool fresh = insert(n->table, n->cap, behaviour ? behaviour : 1);
    n->count += fresh;
    return fresh;
}

static uint64_t mix_bytes(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) * FNV_PRIME;
    }
    return h;
}

static uint64_t begin(uint64_t kind, uint64_t node)
{
    uint64_t h = mix_bytes(FNV_OFFSET, &kind, sizeof kind);
    return mix_bytes(h, &node, sizeof node);
}

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static bool has_digit(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] >= '0' && p[i] <= '9') {
            return true;
        }
    }
    return false;
}

/* Words with a digit in them (numbers, times, ids, addresses) all look the same. */
static uint64_t mix_shape(uint64_t h, const unsigned char *p, size_t len)
{
    len = (size_t)min_u64(len, SHAPE_MAX);
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && is_word(p[i + n])) {
            n++;
        }
        if (n && has_digit(p + i, n)) {
            h = mix_bytes(h, "#", 1);
        } else {
            h = mix_bytes(h, p + i, n ? n : 1);
        }
        i += n ? n : 1;
    }
    return h;
}

void novelty_event(struct novelty *n, const struct event *e)
{
    size_t head = 0;
    switch (e->type) {
    case EVENT_OUTPUT:
        head = sizeof(struct event_output);
        break;
    case EVENT_FAULT:
    case EVENT_CONTAINER:
    case EVENT_COMPOSER:
        break;
    case EVENT_UNKNOWN:
        head = sizeof(struct event_unknown);
        break;
    default:
        return;
    }
    if (e->length >= head && n->count < NOVELTY_UNIVERSE_MAX) {
        novelty_add(n, mix_shape(begin(e->type, e->node), e->payload + head, e->length - head));
    }
}

void novelty_properties(struct novelty *n, const struct property_set *set)
{
    for (size_t i = 0; i < set->prop_count; i++) {
        const struct property *p = &set->props[i];
        uint64_t h = mix_bytes(begin(1000 + p->kind, p->must_hit), p->id, strlen(p->id));
        if (p->good) {
            novelty_add(n, mix_bytes(h, "good", 4));
        }
        if (p->bad) {
            novelty_add(n, mix_bytes(h, "bad", 3));
        }
    }
}
