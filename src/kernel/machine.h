/* The machine root: everything a universe is, reachable from here and nowhere else. Lives at the
 * start of the arena. */
#ifndef EVERETT_KERNEL_MACHINE_H
#define EVERETT_KERNEL_MACHINE_H

#include "abi/event.h"
#include "abi/plan.h"
#include "base/list.h"
#include "base/stream.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/time/timer.h"

struct composer;
struct director;
struct faults;
struct fp_layout;
struct futexes;
struct mm;
struct net;
struct node;
struct port;
struct sdk;
struct task;
struct vfs;

struct clock {
    vtime now;
    int64_t realtime_offset_ns; /* CLOCK_REALTIME - now */
    uint64_t call_cost_ns, clock_cost_ns;
};

struct sched {
    struct list_head runnable; /* struct task run_link, FIFO */
    struct task *current;
    uint32_t clock_streak; /* clock reads since the last other call */
    uint32_t slice_calls;  /* calls since the last switch */
    uint64_t switches, calls;
    uint64_t entries; /* into the kernel, of all tasks (spin_entry) */
    uint64_t next_task_id;
    uint64_t preempt_left; /* calls until the next extra preemption; 0 = not drawn yet */
    struct task *dead;     /* exited task whose memory is freed once its stack is left */
};

struct machine {
    struct arena arena;
    const struct port *port;
    const struct plan *plan;
    struct clock clock;
    struct timer_heap timers;
    struct sched sched;
    struct stream streams[STREAM_COUNT]; /* universe-wide ones; nodes have their own */
    struct node *nodes[LIMIT_NODES];
    uint32_t node_count;
    struct mm *mms[LIMIT_MMS]; /* by slot; NULL = free */
    struct {
        uint64_t digest[2];
        uint64_t seq; /* next event number */
        void *seen_unknown;
        uint32_t seen_count, seen_cap;
    } trace;
    struct vfs *vfs;             /* owned by kernel/vfs */
    struct net *net;             /* owned by kernel/net */
    struct director *director;   /* owned by director; NULL for `exec` */
    struct composer *composer;   /* owned by director */
    struct faults *faults;       /* owned by director */
    struct sdk *sdk;             /* owned by director/sdk.c */
    struct futexes *futexes;     /* owned by kernel/sync */
    struct fp_layout *fp_layout; /* of this host's XSAVE area; owned by signal/frame_fp.c */
    void *shm;                   /* SysV IPC, owned by kernel/ipc */
    uint64_t next_file_id;
    uint64_t next_anon_ino;  /* inode numbers of pipes, sockets, anonymous inodes */
    vtime ends_at;           /* END_TIME_LIMIT then; 0: no limit (yet) */
    uint32_t setup_complete; /* 1 once the first antithesis_setup "complete" came */
    uint32_t ending;         /* enum event_end_reason once decided; the scheduler stops there */
    char end_text[1024];
    struct event_end end;
};

static inline vtime machine_now(const struct machine *m)
{
    return m->clock.now;
}

/* Ends the universe at the next scheduling point. The first reason wins. */
void machine_end(struct machine *m, enum event_end_reason reason, const char *fmt, ...)
    printf_like(3, 4);

#endif
