/* Reading typed fields out of YAML mappings by tables: one row a key says how the key is classed
 * and, if honoured, which function stores it where. Private to this folder. */
#ifndef EVERETT_COMPOSE_READ_H
#define EVERETT_COMPOSE_READ_H

#include "compose/compose.h"
#include "compose/diag.h"
#include "compose/interp.h"
#include "compose/pool.h"
#include "compose/yaml_tree.h"

enum { PATH_DEPTH_MAX = 16 };

/* The state of one load. Everything it makes belongs to the project's pool. */
struct reader {
    struct compose_project *project;
    struct pool *pool;
    struct diags diags;
    struct interp interp; /* looks up `env` */
    struct env env;       /* .env, plus COMPOSE_PROJECT_NAME */
    int dirfd;            /* -1: an empty directory */
    const struct compose_opts *opts;
    const struct source *source;
    const char *path[PATH_DEPTH_MAX]; /* keys down to the value being read */
    size_t depth;
    struct ynode *root;
};

struct key_rule;

/* Stores `v` (never null) into `field`. Returns -1 after reporting an error. */
typedef int (*field_fn)(struct reader *r, const struct key_rule *rule, void *field,
                        const struct ynode *v);

struct key_rule {
    const char *name;
    enum compose_class class;
    field_fn read; /* NULL unless honoured */
    size_t offset; /* of the field in the object; 0 with the object itself as field */
    const char *reason;
};

#define RULE(name, type, member, fn)                                                               \
    {                                                                                              \
        name, COMPOSE_HONOURED, fn, offsetof(type, member), NULL                                   \
    }
#define RULE_WHOLE(name, fn)                                                                       \
    {                                                                                              \
        name, COMPOSE_HONOURED, fn, 0, NULL                                                        \
    }
#define RULE_NO_EFFECT(name, why)                                                                  \
    {                                                                                              \
        name, COMPOSE_WITHOUT_EFFECT, NULL, 0, why                                                 \
    }
#define RULE_REFUSED(name, why)                                                                    \
    {                                                                                              \
        name, COMPOSE_REFUSED, NULL, 0, why                                                        \
    }

/* Reads a mapping by its table (ends with a row without a name). `what` says in messages where an
 * unknown key stands: "service `web`". Keys `x-*` are skipped; null values count as absent. */
int read_map(struct reader *r, const struct ynode *map, const struct key_rule *rules, void *obj,
             const char *what);
/* Records a use of the key at the end of the path. */
void read_note(struct reader *r, enum compose_class class, struct mark at, const char *reason);
void path_push(struct reader *r, const char *key);
void path_pop(struct reader *r);
/* The current path, dotted, in the pool. */
const char *path_text(struct reader *r);

/* `x-...`: an extension, skipped wherever keys are read. */
bool is_extension(const struct ypair *pair);

/* Each reports what was expected when `v` is of the wrong kind and returns -1. */
int expect_kind(struct reader *r, const struct ynode *v, enum ynode_kind kind);
/* The text of a scalar that is not null, or NULL after an error. */
const char *scalar_text(struct reader *r, const struct ynode *v);

/* Field functions for plain types. */
int read_string(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_path(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_bool(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_u32(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_i64(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_size(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_mode(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
int read_duration(struct reader *r, const struct key_rule *rule, void *field,
                  const struct ynode *v);
/* A list of texts, or one text, into struct compose_strings. */
int read_strings(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
/* A list of words, or a text split into words, into struct compose_argv. */
int read_argv(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
/* A mapping, or a list of NAME=value, into struct compose_pairs. NULL values are kept. */
int read_pairs(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);
/* The same with the rules of `environment`: no value means the one of .env, or removal. */
int read_environment(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v);
int read_ip(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v);

void strings_add(struct reader *r, struct compose_strings *s, const char *text);
bool strings_has(const struct compose_strings *s, const char *text);
/* Replaces the value of a name that is there already. */
void pairs_put(struct reader *r, struct compose_pairs *p, const char *name, const char *value);
const char *pairs_get(const struct compose_pairs *p, const char *name);
struct mark mark_at(const struct reader *r, uint32_t line, uint32_t col);

#endif
