/* System V IPC (sysvipc(7)): shared memory, semaphores, messages; POSIX message queues. Each node
 * has a namespace of its own, which lives from its PID 1 to that one's end. */
#ifndef EVERETT_KERNEL_IPC_IPC_H
#define EVERETT_KERNEL_IPC_IPC_H

#include "base/base.h"

struct node;
struct process;

/* The node's container stops: every object goes. Attached memory stays until it is unmapped. */
void ipc_node_down(struct node *n);
/* The process ends: its SEM_UNDO adjustments are applied. */
void ipc_process_exit(struct process *p);

#endif
