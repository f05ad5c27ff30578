/* The service: one process that holds the registry, the API, the pages, the queue of runs and the
 * mail. Everything hangs off `struct server`; there are no globals.
 *
 * Threads: one a connection (handlers may block), those of the queue, a few for the notifier, one
 * for housekeeping. What they share is the database (db/db.h), the file system, and the live state
 * of runs (queue/queue.h), each with its own lock.
 *
 *   DIR/server.db         SQLite (WAL): accounts, tokens, runs, registry's names, mail, audit
 *   DIR/server.conf       optional configuration (config.h)
 *   DIR/registry/         blobs and uploads (registry/registry.h)
 *   DIR/images/           the image store that runs use (image/store.h)
 *   DIR/runs/ID/          one run: input/ (the unpacked config image), run/ (the run directory of
 *                         store/store.h), build_log.ndjson
 *   DIR/trash/            runs on their way out (housekeeping.h)
 *   DIR/lock              held by the one server of this directory */
#ifndef EVERETT_SERVER_SERVER_H
#define EVERETT_SERVER_SERVER_H

#include "base/err.h"

struct housekeeping;
struct http_server;
struct db_pool;
struct auth;
struct registry;
struct queue;
struct notifier;
struct reports;

struct server {
    char *dir;   /* absolute */
    int lock_fd; /* DIR/lock */
    struct server_config *config;
    struct db_pool *db;
    struct auth *auth;
    struct registry *registry;
    struct queue *queue;
    struct notifier *notifier;
    struct reports *reports;
    struct housekeeping *housekeeping;
    struct http_server *http;
    int64_t started_unix;
    char *address;    /* "http://127.0.0.1:41234", with the port that was bound */
    char *everett;    /* path of the program that runs runs: `everett run`, `everett replay` */
    char *public_url; /* as users reach it, without a slash at the end: "http://127.0.0.1:8080" */
};

struct server_options {
    const char *dir;    /* created when missing */
    const char *listen; /* "ADDR:PORT", "[V6]:PORT"; NULL: the configuration's, else 127.0.0.1:8080;
                           port 0: any free one */
    const char *everett;
};

/* Opens everything and starts the threads. They inherit the caller's signal mask: block what the
 * caller wants to wait for before, and give child processes an empty mask again. SIGPIPE must be
 * ignored. NULL with `err` (ERR_USAGE: the directory is in use, a
 * line of the configuration is wrong, the address is taken). */
struct server *server_start(const struct server_options *o, struct err *err) must_check;
/* True when there is no account yet: the caller says how to make one. */
bool server_is_fresh(struct server *s);
/* Opens only the database of a directory, for the command line; a server may run meanwhile. */
struct db_pool *server_open_db(const char *dir, struct err *err) must_check;
/* Whether it can serve: the database answers. Fills `err` when not. */
int server_check(struct server *s, struct err *err) must_check;
/* Refuses new work, lets answers in progress end (at most `grace_ms`), interrupts running runs so
 * that they report what they have and are resumed at the next start, joins the threads. Accepts
 * NULL. */
void server_stop(struct server *s, unsigned grace_ms);

#endif
