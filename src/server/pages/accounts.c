/* Logging in and out, accounts, tokens. */
#include "server/pages/accounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "report/text.h"
#include "server/auth/auth.h"
#include "server/db/db.h"
#include "server/server.h"

#define AUDIT_ROWS 100

/* Only a path of ours: "//host" and "/\host" lead away in browsers. */
const char *login_target(const char *next)
{
    bool ours = next && next[0] == '/' && next[1] != '/' && next[1] != '\\';
    for (const char *c = next; ours && *c; c++) {
        ours = (unsigned char)*c > 0x20 && (unsigned char)*c < 0x7f;
    }
    return ours ? next : "/runs";
}

static void login_form(struct http_request *rq, struct http_response *rs, const char *name,
                       const char *next, const char *trouble)
{
    struct frame f = frame_for(rq, PLACE_NONE, "Log in");
    struct buf *b = &rs->body;
    frame_open(b, &f);
    buf_puts(b, "<div class=\"wrap narrow\"><h1>Log in</h1>\n");
    if (trouble) {
        buf_puts(b, "<p class=\"field-error\" id=\"trouble\" role=\"alert\">");
        text_html(b, trouble);
        buf_puts(b, "</p>\n");
    }
    buf_puts(b, "<form method=\"post\" action=\"/login\" class=\"form\">");
    frame_csrf(b, &f);
    buf_puts(b, "<input type=\"hidden\" name=\"next\" value=\"");
    text_html(b, next);
    buf_puts(b, "\"><p><label>Account <input name=\"name\" autocomplete=\"username\" required "
                "value=\"");
    text_html(b, name);
    buf_puts(b, "\"></label></p>\n<p><label>Password <input type=\"password\" name=\"password\" "
                "autocomplete=\"current-password\" required></label></p>\n"
                "<p><button class=\"primary\">Log in</button></p></form>\n"
                "<p class=\"note\">Accounts are made on the server: <code>everett account create "
                "--dir DIR NAME</code></p></div>\n");
    frame_close(b, &f);
    frame_send(rs, trouble ? 401 : 200);
}

void page_login(struct http_request *rq, struct http_response *rs)
{
    login_form(rq, rs, "", login_target(http_query(rq, "next")), NULL);
}

void page_login_post(struct http_request *rq, struct http_response *rs)
{
    cleanup_free char *name = http_form(rq, "name");
    cleanup_free char *password = http_form(rq, "password");
    cleanup_free char *next = http_form(rq, "next");
    cleanup_buf struct buf cookie = {0};
    cleanup_buf struct buf text = {0};
    unsigned retry_s = 0;
    enum auth_result result = auth_login(rq->server->auth, rq, name ? name : "",
                                         password ? password : "", &cookie, &retry_s);
    if (password) {
        explicit_bzero(password, strlen(password));
    }
    switch (result) {
    case AUTH_OK:
        http_set(rs, "Set-Cookie", cookie.data);
        http_redirect(rs, login_target(next));
        return;
    case AUTH_LOCKED:
        buf_printf(&text, "Too many wrong passwords. Try again in %u minutes.", retry_s / 60 + 1);
        break;
    case AUTH_FAILED:
        buf_puts(&text, "The server could not check this; its log says why.");
        break;
    case AUTH_NONE:
    case AUTH_WRONG:
    case AUTH_FORBIDDEN:
        buf_puts(&text, "The account or the password is wrong.");
        break;
    }
    login_form(rq, rs, name, login_target(next), text.data);
    if (result == AUTH_LOCKED) {
        rs->status = 429;
        http_setf(rs, "Retry-After", "%u", retry_s);
    }
}

void page_logout(struct http_request *rq, struct http_response *rs)
{
    auth_logout(rq->server->auth, rq);
    http_set(rs, "Set-Cookie", AUTH_COOKIE_GONE);
    http_redirect(rs, "/login?done=logged-out");
}

/* ---- accounts and tokens ---- */

struct listing {
    struct buf *b;
    const struct frame *f;
    int64_t now;
    size_t count;
};

static void scopes_cell(struct buf *b, unsigned scopes)
{
    cleanup_buf struct buf text = {0};
    auth_scopes_text(scopes, &text);
    buf_puts(b, "<td>");
    text_html(b, text.data);
    buf_puts(b, "</td>");
}

static void time_cell(struct buf *b, int64_t unix_s)
{
    buf_puts(b, "<td>");
    frame_time(b, unix_s * 1000);
    buf_puts(b, "</td>");
}

static int account_row(void *ctx, const struct auth_account_row *row)
{
    struct listing *l = ctx;
    buf_puts(l->b, "<tr><td><b>");
    text_html(l->b, row->name);
    buf_puts(l->b, "</b></td>");
    scopes_cell(l->b, row->scopes);
    buf_printf(l->b, "<td>%s</td>",
               row->is_disabled    ? "disabled"
               : row->has_password ? "password"
                                   : "tokens only");
    time_cell(l->b, row->created);
    buf_puts(l->b, "</tr>\n");
    return 0;
}

