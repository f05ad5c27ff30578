/* Shared by the files of notify/. */
#ifndef EVERETT_SERVER_NOTIFY_NOTIFY_PRIV_H
#define EVERETT_SERVER_NOTIFY_NOTIFY_PRIV_H

#include <jansson.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "server/config.h"
#include "server/notify/notify.h"

#define RETRY_FIRST_S 30
#define RETRY_MAX_S   3600
#define RETRY_FOR_S   (2 * 86400)

/* ---- summary.c: what there is to say about a run ---- */

struct finding_line {
    const char *word;       /* "new", "rare", "ongoing", "resolved"; of the report */
    const char *name;       /* the property, with its item */
    int64_t number;         /* in the report, for the link */
    int64_t failing, of;    /* universes */
    const char *minimal;    /* "kill replica2", or NULL */
    const char *first_time; /* "00:00:18.402", or NULL */
};

struct run_summary {
    json_t *row;                   /* owned: the run's columns by name, as strings and numbers */
    json_t *params;                /* owned */
    json_t *secrets;               /* owned; NULL: none */
    json_t *report;                /* owned: report.json; NULL: there is none */
    struct finding_line *findings; /* new, rare, ongoing, resolved; borrowed texts */
    size_t finding_count;
};
int summary_load(struct server *s, const char *run_id, struct run_summary *out,
                 struct err *err) must_check;
void summary_fini(struct run_summary *r);
/* NULL for null and missing. */
const char *summary_text(const struct run_summary *r, const char *column);
int64_t summary_number(const struct run_summary *r, const char *column);
const char *summary_param(const struct run_summary *r, const char *name);
/* Test name, or what the config image is called; never empty. Appends clean text in one line. */
void summary_name(const struct run_summary *r, struct buf *b);
enum outcome { OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_INCOMPLETE, OUTCOME_CANCELLED };
enum outcome summary_outcome(const struct run_summary *r);
/* "failed: 2 new, 1 ongoing", "passed", "did not complete". */
void summary_outcome_text(const struct run_summary *r, struct buf *b);

/* ---- mail_text.c ---- */

/* A JSON object {"subject","text","html","id","thread"} for one recipient; new reference. */
json_t *mail_compose(const struct run_summary *r, const char *public_url, const char *from,
                     const char *to);

/* ---- sending: 0 sent; -1 try again; -2 never ---- */

enum send_result { SENT = 0, SEND_LATER = -1, SEND_NEVER = -2 };
struct sender {
    const struct server_config *config;
    const atomic_bool *is_stopping; /* aborts what is on the way */
};
enum send_result mail_send(const struct sender *s, const char *to, const json_t *mail,
                           int64_t date_unix, struct err *err);
/* RFC 2047 where a header's text is not plain ASCII. */
void mail_header_text(struct buf *b, const char *text);
/* `token` may be NULL. */
enum send_result callback_send(const struct sender *s, const char *kind, const char *url,
                               const char *token, const char *body, struct err *err);
/* The body that a kind of receiver takes; new reference. */
json_t *callback_body(const struct run_summary *r, const char *kind, const char *public_url,
                      bool is_end);
/* "https://hooks.slack.com/…": without what may be a secret. GitHub's paths are none. */
void callback_display(const char *kind, const char *url, struct buf *b);

/* ---- address.c ---- */

/* False for loopback, private, link-local, shared, multicast, documentation and other addresses
 * that are not of the public Internet (RFC 6890), also inside IPv6 mappings. */
bool address_is_public(const struct sockaddr *addr);

/* ---- plan.c ---- */

/* Adds the rows that the run's parameters ask for; as notify_run. */
int plan_run(struct server *s, const char *run_id, bool is_end, struct err *err) must_check;

/* ---- notify.c ---- */

int64_t notify_retry_delay(int64_t attempts); /* seconds after the n-th failed one, from 1 */

#endif
