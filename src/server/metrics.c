/* GET /metrics: the text format of Prometheus, version 0.0.4. Counters count since the process
 * started; what the database knows is asked each time. */
#include "server/metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/db/db.h"
#include "server/housekeeping.h"
#include "server/http/stats.h"
#include "server/queue/queue.h"
#include "server/registry/registry.h"
#include "server/server.h"

static const char *const family_names[STATS_FAMILIES] = {[FAMILY_PAGE] = "page",
                                                         [FAMILY_API] = "api",
                                                         [FAMILY_LAUNCH] = "launch",
                                                         [FAMILY_REGISTRY] = "registry"};

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct buf *b, const char *name, const char *type, const char *help, double v)
{
    head(b, name, type, help);
    buf_printf(b, "%s %.17g\n", name, v);
}

static void add_answers(struct buf *b, const struct http_stats *s)
{
    head(b, "everett_http_requests_total", "counter",
         "Answered requests; code 0: the connection ended before an answer.");
    for (unsigned f = 0; f < STATS_FAMILIES; f++) {
        for (unsigned code = 0; code < STATS_STATUSES; code++) {
            if (s->answers[f][code]) {
                buf_printf(b, "everett_http_requests_total{family=\"%s\",code=\"%u\"} %llu\n",
                           family_names[f], code, (unsigned long long)s->answers[f][code]);
            }
        }
    }
}

static void add_times(struct buf *b, const struct http_stats *s)
{
    static const char name[] = "everett_http_request_seconds";
    head(b, name, "histogram", "From the request line to the last byte; live streams left out.");
    for (unsigned f = 0; f < STATS_FAMILIES; f++) {
        for (unsigned i = 0; i < STATS_BOUNDS; i++) {
            buf_printf(b, "%s_bucket{family=\"%s\",le=\"%g\"} %llu\n", name, family_names[f],
                       stats_bounds_s[i], (unsigned long long)s->within[f][i]);
        }
        buf_printf(b, "%s_bucket{family=\"%s\",le=\"+Inf\"} %llu\n", name, family_names[f],
                   (unsigned long long)s->timed[f]);
        buf_printf(b, "%s_sum{family=\"%s\"} %.9g\n", name, family_names[f], s->seconds[f]);
        buf_printf(b, "%s_count{family=\"%s\"} %llu\n", name, family_names[f],
                   (unsigned long long)s->timed[f]);
    }
}

static void add_http(struct buf *b, struct server *s)
{
    struct http_stats stats;
    http_stats_get(s->http, &stats);
    add_answers(b, &stats);
    add_times(b, &stats);
    value(b, "everett_http_connections", "gauge", "Open connections.", stats.connections);
    value(b, "everett_http_requests_in_progress", "gauge", "Requests being answered.",
          stats.active);
    value(b, "everett_http_sent_bytes_total", "counter", "Bytes of bodies sent.",
          (double)stats.sent);
    value(b, "everett_http_received_bytes_total", "counter", "Bytes of bodies received.",
          (double)stats.received);
    value(b, "everett_http_too_slow_total", "counter",
          "Connections closed because a request came too slowly.", (double)stats.too_slow);
}

/* Rows of (label, count). */
static int add_counts(struct buf *b, struct db *db, sqlite3_stmt *st, const char *name,
                      const char *label, struct err *err)
{
    int r = -1;
    while (st && (r = db_step(db, st, err)) == 1) {
        buf_printf(b, "%s{%s=\"%s\"} %lld\n", name, label, db_column(st, 0),
                   (long long)db_column_i64(st, 1));
    }
    return r;
}

