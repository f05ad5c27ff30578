/* Property sets in run.db: absolute counts, written within the caller's transaction. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

static int save_examples(struct store *s, sqlite3_int64 key, bool good,
                         const struct property_examples *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct property_example *x = &list->item[i];
        sqlite3_stmt *st =
            sql_prepare(s, "INSERT INTO property_example VALUES (?,?,?,?,?,?,?,?,?,?,?)", err);
        if (!st) {
            return -1;
        }
        sqlite3_bind_int64(st, 1, key);
        sqlite3_bind_int(st, 2, good);
        sql_bind_u64(st, 3, i);
        sql_bind_u64(st, 4, x->universe);
        sql_bind_u64(st, 5, x->vtime_ns);
        sql_bind_u64(st, 6, x->seq);
        sql_bind_u64(st, 7, x->rank);
        sql_bind_u64(st, 8, x->node);
        sql_bind_u64(st, 9, x->pid);
        sql_bind_u64(st, 10, x->command_id);
        sql_bind_text(st, 11, x->details);
        if (sql_run(s, st, err)) {
            return -1;
        }
    }
    return 0;
}

static int delete_property(struct store *s, const struct property *p, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "DELETE FROM property WHERE id = ? AND kind = ? AND must_hit = ?", err);
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, p->id);
    sqlite3_bind_int(st, 2, (int)p->kind);
    sqlite3_bind_int(st, 3, p->must_hit);
    return sql_run(s, st, err); /* its examples go with it */
}

static int save_property(struct store *s, const struct property *p, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (delete_property(s, p, err) == 0) {
        st = sql_prepare(s, "INSERT INTO property VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                         err);
    }
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, p->id);
    sqlite3_bind_int(st, 2, (int)p->kind);
    sqlite3_bind_int(st, 3, p->must_hit);
    sql_bind_text(st, 4, p->group);
    sql_bind_text(st, 5, p->name);
    sql_bind_text(st, 6, p->item);
    sql_bind_text(st, 7, p->display_type);
    sql_bind_text(st, 8, p->file);
    sql_bind_text(st, 9, p->function);
    sql_bind_text(st, 10, p->class_name);
    sqlite3_bind_int64(st, 11, p->line);
    sqlite3_bind_int(st, 12, p->declared);
    sql_bind_u64(st, 13, p->good);
    sql_bind_u64(st, 14, p->bad);
    sql_bind_u64(st, 15, p->universes);
    sql_bind_u64(st, 16, p->universes_good);
    sql_bind_u64(st, 17, p->universes_bad);
    if (sql_run(s, st, err)) {
        return -1;
    }
    sqlite3_int64 key = sqlite3_last_insert_rowid(s->db);
    return save_examples(s, key, true, &p->examples, err) ||
                   save_examples(s, key, false, &p->counterexamples, err)
               ? -1
               : 0;
}

static int save_guidance(struct store *s, const struct guidance *g, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "INSERT OR REPLACE INTO guidance VALUES (?,?,?,?,?,?,?,?,?)", err);
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, g->id);
    sqlite3_bind_int(st, 2, (int)g->type);
    sqlite3_bind_int(st, 3, g->maximize);
    sql_bind_u64(st, 4, g->hits);
    sqlite3_bind_int(st, 5, g->has_best);
    sqlite3_bind_double(st, 6, g->left);
    sqlite3_bind_double(st, 7, g->right);
    sql_bind_u64(st, 8, g->universe);
    sql_bind_u64(st, 9, g->vtime_ns);
    return sql_run(s, st, err);
}

static int save_note(struct store *s, const struct note *n, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, "INSERT OR REPLACE INTO note VALUES (?,?,?,?,?,?,?)", err);
    if (!st) {
        return -1;
    }
    sqlite3_bind_int(st, 1, (int)n->kind);
    sql_bind_text(st, 2, n->text);
    sqlite3_bind_int64(st, 3, n->value);
    sql_bind_u64(st, 4, n->count);
    sql_bind_u64(st, 5, n->universes);
    sql_bind_u64(st, 6, n->universe);
    sql_bind_u64(st, 7, n->vtime_ns);
    return sql_run(s, st, err);
}

/* Writes the run-wide state of whatever `changed` names. */
int store_save_set(struct store *s, const struct property_set *changed, struct err *err)
{
    const struct property_set *all = &s->props;
    for (size_t i = 0; i < changed->prop_count; i++) {
        struct property_key key = property_key(&changed->props[i]);
        const struct property *p = property_find(all, &key);
        if (p && save_property(s, p, err)) {
            return -1;
        }
    }
    for (size_t i = 0, k = 0; i < changed->guidance_count; i++) {
        while (k < all->guidance_count && /* both are in the same order */
               (all->guidance[k].type != changed->guidance[i].type ||
                all->guidance[k].maximize != changed->guidance[i].maximize ||
                strcmp(all->guidance[k].id, changed->guidance[i].id) != 0)) {
            k++;
        }
        if (k < all->guidance_count && save_guidance(s, &all->guidance[k], err)) {
            return -1;
        }
    }
    for (size_t i = 0, k = 0; i < changed->note_count; i++) {
        const struct note *n = &changed->notes[i];
        while (k < all->note_count &&
               (all->notes[k].kind != n->kind || all->notes[k].value != n->value ||
                strcmp(all->notes[k].text, n->text) != 0)) {
            k++;
        }
        if (k < all->note_count && save_note(s, &all->notes[k], err)) {
            return -1;
        }
    }
    return 0;
}

