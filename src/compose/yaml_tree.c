/* From libyaml's events to a tree: anchors, aliases, tags, duplicate keys and limits. */
#include "compose/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "compose/pool.h"

struct anchor {
    char *name;
    struct ynode *node; /* NULL while the anchored node is still being read */
};

struct composer {
    yaml_parser_t parser;
    struct pool *pool;
    const struct source *src;
    struct diags *diags;
    struct anchor *anchors; /* a later anchor of the same name replaces the earlier one */
    size_t anchor_count, anchor_cap;
    uint64_t nodes; /* aliases written out */
};

static struct ynode *read_node(struct composer *c, const yaml_event_t *ev, uint32_t depth);

static struct mark mark_of(const struct composer *c, const yaml_mark_t *m)
{
    return (struct mark){c->src, (uint32_t)m->line + 1, (uint32_t)m->column + 1};
}

static int next_event(struct composer *c, yaml_event_t *ev)
{
    if (yaml_parser_parse(&c->parser, ev)) {
        return 0;
    }
    const yaml_parser_t *p = &c->parser;
    const char *problem = p->problem ? p->problem : "not readable";
    if (p->error == YAML_READER_ERROR) {
        uint32_t line = 1;
        for (size_t i = 0; i < p->problem_offset && i < c->src->len; i++) {
            line += c->src->text[i] == '\n';
        }
        return diag_error(c->diags, (struct mark){c->src, line, 1},
                          "save the file as UTF-8 without control characters", "not text: %s",
                          problem);
    }
    const char *hint = NULL;
    if (strstr(problem, "cannot start any token")) {
        hint = "indent with spaces, not tabs, and quote values that start with @ or `";
    } else if (strstr(problem, "mapping values are not allowed")) {
        hint = "quote a value that contains `: `, and check the indentation of this line";
    } else if (strstr(problem, "did not find expected")) {
        hint = "check the indentation of this line and of the ones above it";
    }
    return diag_error(c->diags, mark_of(c, &p->problem_mark), hint, "not valid YAML: %s%s%s",
                      problem, p->context ? " " : "", p->context ? p->context : "");
}

static struct ynode *new_node(struct composer *c, enum ynode_kind kind, const yaml_mark_t *m)
{
    struct mark at = mark_of(c, m);
    if (++c->nodes > YAML_NODES_MAX) {
        diag_error(c->diags, at, NULL, "the file has more than %d values", YAML_NODES_MAX);
        return NULL;
    }
    struct ynode *n = pool_zalloc(c->pool, sizeof *n);
    n->kind = kind;
    n->at = at;
    n->weight = 1;
    return n;
}

static struct anchor *find_anchor(struct composer *c, const char *name)
{
    for (size_t i = 0; i < c->anchor_count; i++) {
        if (strcmp(c->anchors[i].name, name) == 0) {
            return &c->anchors[i];
        }
    }
    return NULL;
}

/* Forgets the anchor's earlier node, so that an alias inside the new one is seen as a cycle. */
static int open_anchor(struct composer *c, const yaml_char_t *name, const yaml_mark_t *m)
{
    if (!name) {
        return 0;
    }
    struct anchor *a = find_anchor(c, (const char *)name);
    if (!a) {
        if (c->anchor_count >= YAML_MAP_KEYS_MAX) {
            return diag_error(c->diags, mark_of(c, m), NULL, "more than %d anchors",
                              YAML_MAP_KEYS_MAX);
        }
        a = POOL_PUSH(c->pool, c->anchors, c->anchor_count, c->anchor_cap);
        a->name = pool_strdup(c->pool, (const char *)name);
    }
    a->node = NULL;
    return 0;
}

static void close_anchor(struct composer *c, const yaml_char_t *name, struct ynode *node)
{
    if (name) {
        find_anchor(c, (const char *)name)->node = node;
    }
}

static struct ynode *read_alias(struct composer *c, const yaml_event_t *ev, uint32_t depth)
{
    const char *name = (const char *)ev->data.alias.anchor;
    struct mark at = mark_of(c, &ev->start_mark);
    struct anchor *a = find_anchor(c, name);
    if (!a) {
        const char *near = suggest_name(name, c->anchors, c->anchor_count, sizeof(struct anchor));
        diag_error(c->diags, at,
                   near ? pool_printf(c->pool, "did you mean `*%s`?", near)
                        : "an anchor (`&name`) must stand above its first alias",
                   "alias `*%s` has no anchor", name);
        return NULL;
    }
    if (!a->node) {
        diag_error(c->diags, at, NULL, "alias `*%s` stands inside its own anchor", name);
        return NULL;
    }
    if (depth + a->node->height > YAML_DEPTH_MAX) {
        diag_error(c->diags, at, NULL, "nested deeper than %d levels through aliases",
                   YAML_DEPTH_MAX);
        return NULL;
    }
    c->nodes += a->node->weight;
    if (c->nodes > YAML_NODES_MAX) {
        diag_error(c->diags, at, NULL, "aliases expand to more than %d values", YAML_NODES_MAX);
        return NULL;
    }
    return a->node;
}

