/* Mail and callbacks about ended runs: rows in server.db, sent by a few threads with retries (30 s,
 * doubling to 1 h, for two days); what cannot be sent is shown on the run's page and never fails a
 * run.
 *
 * Mail: text and HTML, verdict and counts in the subject, new failures first, deep links, threaded
 * per source (References). Callbacks: GitHub commit status, Slack, Discord (platform.md 5.1). Their
 * URLs come from users: only http and https, no credentials in them, and no address that is
 * loopback, private or link-local unless config->callback_allow names its host (checked on the
 * resolved address that is connected to, redirects not followed). */
#ifndef EVERETT_SERVER_NOTIFY_NOTIFY_H
#define EVERETT_SERVER_NOTIFY_NOTIFY_H

#include "base/err.h"

struct notifier;
struct server;

struct notifier *notify_start(struct server *s, struct err *err) must_check;
void notify_stop(struct notifier *n);
/* Queues what the run's parameters ask for; the queue calls it once when a run ends (and for
 * GitHub's `pending` when it starts: `is_end` false), after the run's row and its report.json are
 * written. Calling it again for the same outcome adds nothing. */
int notify_run(struct notifier *n, const char *run_id, bool is_end, struct err *err) must_check;
/* Wrong recipients or callback URLs, said at launch. */
int notify_check_recipients(const char *list, struct err *err) must_check;
int notify_check_callback(const struct server *s, const char *url, struct err *err) must_check;

struct notification {
    /* "mail", "github", "slack", "discord"; state "waiting", "sent", "failed" */
    const char *kind, *target, *state, *last_error; /* target without secrets */
    int64_t attempts, next_unix;
};
typedef int notification_fn(void *ctx, const struct notification *n);
int notify_each(struct server *s, const char *run_id, notification_fn *fn, void *ctx,
                struct err *err) must_check;

#endif
