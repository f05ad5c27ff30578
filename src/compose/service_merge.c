#include "compose/service_merge.h"

#include <string.h>

#include "compose/pool.h"
#include "compose/yaml_tree.h"

/* Lists of "NAME=value" (or of names) that may as well be mappings. */
static bool is_pairs(const char *key)
{
    static const char *const keys[] = {"environment", "labels", "annotations", "sysctls",
                                       "extra_hosts"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Lists of names that may as well be mappings from these names. */
static bool is_names(const char *key)
{
    return strcmp(key, "networks") == 0 || strcmp(key, "depends_on") == 0;
}

/* A later value takes the place of an earlier one whole. */
static bool is_whole(const char *key)
{
    return strcmp(key, "command") == 0 || strcmp(key, "entrypoint") == 0 ||
           strcmp(key, "test") == 0;
}

/* Lists in which an entry replaces the one for the same path in the container. */
static bool is_by_target(const char *key)
{
    return strcmp(key, "volumes") == 0 || strcmp(key, "configs") == 0 ||
           strcmp(key, "secrets") == 0 || strcmp(key, "tmpfs") == 0;
}

static struct ynode *node(struct pool *pool, enum ynode_kind kind, struct mark at)
{
    struct ynode *n = pool_zalloc(pool, sizeof *n);
    n->kind = kind;
    n->at = at;
    return n;
}

static struct ynode *text(struct pool *pool, char *s, struct mark at, bool plain)
{
    struct ynode *n = node(pool, YNODE_SCALAR, at);
    n->text = s;
    n->plain = plain;
    n->visited = true;
    return n;
}

static void put(struct pool *pool, struct ynode *map, struct ynode *key, struct ynode *value)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->pairs[i].key->text, key->text) == 0) {
            map->pairs[i] = (struct ypair){key, value};
            return;
        }
    }
    *POOL_PUSH(pool, map->pairs, map->count, map->cap) = (struct ypair){key, value};
}

/* What a bare name in a list stands for as the key of a mapping. */
static struct ynode *bare_value(struct pool *pool, const char *key, struct mark at)
{
    if (strcmp(key, "depends_on") != 0) {
        return text(pool, pool_strdup(pool, ""), at, true);
    }
    struct ynode *map = node(pool, YNODE_MAP, at);
    put(pool, map, text(pool, pool_strdup(pool, "condition"), at, true),
        text(pool, pool_strdup(pool, "service_started"), at, true));
    return map;
}

/* A list in the form of a mapping, or the node itself. */
static const struct ynode *as_map(struct pool *pool, const char *key, const struct ynode *n)
{
    if (n->kind != YNODE_SEQ) {
        return n;
    }
    struct ynode *map = node(pool, YNODE_MAP, n->at);
    for (size_t i = 0; i < n->count; i++) {
        const struct ynode *item = n->items[i];
        if (item->kind != YNODE_SCALAR) {
            return n;
        }
        /* extra_hosts knows "name:address" too, which is the older form */
        size_t len = is_names(key) ? strlen(item->text) : strcspn(item->text, "=");
        if (!item->text[len] && strcmp(key, "extra_hosts") == 0) {
            len = strcspn(item->text, ":");
        }
        struct ynode *name = text(pool, pool_strndup(pool, item->text, len), item->at, false);
        bool has_value = item->text[len] != 0;
        put(pool, map, name,
            has_value ? text(pool, pool_strdup(pool, item->text + len + 1), item->at, false)
                      : bare_value(pool, key, item->at));
    }
    return map;
}

/* Where in the container an entry of `volumes` and the like leads; "" when that cannot be told. */
static const char *target_of(struct pool *pool, const struct ynode *item)
{
    if (item->kind == YNODE_MAP) {
        const struct ynode *t = ymap_get(item, "target");
        t = t ? t : ymap_get(item, "source");
        return t && t->kind == YNODE_SCALAR ? t->text : "";
    }
    if (item->kind != YNODE_SCALAR) {
        return "";
    }
    /* SOURCE:TARGET[:OPTIONS], TARGET[:OPTIONS] of a tmpfs, or a name */
    const char *first = strchr(item->text, ':');
    if (!first) {
        return item->text;
    }
    const char *from = first[1] == '/' ? first + 1 : item->text;
    return pool_strndup(pool, from, strcspn(from, ":"));
}

static bool same_item(struct pool *pool, const char *key, const struct ynode *a,
                      const struct ynode *b)
{
    if (is_by_target(key)) {
        const char *target = target_of(pool, a);
        return *target && strcmp(target, target_of(pool, b)) == 0;
    }
    return a->kind == YNODE_SCALAR && b->kind == YNODE_SCALAR && strcmp(a->text, b->text) == 0;
}

static struct ynode *merge_lists(struct pool *pool, const char *key, const struct ynode *base,
                                 const struct ynode *over)
{
    struct ynode *out = node(pool, YNODE_SEQ, over->at);
    for (size_t i = 0; i < base->count; i++) {
        bool replaced = false;
        for (size_t k = 0; k < over->count; k++) {
            replaced |= same_item(pool, key, base->items[i], over->items[k]);
        }
        if (!replaced) {
            *POOL_PUSH(pool, out->items, out->count, out->cap) = base->items[i];
        }
    }
    for (size_t i = 0; i < over->count; i++) {
        *POOL_PUSH(pool, out->items, out->count, out->cap) = over->items[i];
    }
    return out;
}

static struct ynode *merge_values(struct pool *pool, const char *key, struct ynode *base,
                                  struct ynode *over)
{
    const struct ynode *a = base, *b = over;
    if (is_pairs(key) || is_names(key)) {
        a = as_map(pool, key, a);
        b = as_map(pool, key, b);
    }
    if (is_whole(key) || a->kind != b->kind || b->kind == YNODE_SCALAR) {
        return over;
    }
    return b->kind == YNODE_MAP ? service_merge(pool, a, b) : merge_lists(pool, key, a, b);
}

struct ynode *service_merge(struct pool *pool, const struct ynode *base, const struct ynode *over)
{
    struct ynode *out = node(pool, YNODE_MAP, over->at);
    for (size_t i = 0; i < base->count; i++) {
        put(pool, out, base->pairs[i].key, base->pairs[i].value);
    }
    for (size_t i = 0; i < over->count; i++) {
        const struct ypair *p = &over->pairs[i];
        struct ynode *below = ymap_get(base, p->key->text);
        put(pool, out, p->key,
            below ? merge_values(pool, p->key->text, below, p->value) : p->value);
    }
    return out;
}
