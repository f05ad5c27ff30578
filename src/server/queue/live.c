/* What pages wait for: a version number per run that grows with each change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/queue/queue_priv.h"

#define LIVES_MAX  1000u /* beyond, the oldest without a job is forgotten */
#define SHELLS_MAX 4u    /* commands at moments at a time */

void live_init(struct queue *q)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static void free_live(struct live *l)
{
    free(l->id);
    free(l->progress);
}

void live_fini(struct queue *q)
{
    for (size_t i = 0; i < q->live_count; i++) {
        free_live(&q->lives[i]);
    }
    free(q->lives);
    pthread_cond_destroy(&q->changed);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
}

static struct live *find(struct queue *q, const char *id)
{
    for (size_t i = q->live_count; i-- > 0;) {
        if (strcmp(q->lives[i].id, id) == 0) {
            return &q->lives[i];
        }
    }
    return NULL;
}

static void forget_oldest(struct queue *q)
{
    for (size_t i = 0; i < q->live_count; i++) {
        if (q->lives[i].wake_fd < 0) {
            free_live(&q->lives[i]);
            q->live_count--;
            memmove(q->lives + i, q->lives + i + 1, (q->live_count - i) * sizeof *q->lives);
            return;
        }
    }
}

static struct live *get(struct queue *q, const char *id)
{
    struct live *l = find(q, id);
    if (l) {
        return l;
    }
    if (q->live_count >= LIVES_MAX) {
        forget_oldest(q);
    }
    l = ARRAY_PUSH(q->lives, q->live_count, q->live_cap);
    *l = (struct live){.id = mem_strdup(id), .wake_fd = -1};
    return l;
}

static void touch(struct queue *q, struct live *l)
{
    l->version = ++q->counter;
    pthread_cond_broadcast(&q->changed);
}

void live_touch(struct queue *q, const char *id, const char *progress)
{
    pthread_mutex_lock(&q->lock);
    struct live *l = get(q, id);
    if (progress) {
        free(l->progress);
        l->progress = mem_strdup(progress);
    }
    touch(q, l);
    pthread_mutex_unlock(&q->lock);
}

void live_attach(struct queue *q, const char *id, int wake_fd)
{
    pthread_mutex_lock(&q->lock);
    struct live *l = get(q, id);
    l->wake_fd = wake_fd;
    touch(q, l);
    pthread_mutex_unlock(&q->lock);
}

static void wake(const struct live *l)
{
    const uint64_t one = 1;
    /* A full counter is as awake as can be. */
    ssize_t n = l->wake_fd >= 0 ? write(l->wake_fd, &one, sizeof one) : 0;
    (void)n;
}

void live_cancel(struct queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    struct live *l = get(q, id);
    l->cancel = true;
    wake(l);
    touch(q, l);
    pthread_mutex_unlock(&q->lock);
}

bool live_is_cancelled(struct queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    const struct live *l = find(q, id);
    bool cancelled = l && l->cancel;
    pthread_mutex_unlock(&q->lock);
    return cancelled;
}

bool queue_is_stopping(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool stopping = q->stopping;
    pthread_mutex_unlock(&q->lock);
    return stopping;
}

bool queue_take_shell(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool may = q->shells < SHELLS_MAX && !q->stopping;
    q->shells += may;
    pthread_mutex_unlock(&q->lock);
    return may;
}

void queue_give_shell(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->shells--;
    pthread_mutex_unlock(&q->lock);
}

void queue_interrupt(struct queue *q)
{
    if (!q) {
        return;
    }
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    for (size_t i = 0; i < q->live_count; i++) {
        wake(&q->lives[i]);
    }
    pthread_cond_broadcast(&q->work);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

static struct timespec after(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

uint64_t queue_wait(struct queue *q, const char *run_id, uint64_t seen, unsigned timeout_ms)
{
    const struct timespec until = after(timeout_ms);
    pthread_mutex_lock(&q->lock);
    uint64_t version;
    for (;;) {
        const struct live *l = find(q, run_id);
        version = l ? l->version : 0;
        if (version != seen || q->stopping ||
            pthread_cond_timedwait(&q->changed, &q->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    pthread_mutex_unlock(&q->lock);
    return version;
}

void queue_live(struct queue *q, const char *run_id, struct buf *out)
{
    pthread_mutex_lock(&q->lock);
    const struct live *l = find(q, run_id);
    if (l && l->progress) {
        buf_puts(out, l->progress);
    }
    pthread_mutex_unlock(&q->lock);
}
