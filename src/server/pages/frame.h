/* What every page shares: head, navigation of the site, notices, foot, keys.
 *
 *     struct frame f = frame_for(rq, PLACE_RUNS, "Runs");
 *     f.scripts = (const char *const[]){"runs.js", NULL};
 *     frame_open(&rs->body, &f);
 *     ...                            the page's own markup, which starts with an <h1>
 *     frame_close(&rs->body, &f);
 *     frame_send(rs, 200);
 *
 * Texts that are not ours go through text_html() (report/text.h), which cleans and escapes them for
 * text and double-quoted attributes; values in addresses through http_encode(). Pages have no style
 * attributes and no code of their own: the policy forbids both. Style sheets and modules are files
 * of web/ listed in this folder's meson.build. */
#ifndef EVERETT_SERVER_PAGES_FRAME_H
#define EVERETT_SERVER_PAGES_FRAME_H

#include "base/buf.h"
#include "report/html_parts.h"
#include "server/http/http.h"

enum frame_place { PLACE_NONE, PLACE_RUNS, PLACE_LAUNCH, PLACE_REGISTRY, PLACE_ACCOUNTS };

struct frame {
    const char *title;
    enum frame_place place;
    /* Names of web/, NULL-terminated, beside those that every page has; or NULL. */
    const char *const *styles, *const *scripts;
    bool is_wide;                /* takes the whole width of a large screen */
    const struct html_key *keys; /* beside `/` and `?` */
    size_t key_count;
    /* Who looks; borrowed from the request; NULL: not known. */
    const struct principal *who;
    const char *flash; /* key of a notice that a redirect brought (`done=`), or NULL */
};

/* All of it, when the request's handler has been entered; title is borrowed. */
struct frame frame_for(const struct http_request *rq, enum frame_place place, const char *title);
/* Up to and including <main>. */
void frame_open(struct buf *b, const struct frame *f);
void frame_close(struct buf *b, const struct frame *f);
void frame_send(struct http_response *rs, unsigned status);

/* The hidden field that forms with method="post" need. */
void frame_csrf(struct buf *b, const struct frame *f);
/* True when `who` may use routes of that scope: what they may not do is not offered. */
bool frame_may(const struct frame *f, enum scope scope);
/* A tab or a line of links below the title: marks the one that is `here`. */
void frame_link(struct buf *b, const char *url, const char *text, bool here);
/* "/runs/ID" with " / more" before the title: where one is. */
void frame_crumb(struct buf *b, const char *url, const char *text);
/* "2026-11-22 18:04 UTC" as <time>; an em dash for 0. */
void frame_time(struct buf *b, int64_t unix_ms);

#endif
