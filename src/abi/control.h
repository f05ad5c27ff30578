/* Control area: shared between the runner and every host process of a universe, outside the arena
 * (a branch still sees the old arena while it is made). */
#ifndef EVERETT_ABI_CONTROL_H
#define EVERETT_ABI_CONTROL_H

#include <stdint.h>

#include "abi/import.h"
#include "abi/plan.h"

#define CONTROL_MAGIC 0x4c4f52544e4f4345ull
#define CONTROL_SLOTS 2048 /* LIMIT_MMS; slot 0 is the zygote */

/* Whoever holds the right to run hands it over by storing 1 here and waking the futex. */
struct baton {
    uint32_t word;
    uint32_t reserved;
    uint64_t task; /* struct task to run, in the arena */
};

enum control_over {
    CONTROL_RUNNING = 0,
    CONTROL_ENDED = 1, /* the END event is in the ring */
    CONTROL_PANIC = 2, /* engine error; panic_text says what */
    CONTROL_SPIN = 3,  /* `spin` is to be added to the plan, and the universe run again */
};

struct control {
    uint64_t magic;
    uint64_t bytes; /* of the whole area */
    int32_t arena_fd, data_fd;
    uint64_t plan_off, plan_len; /* within the area */
    uint64_t ring_off, ring_len; /* ring_len: a power of two */
    uint64_t ahead_off;          /* struct import_ahead; 0: none */
    uint64_t ring_head;          /* bytes ever written (engine) */
    uint64_t ring_tail;          /* bytes ever read (runner) */
    uint32_t ring_room;          /* futex: bumped by the runner when it has read */
    uint32_t notify;             /* futex: bumped by the engine when the runner should look */
    uint32_t over;               /* enum control_over */
    uint32_t import_state;       /* futex: 0 idle, 1 asked, 2 answered */
    uint64_t calls;              /* heartbeat: system calls so far, and the time at the last one */
    uint64_t vtime_ns;
    struct plan_spin spin; /* CONTROL_SPIN */
    uint64_t spin_entries; /* CONTROL_SPIN: entries into the kernel by all tasks up to there */
    /* History up to here is known to hold no other loops without calls: none is looked for. */
    uint64_t watch_entries, watch_ns;
    char panic_text[2048];
    struct import_request import_request;
    struct import_response import_response;
    struct baton batons[CONTROL_SLOTS];
};

#endif
