/* The notifier alone, for tests/server/notify.py: `notify_driver DIR start|end|resume RUN` does
 * what the queue does when a run starts or ends, waits until everything was tried once, and prints
 * each notification as a line of JSON. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "server/config.h"
#include "server/db/db.h"
#include "server/notify/notify.h"
#include "server/server.h"

static int count_untried(void *ctx, const struct notification *n)
{
    *(int *)ctx += strcmp(n->state, "waiting") == 0 && n->next_unix <= time(NULL);
    return 0;
}

static int print(void *ctx, const struct notification *n)
{
    (void)ctx;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s?, s:I, s:I}", "kind", n->kind, "target", n->target,
                          "state", n->state, "error", n->last_error, "attempts",
                          (json_int_t)n->attempts, "next", (json_int_t)n->next_unix);
    json_dumpf(o, stdout, JSON_COMPACT);
    puts("");
    json_decref(o);
    return 0;
}

static int work(struct server *s, const char *verb, const char *run, struct err *err)
{
    int untried = 1;
    s->notifier = notify_start(s, err);
    if (!s->notifier || (strcmp(verb, "resume") != 0 &&
                         notify_run(s->notifier, run, strcmp(verb, "end") == 0, err))) {
        return -1;
    }
    while (untried > 0) {
        struct timespec step = {.tv_nsec = 5000000};
        nanosleep(&step, NULL);
        untried = 0;
        if (notify_each(s, run, count_untried, &untried, err)) {
            return -1;
        }
    }
    notify_stop(s->notifier);
    return notify_each(s, run, print, NULL, err);
}

int main(int argc, char **argv)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf path = {0};
    static char url[] = "https://everett.example.org";
    if (argc != 4) {
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct server s = {.dir = argv[1], .public_url = url};
    buf_printf(&path, "%s/server.conf", argv[1]);
    s.config = server_config_load(path.data, &err);
    s.db = s.config ? server_open_db(argv[1], &err) : NULL;
    if (!s.db || work(&s, argv[2], argv[3], &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    db_pool_close(s.db);
    server_config_free(s.config);
    return 0;
}
