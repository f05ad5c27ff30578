/* One request in flight and its connection. Private to http/. */
#ifndef EVERETT_SERVER_HTTP_HTTP_PRIV_H
#define EVERETT_SERVER_HTTP_HTTP_PRIV_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/http/http.h"
#include "server/http/limit.h"
#include "server/http/router.h"
#include "server/http/stats.h"

struct exchange;

/* What a connection is waiting for; each has its limit in time (guard.c). */
enum conn_phase { CONN_HEAD, CONN_BODY, CONN_ANSWER };

struct conn {
    struct conn *prev, *next; /* in the server's list */
    int fd;                   /* of libmicrohttpd */
    enum conn_phase phase;
    uint64_t since_ns;     /* start of the phase, monotonic */
    uint64_t received;     /* bytes of the body so far */
    bool is_cut;           /* was too slow */
    struct exchange *live; /* owned: not yet completed */
};

struct http_server {
    struct server *server;
    struct MHD_Daemon *daemon;
    char *address;
    int listen_fd; /* -1: closed */
    char *tls_cert, *tls_key;
    bool is_tls;
    uint64_t idle_ns, body_max;
    uint64_t id_base;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    struct conn *conns;
    uint64_t next_id;
    struct limit limit;
    struct http_stats stats; /* its `active`: exchanges with a complete head */
    bool is_stopping;
    bool guard_ends;
    pthread_t guard;
};

struct exchange {
    struct http_request rq;
    struct http_response rs;
    struct http_server *http;
    struct conn *conn;
    struct buf path;
    const char *path_fault; /* NULL: fine */
    struct router_found found;
    char method[16]; /* as sent, for the log */
    uint64_t start_ns, sent, received, body_left;
    bool is_started, is_counted;
    bool is_answered; /* rs is filled before the handler: the body is dropped */
    bool must_close;  /* framing cannot be trusted: answer and hang up */
    bool has_begun;   /* begin() of a stream was called: end() is due */
};

/* exchange.c: the life of a request. */
struct exchange *exchange_create(struct http_server *h, struct conn *c, const char *target);
void exchange_start(struct exchange *x, struct MHD_Connection *conn, const char *method);
/* Whether the answer has to go out before the body was read. */
bool exchange_is_early(const struct exchange *x);
bool exchange_data(struct exchange *x, const char *bytes, size_t len); /* false: cut */
void exchange_finish(struct exchange *x);
void exchange_complete(struct exchange *x); /* logs and frees; accepts NULL */

/* response.c */
void response_init(struct http_response *rs);
void response_fini(struct http_response *rs);
enum MHD_Result response_queue(struct exchange *x);

/* error.c */
void error_fill(enum http_family family, struct http_response *rs, unsigned status,
                const char *text);

/* guard.c: limits in time. */
int guard_start(struct http_server *h, struct err *err) must_check;
void guard_stop(struct http_server *h);
void guard_phase(struct exchange *x, enum conn_phase phase);

/* listen.c: a bound, listening socket. */
int listen_open(const char *text, char **address, struct err *err) must_check;

#endif
