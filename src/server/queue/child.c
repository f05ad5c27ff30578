/* Programs that work for a run, as child processes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/queue/queue_priv.h"
#include "server/queue/spawn.h"
#include "server/server.h"

#define LINE_BYTES_MAX (4u << 20) /* a longer line is handed over in parts */
#define FIRST_GRACE_MS 30000      /* between the first SIGINT and the second */
#define LAST_GRACE_MS  10000      /* between the second and SIGKILL */

struct stream {
    int fd; /* owned; -1 at the end */
    bool is_error;
    struct buf line;
};

struct running {
    struct job *j;
    struct child *c;
    struct spawned sp;
    struct stream streams[2];
    unsigned interrupts; /* sent */
    int64_t next_ms;     /* when the next one is due; 0: none is */
};

/* --- reading ------------------------------------------------------------------------------------
 */

static void hand_over(struct running *r, struct stream *s, size_t len)
{
    s->line.data[len] = 0;
    r->c->line(r->c->ctx, s->line.data, s->is_error);
}

static void take(struct running *r, struct stream *s, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        buf_append(&s->line, data, n);
        if (end || s->line.len >= LINE_BYTES_MAX) {
            hand_over(r, s, s->line.len);
            buf_reset(&s->line);
        }
        n += end != NULL;
        data += n;
        len -= n;
    }
}

/* True when there may be more. */
static bool read_some(struct running *r, struct stream *s)
{
    char chunk[65536];
    ssize_t n = read(s->fd, chunk, sizeof chunk);
    if (n > 0) {
        take(r, s, chunk, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return errno == EINTR;
    }
    close(s->fd);
    s->fd = -1;
    return false;
}

/* What lies in the pipes of a child that is gone; whoever else holds them does not count. */
static void drain(struct running *r)
{
    for (size_t i = 0; i < 2; i++) {
        struct stream *s = &r->streams[i];
        if (s->fd >= 0) {
            fcntl(s->fd, F_SETFL, O_NONBLOCK);
        }
        while (s->fd >= 0 && read_some(r, s)) {
        }
        if (s->line.len) {
            hand_over(r, s, s->line.len);
        }
    }
}

/* --- ending -------------------------------------------------------------------------------------
 */

static void interrupt_when_due(struct running *r)
{
    static const int signals[] = {SIGINT, SIGINT, SIGKILL};
    static const int graces[] = {FIRST_GRACE_MS, LAST_GRACE_MS, 0};
    if (r->interrupts >= ARRAY_LEN(signals) || !job_must_end(r->j) || queue_now_ms() < r->next_ms) {
        return;
    }
    kill(r->sp.pid, signals[r->interrupts]);
    r->next_ms = queue_now_ms() + graces[r->interrupts];
    r->interrupts++;
}

static int wait_ms(const struct running *r)
{
    if (!r->interrupts || r->interrupts > 2) {
        return -1;
    }
    int64_t left = r->next_ms - queue_now_ms();
    return left > 0 ? (int)left : 0;
}

static void watch(struct running *r)
{
    for (;;) {
        interrupt_when_due(r);
        struct pollfd p[] = {{r->sp.pidfd, POLLIN, 0},
                             {r->streams[0].fd, POLLIN, 0},
                             {r->streams[1].fd, POLLIN, 0},
                             {r->interrupts ? -1 : r->j->wake_fd, POLLIN, 0}};
        if (poll(p, ARRAY_LEN(p), wait_ms(r)) < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            if (p[1 + i].revents) {
                read_some(r, &r->streams[i]);
            }
        }
        if (p[3].revents) {
            uint64_t ignored;
            ssize_t n = read(r->j->wake_fd, &ignored, sizeof ignored);
            (void)n;
        }
        if (p[0].revents && !p[1].revents && !p[2].revents) {
            return;
        }
    }
}

int child_run(struct job *j, struct child *c, struct err *err)
{
    struct running r = {.j = j, .c = c};
    if (spawn_start(&r.sp, j->q->server->dir, c->argv, err)) {
        return -1;
    }
    r.streams[0] = (struct stream){.fd = r.sp.out};
    r.streams[1] = (struct stream){.fd = r.sp.error, .is_error = true};
    watch(&r);
    drain(&r);
    for (size_t i = 0; i < 2; i++) {
        if (r.streams[i].fd >= 0) {
            close(r.streams[i].fd);
        }
        buf_free(&r.streams[i].line);
    }
    r.sp.out = r.sp.error = -1;
    c->status = spawn_end(&r.sp);
    return 0;
}
