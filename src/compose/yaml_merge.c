/* Merge keys and questions about finished nodes. */
#include "compose/yaml_tree.h"

#include <string.h>

#include "compose/pool.h"

struct ynode *ymap_get(const struct ynode *map, const char *key)
{
    if (map->kind != YNODE_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->pairs[i].key->text, key) == 0) {
            return map->pairs[i].value;
        }
    }
    return NULL;
}

bool ynode_is_null(const struct ynode *n)
{
    if (n->kind != YNODE_SCALAR || !n->plain) {
        return false;
    }
    static const char *const forms[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (strcmp(n->text, forms[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *ynode_kind_name(const struct ynode *n)
{
    if (n->kind == YNODE_MAP) {
        return "a mapping";
    }
    if (n->kind == YNODE_SEQ) {
        return "a list";
    }
    return ynode_is_null(n) ? "nothing" : "text";
}

static bool is_merge_key(const struct ynode *key)
{
    return key->plain && strcmp(key->text, "<<") == 0;
}

/* Adds the pairs of `from` whose keys `into` does not have: what stands there is either explicit
 * or came from an earlier entry of the merge list, and both win. */
static int merge_one(struct pool *pool, struct ynode *into, const struct ynode *from,
                     struct diags *diags)
{
    if (from->kind != YNODE_MAP) {
        return diag_error(diags, from->at, "write `<<: *name` or `<<: [*one, *two]`",
                          "`<<` merges mappings, but this is %s", ynode_kind_name(from));
    }
    for (size_t i = 0; i < from->count; i++) {
        if (ymap_get(into, from->pairs[i].key->text)) {
            continue;
        }
        if (into->count >= YAML_MAP_KEYS_MAX) {
            return diag_error(diags, into->at, NULL, "a mapping of more than %d keys",
                              YAML_MAP_KEYS_MAX);
        }
        *POOL_PUSH(pool, into->pairs, into->count, into->cap) = from->pairs[i];
    }
    return 0;
}

int yaml_apply_merge(struct pool *pool, struct ynode *map, struct diags *diags)
{
    size_t at = 0;
    while (at < map->count && !is_merge_key(map->pairs[at].key)) {
        at++;
    }
    if (at == map->count) {
        return 0;
    }
    const struct ynode *value = map->pairs[at].value;
    memmove(&map->pairs[at], &map->pairs[at + 1], (map->count - at - 1) * sizeof *map->pairs);
    map->count--;
    if (value->kind != YNODE_SEQ) {
        return merge_one(pool, map, value, diags);
    }
    for (size_t i = 0; i < value->count; i++) {
        if (merge_one(pool, map, value->items[i], diags)) {
            return -1;
        }
    }
    return 0;
}
