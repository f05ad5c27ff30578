/* A run's row and its report, for those who write about it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/text.h"
#include "server/db/db.h"
#include "server/notify/notify_priv.h"
#include "server/queue/queue.h"
#include "server/server.h"

#define NAME_SHOWN_MAX 200u

static int read_row(struct db *db, const char *run_id, json_t *row, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db,
        "SELECT id, status, created_ms, started_ms, completed_ms, launcher, creator_name,"
        " description, test_name, source, commit_id, params, secrets, error, verdict, universes,"
        " virtual_ns, wall_ns, failed, never, passed, found_new, found_rare, found_ongoing,"
        " found_resolved FROM run WHERE id = ?",
        err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, run_id);
    int r = db_step(db, st, err);
    if (r != 1) {
        return r < 0 ? -1 : err_set(err, ERR_USAGE, "there is no run %s", run_id);
    }
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        json_t *v = sqlite3_column_type(st, i) == SQLITE_INTEGER
                        ? json_integer(db_column_i64(st, i))
                    : db_column(st, i) ? json_string(db_column(st, i))
                                       : json_null();
        json_object_set_new(row, sqlite3_column_name(st, i), v);
    }
    return 0;
}

static json_t *parse_column(json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    json_object_del(row, column);
    return value;
}

static const char *string_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s && *s ? s : NULL;
}

/* Everything that is new stands first. */
static void collect(struct run_summary *r)
{
    static const char *const order[] = {"new", "rare", "ongoing", "resolved"};
    const json_t *props = json_object_get(r->report, "properties");
    size_t cap = 0;
    for (size_t w = 0; w < ARRAY_LEN(order); w++) {
        for (size_t i = 0; i < json_array_size(props); i++) {
            const json_t *p = json_array_get(props, i);
            const char *word = string_of(p, "finding"), *name = string_of(p, "name");
            if (!word || !name || strcmp(word, order[w]) != 0) {
                continue;
            }
            const json_t *bad = json_array_get(json_object_get(p, "counterexamples"), 0);
            struct finding_line *f = ARRAY_PUSH(r->findings, r->finding_count, cap);
            f->word = word;
            f->name = name;
            f->number = (int64_t)i + 1;
            f->failing = json_integer_value(json_object_get(p, "universes_failing"));
            f->of = json_integer_value(json_object_get(p, "universes"));
            f->minimal = string_of(json_object_get(p, "confirmation"), "minimal");
            f->first_time = string_of(bad, "time");
        }
    }
}

int summary_load(struct server *s, const char *run_id, struct run_summary *out, struct err *err)
{
    *out = (struct run_summary){.row = json_object()};
    struct db *db = db_get(s->db);
    int r = read_row(db, run_id, out->row, err);
    db_put(s->db, db);
    if (r) {
        summary_fini(out);
        return -1;
    }
    out->params = parse_column(out->row, "params");
    out->secrets = parse_column(out->row, "secrets");
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/runs/%s/run/report.json", s->dir, run_id);
    out->report = json_load_file(path.data, 0, NULL); /* a run that did not come up has none */
    collect(out);
    return 0;
}

void summary_fini(struct run_summary *r)
{
    free(r->findings);
    json_decref(r->row);
    json_decref(r->params);
    json_decref(r->secrets);
    json_decref(r->report);
    *r = (struct run_summary){0};
}

const char *summary_text(const struct run_summary *r, const char *column)
{
    return string_of(r->row, column);
}

int64_t summary_number(const struct run_summary *r, const char *column)
{
    return json_integer_value(json_object_get(r->row, column));
}

const char *summary_param(const struct run_summary *r, const char *name)
{
    return string_of(r->params, name);
}

void summary_name(const struct run_summary *r, struct buf *b)
{
    const char *name = summary_text(r, "test_name");
    name = name ? name : string_of(json_object_get(r->report, "run"), "name");
    name = name ? name : summary_param(r, "antithesis.config_image");
    name = name ? name : summary_text(r, "launcher");
    cleanup_buf struct buf clean = {0};
    text_clean(&clean, name ? name : "run", strlen(name ? name : "run"), NAME_SHOWN_MAX);
    for (size_t i = 0; i < clean.len; i++) {
        buf_putc(b, clean.data[i] == '\n' ? ' ' : clean.data[i]);
    }
}

enum outcome summary_outcome(const struct run_summary *r)
{
    const char *verdict = summary_text(r, "verdict");
    int64_t status = summary_number(r, "status");
    if (status == LAUNCH_CANCELLED) {
        return OUTCOME_CANCELLED;
    }
    if (status != LAUNCH_COMPLETED || !verdict) {
        return OUTCOME_INCOMPLETE;
    }
    return strcmp(verdict, "passed") == 0   ? OUTCOME_PASSED
           : strcmp(verdict, "failed") == 0 ? OUTCOME_FAILED
                                            : OUTCOME_INCOMPLETE;
}

void summary_outcome_text(const struct run_summary *r, struct buf *b)
{
    static const char *const words[] = {"passed", "failed", "did not complete", "cancelled"};
    static const struct {
        const char *column, *word;
    } counts[] = {{"found_new", "new"},
                  {"found_rare", "rare"},
                  {"found_ongoing", "ongoing"},
                  {"found_resolved", "resolved"}};
    const char *comma = ": ";
    buf_puts(b, words[summary_outcome(r)]);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t n = summary_number(r, counts[i].column);
        if (n > 0) {
            buf_printf(b, "%s%lld %s", comma, (long long)n, counts[i].word);
            comma = ", ";
        }
    }
}
