/* Credentials, resource limits, process groups and sessions (credentials(7), capabilities(7),
 * getrlimit(2)). */
#ifndef EVERETT_KERNEL_TASK_CRED_H
#define EVERETT_KERNEL_TASK_CRED_H

#include "abi/linux.h"
#include "base/base.h"

struct credentials;
struct machine;
struct node;
struct plan_node;
struct process;
struct task;

#define CAP_LAST 40u

/* Sets uid, gid and groups, without any capability. */
void cred_init(struct machine *m, struct credentials *c, uint32_t uid, uint32_t gid,
               const uint32_t *groups, uint32_t ngroups);
/* The rights with which processes of a node start. */
void cred_grant(struct credentials *c, const struct plan_node *plan);
void cred_copy(struct machine *m, struct credentials *dst, const struct credentials *src);
void cred_fini(struct machine *m, struct credentials *c);
/* execve(2): set-user-ID and set-group-ID ids (the file's, or the current effective ones), then the
 * capability transformation of capabilities(7) without file capabilities. Returns true when the
 * program runs with more privilege than before (AT_SECURE). */
bool cred_exec(struct task *t, uint32_t euid, uint32_t egid);
bool cred_in_group(const struct credentials *c, uint32_t gid);

/* Docker's defaults, then the plan's. */
void rlimits_init(struct process *p, const struct plan_node *plan);
/* Processors the thread may use; never empty. */
uint64_t task_cpu_mask(const struct task *t);
uint64_t rlimit_soft(const struct process *p, unsigned resource);

bool session_group_exists(const struct node *n, abi_pid pgid, abi_pid sid);
/* No member has a parent in another group of the same session (setpgid(2), exit(3)). */
bool session_group_orphaned(const struct node *n, abi_pid pgid, const struct process *ignore);
/* The process exits: groups that become orphaned with a stopped member get SIGHUP and SIGCONT.
 * Call before its children find a new parent. */
void session_process_exit(struct process *p);

#endif
