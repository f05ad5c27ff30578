/* Run directory: creating, resuming, opening, locking. */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/store_priv.h"

static char *path_in(const char *dir, const char *name)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", dir, name);
    return buf_steal(&path);
}

char *store_event_path(const char *dir, uint64_t universe)
{
    struct buf path = {0};
    buf_printf(&path, "%s/events/%06" PRIu64 ".zst", dir, universe);
    return buf_steal(&path);
}

static int make_dirs(const char *dir, struct err *err)
{
    cleanup_free char *path = mem_strdup(dir);
    for (char *p = path + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            if (mkdir(path, 0755) && errno != EEXIST) {
                return files_errno(err, errno, "cannot make directory %s", path);
            }
            *p = '/';
        }
    }
    if (mkdir(path, 0755) && errno != EEXIST) {
        return files_errno(err, errno, "cannot make directory %s", path);
    }
    return 0;
}

/* flock rather than a lock file's existence: the kernel drops it however the writer ends. */
static int take_lock(struct store *s, struct err *err)
{
    cleanup_free char *path = path_in(s->dir, "lock");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->lock_fd < 0) {
        return files_errno(err, errno, "cannot create %s", path);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        char pid[24];
        int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
        /* Only the message of a refused second writer depends on it. */
        bool told = ftruncate(s->lock_fd, 0) == 0 && pwrite(s->lock_fd, pid, (size_t)n, 0) == n;
        (void)told;
        return 0;
    }
    if (errno != EWOULDBLOCK) {
        return err_errno(err, errno, "cannot lock %s", path);
    }
    char holder[24] = "";
    ssize_t n = pread(s->lock_fd, holder, sizeof holder - 1, 0);
    holder[n > 0 ? n : 0] = 0;
    holder[strcspn(holder, "\n")] = 0;
    err_set(err, ERR_USAGE, "run directory %s is in use by another everett (process %s)", s->dir,
            *holder ? holder : "unknown");
    return err_hint(err, "wait until it ends, or choose another directory with --out");
}

static int open_db(struct store *s, int flags, struct err *err)
{
    cleanup_free char *path = path_in(s->dir, "run.db");
    if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        return sql_fail(s, err, "cannot open");
    }
    sqlite3_extended_result_codes(s->db, 0);
    sqlite3_busy_timeout(s->db, 5000); /* a reader's checkpoint, at worst */
    return sql_exec(s, "PRAGMA foreign_keys = ON", err);
}

/* A commit need not outlive a power cut (the run does not either), but must outlive the process;
 * WAL with NORMAL gives that without a sync per universe. */
static int open_for_writing(struct store *s, struct err *err)
{
    if (open_db(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err)) {
        return -1;
    }
    return sql_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err);
}

static int schema_version(struct store *s, int64_t *version, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, "PRAGMA user_version", err);
    int rc = st ? sql_step(s, st, err) : -1;
    *version = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc < 0 ? -1 : 0;
}

static int check_version(struct store *s, struct err *err)
{
    int64_t version = 0;
    if (schema_version(s, &version, err)) {
        return -1;
    }
    if (version != STORE_SCHEMA_VERSION) {
        err_set(err, ERR_USAGE, "%s: run format %" PRId64 ", this everett reads %d", s->dir,
                version, STORE_SCHEMA_VERSION);
        return err_hint(err, "use the everett that made the run");
    }
    return 0;
}

static struct store *store_new(const char *dir)
{
    struct store *s = mem_zalloc(sizeof *s);
    s->dir = mem_strdup(dir);
    size_t len = strlen(s->dir);
    while (len > 1 && s->dir[len - 1] == '/') {
        s->dir[--len] = 0;
    }
    s->lock_fd = -1;
    property_set_init(&s->props);
    return s;
}

void store_close(struct store *s)
{
    if (!s) {
        return;
    }
    sqlite3_close(s->db);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    for (size_t i = 0; i < s->node_count; i++) {
        free((void *)(uintptr_t)s->nodes[i].name);
        free((void *)(uintptr_t)s->nodes[i].service);
        free((void *)(uintptr_t)s->nodes[i].hostname);
        free((void *)(uintptr_t)s->nodes[i].image);
        free((void *)(uintptr_t)s->nodes[i].digest);
    }
    free(s->nodes);
    free(s->node_names);
    property_set_fini(&s->props);
    free(s->dir);
    free(s);
}

static int load_nodes(struct store *s, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(
        s, "SELECT name, service, hostname, image, digest FROM container ORDER BY node", err);
    size_t cap = 0;
    int rc = st ? 1 : -1;
    while (rc == 1 && (rc = sql_step(s, st, err)) == 1) {
        struct store_node *n = ARRAY_PUSH(s->nodes, s->node_count, cap);
        *n = (struct store_node){sql_text_dup(st, 0), sql_text_dup(st, 1), sql_text_dup(st, 2),
                                 sql_text_dup(st, 3), sql_text_dup(st, 4)};
    }
    sqlite3_finalize(st);
    s->node_names = mem_zalloc(s->node_count * sizeof *s->node_names);
    for (size_t i = 0; i < s->node_count; i++) {
        s->node_names[i] = s->nodes[i].name;
    }
    return rc;
}

static int load(struct store *s, struct err *err)
{
    return check_version(s, err) || load_nodes(s, err) || store_load_set(s, &s->props, err) ? -1
                                                                                            : 0;
}

static struct store *fail(struct store *s)
{
    store_close(s);
    return NULL;
}