/* Tags of the core schema say nothing new; `!!str` makes a scalar text; others are refused. */
static int check_tag(struct composer *c, const yaml_char_t *tag, const yaml_mark_t *m,
                     bool *is_text)
{
    static const char *const known[] = {"map", "seq", "null", "bool", "int", "float", "merge"};
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *t = (const char *)tag;
    if (!t || strcmp(t, "!") == 0) {
        *is_text = t != NULL;
        return 0;
    }
    if (strncmp(t, prefix, sizeof prefix - 1) == 0) {
        t += sizeof prefix - 1;
        *is_text = strcmp(t, "str") == 0;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (strcmp(t, known[i]) == 0) {
                return 0;
            }
        }
        if (*is_text) {
            return 0;
        }
    }
    const char *hint = strcmp(t, "!reset") == 0 || strcmp(t, "!override") == 0
                           ? "this tag works on a merge of several files; Everett reads one file"
                           : NULL;
    return diag_error(c->diags, mark_of(c, m), hint, "tag `%s` is not supported", t);
}

static struct ynode *read_scalar(struct composer *c, const yaml_event_t *ev)
{
    bool is_text = false;
    if (open_anchor(c, ev->data.scalar.anchor, &ev->start_mark) ||
        check_tag(c, ev->data.scalar.tag, &ev->start_mark, &is_text)) {
        return NULL;
    }
    const char *value = (const char *)ev->data.scalar.value;
    if (memchr(value, 0, ev->data.scalar.length)) {
        diag_error(c->diags, mark_of(c, &ev->start_mark), NULL,
                   "a value holds a NUL character, which no argument, variable or path can");
        return NULL;
    }
    struct ynode *n = new_node(c, YNODE_SCALAR, &ev->start_mark);
    if (!n) {
        return NULL;
    }
    n->height = 0;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_text;
    n->text = pool_strndup(c->pool, value, ev->data.scalar.length);
    close_anchor(c, ev->data.scalar.anchor, n);
    return n;
}

static void adopt(struct ynode *parent, const struct ynode *child)
{
    parent->weight += child->weight;
    if (child->height + 1 > parent->height) {
        parent->height = child->height + 1;
    }
}

static struct ynode *read_seq(struct composer *c, const yaml_event_t *start, uint32_t depth)
{
    bool is_text = false;
    struct ynode *n = new_node(c, YNODE_SEQ, &start->start_mark);
    if (!n || open_anchor(c, start->data.sequence_start.anchor, &start->start_mark) ||
        check_tag(c, start->data.sequence_start.tag, &start->start_mark, &is_text)) {
        return NULL;
    }
    for (;;) {
        yaml_event_t ev;
        if (next_event(c, &ev)) {
            return NULL;
        }
        bool end = ev.type == YAML_SEQUENCE_END_EVENT;
        struct ynode *item = end ? NULL : read_node(c, &ev, depth + 1);
        yaml_event_delete(&ev);
        if (end) {
            break;
        }
        if (!item) {
            return NULL;
        }
        *POOL_PUSH(c->pool, n->items, n->count, n->cap) = item;
        adopt(n, item);
    }
    close_anchor(c, start->data.sequence_start.anchor, n);
    return n;
}

static int compare_keys(const void *pa, const void *pb)
{
    const struct ynode *a = *(struct ynode *const *)pa, *b = *(struct ynode *const *)pb;
    int cmp = strcmp(a->text, b->text);
    if (cmp) {
        return cmp;
    }
    if (a->at.line != b->at.line) {
        return a->at.line < b->at.line ? -1 : 1;
    }
    return a->at.col < b->at.col ? -1 : a->at.col > b->at.col;
}

static int check_duplicates(struct composer *c, const struct ynode *map)
{
    if (map->count < 2) {
        return 0;
    }
    struct ynode **keys = pool_zalloc(c->pool, map->count * sizeof *keys);
    for (size_t i = 0; i < map->count; i++) {
        keys[i] = map->pairs[i].key;
    }
    qsort(keys, map->count, sizeof *keys, compare_keys);
    int rc = 0;
    for (size_t i = 1; i < map->count; i++) {
        if (strcmp(keys[i]->text, keys[i - 1]->text) == 0) {
            bool merge = strcmp(keys[i]->text, "<<") == 0;
            rc = diag_error(c->diags, keys[i]->at, merge ? "write `<<: [*a, *b]`" : NULL,
                            "duplicate key `%s` (first at line %u)", keys[i]->text,
                            keys[i - 1]->at.line);
        }
    }
    return rc;
}

