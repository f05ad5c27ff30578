/* DIR/server.conf: `key = value` lines, `#` comments. Unknown keys and bad values are errors that
 * name file, line and fix. Every key has a default, so that no file is needed. The table in
 * config.c is also what `everett serve --help-config` prints and docs/server.md lists. */
#ifndef EVERETT_SERVER_CONFIG_H
#define EVERETT_SERVER_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

struct server_config {
    char *listen;                  /* 127.0.0.1:8080 */
    char *public_url;              /* behind a proxy; NULL: from the listening address */
    char *trusted_proxies;         /* addresses, `;`-separated, whose X-Forwarded-For is believed */
    char *tls_cert, *tls_key;      /* PEM files, both or none */
    uint64_t connections_max;      /* 1200 */
    uint64_t body_max;             /* bytes of a body that is kept in memory: 1 MiB */
    uint64_t idle_seconds;         /* of a silent connection: 60 */
    uint64_t rate_per_minute;      /* API requests of one account: 600; 0: no limit */
    uint64_t workers;              /* runs at once: 1; 0: launches wait */
    uint64_t jobs;                 /* universes at once in a run; 0: all cores */
    uint64_t queue_max;            /* accepted launches that wait: 1000 */
    uint64_t duration_max_minutes; /* longest antithesis.duration: 1440 */
    char *launchers; /* names besides basic_test that launch a run, `;`-separated; "*": any */
    uint64_t registry_quota; /* bytes of all blobs; 0: none */
    uint64_t blob_max;       /* bytes of one blob: 20 GiB */
    uint64_t keep_days;      /* finished runs older than this are removed; 0: kept */
    uint64_t disk_budget;    /* bytes of DIR/runs; the oldest finished go first; 0: none */
    char *smtp_url;          /* smtp://host:port or smtps://; NULL: no mail */
    char *smtp_user, *smtp_password_file, *mail_from;
    char *callback_allow; /* hosts, `;`-separated, that callbacks may reach though they are
                             private addresses; NULL: none */
    bool anonymous_read;  /* pages and API reads without an account: false */
};

/* `path` may not exist: defaults. NULL with `err`. */
struct server_config *server_config_load(const char *path, struct err *err) must_check;
void server_config_free(struct server_config *c); /* accepts NULL */
/* Whether one of a `;`-separated list is `word`, without regard to case. `list` may be NULL. */
bool server_config_lists(const char *list, const char *word);
/* The table for people: plain text, or a table in Markdown. */
void server_config_help(struct buf *b, bool as_markdown);

#endif