static int token_row(void *ctx, const struct auth_token_row *row)
{
    struct listing *l = ctx;
    bool expired = row->expires && row->expires <= l->now;
    l->count++;
    char number[40];
    snprintf(number, sizeof number, "token %" PRId64, row->id);
    const char *label = *row->label ? row->label : number;
    buf_puts(l->b, "<tr><td><b>");
    text_html(l->b, label);
    buf_puts(l->b, "</b></td><td>");
    text_html(l->b, row->account);
    buf_puts(l->b, "</td>");
    scopes_cell(l->b, row->scopes);
    time_cell(l->b, row->created);
    time_cell(l->b, row->last_used);
    time_cell(l->b, row->expires);
    buf_puts(l->b, "<td>");
    if (row->revoked || expired) {
        buf_puts(l->b, row->revoked ? "revoked" : "expired");
    } else {
        buf_printf(l->b, "<form method=\"post\" action=\"/accounts/tokens/%" PRId64 "/revoke\">",
                   row->id);
        frame_csrf(l->b, l->f);
        buf_puts(l->b, "<button aria-label=\"Revoke ");
        text_html(l->b, label);
        buf_puts(l->b, "\">Revoke</button></form>");
    }
    buf_puts(l->b, "</td></tr>\n");
    return 0;
}

static void table_open(struct buf *b, const char *title, const char *heads)
{
    buf_printf(b,
               "<h2>%s</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" "
               "aria-label=\"%s\"><table><thead><tr>%s</tr></thead><tbody>\n",
               title, title, heads);
}

static int audit(struct buf *b, struct db_pool *pool, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT at, account, peer, action, target, detail FROM audit "
                                  "ORDER BY id DESC LIMIT ?",
                                  err);
    int rc = -1;
    table_open(b, "What was done",
               "<th>when</th><th>who</th><th>from</th><th>action</th>"
               "<th>target</th><th>detail</th>");
    if (st) {
        db_i64(st, 1, AUDIT_ROWS);
        while ((rc = db_step(db, st, err)) == 1) {
            buf_puts(b, "<tr>");
            time_cell(b, db_column_i64(st, 0));
            for (int i = 1; i < 6; i++) {
                const char *text = db_column(st, i);
                buf_puts(b, "<td>");
                text_html(b, i == 1 && !text ? "(command line)" : text);
                buf_puts(b, "</td>");
            }
            buf_puts(b, "</tr>\n");
        }
    }
    buf_puts(b, "</tbody></table></div>\n");
    db_put(pool, db);
    return rc;
}

static int draw_accounts(struct buf *b, const struct frame *f, struct db_pool *db, struct err *err)
{
    struct listing l = {.b = b, .f = f, .now = (int64_t)time(NULL)};
    buf_puts(b, "<div class=\"wrap\"><h1>Accounts and tokens</h1>\n"
                "<p class=\"note\">Both are made on the server: <code>everett account create --dir "
                "DIR NAME</code>, <code>everett token create --dir DIR --account NAME --scopes "
                "read,launch,push</code>. A token's text is shown once, there.</p>\n");
    table_open(b, "Accounts", "<th>account</th><th>may</th><th>logs in by</th><th>made</th>");
    int rc = auth_each_account(db, account_row, &l, err);
    buf_puts(b, "</tbody></table></div>\n");
    table_open(b, "Tokens",
               "<th>token</th><th>account</th><th>may</th><th>made</th>"
               "<th>last used</th><th>expires</th><th><span class=\"sr\">actions"
               "</span></th>");
    rc = rc ? rc : auth_each_token(db, token_row, &l, err);
    buf_puts(b, "</tbody></table></div>\n");
    buf_puts(b, l.count ? "" : "<p class=\"empty\">There is no token.</p>\n");
    rc = rc ? rc : audit(b, db, err);
    buf_puts(b, "</div>\n");
    return rc;
}

void page_accounts(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct frame f = frame_for(rq, PLACE_ACCOUNTS, "Accounts and tokens");
    frame_open(&rs->body, &f);
    if (draw_accounts(&rs->body, &f, rq->server->db, &err)) {
        http_fail(rq, rs, &err);
        return;
    }
    frame_close(&rs->body, &f);
    frame_send(rs, 200);
}

void page_revoke(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    char peer[64];
    if (auth_token_revoke(rq->server->db, strtoll(rq->vars[0], NULL, 10), &err)) {
        http_fail(rq, rs, &err);
        return;
    }
    http_peer(rq, peer, sizeof peer);
    auth_audit(rq->server->db, &rq->who, peer, "token.revoke", rq->vars[0], NULL);
    http_redirect(rs, "/accounts?done=revoked");
}
