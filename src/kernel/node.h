/* A node: one container. Its own PID, mount, network, IPC and UTS namespaces; shares fate. */
#ifndef EVERETT_KERNEL_NODE_H
#define EVERETT_KERNEL_NODE_H

#include "abi/linux.h"
#include "abi/plan.h"
#include "base/list.h"
#include "base/stream.h"
#include "kernel/sched/wait.h"

struct container;
struct machine;
struct mount;
struct netns;
struct process;
struct task;

struct node {
    struct machine *m;
    uint32_t index;
    const struct plan_node *plan;
    const char *name;
    char hostname[65], domainname[65];

    /* Processes. pids[pid] is the thread with that tid, a zombie leader included. */
    struct list_head processes; /* struct process node_link, by creation */
    struct task **pids;
    uint32_t pid_cap, last_pid;
    struct process *init; /* PID 1; NULL while the container is down */
    uint32_t task_count;
    /* Called when the last process has gone, zombies included; NULL: nobody asks. Runs on the stack
     * of the exiting task: may only change state and arm timers. */
    void (*on_empty)(struct node *n);

    /* A paused node keeps its runnable tasks here until it is resumed. */
    bool paused;
    struct list_head held; /* struct task run_link */

    struct mount *root;          /* owned by kernel/vfs; NULL while down */
    struct netns *net;           /* owned by kernel/net */
    struct container *container; /* owned by director */
    struct stream streams[STREAM_COUNT];
    uint64_t entropy_procs;  /* processes so far: keys their entropy */
    int64_t clock_offset_ns; /* CLOCK_REALTIME of this node against the universe's */
    vtime boot_time;         /* when its current life began */
};

/* Freezes or thaws every task of the node (fault `pause`). */
void node_pause(struct node *n);
void node_resume(struct node *n);
/* SIGKILL to everything in the node, as when its PID 1 dies. `by_injector` marks the exits. */
void node_kill_all(struct node *n, bool by_injector);

#endif
