/* Part of everett.h: what happens when a program reaches an assertion, and the macros' insides. */
#ifndef EVERETT_IMPL_EVALUATE_H
#define EVERETT_IMPL_EVALUATE_H

#include "everett/impl/assert.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The state that all sites with this message share. A site reached from a constructor that runs
 * before ours is declared here. */
static inline struct everett_site *everett_leader(struct everett_site *site)
{
    struct everett_site *leader = __atomic_load_n(&site->leader, __ATOMIC_ACQUIRE);
    if (__builtin_expect(leader == NULL, 0)) {
        everett_declare(site);
        leader = __atomic_load_n(&site->leader, __ATOMIC_ACQUIRE);
    }
    return leader != NULL ? leader : site;
}

static inline bool everett_is_news(struct everett_site *site, bool condition)
{
    unsigned bit = condition ? EVERETT_SEEN_TRUE : EVERETT_SEEN_FALSE;
    struct everett_site *leader = everett_leader(site);
    return (__atomic_load_n(&leader->seen, __ATOMIC_RELAXED) & bit) == 0;
}

EVERETT_SHARED bool everett_evaluate(struct everett_site *site, bool condition,
                                     struct everett_list operands, struct everett_list details)
{
    unsigned bit = condition ? EVERETT_SEEN_TRUE : EVERETT_SEEN_FALSE;
    struct everett_site *leader = everett_leader(site);
    if ((__atomic_fetch_or(&leader->seen, bit, __ATOMIC_RELAXED) & bit) == 0) {
        everett_send_assert(site, true, condition, operands, details);
    }
    return condition;
}

static inline double everett_as_double(const struct everett_value *v)
{
    return v->kind == EVERETT_INT ? (double)v->i : v->kind == EVERETT_UINT ? (double)v->u : v->d;
}

/* -1, 0, 1, or 2 when unordered (NaN). Exact for integers of any signedness. */
static inline int everett_order(const struct everett_value *a, const struct everett_value *b)
{
    bool a_negative = a->kind == EVERETT_INT && a->i < 0;
    bool b_negative = b->kind == EVERETT_INT && b->i < 0;
    if (a->kind == EVERETT_DOUBLE || b->kind == EVERETT_DOUBLE) {
        double x = everett_as_double(a);
        double y = everett_as_double(b);
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
    }
    if (a_negative != b_negative) {
        return a_negative ? -1 : 1;
    }
    uint64_t x = a->kind == EVERETT_INT ? (uint64_t)a->i : a->u;
    uint64_t y = b->kind == EVERETT_INT ? (uint64_t)b->i : b->u;
    return x < y ? -1 : x > y;
}

/* left - right. Subtracting integers first keeps small distances between large values. */
static inline double everett_distance(const struct everett_value *a, const struct everett_value *b)
{
    int order = everett_order(a, b);
    if (a->kind == EVERETT_DOUBLE || b->kind == EVERETT_DOUBLE || order == 0) {
        return everett_as_double(a) - everett_as_double(b);
    }
    uint64_t x = a->kind == EVERETT_INT ? (uint64_t)a->i : a->u;
    uint64_t y = b->kind == EVERETT_INT ? (uint64_t)b->i : b->u;
    return order > 0 ? (double)(x - y) : -(double)(y - x);
}

/* True when the distance beats the best of this property so far, which it then becomes. NaN always
 * counts and never becomes the best. */
static inline bool everett_is_nearer(struct everett_site *leader, double distance, bool maximize)
{
    if (distance != distance) {
        return true;
    }
    uint64_t bits;
    memcpy(&bits, &distance, sizeof(bits));
    uint64_t old = __atomic_load_n(&leader->best_bits, __ATOMIC_RELAXED);
    for (;;) {
        bool first =
            (__atomic_load_n(&leader->seen, __ATOMIC_ACQUIRE) & EVERETT_SEEN_DISTANCE) == 0;
        double best;
        memcpy(&best, &old, sizeof(best));
        if (!first && !(maximize ? distance > best : distance < best)) {
            return false;
        }
        if (__atomic_compare_exchange_n(&leader->best_bits, &old, bits, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            __atomic_fetch_or(&leader->seen, EVERETT_SEEN_DISTANCE, __ATOMIC_RELEASE);
            return true;
        }
    }
}

EVERETT_SHARED void everett_compare(struct everett_site *site, int op,
                                    const struct everett_pair *operands,
                                    struct everett_list details)
{
    const struct everett_value *left = &operands[0].value;
    const struct everett_value *right = &operands[1].value;
    int order = everett_order(left, right);
    bool condition = op == EVERETT_GT   ? order == 1
                     : op == EVERETT_GE ? order == 0 || order == 1
                     : op == EVERETT_LT ? order == -1
                                        : order == 0 || order == -1;
    if (everett_is_nearer(everett_leader(site), everett_distance(left, right), site->maximize)) {
        everett_send_guidance(site, true, everett_make_list(operands, 2));
    }
    everett_evaluate(site, condition, everett_make_list(operands, 2), details);
}

static inline bool everett_any(struct everett_list conditions)
{
    for (size_t i = 0; i < conditions.count; i++) {
        if (conditions.pairs[i].value.i != 0) {
            return true;
        }
    }
    return false;
}

static inline bool everett_all(struct everett_list conditions)
{
    for (size_t i = 0; i < conditions.count; i++) {
        if (conditions.pairs[i].value.i == 0) {
            return false;
        }
    }
    return true;
}

EVERETT_SHARED void everett_named(struct everett_site *site, bool condition,
                                  struct everett_list conditions, struct everett_list details)
{
    everett_leader(site);
    everett_send_guidance(site, true, conditions);
    everett_evaluate(site, condition, conditions, details);
}

static inline void everett_send_object(const char *head, struct everett_list details,
                                       const char *tail, struct everett_text *text)
{
    everett_text_put(text, head);
    everett_put_object(text, details, everett_make_list(NULL, 0));
    everett_text_put(text, tail);
    everett_text_send(text);
}

EVERETT_SHARED void everett_send_setup(const char *unused, struct everett_list details)
{
    struct everett_text text = {NULL, 0, 0, false};
    (void)unused;
    everett_send_object("{\"antithesis_setup\":{\"status\":\"complete\",\"details\":", details,
                        "}}", &text);
}

EVERETT_SHARED void everett_send_event(const char *name, struct everett_list details)
{
    struct everett_text text = {NULL, 0, 0, false};
    everett_text_put(&text, "{");
    everett_text_string(&text, name);
    everett_send_object(":", details, "}", &text);
}

#ifdef __cplusplus
}
#endif

#include "everett/impl/site.h"

#endif
