/* The worker processes of an exploration: starting, talking, ending. */
#ifndef EVERETT_EXPLORER_CREW_H
#define EVERETT_EXPLORER_CREW_H

#include <sys/types.h>

#include "explorer/message.h"
#include "explorer/worker.h"

struct crew_member {
    pid_t pid; /* 0: not running */
    int socket;
    int core;
    bool busy;
    struct worker_job job;
    struct worker_tick tick; /* of the running universe */
    struct buf input;        /* bytes not yet a whole message */
};

struct crew {
    struct worker_setup setup; /* common part; core, socket and slot differ */
    struct worker_slot *slots; /* shared memory */
    struct crew_member *members;
    size_t count;
};

/* Members are not started. Cores: one each of those this process may use, as long as they last. */
int crew_init(struct crew *c, const struct worker_setup *common, size_t count,
              struct err *err) must_check;
/* Kills what still runs and waits for it. */
void crew_fini(struct crew *c);
int crew_start(struct crew *c, size_t member, struct err *err) must_check;
/* Gives a job to an idle member; false when it is gone. */
bool crew_give(struct crew *c, size_t member, const struct worker_job *job) must_check;
/* Tells all members to end their universes. */
void crew_stop(struct crew *c);
size_t crew_busy(const struct crew *c);
/* Waits up to `timeout_ms` for news and reads what came into the inputs of the members. */
void crew_wait(struct crew *c, int timeout_ms);
/* Takes the next whole message off a member's input; `*data` is valid until the next call. */
bool crew_message(struct crew *c, size_t member, struct message_head *head, const char **data);
/* Reaps a member whose socket is closed; false while it is alive. `*status` as waitpid. */
bool crew_reap(struct crew *c, size_t member, int *status);

#endif
