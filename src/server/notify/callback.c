/* Callbacks: one POST to a URL that a user gave. The address that is connected to is checked, not
 * the name, so that no name can be pointed at the server's own network between check and use. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "report/text.h"
#include "server/notify/notify_priv.h"
#include "server/server.h"

#define CONNECT_S       10L
#define TOTAL_S         20L
#define DESCRIPTION_MAX 140u /* of a GitHub commit status */

struct url_parts {
    CURLU *handle;
    char *scheme, *host, *path;
};

static void url_fini(struct url_parts *u)
{
    curl_free(u->scheme);
    curl_free(u->host);
    curl_free(u->path);
    curl_url_cleanup(u->handle);
}

static int url_parse(struct url_parts *u, const char *url, struct err *err)
{
    char *user = NULL, *password = NULL;
    *u = (struct url_parts){.handle = curl_url()};
    if (!u->handle || curl_url_set(u->handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(u->handle, CURLUPART_SCHEME, &u->scheme, 0) ||
        curl_url_get(u->handle, CURLUPART_HOST, &u->host, 0) ||
        curl_url_get(u->handle, CURLUPART_PATH, &u->path, 0) || !*u->host) {
        return err_set(err, ERR_USAGE, "this is no URL of a web server");
    }
    curl_url_get(u->handle, CURLUPART_USER, &user, 0);
    curl_url_get(u->handle, CURLUPART_PASSWORD, &password, 0);
    bool has_login = user || password;
    curl_free(user);
    curl_free(password);
    if (strcmp(u->scheme, "http") != 0 && strcmp(u->scheme, "https") != 0) {
        return err_set(err, ERR_USAGE, "its scheme is `%s`, neither http nor https", u->scheme);
    }
    return has_login ? err_set(err, ERR_USAGE, "it holds a user or password: use the token") : 0;
}

/* A literal address in the URL is judged at once; a name when it is connected to. */
static bool is_refused_literal(const char *host)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char bare[64];
    size_t len = strlen(host);
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        return !address_is_public((struct sockaddr *)&in);
    }
    if (host[0] != '[' || len < 3 || len - 2 >= sizeof bare) {
        return strcasecmp(host, "localhost") == 0;
    }
    memcpy(bare, host + 1, len - 2);
    bare[len - 2] = 0;
    bare[strcspn(bare, "%")] = 0;
    return inet_pton(AF_INET6, bare, &in6.sin6_addr) == 1 &&
           !address_is_public((struct sockaddr *)&in6);
}

int notify_check_callback(const struct server *s, const char *url, struct err *err)
{
    struct url_parts u;
    int r = url_parse(&u, url, err);
    if (r == 0 && is_refused_literal(u.host) &&
        !server_config_lists(s->config->callback_allow, u.host)) {
        r = err_set(err, ERR_USAGE, "%s is not an address of the public Internet", u.host);
        err_hint(err, "an administrator may allow it by callback_allow");
    }
    url_fini(&u);
    return r;
}

void callback_display(const char *kind, const char *url, struct buf *b)
{
    cleanup_err struct err ignored = {0};
    struct url_parts u;
    if (url_parse(&u, url, &ignored)) {
        buf_puts(b, "?");
    } else {
        buf_printf(b, "%s://%s%s", u.scheme, u.host,
                   strcmp(kind, "github") == 0 ? u.path : "/\xe2\x80\xa6");
    }
    url_fini(&u);
}

/* ---- bodies ---- */

static void status_line(const struct run_summary *r, struct buf *b)
{
    summary_name(r, b);
    buf_puts(b, ": ");
    summary_outcome_text(r, b);
}

/* docs.github.com, REST API, "Create a commit status". The context is what the trigger action
 * posts `pending` under. */
static json_t *github_body(const struct run_summary *r, const char *run_url, bool is_end)
{
    static const char *const states[] = {"success", "failure", "error", "error"};
    cleanup_buf struct buf text = {0}, context = {0};
    const char *name = summary_text(r, "test_name");
    if (is_end) {
        summary_outcome_text(r, &text);
    } else {
        buf_puts(&text, "the run has started");
    }
    buf_puts(&context, "continuous-testing/antithesis");
    if (name) {
        buf_printf(&context, " (%s)", name);
    }
    if (text.len > DESCRIPTION_MAX) {
        text.data[DESCRIPTION_MAX] = 0;
    }
    return json_pack("{s:s, s:s, s:s, s:s}", "state",
                     is_end ? states[summary_outcome(r)] : "pending", "target_url", run_url,
                     "description", text.data, "context", context.data);
}

/* Slack's mrkdwn needs three characters escaped; Discord's markdown is switched off by backslashes.
 */
static void add_escaped(struct buf *b, const char *text, bool is_slack)
{
    for (const char *p = text; *p; p++) {
        if (is_slack && strchr("&<>", *p)) {
            buf_puts(b, *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : "&gt;");
        } else if (!is_slack && strchr("\\*_~`|<>@#[]()", *p)) {
            buf_printf(b, "\\%c", *p);
        } else {
            buf_putc(b, *p);
        }
    }
}

