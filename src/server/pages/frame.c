/* Head, navigation, notices, foot. */
#include "server/pages/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report/text.h"
#include "server/pages/assets.h"

#define KEYS_MAX 16u

struct frame frame_for(const struct http_request *rq, enum frame_place place, const char *title)
{
    return (struct frame){
        .title = title, .place = place, .who = &rq->who, .flash = http_query(rq, "done")};
}

bool frame_may(const struct frame *f, enum scope scope)
{
    return f->who && (f->who->scopes & ((unsigned)scope | SCOPE_ADMIN));
}

static void style(struct buf *b, const char *name)
{
    const struct asset *a = asset_named(name);
    ASSERT(a);
    buf_printf(b, "<link rel=\"stylesheet\" href=\"%s\">\n", a->path);
}

static void script(struct buf *b, const char *name)
{
    const struct asset *a = asset_named(name);
    ASSERT(a);
    buf_printf(b, "<script type=\"module\" src=\"%s\"></script>\n", a->path);
}

static void head(struct buf *b, const struct frame *f)
{
    buf_puts(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    text_html(b, f->title);
    buf_puts(b, " \xc2\xb7 Everett</title>\n");
    buf_printf(b, "<link rel=\"icon\" type=\"image/svg+xml\" href=\"%s\">\n",
               asset_named("icon.svg")->path);
    style(b, "base.css");
    style(b, "pages.css");
    for (size_t i = 0; f->styles && f->styles[i]; i++) {
        style(b, f->styles[i]);
    }
    script(b, "common.js");
    for (size_t i = 0; f->scripts && f->scripts[i]; i++) {
        script(b, f->scripts[i]);
    }
    buf_puts(b, "</head>\n<body>\n");
}

static void who(struct buf *b, const struct frame *f)
{
    if (!f->who) {
        return; /* an error that came before anybody was asked who they are */
    }
    if (!f->who->account) {
        buf_puts(b, "<a class=\"who\" href=\"/login\">Log in</a>");
        return;
    }
    buf_puts(b, "<span class=\"who\">");
    text_html(b, f->who->name);
    buf_puts(b, "</span>");
    if (f->who->by_session) {
        buf_puts(b, "<form method=\"post\" action=\"/logout\">");
        frame_csrf(b, f);
        buf_puts(b, "<button>Log out</button></form>");
    }
}

static void site(struct buf *b, const struct frame *f)
{
    static const struct {
        const char *url, *text;
        enum frame_place place;
        enum scope scope;
    } links[] = {
        {"/runs", "Runs", PLACE_RUNS, SCOPE_READ},
        {"/launch", "Launch", PLACE_LAUNCH, SCOPE_LAUNCH},
        {"/registry", "Registry", PLACE_REGISTRY, SCOPE_READ},
        {"/accounts", "Accounts", PLACE_ACCOUNTS, SCOPE_ADMIN},
    };
    buf_puts(b, "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"site\">"
                "<nav aria-label=\"Site\"><a class=\"brand\" href=\"/runs\">Everett</a>");
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        if (frame_may(f, links[i].scope)) {
            frame_link(b, links[i].url, links[i].text, links[i].place == f->place);
        }
    }
    buf_puts(b, "</nav>");
    who(b, f);
    buf_puts(b, "</header>\n");
}

/* Notices that a redirect after a form may ask for: fixed texts, since anybody can write an
 * address. */
static void flash(struct buf *b, const char *key)
{
    static const struct {
        const char *key, *text;
    } notices[] = {
        {"cancelled", "The run will end; what it has found so far is kept."},
        {"was-over", "The run had already ended."},
        {"revoked", "The token is revoked; nobody can use it any more."},
        {"logged-out", "You are logged out."},
    };
    for (size_t i = 0; key && i < ARRAY_LEN(notices); i++) {
        if (strcmp(key, notices[i].key) == 0) {
            buf_printf(b, "<p class=\"flash wrap\" role=\"status\">%s</p>\n", notices[i].text);
        }
    }
}

void frame_open(struct buf *b, const struct frame *f)
{
    head(b, f);
    site(b, f);
    flash(b, f->flash);
    buf_printf(b, "<main id=\"main\"%s>\n", f->is_wide ? " class=\"wide\"" : "");
}

void frame_close(struct buf *b, const struct frame *f)
{
    struct html_key keys[KEYS_MAX] = {{"/", "search"}};
    size_t count = 1;
    for (size_t i = 0; i < f->key_count && count + 1 < KEYS_MAX; i++) {
        keys[count++] = f->keys[i];
    }
    keys[count++] = (struct html_key){"?", "this list"};
    buf_puts(b, "</main>\n<footer class=\"wrap\"><span>Everett</span>" HTML_DOT
                "<span>times in UTC, moments in virtual time</span>"
                "<button type=\"button\" class=\"js help-open\">Keys <kbd>?</kbd></button>"
                "</footer>\n");
    html_help(b, keys, count);
    buf_puts(b, "</body>\n</html>\n");
}

void frame_send(struct http_response *rs, unsigned status)
{
    http_html(rs, status);
    http_set(rs, "Content-Security-Policy",
             "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
             "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    http_set(rs, "Cache-Control", "no-store");
    http_set(rs, "Referrer-Policy", "same-origin");
}

void frame_csrf(struct buf *b, const struct frame *f)
{
    buf_puts(b, "<input type=\"hidden\" name=\"csrf\" value=\"");
    text_html(b, f->who ? f->who->csrf : "");
    buf_puts(b, "\">");
}

void frame_link(struct buf *b, const char *url, const char *text, bool here)
{
    buf_puts(b, "<a href=\"");
    text_html(b, url);
    buf_puts(b, here ? "\" aria-current=\"page\">" : "\">");
    text_html(b, text);
    buf_puts(b, "</a>");
}

void frame_crumb(struct buf *b, const char *url, const char *text)
{
    buf_puts(b, "<a href=\"");
    text_html(b, url);
    buf_puts(b, "\">");
    text_html(b, text);
    buf_puts(b, "</a> <span aria-hidden=\"true\">/</span> ");
}

void frame_time(struct buf *b, int64_t unix_ms)
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    char machine[40];
    char human[40];
    if (unix_ms <= 0 || !gmtime_r(&t, &tm) ||
        !strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &tm) ||
        !strftime(human, sizeof human, "%Y-%m-%d %H:%M UTC", &tm)) {
        buf_puts(b, "\xe2\x80\x94");
        return;
    }
    buf_printf(b, "<time datetime=\"%s\">%s</time>", machine, human);
}
