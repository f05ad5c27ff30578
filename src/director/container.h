/* Containers: one per node of the plan. Start in the order of depends_on, health checks, restart
 * policies; down and up again by faults.
 *
 * A container's life: it waits for its dependencies, starts after a drawn delay, is up until PID 1
 * ends, is torn down when its last process has gone; then its restart policy, the fault injector
 * (`held`) or nobody starts it again. Its writable layer and its volumes survive all of that.
 *
 * Everything happens in timers: what ends a process or releases a fault only changes state and arms
 * one, so no step runs on the stack of a process that is just dying. */
#ifndef EVERETT_DIRECTOR_CONTAINER_H
#define EVERETT_DIRECTOR_CONTAINER_H

#include "kernel/time/timer.h"

struct machine;
struct node;
struct process;

enum container_state {
    CONTAINER_CREATED,  /* waits for what it depends on */
    CONTAINER_STARTING, /* starts when `timer` fires */
    CONTAINER_UP,
    CONTAINER_ENDING,     /* PID 1 has gone, other processes have not yet */
    CONTAINER_RESTARTING, /* its restart policy starts it when `timer` fires */
    CONTAINER_HELD,       /* down by a fault until container_revive */
    CONTAINER_EXITED,     /* for good */
};

enum health_status {
    HEALTH_NONE, /* no health check */
    HEALTH_STARTING,
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
};

struct health {
    enum health_status status;
    uint32_t streak;       /* failures in a row that count */
    struct timer timer;    /* the next probe, or the end of the running one's time */
    struct process *probe; /* NULL: none runs */
    vtime probe_started;
    bool timed_out;
};

struct container {
    struct node *node;
    enum container_state state;
    struct timer timer; /* STARTING, RESTARTING: the start; UP: the end of a stop's grace period */
    struct timer tidy;  /* the tear-down */
    bool has_started;   /* at least once */
    bool held;          /* a fault took it down: the restart policy is not asked */
    bool revive;        /* ... and it is to come back */
    uint32_t exit_code; /* of its last life; 128 + signal */
    uint32_t restarts;  /* by its policy */
    uint64_t backoff_ns;
    vtime started_at;
    struct health health;
};

/* Creates them all and starts those that wait for nobody. */
void containers_boot(struct machine *m);

/* Commands may be started in it: up and not paused. */
bool container_is_usable(const struct node *n);
/* No container is down or on its way because of a fault. */
bool containers_settled(const struct machine *m);
/* Writes what the containers that hold set-up back are waiting for, and which are busy in a loop
 * without calls; text for END_SETUP_TIMEOUT. */
void containers_describe_waiting(const struct machine *m, char *text, size_t cap);

/* Faults. An up container is killed at once, or gets its stop signal and, after its grace period,
 * SIGKILL. It stays down until it is revived; that may be asked for before it is down, and
 * `at_once` cuts the grace period short. Harmless on a container that no fault holds. */
void container_kill(struct node *n);
void container_stop(struct node *n);
void container_revive(struct node *n, bool at_once);

/* --- health.c --------------------------------------------------------------------------------- */

void health_start(struct container *c);
void health_stop(struct container *c);

/* --- among them ------------------------------------------------------------------------------- */

/* Something that others wait for has changed. */
void containers_check(struct machine *m);
/* The same, from the stack of an exiting process: at the next scheduling point. */
void containers_check_soon(struct machine *m);

#endif
