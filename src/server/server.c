#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/db/db.h"
#include "server/housekeeping.h"
#include "server/http/http.h"
#include "server/notify/notify.h"
#include "server/pages/reports.h"
#include "server/queue/queue.h"
#include "server/registry/registry.h"

static char *path_in(const char *dir, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", dir, name);
    return buf_steal(&b);
}

/* Only its owner may look inside: it holds hashes of secrets, and images. */
static char *make_dir(const char *dir, struct err *err)
{
    char real[PATH_MAX];
    if (mkdir(dir, 0700) && errno != EEXIST) {
        err_errno(err, errno, "%s", dir);
        return NULL;
    }
    if (!realpath(dir, real)) {
        err_errno(err, errno, "%s", dir);
        return NULL;
    }
    struct stat st;
    if (stat(real, &st) || !S_ISDIR(st.st_mode)) {
        err_set(err, ERR_USAGE, "%s is no directory", dir);
        return NULL;
    }
    return mem_strdup(real);
}

static int take_lock(const char *dir, struct err *err)
{
    cleanup_free char *path = path_in(dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "%s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        err_set(err, ERR_USAGE, "%s is in use by another server", dir);
        return err_hint(err, "stop that one first, or give another --dir");
    }
    return fd;
}

struct db_pool *server_open_db(const char *dir, struct err *err)
{
    cleanup_free char *real = make_dir(dir, err);
    cleanup_free char *path = real ? path_in(real, "server.db") : NULL;
    return path ? db_pool_open(path, err) : NULL;
}

/* A connection is a descriptor, and so is most of what a request opens. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* best effort: the connection limit still holds */
    }
}

static int open_state(struct server *s, const struct server_options *o, struct err *err)
{
    s->lock_fd = -1;
    s->dir = make_dir(o->dir, err);
    if (!s->dir) {
        return -1;
    }
    s->lock_fd = take_lock(s->dir, err);
    if (s->lock_fd < 0) {
        return -1;
    }
    cleanup_free char *config = path_in(s->dir, "server.conf");
    cleanup_free char *database = path_in(s->dir, "server.db");
    s->config = server_config_load(config, err);
    s->db = s->config ? db_pool_open(database, err) : NULL;
    s->auth = s->db ? auth_create(s->db, err) : NULL;
    return s->auth ? 0 : -1;
}

static int open_address(struct server *s, const struct server_options *o, struct err *err)
{
    s->http = http_open(s, o->listen ? o->listen : s->config->listen, err);
    if (!s->http) {
        return -1;
    }
    struct buf b = {0};
    buf_printf(&b, "%s://%s", http_is_tls(s->http) ? "https" : "http", http_address(s->http));
    s->address = buf_steal(&b);
    s->public_url = mem_strdup(s->config->public_url ? s->config->public_url : s->address);
    return 0;
}

/* The parts, in the order in which they need each other. */
static int start_parts(struct server *s, struct err *err)
{
    s->registry = registry_open(s, err);
    if (!s->registry) {
        return -1;
    }
    s->notifier = notify_start(s, err);
    if (!s->notifier) {
        return -1;
    }
    s->queue = queue_start(s, err);
    if (!s->queue) {
        return -1;
    }
    s->reports = reports_create(s);
    s->housekeeping = housekeeping_start(s, err);
    if (!s->housekeeping) {
        return -1;
    }
    return http_serve(s->http, err); /* last: what it serves is there */
}

struct server *server_start(const struct server_options *o, struct err *err)
{
    struct server *s = mem_zalloc(sizeof *s);
    s->everett = mem_strdup(o->everett);
    s->started_unix = time(NULL);
    raise_descriptor_limit();
    if (open_state(s, o, err) || open_address(s, o, err) || start_parts(s, err)) {
        server_stop(s, 0);
        return NULL;
    }
    return s;
}

void server_stop(struct server *s, unsigned grace_ms)
{
    if (!s) {
        return;
    }
    queue_interrupt(s->queue); /* first: it ends the answers that wait for runs */
    http_stop(s->http, grace_ms);
    housekeeping_stop(s->housekeeping);
    reports_destroy(s->reports);
    queue_stop(s->queue);
    notify_stop(s->notifier);
    registry_close(s->registry);
    auth_destroy(s->auth);
    db_pool_close(s->db);
    server_config_free(s->config);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    free(s->dir);
    free(s->everett);
    free(s->public_url);
    free(s->address);
    free(s);
}

int server_check(struct server *s, struct err *err)
{
    struct db *db = db_get(s->db);
    sqlite3_stmt *st = db_prepare(db, "SELECT count(*) FROM account", err);
    int r = st ? db_step(db, st, err) : -1;
    r = r == 1 ? (int)min_u64((uint64_t)db_column_i64(st, 0), INT_MAX) : -1;
    db_put(s->db, db);
    return r;
}

bool server_is_fresh(struct server *s)
{
    cleanup_err struct err err = {0};
    return server_check(s, &err) == 0;
}
