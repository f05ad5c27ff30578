#include "explorer/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "explorer/last_words.h"
#include "explorer/message.h"
#include "explorer/novelty.h"
#include "explorer/wire.h"
#include "runner/plan_builder.h"
#include "runner/universe.h"
#include "store/event_log.h"
#include "store/hide.h"
#include "store/ingest.h"

struct worker {
    const struct worker_setup *setup;
    struct worker_job job;
    struct event_log_writer *log; /* NULL once the disk failed */
    struct ingest *ingest;
    struct novelty novelty;
    struct last_words *last_words;
    struct buf stub; /* the record in a hidden line's place */
    uint64_t next_seq, vtime_ns;
    bool has_end;
    bool refused;       /* a record broke the log's rules: `trouble` is the engine's */
    struct err trouble; /* else of the host: the disk, say */
};

static void record(struct worker *w, const struct event *e)
{
    if (!w->log || w->refused || event_log_append(w->log, e, e->size, &w->trouble) == 0) {
        return;
    }
    w->refused = w->trouble.kind == ERR_ENGINE;
    if (!w->refused) {
        event_log_discard(w->log);
        w->log = NULL;
        w->setup->slot->stop = 1;
    }
}

static void on_event(void *ctx, const struct event *e)
{
    struct worker *w = ctx;
    if (hide_matches(w->setup->hide, e)) {
        hide_record(e, &w->stub);
        record(w, (const struct event *)(const void *)w->stub.data);
    } else {
        record(w, e);
    }
    if (w->refused) {
        return;
    }
    ingest_event(w->ingest, e);
    novelty_event(&w->novelty, e);
    last_words_event(w->last_words, e);
    w->next_seq = e->seq + 1;
    w->vtime_ns = e->vtime_ns;
    w->has_end |= e->type == EVENT_END;
}

static void on_tick(void *ctx, uint64_t vtime_ns, uint64_t calls)
{
    struct worker *w = ctx;
    struct worker_tick tick = {vtime_ns, calls};
    if (message_send(w->setup->socket, MESSAGE_TICK, &tick, sizeof tick)) {
        _exit(0); /* the explorer is gone, and with it the reason to work */
    }
}

/* A universe that was stopped ends here and now: its record gets the end that the runner can speak
 * for. It has no digest. */
static void record_stop(struct worker *w, enum event_end_reason reason)
{
    static const char zero[8];
    cleanup_buf struct buf text = {0}, b = {0};
    if (reason == END_WALL_LIMIT) {
        buf_printf(&text, "not at its end after %" PRIu64 " s on the host",
                   w->setup->wall_limit_ns / 1000000000);
    } else {
        buf_puts(&text, "stopped before its end");
    }
    struct event_end end = {.reason = reason,
                            .setup_complete = ingest_has_setup_complete(w->ingest)};
    struct event head = {.type = EVENT_END,
                         .node = EVENT_NO_NODE,
                         .vtime_ns = w->vtime_ns,
                         .seq = w->next_seq,
                         .length = (uint32_t)(sizeof end + text.len)};
    head.size = (uint32_t)round_up_u64(sizeof head + head.length, 8);
    buf_append(&b, &head, sizeof head);
    buf_append(&b, &end, sizeof end);
    buf_append(&b, text.data, text.len);
    buf_append(&b, zero, head.size - b.len);
    on_event(w, (const struct event *)(const void *)b.data);
}

static bool is_setup_failure(const struct store_universe *u)
{
    return !u->setup_complete && !u->engine_error && u->end_reason != END_STOPPED &&
           u->end_reason != END_WALL_LIMIT;
}

