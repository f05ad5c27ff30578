/* Which notifications a run asks for: its parameters become rows, whose content is made now, so
 * that each try sends the same. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/db/db.h"
#include "server/notify/notify_priv.h"
#include "server/server.h"

#define RECIPIENTS_MAX 50u
#define ADDRESS_MAX    254u /* RFC 5321 section 4.5.3.1, and erratum 1690 */

typedef int word_fn(void *ctx, const char *word, struct err *err);

static int each_recipient(const char *list, word_fn *fn, void *ctx, struct err *err)
{
    while (*list) {
        list += strspn(list, "; \t\r\n");
        size_t len = strcspn(list, "; \t\r\n");
        if (len > 0) {
            cleanup_free char *word = mem_strndup(list, len);
            if (fn(ctx, word, err)) {
                return -1;
            }
        }
        list += len;
    }
    return 0;
}

static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) > ADDRESS_MAX ||
        at - text > 64) {
        return false;
    }
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p >= 127 || strchr("<>()[]\\,:\"", *p)) {
            return false;
        }
    }
    return at[1] != '.' && at[1] != '-' && !strstr(at, "..");
}

static int check_recipient(void *ctx, const char *word, struct err *err)
{
    unsigned *count = ctx;
    if (!is_address(word)) {
        err_set(err, ERR_USAGE, "`%s` is no mail address", word);
        return err_hint(err, "several are separated by semicolons: a@example.org;b@example.org");
    }
    if (++*count > RECIPIENTS_MAX) {
        return err_set(err, ERR_USAGE, "more than %u recipients", RECIPIENTS_MAX);
    }
    return 0;
}

int notify_check_recipients(const char *list, struct err *err)
{
    unsigned count = 0;
    return each_recipient(list, check_recipient, &count, err);
}

/* ---- rows ---- */

struct plan {
    struct server *server;
    struct db *db;
    const struct run_summary *run;
    const char *run_id;
    bool is_end;
};

struct row {
    const char *kind, *target, *payload, *secret;
    const char *refused; /* why it can never be sent; NULL: it waits */
};

/* The same content twice is a run that was reported twice: a server that was killed in between. */
static int insert(const struct plan *p, const struct row *r, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        p->db,
        "INSERT INTO notification (run, kind, target, payload, secret, state, next, created,"
        " last_error) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM"
        " notification WHERE run = ?1 AND kind = ?2 AND target = ?3 AND payload = ?4)",
        err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, p->run_id);
    db_text(st, 2, r->kind);
    db_text(st, 3, r->target);
    db_text(st, 4, r->payload);
    db_text(st, 5, r->refused ? NULL : r->secret);
    db_text(st, 6, r->refused ? "failed" : "waiting");
    db_i64(st, 7, time(NULL));
    db_text(st, 8, r->refused);
    return db_run(p->db, st, err);
}