static int insert_run(struct store *s, const struct store_run *run, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "INSERT INTO run VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)", err);
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, run->id);
    sql_bind_text(st, 2, run->name);
    sql_bind_text(st, 3, run->source);
    sql_bind_text(st, 4, run->commit);
    sql_bind_text(st, 5, run->description);
    sql_bind_text(st, 6, run->config);
    sql_bind_text(st, 7, run->engine);
    sql_bind_text(st, 8, run->cpu);
    sql_bind_u64(st, 9, run->seed);
    sql_bind_u64(st, 10, run->workers);
    sqlite3_bind_int64(st, 11, run->started_unix_ns);
    sql_bind_u64(st, 12, run->wall_ns);
    sqlite3_bind_int(st, 13, run->status ? (int)run->status : RUN_RUNNING);
    sql_bind_text(st, 14, run->status_text);
    return sql_run(s, st, err);
}

static int insert_nodes(struct store *s, const struct store_node *nodes, size_t count,
                        struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *st = sql_prepare(s, "INSERT INTO container VALUES (?,?,?,?,?,?)", err);
        if (!st) {
            return -1;
        }
        sql_bind_u64(st, 1, i);
        sql_bind_text(st, 2, nodes[i].name);
        sql_bind_text(st, 3, nodes[i].service);
        sql_bind_text(st, 4, nodes[i].hostname);
        sql_bind_text(st, 5, nodes[i].image);
        sql_bind_text(st, 6, nodes[i].digest);
        if (sql_run(s, st, err)) {
            return -1;
        }
    }
    return 0;
}

static int create_schema(struct store *s, const struct store_run *run,
                         const struct store_node *nodes, size_t node_count, struct err *err)
{
    int64_t version = 0;
    if (schema_version(s, &version, err)) {
        return -1;
    }
    if (version != 0) {
        err_set(err, ERR_USAGE, "run directory %s already holds a run", s->dir);
        return err_hint(err, "choose another directory with --out");
    }
    char stamp[48];
    snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d", STORE_SCHEMA_VERSION);
    if (sql_exec(s, "BEGIN IMMEDIATE", err) || sql_exec(s, store_schema, err) ||
        insert_run(s, run, err) || insert_nodes(s, nodes, node_count, err) ||
        sql_exec(s, stamp, err)) {
        return -1;
    }
    return sql_exec(s, "COMMIT", err);
}

struct store *store_create(const char *dir, const struct store_run *run,
                           const struct store_node *nodes, size_t node_count, struct err *err)
{
    struct store *s = store_new(dir);
    cleanup_free char *events = path_in(s->dir, "events");
    cleanup_free char *inputs = path_in(s->dir, "inputs");
    if (make_dirs(s->dir, err) || take_lock(s, err) || make_dirs(events, err) ||
        make_dirs(inputs, err) || open_for_writing(s, err) ||
        create_schema(s, run, nodes, node_count, err) || load(s, err)) {
        return fail(s);
    }
    return s;
}

/* 1, 0, or -1 with `err`. */
static int universe_is_committed(struct store *s, uint64_t number, struct err *err)
{
    struct store_universe u;
    int rc = store_universe(s, number, &u, err);
    if (rc == 1) {
        store_universe_free(&u);
    }
    return rc;
}

/* Event files whose universe never committed: the writer was killed in between. */
static int remove_leftovers(struct store *s, struct err *err)
{
    cleanup_free char *events = path_in(s->dir, "events");
    cleanup_closedir DIR *dir = opendir(events);
    if (!dir) {
        return err_errno(err, errno, "cannot read %s", events);
    }
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] == '.') {
            continue;
        }
        char *end = NULL;
        uint64_t number = strtoull(e->d_name, &end, 10);
        bool finished = end != e->d_name && strcmp(end, ".zst") == 0;
        int committed = finished ? universe_is_committed(s, number, err) : 0;
        if (committed < 0) {
            return -1;
        }
        if (!committed) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    return 0;
}

static int must_hold_run(const char *dir, struct err *err)
{
    cleanup_free char *path = path_in(dir, "run.db");
    if (access(path, F_OK) == 0) {
        return 0;
    }
    err_set(err, ERR_USAGE, "%s holds no run (there is no run.db)", dir);
    return err_hint(err, "give the directory that everett run printed, for example "
                         "runs/2026-11-22T18-04");
}

struct store *store_resume(const char *dir, struct err *err)
{
    struct store *s = store_new(dir);
    if (must_hold_run(s->dir, err) || take_lock(s, err) || open_for_writing(s, err) ||
        load(s, err) || remove_leftovers(s, err)) {
        return fail(s);
    }
    return s;
}

struct store *store_open(const char *dir, struct err *err)
{
    return store_open_part(dir, STORE_ALL, err);
}

struct store *store_open_part(const char *dir, enum store_part part, struct err *err)
{
    struct store *s = store_new(dir);
    s->part = part;
    if (must_hold_run(s->dir, err) || open_db(s, SQLITE_OPEN_READONLY, err)) {
        return fail(s);
    }
    if (load(s, err)) {
        return fail(s);
    }
    return s;
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

const struct store_node *store_nodes(const struct store *s, size_t *count)
{
    *count = s->node_count;
    return s->nodes;
}

const char *store_node_name(const struct store *s, uint16_t node)
{
    return node < s->node_count ? s->node_names[node] : "";
}

const struct property_set *store_properties(const struct store *s)
{
    return &s->props;
}