static int read_pair(struct composer *c, struct ynode *map, yaml_event_t *key_ev, uint32_t depth)
{
    struct mark at = mark_of(c, &key_ev->start_mark);
    struct ynode *key = read_node(c, key_ev, depth + 1);
    if (!key) {
        return -1;
    }
    if (key->kind != YNODE_SCALAR) {
        return diag_error(c->diags, at, NULL, "a key must be text, not %s", ynode_kind_name(key));
    }
    if (map->count >= YAML_MAP_KEYS_MAX) {
        return diag_error(c->diags, at, NULL, "a mapping of more than %d keys", YAML_MAP_KEYS_MAX);
    }
    yaml_event_t ev;
    if (next_event(c, &ev)) {
        return -1;
    }
    struct ynode *value = read_node(c, &ev, depth + 1);
    yaml_event_delete(&ev);
    if (!value) {
        return -1;
    }
    *POOL_PUSH(c->pool, map->pairs, map->count, map->cap) = (struct ypair){key, value};
    adopt(map, key);
    adopt(map, value);
    return 0;
}

static struct ynode *read_map(struct composer *c, const yaml_event_t *start, uint32_t depth)
{
    bool is_text = false;
    struct ynode *n = new_node(c, YNODE_MAP, &start->start_mark);
    if (!n || open_anchor(c, start->data.mapping_start.anchor, &start->start_mark) ||
        check_tag(c, start->data.mapping_start.tag, &start->start_mark, &is_text)) {
        return NULL;
    }
    for (;;) {
        yaml_event_t ev;
        if (next_event(c, &ev)) {
            return NULL;
        }
        bool end = ev.type == YAML_MAPPING_END_EVENT;
        int rc = end ? 0 : read_pair(c, n, &ev, depth);
        yaml_event_delete(&ev);
        if (rc) {
            return NULL;
        }
        if (end) {
            break;
        }
    }
    if (check_duplicates(c, n) || yaml_apply_merge(c->pool, n, c->diags)) {
        return NULL;
    }
    close_anchor(c, start->data.mapping_start.anchor, n);
    return n;
}

static struct ynode *read_node(struct composer *c, const yaml_event_t *ev, uint32_t depth)
{
    if (depth > YAML_DEPTH_MAX) {
        diag_error(c->diags, mark_of(c, &ev->start_mark), NULL, "nested deeper than %d levels",
                   YAML_DEPTH_MAX);
        return NULL;
    }
    /* An event of any other kind cannot stand here: libyaml's own grammar forbids it. */
    ASSERT(ev->type == YAML_ALIAS_EVENT || ev->type == YAML_SCALAR_EVENT ||
           ev->type == YAML_SEQUENCE_START_EVENT || ev->type == YAML_MAPPING_START_EVENT);
    if (ev->type == YAML_ALIAS_EVENT) {
        return read_alias(c, ev, depth);
    }
    if (ev->type == YAML_SCALAR_EVENT) {
        return read_scalar(c, ev);
    }
    return ev->type == YAML_SEQUENCE_START_EVENT ? read_seq(c, ev, depth) : read_map(c, ev, depth);
}

/* stream start, one document, stream end */
static struct ynode *read_stream(struct composer *c)
{
    struct ynode *root = NULL;
    for (;;) {
        yaml_event_t ev;
        if (next_event(c, &ev)) {
            return NULL;
        }
        yaml_event_type_t type = ev.type;
        if (type == YAML_DOCUMENT_START_EVENT && root) {
            diag_error(c->diags, mark_of(c, &ev.start_mark), NULL,
                       "a second YAML document; Everett reads one document a file");
            yaml_event_delete(&ev);
            return NULL;
        }
        bool is_node = type == YAML_ALIAS_EVENT || type == YAML_SCALAR_EVENT ||
                       type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
        if (is_node) {
            root = read_node(c, &ev, 0);
        }
        yaml_event_delete(&ev);
        if (is_node && !root) {
            return NULL;
        }
        if (type == YAML_STREAM_END_EVENT) {
            break;
        }
    }
    if (!root) {
        diag_error(c->diags, (struct mark){c->src, 0, 0}, NULL, "the file is empty");
    }
    return root;
}

struct ynode *yaml_load(struct pool *pool, const struct source *src, struct diags *diags)
{
    if (src->len > YAML_BYTES_MAX) {
        diag_error(diags, (struct mark){src, 0, 0}, NULL, "larger than %d bytes", YAML_BYTES_MAX);
        return NULL;
    }
    struct composer c = {.pool = pool, .src = src, .diags = diags};
    if (!yaml_parser_initialize(&c.parser)) {
        abort(); /* out of host memory */
    }
    yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)src->text, src->len);
    struct ynode *root = read_stream(&c);
    yaml_parser_delete(&c.parser);
    return root;
}
