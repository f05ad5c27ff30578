/* Limits in time that libmicrohttpd has not: its timeout is reset by every byte, so that a client
 * that sends one byte a minute would hold a thread for ever. One thread looks once a second at all
 * connections. */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "server/http/http_priv.h"

/* A body must come at least this fast on the average, once `idle_ns` are over. */
#define BODY_BYTES_PER_SECOND_MIN 256u

static bool is_too_slow(const struct http_server *h, const struct conn *c, uint64_t now)
{
    uint64_t age = now - c->since_ns;
    switch (c->phase) {
    case CONN_HEAD:
        return age > h->idle_ns;
    case CONN_BODY:
        return age > h->idle_ns &&
               c->received / BODY_BYTES_PER_SECOND_MIN < (age - h->idle_ns) / 1000000000u;
    case CONN_ANSWER: /* libmicrohttpd's own timeout: nothing was written for that long */
        return false;
    }
    return false;
}

static void *guard_main(void *arg)
{
    struct http_server *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->guard_ends) {
        uint64_t now = clock_host_ns();
        for (struct conn *c = h->conns; c; c = c->next) {
            if (is_too_slow(h, c, now)) {
                shutdown(c->fd, SHUT_RDWR); /* its thread sees the end and cleans up */
                h->stats.too_slow += !c->is_cut;
                c->is_cut = true;
            }
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&h->changed, &h->lock, &until);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

int guard_start(struct http_server *h, struct err *err)
{
    int r = pthread_create(&h->guard, NULL, guard_main, h);
    return r ? err_errno(err, r, "cannot start a thread") : 0;
}

void guard_stop(struct http_server *h)
{
    pthread_mutex_lock(&h->lock);
    h->guard_ends = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->guard, NULL);
}

void guard_phase(struct exchange *x, enum conn_phase phase)
{
    pthread_mutex_lock(&x->http->lock);
    if (x->conn->phase != phase) {
        x->conn->phase = phase;
        x->conn->since_ns = clock_host_ns();
        x->conn->received = 0;
    }
    pthread_mutex_unlock(&x->http->lock);
}
