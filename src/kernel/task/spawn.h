/* Processes that the kernel itself starts. */
#ifndef EVERETT_KERNEL_TASK_SPAWN_H
#define EVERETT_KERNEL_TASK_SPAWN_H

#include "base/base.h"

struct file;
struct machine;
struct node;
struct process;

/* What to run in a process the kernel itself starts (containers, health checks, test commands).
 * Everything is copied. */
struct spawn {
    struct node *node;
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH of envp */
    const char *const *envp; /* NULL-terminated */
    const char *cwd;
    uint32_t uid, gid;
    const uint32_t *groups;
    uint32_t ngroups;
    struct file *stdio[3]; /* references are taken over */
    uint32_t command_id;
    bool new_pid1; /* becomes PID 1 of its node */
    void (*on_exit)(struct machine *m, struct process *p);
    void *on_exit_data;
};

/* Creates the process; it execs when first scheduled. An exec failure is its exit status 126 or
 * 127 with a line on its stderr, as `docker exec` does. Never fails otherwise. */
struct process *process_spawn(struct machine *m, const struct spawn *s);

#endif