/* What a channel shows: one line that says it, then up to ten new and rare findings. */
static void chat_text(const struct run_summary *r, const char *run_url, bool is_slack,
                      struct buf *out)
{
    cleanup_buf struct buf line = {0};
    size_t shown = 0;
    status_line(r, &line);
    if (is_slack) {
        buf_printf(out, "*<%s|", run_url);
        add_escaped(out, line.data, true);
        buf_puts(out, ">*");
    } else {
        buf_puts(out, "**");
        add_escaped(out, line.data, false);
        buf_printf(out, "**\n%s", run_url);
    }
    for (size_t i = 0; i < r->finding_count && shown < 10; i++) {
        const struct finding_line *f = &r->findings[i];
        if (strcmp(f->word, "new") != 0 && strcmp(f->word, "rare") != 0) {
            continue;
        }
        cleanup_buf struct buf clean = {0};
        text_clean(&clean, f->name, strlen(f->name), 120);
        buf_printf(out, "\n%s %s: ", is_slack ? "\xe2\x80\xa2" : "-", f->word);
        add_escaped(out, clean.data ? clean.data : "", is_slack);
        shown++;
    }
}

json_t *callback_body(const struct run_summary *r, const char *kind, const char *public_url,
                      bool is_end)
{
    cleanup_buf struct buf url = {0}, text = {0};
    buf_printf(&url, "%s/runs/%s", public_url, summary_text(r, "id"));
    if (is_end && r->report) {
        buf_puts(&url, "/report");
    }
    if (strcmp(kind, "github") == 0) {
        return github_body(r, url.data, is_end);
    }
    bool is_slack = strcmp(kind, "slack") == 0;
    chat_text(r, url.data, is_slack, &text);
    /* Nobody can be called out by the name of a property. */
    return is_slack
               ? json_pack("{s:s, s:b, s:b}", "text", text.data, "unfurl_links", 0, "unfurl_media",
                           0)
               : json_pack("{s:s, s:{s:[]}}", "content", text.data, "allowed_mentions", "parse");
}

/* ---- sending ---- */

struct guard {
    const struct sender *sender;
    bool is_allowed; /* the configuration names the host */
    bool was_refused;
};

static curl_socket_t open_checked(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct guard *g = ctx;
    (void)purpose;
    if (!g->is_allowed && !address_is_public(&address->addr)) {
        g->was_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct guard *g = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(g->sender->is_stopping);
}

/* The answer's body is of no interest; a long one is no reason to read on. */
static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
    size_t *left = ctx;
    (void)data;
    if (size * count > *left) {
        return 0;
    }
    *left -= size * count;
    return size * count;
}

static struct curl_slist *make_headers(const char *kind, const char *token)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    if (strcmp(kind, "github") == 0) {
        list = curl_slist_append(list, "Accept: application/vnd.github+json");
    }
    if (token) {
        cleanup_buf struct buf b = {0};
        buf_printf(&b, "Authorization: Bearer %s", token);
        list = curl_slist_append(list, b.data);
        explicit_bzero(b.data, b.len);
    }
    return list;
}

static enum send_result judge(CURL *c, CURLcode code, const struct guard *g, const char *detail,
                              struct err *err)
{
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (g->was_refused) {
        err_set(err, ERR_USAGE,
                "the host's address is not of the public Internet; an "
                "administrator may allow it by callback_allow");
        return SEND_NEVER;
    }
    if (status >= 200 && status < 300) {
        return SENT;
    }
    if (code != CURLE_OK && !status) {
        err_set(err, ERR_HOST, "%s", *detail ? detail : curl_easy_strerror(code));
        return SEND_LATER;
    }
    err_set(err, ERR_HOST, "the receiver answered %ld", status);
    bool may_pass = status == 408 || status == 425 || status == 429 || status >= 500;
    return may_pass ? SEND_LATER : SEND_NEVER; /* redirects are not followed */
}

enum send_result callback_send(const struct sender *s, const char *kind, const char *url,
                               const char *token, const char *body, struct err *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    size_t answer_max = 64u << 10;
    struct url_parts u;
    for (const char *p = token; p && *p; p++) {
        if (*p <= ' ' || *p >= 127) { /* it would end the header */
            err_set(err, ERR_USAGE, "the token holds characters that no token has");
            return SEND_NEVER;
        }
    }
    if (url_parse(&u, url, err)) {
        url_fini(&u);
        return SEND_NEVER;
    }
    struct guard g = {.sender = s,
                      .is_allowed = server_config_lists(s->config->callback_allow, u.host)};
    CURL *c = curl_easy_init();
    struct curl_slist *headers = make_headers(kind, token);
    curl_easy_setopt(c, CURLOPT_CURLU, u.handle);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* a proxy would connect in our place, unchecked */
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_checked);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &g);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "everett");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer_max);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, TOTAL_S);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, &g);
    enum send_result result = judge(c, curl_easy_perform(c), &g, detail, err);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    url_fini(&u);
    return result;
}
