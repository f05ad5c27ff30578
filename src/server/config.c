#include "server/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define KIB 1024ull
#define GIB (1024ull * 1024 * 1024)

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BYTES, VALUE_BOOL };

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset;
    const char *initial; /* as it would be written; NULL: unset */
    uint64_t min, max;   /* of numbers and bytes */
    const char *help;
};

#define AT(field) offsetof(struct server_config, field)
static const struct key keys[] = {
    {"listen", VALUE_TEXT, AT(listen), "127.0.0.1:8080", 0, 0,
     "address and port to serve; port 0 takes any free one"},
    {"public_url", VALUE_TEXT, AT(public_url), NULL, 0, 0,
     "how users reach the service when a proxy stands in front (`https://everett.example.org`); "
     "unset: from the listening address"},
    {"trusted_proxies", VALUE_TEXT, AT(trusted_proxies), NULL, 0, 0,
     "addresses, `;`-separated, of proxies whose `X-Forwarded-For` is believed: lock-out, limits "
     "and "
     "log then see the client's own address"},
    {"tls_cert", VALUE_TEXT, AT(tls_cert), NULL, 0, 0,
     "certificate chain (PEM file) to serve HTTPS; together with `tls_key`"},
    {"tls_key", VALUE_TEXT, AT(tls_key), NULL, 0, 0, "private key (PEM file) of `tls_cert`"},
    {"connections_max", VALUE_NUMBER, AT(connections_max), "1200", 8, 100000,
     "connections at once; more are closed"},
    {"body_max", VALUE_BYTES, AT(body_max), "1MiB", 4 * KIB, GIB,
     "largest request body, but for blobs of images"},
    {"idle_seconds", VALUE_NUMBER, AT(idle_seconds), "60", 1, 86400,
     "a connection that is silent for this long, or takes longer to send a request's head, is "
     "closed"},
    {"rate_per_minute", VALUE_NUMBER, AT(rate_per_minute), "600", 0, 1000000,
     "API requests of one account; more are answered 429; 0: no limit"},
    {"workers", VALUE_NUMBER, AT(workers), "1", 0, 256,
     "runs at once; 0: launches are accepted and wait"},
    {"jobs", VALUE_NUMBER, AT(jobs), "0", 0, 1024, "universes at once in a run; 0: all cores"},
    {"queue_max", VALUE_NUMBER, AT(queue_max), "1000", 1, 1000000,
     "accepted launches that may wait"},
    {"duration_max_minutes", VALUE_NUMBER, AT(duration_max_minutes), "1440", 1, 1000000,
     "longest `antithesis.duration`"},
    {"registry_quota", VALUE_BYTES, AT(registry_quota), "0", 0, UINT64_MAX,
     "bytes of all images in the registry; 0: no limit"},
    {"blob_max", VALUE_BYTES, AT(blob_max), "20GiB", KIB, UINT64_MAX, "largest layer of an image"},
    {"keep_days", VALUE_NUMBER, AT(keep_days), "0", 0, 100000,
     "finished runs older than this are removed; 0: kept"},
    {"disk_budget", VALUE_BYTES, AT(disk_budget), "0", 0, UINT64_MAX,
     "bytes of all runs; above it the oldest finished ones are removed, but for the last; 0: no "
     "limit"},
    {"smtp_url", VALUE_TEXT, AT(smtp_url), NULL, 0, 0,
     "mail server, `smtp://host:port` (with STARTTLS where it is offered) or `smtps://host:port`; "
     "unset: no mail"},
    {"smtp_user", VALUE_TEXT, AT(smtp_user), NULL, 0, 0, "user at the mail server"},
    {"smtp_password_file", VALUE_TEXT, AT(smtp_password_file), NULL, 0, 0,
     "file whose first line is the password of `smtp_user`"},
    {"mail_from", VALUE_TEXT, AT(mail_from), NULL, 0, 0, "sender of mail; needed with `smtp_url`"},
    {"launchers", VALUE_TEXT, AT(launchers), NULL, 0, 0,
     "names besides basic_test that launch a run, `;`-separated; *: any name"},
    {"callback_allow", VALUE_TEXT, AT(callback_allow), NULL, 0, 0,
     "hosts, `;`-separated, that callbacks may reach though their addresses are private"},
    {"anonymous_read", VALUE_BOOL, AT(anonymous_read), "no", 0, 0,
     "whether pages and reads of the API need no account"},
};
#undef AT

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* "600", "1MiB", "20 GiB". */
static bool parse_number(const char *text, bool with_unit, uint64_t *out)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno) {
        return false;
    }
    while (*end == ' ') {
        end++;
    }
    for (unsigned i = 0; i < (with_unit ? ARRAY_LEN(units) : 1); i++) {
        if (strcmp(end, units[i]) == 0) {
            *out = (uint64_t)value << (10 * i);
            return *out >> (10 * i) == value;
        }
    }
    return false;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i & 1;
            return true;
        }
    }
    return false;
}

static int set_number(const struct key *k, const char *text, uint64_t *out, struct err *err)
{
    if (!parse_number(text, k->kind == VALUE_BYTES, out)) {
        return err_set(err, ERR_USAGE, "`%s` is not a %s", text,
                       k->kind == VALUE_BYTES ? "number of bytes such as 512MiB or 20GiB"
                                              : "number");
    }
    if (*out < k->min || *out > k->max) {
        return err_set(err, ERR_USAGE, "%s is out of range: from %llu to %llu", text,
                       (unsigned long long)k->min, (unsigned long long)k->max);
    }
    return 0;
}

