/* Properties: what the system under test claims about itself, judged over a whole run.
 *
 * A `struct property_set` holds the results of one universe or of many; merging is commutative and
 * associative, so the outcome of a run does not depend on the order in which universes finish.
 * Everything in a set is owned by it. */
#ifndef EVERETT_STORE_PROPERTY_H
#define EVERETT_STORE_PROPERTY_H

#include "base/base.h"

#define PROPERTY_EXAMPLE_MAX 10u         /* kept examples, and counterexamples, of a property */
#define PROPERTY_DETAILS_MAX (16u << 10) /* bytes of an example's details; longer is cut */
#define PROPERTY_NAME_MAX    (4u << 10)  /* bytes of an id or message; longer is cut */
#define PROPERTY_COUNT_MAX   100000u     /* distinct properties of a set; more are counted only */

enum property_kind {
    PROPERTY_ALWAYS = 1,  /* no evaluation may be false */
    PROPERTY_SOMETIMES,   /* at least one evaluation is true */
    PROPERTY_REACHABLE,   /* at least one hit */
    PROPERTY_UNREACHABLE, /* no hit */
};

enum verdict { VERDICT_PASSED = 1, VERDICT_FAILED, VERDICT_NEVER };

struct property_example {
    uint64_t universe;
    uint64_t vtime_ns;
    uint64_t seq;
    uint32_t rank; /* how many of its kind came before in the same universe */
    uint16_t node; /* as in struct event */
    uint32_t pid;
    uint32_t command_id;
    char *details; /* JSON text, or NULL */
};

struct property_examples {
    struct property_example item[PROPERTY_EXAMPLE_MAX];
    size_t count;
};

struct property {
    /* Identity: id (SDK: `id`, else `message`), kind and must_hit. Two call sites that give one id
     * to assertions of different kinds are two properties, each judged by its own rule. */
    char *id;
    enum property_kind kind;
    bool must_hit; /* never reached is not a pass */

    char *group;        /* "SDK", "Commands", "Containers", "Crashes", "Set-up", "Engine" */
    char *name;         /* the message */
    char *item;         /* what of it, for a rule that holds of many things; or NULL */
    char *display_type; /* "Always", or what the SDK wrote */
    char *file, *function, *class_name;
    int64_t line;
    bool declared; /* by a catalogue, before any evaluation */

    /* Good: the evaluation that the property wants (true; a hit of Reachable). Bad: the other one
     * (false; a hit of Unreachable). SDKs send the first of each per process. */
    uint64_t good, bad;
    uint64_t universes, universes_good, universes_bad; /* that evaluated it; with good; with bad */
    struct property_examples examples, counterexamples;
};

enum guidance_type { GUIDANCE_NUMERIC = 1, GUIDANCE_BOOLEAN, GUIDANCE_JSON };

/* Best value that a rich assertion's operands came to. */
struct guidance {
    char *id;
    enum guidance_type type;
    bool maximize;
    uint64_t hits;
    bool has_best;
    double left, right; /* numeric: the operands with the best left - right; boolean: true, all */
    uint64_t universe, vtime_ns;
};

enum note_kind {
    NOTE_UNKNOWN = 1, /* a call, option or file that Everett does not cover */
    NOTE_SDK,         /* SDK banner: language and versions */
    NOTE_MALFORMED,   /* an SDK message that could not be understood */
    NOTE_DIAGNOSTIC,  /* the engine about itself */
};

struct note {
    enum note_kind kind;
    char *text;
    int64_t value;               /* NOTE_UNKNOWN: the errno the guest saw */
    uint64_t count, universes;   /* occurrences; universes with at least one */
    uint64_t universe, vtime_ns; /* the first, by (universe, vtime) */
};

struct property_set {
    struct property *props; /* ordered by property_compare */
    size_t prop_count, prop_cap;
    struct guidance *guidance; /* ordered by (id, type, maximize) */
    size_t guidance_count, guidance_cap;
    struct note *notes; /* ordered by (kind, text, value) */
    size_t note_count, note_cap;
    uint64_t refused; /* properties beyond PROPERTY_COUNT_MAX */
};

struct property_key {
    const char *id;
    enum property_kind kind;
    bool must_hit;
};

void property_set_init(struct property_set *set);
void property_set_fini(struct property_set *set);
/* Adds `from` to `into`; `from` is unchanged. */
void property_set_merge(struct property_set *into, const struct property_set *from);

/* Finds or adds. A new one has name = id, no group. NULL when the set is full. */
struct property *property_get(struct property_set *set, const struct property_key *key);
const struct property *property_find(const struct property_set *set,
                                     const struct property_key *key);
struct guidance *guidance_get(struct property_set *set, const char *id, enum guidance_type type,
                              bool maximize);
/* Counts one occurrence; `count` 0 only makes sure the note exists. */
void note_add(struct property_set *set, enum note_kind kind, const char *text, int64_t value,
              uint64_t universe, uint64_t vtime_ns);

/* Order of properties everywhere: id bytewise, then kind, then must_hit. */
int property_compare(const struct property_key *a, const struct property_key *b);
struct property_key property_key(const struct property *p);
/* One evaluation. Copies `at`, except that rank is computed. */
void property_record(struct property *p, bool good, const struct property_example *at);
/* Keeps `x` if it is among the best: fewest before it in its universe, then universe, then time.
 * So the kept ones come from as many universes as possible. Copies. */
void property_example_add(struct property_examples *list, const struct property_example *x);

enum verdict property_verdict(const struct property *p);
/* Evaluations that speak against the property as judged: 0 when it passed. */
uint64_t property_failures(const struct property *p);
const char *verdict_word(enum verdict v);                /* "passed", "failed", "never reached" */
const char *property_kind_word(enum property_kind kind); /* "always", ... as in assert_type */

/* True for a built-in rule without an item when the set holds the same rule with items: those
 * speak for it. */
bool property_is_shadowed(const struct property_set *set, const struct property *p);

struct verdict_counts {
    uint64_t passed, failed, never;
};
/* Counts what is not shadowed. */
struct verdict_counts property_set_count(const struct property_set *set);

#endif
