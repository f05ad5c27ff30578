/* One mail over SMTP, with libcurl: RFC 5321, RFC 5322, MIME with an alternative in HTML. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "server/notify/notify_priv.h"

#define CONNECT_S 15L
#define TOTAL_S   60L

void mail_header_text(struct buf *b, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)text;
    bool is_plain = true;
    for (const char *c = text; *c; c++) {
        is_plain &= *c >= ' ' && *c < 127;
    }
    if (is_plain) {
        buf_puts(b, text);
        return;
    }
    /* Words of whole characters, so that each decodes alone (RFC 2047 section 5). */
    while (*p) {
        size_t len = 0;
        while (p[len] && len < 42) {
            size_t next = len + 1;
            while ((p[next] & 0xc0) == 0x80) {
                next++;
            }
            if (next > 45) {
                break;
            }
            len = next;
        }
        buf_puts(b, b->len && b->data[b->len - 1] == '=' ? " =?utf-8?B?" : "=?utf-8?B?");
        for (size_t i = 0; i < len; i += 3) {
            unsigned rest = (unsigned)(len - i);
            unsigned v = (unsigned)p[i] << 16 | (rest > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                         (rest > 2 ? p[i + 2] : 0);
            buf_putc(b, digits[v >> 18]);
            buf_putc(b, digits[v >> 12 & 63]);
            buf_putc(b, rest > 1 ? digits[v >> 6 & 63] : '=');
            buf_putc(b, rest > 2 ? digits[v & 63] : '=');
        }
        buf_puts(b, "?=");
        p += len;
    }
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
    cleanup_buf struct buf b = {0};
    buf_printf(&b, "%s: ", name);
    mail_header_text(&b, value);
    *list = curl_slist_append(*list, b.data);
}

static struct curl_slist *make_headers(const struct sender *s, const char *to, const json_t *mail,
                                       int64_t date_unix)
{
    struct curl_slist *list = NULL;
    char date[64];
    struct tm tm;
    time_t at = (time_t)date_unix;
    gmtime_r(&at, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    const char *thread = json_string_value(json_object_get(mail, "thread"));
    add_header(&list, "Date", date);
    add_header(&list, "From", s->config->mail_from);
    add_header(&list, "To", to);
    add_header(&list, "Subject", json_string_value(json_object_get(mail, "subject")));
    add_header(&list, "Message-ID", json_string_value(json_object_get(mail, "id")));
    add_header(&list, "In-Reply-To", thread);
    add_header(&list, "References", thread);
    add_header(&list, "Auto-Submitted", "auto-generated"); /* RFC 3834: no out-of-office answers */
    return list;
}

static void add_part(curl_mime *mime, const json_t *mail, const char *key, const char *type)
{
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_data(part, json_string_value(json_object_get(mail, key)), CURL_ZERO_TERMINATED);
    curl_mime_type(part, type);
    curl_mime_encoder(part, "quoted-printable"); /* no line is too long, nothing needs 8 bits */
}

static void add_bodies(CURL *c, curl_mime *mime, const json_t *mail)
{
    curl_mime *both = curl_mime_init(c);
    add_part(both, mail, "text", "text/plain; charset=utf-8");
    add_part(both, mail, "html", "text/html; charset=utf-8");
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_subparts(part, both);
    curl_mime_type(part, "multipart/alternative");
}

/* The first line; the caller wipes and frees it. */
static char *read_password(const char *path, struct err *err)
{
    cleanup_fclose FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    if (!f || getline(&line, &cap, f) < 0) {
        free(line);
        err_errno(err, errno ? errno : EIO, "smtp_password_file %s", path);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

static int set_login(CURL *c, const struct server_config *config, struct err *err)
{
    if (!config->smtp_user) {
        curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
        return 0;
    }
    char *password = read_password(config->smtp_password_file, err);
    if (!password) {
        return -1;
    }
    curl_easy_setopt(c, CURLOPT_USERNAME, config->smtp_user);
    curl_easy_setopt(c, CURLOPT_PASSWORD, password);
    /* A password goes out in the clear only when it does not leave the machine. */
    curl_easy_setopt(c, CURLOPT_USE_SSL,
                     (long)(is_loopback(config->smtp_url) ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    explicit_bzero(password, strlen(password));
    free(password);
    return 0;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct sender *s = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(s->is_stopping);
}

/* "Everett <everett@example.org>" to the address alone. */
static void bare_address(const char *text, struct buf *b)
{
    const char *open = strchr(text, '<');
    const char *start = open ? open + 1 : text;
    buf_append(b, start, strcspn(start, ">"));
}

static enum send_result judge(CURL *c, CURLcode code, const char *detail, struct err *err)
{
    long status = 0;
    if (code == CURLE_OK) {
        return SENT;
    }
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    const char *what = *detail ? detail : curl_easy_strerror(code);
    if (status >= 400 && status < 600) {
        err_set(err, ERR_HOST, "the mail server answered %ld (%s)", status, what);
    } else {
        err_set(err, ERR_HOST, "mail server: %s", what);
    }
    /* RFC 5321 section 4.2.1: 5yz is permanent. A refused login is a matter of configuration, which
     * may be put right while the mail waits. */
    return status >= 500 && status < 600 && code != CURLE_LOGIN_DENIED ? SEND_NEVER : SEND_LATER;
}

enum send_result mail_send(const struct sender *s, const char *to, const json_t *mail,
                           int64_t date_unix, struct err *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    cleanup_buf struct buf from = {0};
    CURL *c = curl_easy_init();
    if (!c || set_login(c, s->config, err)) {
        curl_easy_cleanup(c);
        return SEND_LATER;
    }
    bare_address(s->config->mail_from, &from);
    struct curl_slist *headers = make_headers(s, to, mail, date_unix);
    struct curl_slist *recipients = curl_slist_append(NULL, to);
    curl_mime *mime = curl_mime_init(c);
    add_bodies(c, mime, mail);
    curl_easy_setopt(c, CURLOPT_URL, s->config->smtp_url);
    curl_easy_setopt(c, CURLOPT_MAIL_FROM, from.data);
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, TOTAL_S);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    enum send_result result = judge(c, curl_easy_perform(c), detail, err);
    curl_easy_cleanup(c);
    curl_mime_free(mime);
    curl_slist_free_all(headers);
    curl_slist_free_all(recipients);
    return result;
}