/* Borrows from worker and universe result. */
static void tell(struct worker *w, const struct universe_result *ur)
{
    struct worker_result r = {.universe = {.number = w->job.number,
                                           .seed = w->job.strategy.seed,
                                           .input_hash = w->job.strategy.input_hash,
                                           .parent = -1}};
    cleanup_buf struct buf words = {0}, message = {0};
    const char *engine_error = w->refused ? w->trouble.msg : ur->engine_error;
    ingest_finish(w->ingest, engine_error);
    store_universe_fill(&r.universe, w->ingest, engine_error);
    r.universe.wall_ns = ur->wall_ns;
    if (is_setup_failure(&r.universe)) {
        last_words_tell(w->last_words, &words);
        r.setup_words = words.data;
    }
    r.found = *ingest_set(w->ingest);
    novelty_properties(&w->novelty, &r.found);
    r.behaviours = mem_zalloc((w->novelty.count + 1) * sizeof *r.behaviours);
    for (size_t i = 0; i < w->novelty.cap; i++) {
        if (w->novelty.table[i]) {
            r.behaviours[r.behaviour_count++] = w->novelty.table[i];
        }
    }
    message_put_result(&message, &r);
    free(r.behaviours);
    if (message_send(w->setup->socket, MESSAGE_DONE, message.data, message.len)) {
        _exit(0);
    }
}

static _Noreturn void give_up(struct worker *w)
{
    cleanup_buf struct buf b = {0};
    wire_put_u64(&b, w->trouble.kind);
    wire_put_u64(&b, (uint64_t)w->trouble.host_errno);
    wire_put_str(&b, w->trouble.msg);
    wire_put_str(&b, w->trouble.hint);
    int lost = message_send(w->setup->socket, MESSAGE_TROUBLE, b.data, b.len);
    _exit(lost ? 1 : 0);
}

static void run_recorded(struct worker *w)
{
    const struct worker_setup *s = w->setup;
    struct universe_options o = {.engine_path = s->engine_path,
                                 .core = s->core,
                                 .wall_limit_ns = s->wall_limit_ns,
                                 .on_event = on_event,
                                 .on_tick = on_tick,
                                 .ctx = w,
                                 .stop = &s->slot->stop};
    struct universe_result r;
    if (universe_run(s->plan, &o, &r, &w->trouble)) {
        event_log_discard(w->log);
        give_up(w);
    }
    if ((r.stopped || r.out_of_time) && !w->has_end) {
        record_stop(w, r.stopped ? END_STOPPED : END_WALL_LIMIT);
    }
    if (!w->log || event_log_close(w->log, &w->trouble)) {
        give_up(w);
    }
    tell(w, &r);
    universe_result_fini(&r);
}

static void run_job(const struct worker_setup *setup, const struct worker_job *job)
{
    struct worker w = {.setup = setup, .job = *job};
    cleanup_free char *path = store_event_path(setup->run_dir, job->number);
    w.log = event_log_create(path, &w.trouble);
    if (!w.log) {
        give_up(&w);
    }
    w.ingest = ingest_create(job->number, setup->node_names, setup->node_count);
    w.last_words = last_words_create(setup->node_names, setup->node_count);
    strategy_apply(&job->strategy, plan_head(setup->plan));
    run_recorded(&w);
    ingest_destroy(w.ingest);
    last_words_destroy(w.last_words);
    novelty_fini(&w.novelty);
    buf_free(&w.stub);
    err_clear(&w.trouble);
}

/* False when the explorer has closed its end. */
static bool next_job(int fd, struct worker_job *job)
{
    struct {
        struct message_head head;
        struct worker_job job;
    } m;
    ssize_t n = recv(fd, &m, sizeof m, MSG_WAITALL);
    while (n < 0 && errno == EINTR) {
        n = recv(fd, &m, sizeof m, MSG_WAITALL);
    }
    if (n != (ssize_t)sizeof m || m.head.type != MESSAGE_JOB) {
        return false;
    }
    *job = m.job;
    return true;
}

static void pin(int core)
{
    if (core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)core, &set);
        sched_setaffinity(0, sizeof set, &set); /* only speed depends on it */
    }
}

_Noreturn void worker_main(const struct worker_setup *setup)
{
    struct worker_job job;
    /* An interrupt at the terminal reaches the whole group; the explorer decides what it means. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(setup->core);
    while (next_job(setup->socket, &job)) {
        run_job(setup, &job);
    }
    _exit(0);
}
