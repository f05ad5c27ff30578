/* Part of everett.h: assertion sites, their declaration before main, and their evaluation.
 *
 * Each macro use owns one static `struct everett_site`. C gathers pointers to them in a linker
 * section that a constructor walks; C++ registers them by a static member of a template on a local
 * class, because a section cannot hold sites of inline functions and of plain ones at once. Sites
 * with the same message share the state of the one declared first, their leader. */
#ifndef EVERETT_IMPL_ASSERT_H
#define EVERETT_IMPL_ASSERT_H

#include "everett/impl/json.h"

#ifdef __cplusplus
extern "C" {
#endif

enum everett_guidance { EVERETT_NO_GUIDANCE, EVERETT_NUMERIC, EVERETT_BOOLEAN };

enum everett_operator { EVERETT_GT, EVERETT_GE, EVERETT_LT, EVERETT_LE };

enum everett_seen { EVERETT_SEEN_FALSE = 1, EVERETT_SEEN_TRUE = 2, EVERETT_SEEN_DISTANCE = 4 };

struct everett_site {
    const char *message, *type, *display;
    bool must_hit, declared_condition, maximize;
    int guidance; /* enum everett_guidance */
    const char *file, *function;
    int line;
    unsigned seen;      /* of leaders: enum everett_seen; atomic */
    int declared;       /* atomic */
    uint64_t best_bits; /* of leaders: the double that came nearest so far; atomic */
    struct everett_site *leader, *next;
};

/* Rows of the assertion table: type, display name, must hit, condition when declared. */
#define EVERETT_SITE_ALWAYS                "always", "Always", true, false
#define EVERETT_SITE_ALWAYS_OR_UNREACHABLE "always", "AlwaysOrUnreachable", false, false
#define EVERETT_SITE_SOMETIMES             "sometimes", "Sometimes", true, false
#define EVERETT_SITE_REACHABLE             "reachability", "Reachable", true, true
#define EVERETT_SITE_UNREACHABLE           "reachability", "Unreachable", false, false

struct everett_list {
    const struct everett_pair *pairs;
    size_t count;
};

extern struct everett_site *everett_newest_site;
int everett_declare(struct everett_site *site);
void everett_send_assert(const struct everett_site *site, bool hit, bool condition,
                         struct everett_list operands, struct everett_list details);
void everett_send_guidance(const struct everett_site *site, bool hit, struct everett_list data);
bool everett_evaluate(struct everett_site *site, bool condition, struct everett_list operands,
                      struct everett_list details);
void everett_compare(struct everett_site *site, int op, const struct everett_pair *operands,
                     struct everett_list details);
void everett_named(struct everett_site *site, bool condition, struct everett_list conditions,
                   struct everett_list details);
void everett_send_setup(const char *unused, struct everett_list details);
void everett_send_event(const char *name, struct everett_list details);

EVERETT_SHARED struct everett_site *everett_newest_site = NULL;

static inline struct everett_list everett_make_list(const struct everett_pair *pairs, size_t count)
{
    struct everett_list list = {pairs, count};
    return list;
}

static inline void everett_put_names(struct everett_text *text, const struct everett_site *site)
{
    everett_text_put(text, "\"id\":");
    everett_text_string(text, site->message);
    everett_text_put(text, ",\"message\":");
    everett_text_string(text, site->message);
}

static inline void everett_put_location(struct everett_text *text, const struct everett_site *site)
{
    char line[64];
    everett_text_put(text, ",\"location\":{\"class\":\"\",\"function\":");
    everett_text_string(text, site->function);
    everett_text_put(text, ",\"file\":");
    everett_text_string(text, site->leader->file);
    snprintf(line, sizeof(line), ",\"begin_line\":%d,\"begin_column\":0}", site->line);
    everett_text_put(text, line);
}

static inline void everett_put_object(struct everett_text *text, struct everett_list first,
                                      struct everett_list second)
{
    everett_text_put(text, "{");
    bool more = everett_text_pairs(text, first.pairs, first.count, false);
    everett_text_pairs(text, second.pairs, second.count, more);
    everett_text_put(text, "}");
}

EVERETT_SHARED void everett_send_assert(const struct everett_site *site, bool hit, bool condition,
                                        struct everett_list operands, struct everett_list details)
{
    struct everett_text text = {NULL, 0, 0, false};
    everett_text_put(&text, "{\"antithesis_assert\":{");
    everett_put_names(&text, site);
    everett_text_put(&text, hit ? ",\"hit\":true" : ",\"hit\":false");
    everett_text_put(&text, site->must_hit ? ",\"must_hit\":true" : ",\"must_hit\":false");
    everett_text_put(&text, condition ? ",\"condition\":true" : ",\"condition\":false");
    everett_text_put(&text, ",\"assert_type\":\"");
    everett_text_put(&text, site->type);
    everett_text_put(&text, "\",\"display_type\":\"");
    everett_text_put(&text, site->display);
    everett_text_put(&text, "\"");
    everett_put_location(&text, site);
    everett_text_put(&text, ",\"details\":");
    if (operands.count + details.count > 1) { /* every list of details starts with an end mark */
        everett_put_object(&text, operands, details);
    } else {
        everett_text_put(&text, "null");
    }
    everett_text_put(&text, "}}");
    everett_text_send(&text);
}

EVERETT_SHARED void everett_send_guidance(const struct everett_site *site, bool hit,
                                          struct everett_list data)
{
    struct everett_text text = {NULL, 0, 0, false};
    everett_text_put(&text, "{\"antithesis_guidance\":{\"guidance_type\":");
    everett_text_put(&text, site->guidance == EVERETT_NUMERIC ? "\"numeric\"," : "\"boolean\",");
    everett_put_names(&text, site);
    everett_put_location(&text, site);
    everett_text_put(&text, site->maximize ? ",\"maximize\":true" : ",\"maximize\":false");
    everett_text_put(&text, ",\"guidance_data\":");
    if (hit) {
        everett_put_object(&text, data, everett_make_list(NULL, 0));
    } else {
        everett_text_put(&text, "null");
    }
    everett_text_put(&text, hit ? ",\"hit\":true}}" : ",\"hit\":false}}");
    everett_text_send(&text);
}

/* Idempotent. Sites enter the list newest first, so the last match is the oldest. */
EVERETT_SHARED int everett_declare(struct everett_site *site)
{
    if (__atomic_exchange_n(&site->declared, 1, __ATOMIC_ACQ_REL)) {
        return 1;
    }
    struct everett_site *head = __atomic_load_n(&everett_newest_site, __ATOMIC_ACQUIRE);
    struct everett_site *leader = site;
    for (struct everett_site *s = head; s != NULL; s = s->next) {
        leader = strcmp(s->message, site->message) == 0 ? s : leader;
    }
    __atomic_store_n(&site->leader, leader, __ATOMIC_RELEASE);
    do {
        site->next = head;
    } while (!__atomic_compare_exchange_n(&everett_newest_site, &head, site, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    everett_send_assert(site, false, site->declared_condition, everett_make_list(NULL, 0),
                        everett_make_list(NULL, 0));
    if (site->guidance != EVERETT_NO_GUIDANCE) {
        everett_send_guidance(site, false, everett_make_list(NULL, 0));
    }
    return 1;
}

#ifdef __cplusplus
}
#endif

#include "everett/impl/evaluate.h"

#endif