static int add_mail(void *ctx, const char *word, struct err *err)
{
    const struct plan *p = ctx;
    const struct server_config *c = p->server->config;
    json_t *mail =
        mail_compose(p->run, p->server->public_url, c->mail_from ? c->mail_from : "everett", word);
    cleanup_free char *payload = json_dumps(mail, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(mail);
    struct row row = {.kind = "mail",
                      .target = word,
                      .payload = payload,
                      .refused = c->smtp_url ? NULL
                                             : "this server has no mail server: an administrator "
                                               "sets smtp_url"};
    return insert(p, &row, err);
}

/* A status that still waits must not overtake the one that replaces it. */
static int drop_waiting(const struct plan *p, const char *kind, const char *payload,
                        struct err *err)
{
    sqlite3_stmt *st = db_prepare(p->db,
                                  "DELETE FROM notification WHERE run = ? AND kind = ?"
                                  " AND payload <> ? AND state = 'waiting'",
                                  err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, p->run_id);
    db_text(st, 2, kind);
    db_text(st, 3, payload);
    return db_run(p->db, st, err);
}

/* The tokens are in the rows that still need them. */
static int forget_secrets(const struct plan *p, struct err *err)
{
    sqlite3_stmt *st = db_prepare(p->db, "UPDATE run SET secrets = NULL WHERE id = ?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, p->run_id);
    return db_run(p->db, st, err);
}

static int add_callback(const struct plan *p, const char *kind, const char *url, const char *token,
                        struct err *err)
{
    cleanup_err struct err why = {0};
    cleanup_buf struct buf target = {0};
    bool is_fine = notify_check_callback(p->server, url, &why) == 0;
    json_t *body = callback_body(p->run, kind, p->server->public_url, p->is_end);
    json_t *secret = json_pack("{s:s, s:s?}", "url", url, "token", token);
    cleanup_free char *payload = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    cleanup_free char *hidden = json_dumps(secret, JSON_COMPACT);
    json_decref(body);
    json_decref(secret);
    if (!payload || !hidden) {
        return 0; /* not UTF-8: no receiver takes it */
    }
    callback_display(kind, url, &target);
    struct row row = {.kind = kind,
                      .target = target.data,
                      .payload = payload,
                      .secret = hidden,
                      .refused = is_fine ? NULL : why.msg};
    int r = drop_waiting(p, kind, payload, err) || insert(p, &row, err) ? -1 : 0;
    explicit_bzero(hidden, strlen(hidden));
    return r;
}

static const char *secret_param(const struct run_summary *r, const char *name)
{
    const char *s = json_string_value(json_object_get(r->secrets, name));
    return s && *s ? s : NULL;
}

/* Some are secrets by themselves: who knows them may post. */
static const char *url_param(const struct run_summary *r, const char *name)
{
    const char *secret = secret_param(r, name);
    return secret ? secret : summary_param(r, name);
}

/* "antithesis.integrations.slack.callback_url" and ".token"; and without the kind in the name,
 * deprecated, with ".type". */
static int add_integration(const struct plan *p, const char *kind, struct err *err)
{
    cleanup_buf struct buf name = {0};
    buf_printf(&name, "antithesis.integrations.%s.", kind);
    size_t len = name.len;
    buf_puts(&name, "callback_url");
    const char *url = url_param(p->run, name.data);
    name.len = len;
    buf_puts(&name, "token");
    const char *token = secret_param(p->run, name.data);
    const char *type = summary_param(p->run, "antithesis.integrations.type");
    if (!url && type && strcasecmp(type, kind) == 0) {
        url = url_param(p->run, "antithesis.integrations.callback_url");
        token = secret_param(p->run, "antithesis.integrations.token");
    }
    return url ? add_callback(p, kind, url, token, err) : 0;
}

static int add_all(struct plan *p, struct err *err)
{
    static const char *const kinds[] = {"github", "slack", "discord"};
    for (size_t i = 0; i < (p->is_end ? ARRAY_LEN(kinds) : 1); i++) {
        if (add_integration(p, kinds[i], err)) {
            return -1;
        }
    }
    const char *recipients = summary_param(p->run, "antithesis.report.recipients");
    return p->is_end && recipients ? each_recipient(recipients, add_mail, p, err) : 0;
}

int plan_run(struct server *s, const char *run_id, bool is_end, struct err *err)
{
    struct run_summary run;
    if (summary_load(s, run_id, &run, err)) {
        return -1;
    }
    struct plan p = {
        .server = s, .db = db_get(s->db), .run = &run, .run_id = run_id, .is_end = is_end};
    int r = db_begin(p.db, err);
    r = r ? r : add_all(&p, err);
    r = r || !is_end ? r : forget_secrets(&p, err);
    r = r ? r : db_commit(p.db, err);
    db_put(s->db, p.db);
    summary_fini(&run);
    return r ? err_wrap(err, "notifications of run %s", run_id) : 0;
}