static int add_runs(struct buf *b, struct db *db, struct err *err)
{
    /* The words are those of enum launch_status; each is there, also at 0. */
    sqlite3_stmt *st = db_prepare(
        db,
        "SELECT w.column2, (SELECT count(*) FROM run WHERE status = w.column1) FROM (VALUES"
        " (1, 'queued'), (2, 'starting'), (3, 'running'), (4, 'completed'), (5, 'cancelled'),"
        " (6, 'incomplete')) w",
        err);
    _Static_assert(LAUNCH_QUEUED == 1 && LAUNCH_INCOMPLETE == 6, "as in the statement");
    head(b, "everett_runs", "gauge", "Runs that are kept, by status.");
    if (add_counts(b, db, st, "everett_runs", "status", err)) {
        return -1;
    }
    st = db_prepare(db, "SELECT ifnull(sum(universes), 0), ifnull(sum(virtual_ns), 0) FROM run",
                    err);
    if (!st || db_step(db, st, err) != 1) {
        return -1;
    }
    value(b, "everett_universes", "gauge", "Universes of the runs that are kept.",
          (double)db_column_i64(st, 0));
    value(b, "everett_tested_seconds", "gauge", "Virtual time that these tested.",
          (double)db_column_i64(st, 1) / 1e9);
    return 0;
}

static int add_notifications(struct buf *b, struct db *db, struct err *err)
{
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT w.column1, (SELECT count(*) FROM notification WHERE state = w.column1)"
                   " FROM (VALUES ('waiting'), ('sent'), ('failed')) w",
                   err);
    head(b, "everett_notifications", "gauge", "Mails and callbacks of the runs that are kept.");
    return add_counts(b, db, st, "everett_notifications", "state", err);
}

static int add_registry(struct buf *b, struct server *s, struct err *err)
{
    struct registry_totals t;
    if (registry_totals(s->registry, &t, err)) {
        return -1;
    }
    value(b, "everett_registry_repositories", "gauge", "Repositories.", (double)t.repositories);
    value(b, "everett_registry_tags", "gauge", "Tags.", (double)t.tags);
    value(b, "everett_registry_blobs", "gauge", "Blobs and manifests.", (double)t.blobs);
    value(b, "everett_registry_bytes", "gauge", "Bytes of these.", (double)t.bytes);
    return 0;
}

static void add_disk(struct buf *b, struct server *s)
{
    struct statvfs fs;
    struct housekeeping_stats keep;
    if (statvfs(s->dir, &fs) == 0) {
        value(b, "everett_disk_free_bytes", "gauge", "Free on the disk of the service.",
              (double)fs.f_bavail * (double)fs.f_frsize);
    }
    housekeeping_stats(s->housekeeping, &keep);
    value(b, "everett_runs_bytes", "gauge", "Bytes of all runs, at the last housekeeping.",
          (double)keep.run_bytes);
    value(b, "everett_housekeeping_removed_runs_total", "counter",
          "Runs removed by keep_days and disk_budget.", (double)keep.runs_removed);
    value(b, "everett_housekeeping_removed_blobs_total", "counter",
          "Blobs removed that nothing referred to.", (double)keep.blobs_removed);
    value(b, "everett_housekeeping_removed_blob_bytes_total", "counter", "Bytes of these.",
          (double)keep.blob_bytes_removed);
    value(b, "everett_housekeeping_last_seconds", "gauge", "When the last pass was (Unix time).",
          (double)keep.last_unix);
}

/* Names that every dashboard knows. */
static void add_process(struct buf *b)
{
    struct rusage use;
    unsigned long pages[2] = {0};
    cleanup_fclose FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu %lu", &pages[0], &pages[1]) == 2) {
        value(b, "process_resident_memory_bytes", "gauge", "Memory in use.",
              (double)pages[1] * (double)sysconf(_SC_PAGESIZE));
    }
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        value(b, "process_cpu_seconds_total", "counter", "Processor time of the server itself.",
              (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                  (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    }
}

void metrics_handle(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct server *s = rq->server;
    struct buf *b = &rs->body;
    head(b, "everett_build_info", "gauge", "Always 1; the version is a label.");
    buf_puts(b, "everett_build_info{version=\"" EVERETT_VERSION "\"} 1\n");
    value(b, "process_start_time_seconds", "gauge", "When the server started (Unix time).",
          (double)s->started_unix);
    add_http(b, s);
    struct db *db = db_get(s->db);
    int r = add_runs(b, db, &err) || add_notifications(b, db, &err) ? -1 : 0;
    db_put(s->db, db);
    if (r || add_registry(b, s, &err)) {
        http_fail(rq, rs, &err);
        return;
    }
    add_disk(b, s);
    add_process(b);
    rs->status = 200;
    http_set(rs, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
}
