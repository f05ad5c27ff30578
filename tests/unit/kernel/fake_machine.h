/* A machine in ordinary memory for unit tests of the kernel: one node, one process (pid 1, root,
 * all capabilities), one task, guest memory at an address guests may use, and a port that records.
 *
 * The kernel's allocator, waiting, tracing and timers are supplied as weak stand-ins over libc (so
 * that address sanitizer sees every block); a test that links the real source gets the real one.
 * Do not include libc's <fcntl.h> or <sys/stat.h> beside this header: abi/linux.h has them. */
#ifndef EVERETT_TESTS_FAKE_MACHINE_H
#define EVERETT_TESTS_FAKE_MACHINE_H

#include "abi/plan.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/syscalls/syscall.h"
#include "kernel/task/task.h"

#define FAKE_GUEST_BASE  0x200000000000ul
#define FAKE_GUEST_BYTES (64ul << 20)
#define FAKE_DATA_BYTES  (4ul << 30) /* reserved, not used */
#define FAKE_PLAN_BYTES  (1ul << 20)

struct fake_event {
    struct fake_event *next;
    size_t len;
    unsigned char record[]; /* struct event */
};

struct fake_machine {
    struct machine m; /* first: a struct machine * is a struct fake_machine * */
    struct port port;
    struct node node;
    struct process process;
    struct task task;
    unsigned char *plan_bytes; /* the plan lies at its start */
    uint32_t plan_used;
    uint64_t guest_used;
    struct fake_event *events, **events_tail;
    uint32_t event_count;
    uint32_t sigpipes; /* SIGPIPE and other signals that reached the weak signal functions */
    uint32_t last_signal;
    uint32_t unknowns;    /* trace_unknown calls */
    uint64_t allocations; /* blocks taken from the weak allocator so far */
    uint64_t live;        /* of them not freed */
    struct block *blocks; /* the live ones */
    uint64_t discarded_pages;
    /* Weak wait functions: what the last attempt waited for. */
    uint32_t wait_count;
    vtime wait_until;
};

void fake_blocks_free(struct fake_machine *fm);

/* Never NULL; aborts the test program when memory is short. */
struct fake_machine *fake_machine_create(void);
void fake_machine_destroy(struct fake_machine *fm);

static inline struct fake_machine *fake_of(struct machine *m)
{
    return (struct fake_machine *)m;
}

/* A second task of a new process (pids count up), sharing nothing. Freed with the machine. */
struct task *fake_task_create(struct fake_machine *fm);
/* Makes `t` the current task. */
void fake_task_switch(struct fake_machine *fm, struct task *t);
/* Drops every capability and becomes uid/gid. */
void fake_become(struct task *t, uint32_t uid, uint32_t gid);

/* Guest memory: zeroed, valid until the machine is destroyed. Anything outside of it faults. */
gaddr fake_guest(struct fake_machine *fm, size_t n);
gaddr fake_guest_str(struct fake_machine *fm, const char *s);
void *fake_ptr(gaddr a);

/* Plan building: appends zeroed bytes or a string; the result is the offset in the plan. */
uint32_t fake_plan_put(struct fake_machine *fm, const void *data, size_t n);
plan_str fake_plan_str(struct fake_machine *fm, const char *s);
struct plan *fake_plan(struct fake_machine *fm);

/* Runs a handler as the current task, with up to six arguments. A call that blocks with a deadline
 * moves the clock there and is repeated; one that blocks without returns FAKE_BLOCKED and may be
 * continued by fake_retry once the test made progress possible. */
#define FAKE_BLOCKED INT64_MIN
int64_t fake_call6(struct fake_machine *fm, syscall_fn fn, const uint64_t a[6]);
int64_t fake_retry(struct fake_machine *fm, syscall_fn fn, const uint64_t a[6]);
#define FAKE_ARGS(...)         ((const uint64_t[6]){__VA_ARGS__})
#define fake_call(fm, fn, ...) fake_call6((fm), (fn), FAKE_ARGS(__VA_ARGS__))

/* Moves virtual time and fires what is due. */
void fake_advance(struct fake_machine *fm, uint64_t ns);

#endif