static int set_value(struct server_config *c, const struct key *k, const char *text,
                     struct err *err)
{
    void *field = (char *)c + k->offset;
    char **string = field;
    switch (k->kind) {
    case VALUE_TEXT:
        free(*string);
        *string = *text ? mem_strdup(text) : NULL;
        return 0;
    case VALUE_BOOL:
        return parse_bool(text, field)
                   ? 0
                   : err_set(err, ERR_USAGE, "`%s` is neither yes nor no", text);
    case VALUE_NUMBER:
    case VALUE_BYTES:
        return set_number(k, text, field, err);
    }
    return 0;
}

static char *trim(char *s)
{
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    size_t len = strlen(s);
    while (len > 0 && strchr(" \t\r\n", s[len - 1])) {
        s[--len] = 0;
    }
    return s;
}

static const char *nearest(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strncmp(keys[i].name, name, 4) == 0) {
            return keys[i].name;
        }
    }
    return NULL;
}

static int take_line(struct server_config *c, char *line, struct err *err)
{
    char *text = trim(line);
    if (!*text || *text == '#') {
        return 0;
    }
    char *eq = strchr(text, '=');
    if (!eq) {
        return err_set(err, ERR_USAGE, "`%s` is not of the form key = value", text);
    }
    *eq = 0;
    const char *name = trim(text), *value = trim(eq + 1);
    const struct key *k = find_key(name);
    if (!k) {
        err_set(err, ERR_USAGE, "there is no key `%s`", name);
        const char *near = nearest(name);
        return near
                   ? err_hint(err, "did you mean `%s`? all keys: everett serve --help-config", near)
                   : err_hint(err, "all keys: everett serve --help-config");
    }
    return set_value(c, k, value, err) ? err_wrap(err, "%s", name) : 0;
}

static int check_url(const char *name, const char *url, const char *const schemes[2],
                     struct err *err)
{
    for (unsigned i = 0; url && i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(url, schemes[i], len) == 0 && url[len]) {
            return 0;
        }
    }
    return url ? err_set(err, ERR_USAGE, "%s: `%s` starts with neither %s nor %s", name, url,
                         schemes[0], schemes[1])
               : 0;
}

/* What no single line can say. */
static int check_all(struct server_config *c, struct err *err)
{
    static const char *const web[2] = {"http://", "https://"}, *const mail[2] = {"smtp://",
                                                                                 "smtps://"};
    if (!c->tls_cert != !c->tls_key) {
        return err_set(err, ERR_USAGE, "tls_cert and tls_key belong together: %s is missing",
                       c->tls_cert ? "tls_key" : "tls_cert");
    }
    if (c->smtp_url && !c->mail_from) {
        return err_set(err, ERR_USAGE, "mail_from is missing: who is the sender of mail?");
    }
    if (!c->smtp_user != !c->smtp_password_file) {
        return err_set(err, ERR_USAGE, "smtp_user and smtp_password_file belong together");
    }
    if (!c->listen) {
        return err_set(err, ERR_USAGE, "listen: an address and port, such as 127.0.0.1:8080");
    }
    if (check_url("public_url", c->public_url, web, err) ||
        check_url("smtp_url", c->smtp_url, mail, err)) {
        return -1;
    }
    size_t len = c->public_url ? strlen(c->public_url) : 0;
    while (len > 0 && c->public_url[len - 1] == '/') {
        c->public_url[--len] = 0;
    }
    return 0;
}

static int read_file(struct server_config *c, FILE *f, const char *path, struct err *err)
{
    cleanup_free char *line = NULL;
    size_t cap = 0;
    for (unsigned number = 1; getline(&line, &cap, f) >= 0; number++) {
        if (take_line(c, line, err)) {
            return err_wrap(err, "%s:%u", path, number);
        }
    }
    return ferror(f) ? err_errno(err, EIO, "%s", path) : 0;
}

struct server_config *server_config_load(const char *path, struct err *err)
{
    struct server_config *c = mem_zalloc(sizeof *c);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        int r = keys[i].initial ? set_value(c, &keys[i], keys[i].initial, err) : 0;
        ASSERT(r == 0);
    }
    cleanup_fclose FILE *f = fopen(path, "re");
    int r = f                 ? read_file(c, f, path, err)
            : errno == ENOENT ? 0
                              : err_errno(err, errno, "%s", path);
    if (r == 0 && check_all(c, err)) {
        r = err_wrap(err, "%s", path);
    }
    if (r) {
        server_config_free(c);
        return NULL;
    }
    return c;
}

void server_config_free(struct server_config *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].kind == VALUE_TEXT) {
            char **string = (char **)(void *)((char *)c + keys[i].offset);
            free(*string);
        }
    }
    free(c);
}

bool server_config_lists(const char *list, const char *word)
{
    size_t want = strlen(word);
    while (list && *list) {
        list += strspn(list, "; ");
        size_t len = strcspn(list, "; ");
        if (len == want && want > 0 && strncasecmp(list, word, len) == 0) {
            return true;
        }
        list += len;
    }
    return false;
}

void server_config_help(struct buf *b, bool as_markdown)
{
    static const char *const kinds[] = {"text", "number", "bytes", "yes or no"};
    if (as_markdown) {
        buf_puts(b, "| key | value | default | what it sets |\n|---|---|---|---|\n");
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct key *k = &keys[i];
        const char *initial = k->initial ? k->initial : "";
        if (as_markdown) {
            buf_printf(b, "| `%s` | %s | %s%s%s | %s |\n", k->name, kinds[k->kind],
                       *initial ? "`" : "", *initial ? initial : "unset", *initial ? "`" : "",
                       k->help);
        } else {
            buf_printf(b, "# %s (%s)\n%s%s = %s\n\n", k->help, kinds[k->kind], *initial ? "" : "# ",
                       k->name, initial);
        }
    }
}
