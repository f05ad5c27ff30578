/* YAML documents as a tree. libyaml finds the tokens; anchors, aliases, merge keys (`<<`, see
 * yaml.org/type/merge.html) and limits are ours. Scalars stay text as written: `22:22`, `on` and
 * `0755` are never turned into something else (YAML 1.2 core schema is applied by the reader of a
 * field, which knows what type it wants).
 *
 * An alias shares the node it names, so a tree is a directed acyclic graph; its size when written
 * out in full is bounded by YAML_NODES_MAX, its depth by YAML_DEPTH_MAX. */
#ifndef EVERETT_COMPOSE_YAML_TREE_H
#define EVERETT_COMPOSE_YAML_TREE_H

#include "compose/diag.h"

struct pool;

enum {
    YAML_BYTES_MAX = 4 << 20, /* file size */
    YAML_DEPTH_MAX = 64,      /* nesting, counted through aliases */
    YAML_NODES_MAX = 100000,  /* nodes after every alias is written out */
    YAML_MAP_KEYS_MAX = 4096, /* keys of one mapping */
};

enum ynode_kind { YNODE_SCALAR, YNODE_SEQ, YNODE_MAP };

struct ypair {
    struct ynode *key; /* always a scalar */
    struct ynode *value;
};

struct ynode {
    enum ynode_kind kind;
    struct mark at;
    bool plain;   /* scalar: neither quoted, nor a block scalar, nor tagged !!str */
    bool visited; /* interpolation reached this node already (nodes are shared) */
    uint32_t height;
    uint64_t weight;      /* nodes below and including this one, aliases written out */
    char *text;           /* scalar: NUL-terminated, holds no other NUL */
    struct ynode **items; /* seq */
    struct ypair *pairs;  /* map, in file order, merge keys already applied */
    size_t count, cap;    /* of items or pairs */
};

/* The root of the file's only document, owned by `pool`; NULL with an error in `diags`. */
struct ynode *yaml_load(struct pool *pool, const struct source *src, struct diags *diags);

/* The value of `key`, or NULL. */
struct ynode *ymap_get(const struct ynode *map, const char *key);
/* A plain `null`, `~` or nothing. */
bool ynode_is_null(const struct ynode *n);
/* "a mapping", "a list", "text", "nothing": for messages. */
const char *ynode_kind_name(const struct ynode *n);

/* Applies the merge keys of one finished mapping. Internal to the loader. */
int yaml_apply_merge(struct pool *pool, struct ynode *map, struct diags *diags);

#endif