/* `st` selects by key; prepared once, because parsing it costs as much as the rows. */
static int load_examples(struct store *s, sqlite3_stmt *st, sqlite3_int64 key, struct property *p,
                         struct err *err)
{
    sqlite3_reset(st);
    sqlite3_bind_int64(st, 1, key);
    int rc;
    while ((rc = sql_step(s, st, err)) == 1) {
        struct property_example x = {.universe = sql_u64(st, 1),
                                     .vtime_ns = sql_u64(st, 2),
                                     .seq = sql_u64(st, 3),
                                     .rank = (uint32_t)sql_u64(st, 4),
                                     .node = (uint16_t)sql_u64(st, 5),
                                     .pid = (uint32_t)sql_u64(st, 6),
                                     .command_id = (uint32_t)sql_u64(st, 7),
                                     .details = sql_text_dup(st, 8)};
        property_example_add(sql_u64(st, 0) ? &p->examples : &p->counterexamples, &x);
        free(x.details);
    }
    return rc;
}

static int load_property(struct store *s, sqlite3_stmt *st, sqlite3_stmt *examples,
                         struct property_set *out, struct err *err)
{
    struct property_key key = {sql_text(st, 1), (enum property_kind)sql_u64(st, 2),
                               sql_u64(st, 3) != 0};
    if (!key.id || key.kind < PROPERTY_ALWAYS || key.kind > PROPERTY_UNREACHABLE) {
        return err_set(err, ERR_HOST, "%s/run.db: damaged property", s->dir);
    }
    struct property *p = property_get(out, &key);
    if (!p) {
        return 0;
    }
    free(p->name);
    p->group = sql_text_dup(st, 4);
    p->name = mem_strdup(sql_text(st, 5) ? sql_text(st, 5) : "");
    p->item = sql_text_dup(st, 6);
    p->display_type = sql_text_dup(st, 7);
    p->file = sql_text_dup(st, 8);
    p->function = sql_text_dup(st, 9);
    p->class_name = sql_text_dup(st, 10);
    p->line = sqlite3_column_int64(st, 11);
    p->declared = sql_u64(st, 12) != 0;
    p->good = sql_u64(st, 13);
    p->bad = sql_u64(st, 14);
    p->universes = sql_u64(st, 15);
    p->universes_good = sql_u64(st, 16);
    p->universes_bad = sql_u64(st, 17);
    return s->part == STORE_COUNTS
               ? 0
               : load_examples(s, examples, sqlite3_column_int64(st, 0), p, err);
}

static int load_guidance(struct store *s, struct property_set *out, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(
        s,
        "SELECT id, type, maximize, hits, has_best, best_left, best_right, universe, vtime_ns"
        " FROM guidance ORDER BY id, type, maximize",
        err);
    int rc = st ? 1 : -1;
    while (rc == 1 && (rc = sql_step(s, st, err)) == 1) {
        struct guidance *g = guidance_get(out, sql_text(st, 0), (enum guidance_type)sql_u64(st, 1),
                                          sql_u64(st, 2) != 0);
        if (g) {
            g->hits = sql_u64(st, 3);
            g->has_best = sql_u64(st, 4) != 0;
            g->left = sqlite3_column_double(st, 5);
            g->right = sqlite3_column_double(st, 6);
            g->universe = sql_u64(st, 7);
            g->vtime_ns = sql_u64(st, 8);
        }
    }
    sqlite3_finalize(st);
    return rc;
}

static int load_notes(struct store *s, struct property_set *out, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s,
                    "SELECT kind, text, value, count, universes, universe, vtime_ns FROM note"
                    " ORDER BY kind, text, value",
                    err);
    int rc = st ? 1 : -1;
    while (rc == 1 && (rc = sql_step(s, st, err)) == 1) {
        struct note *n = ARRAY_PUSH(out->notes, out->note_count, out->note_cap);
        *n = (struct note){.kind = (enum note_kind)sql_u64(st, 0),
                           .text = sql_text_dup(st, 1),
                           .value = sqlite3_column_int64(st, 2),
                           .count = sql_u64(st, 3),
                           .universes = sql_u64(st, 4),
                           .universe = sql_u64(st, 5),
                           .vtime_ns = sql_u64(st, 6)};
    }
    sqlite3_finalize(st);
    return rc;
}

static int load_properties(struct store *s, struct property_set *out, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(
        s,
        "SELECT key, id, kind, must_hit, grp, name, item, display_type, file, function, class,"
        " line, declared, good, bad, universes, universes_good, universes_bad"
        " FROM property ORDER BY id, kind, must_hit",
        err);
    sqlite3_stmt *examples =
        st ? sql_prepare(s,
                         "SELECT good, universe, vtime_ns, seq, rank, node, pid, command_id,"
                         " details FROM property_example WHERE property = ?"
                         " ORDER BY good, position",
                         err)
           : NULL;
    int rc = examples ? 1 : -1;
    while (rc == 1 && (rc = sql_step(s, st, err)) == 1) {
        rc = load_property(s, st, examples, out, err) ? -1 : 1;
    }
    sqlite3_finalize(examples);
    sqlite3_finalize(st);
    return rc;
}

int store_load_set(struct store *s, struct property_set *out, struct err *err)
{
    if (s->part == STORE_RUN) {
        return 0;
    }
    if (load_properties(s, out, err)) {
        return -1;
    }
    return s->part == STORE_ALL && (load_guidance(s, out, err) || load_notes(s, out, err)) ? -1 : 0;
}
