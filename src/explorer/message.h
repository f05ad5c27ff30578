/* What explorer and workers say to each other over a socket: a head, then bytes (wire.h). */
#ifndef EVERETT_EXPLORER_MESSAGE_H
#define EVERETT_EXPLORER_MESSAGE_H

#include "base/buf.h"
#include "explorer/strategy.h"
#include "store/store.h"

enum message_type {
    MESSAGE_JOB = 1, /* to the worker: struct worker_job */
    MESSAGE_TICK,    /* struct worker_tick */
    MESSAGE_DONE,    /* struct worker_result, by message_put_result */
    MESSAGE_TROUBLE, /* the host failed the worker: error kind, errno, message, hint; it then ends
                      */
};

struct message_head {
    uint64_t type, len;
};

struct worker_job {
    uint64_t number;
    struct strategy strategy;
};

struct worker_tick {
    uint64_t vtime_ns, calls;
};

#define MESSAGE_LEN_MAX (1ull << 30)

struct worker_result {
    struct store_universe universe; /* texts owned by the result */
    char *setup_words;              /* owned: last lines when set-up failed, else NULL */
    struct property_set found;
    uint64_t *behaviours; /* owned */
    size_t behaviour_count;
};

void message_put_result(struct buf *b, const struct worker_result *r);
/* False when the bytes are no result; then nothing is held. */
bool message_get_result(const char *data, size_t len, struct worker_result *r);
void worker_result_fini(struct worker_result *r);

/* 0, or -1 with errno; EPIPE when the other side is gone. Blocks. */
int message_send(int fd, enum message_type type, const void *data, size_t len) must_check;

#endif
