/* Shared by the files of procfs only. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PROC_PRIV_H
#define EVERETT_KERNEL_VFS_SPECIAL_PROC_PRIV_H

#include "kernel/vfs/special/pseudo.h"

struct mm;

#define PROC_USER_HZ_NS 10000000ul /* a clock tick of times(2) and stat files */

extern const struct pseudo_entry proc_pid_table[];    /* /proc/PID */
extern const struct pseudo_entry proc_thread_table[]; /* /proc/PID/task/TID */
extern const struct pseudo_entry proc_net_table[];
extern const struct pseudo_entry proc_sys_table[];
extern const struct pseudo_entry proc_ns_table[];
extern const struct pseudo_children proc_task_children, proc_fd_children, proc_fdinfo_children;

/* Files of /proc/PID, by the file they are in. */
void proc_stat(struct text *x, struct pseudo_ctx *c);
void proc_statm(struct text *x, struct pseudo_ctx *c);
void proc_status(struct text *x, struct pseudo_ctx *c);
void proc_maps(struct text *x, struct pseudo_ctx *c);
void proc_smaps(struct text *x, struct pseudo_ctx *c);
void proc_smaps_rollup(struct text *x, struct pseudo_ctx *c);
void proc_numa_maps(struct text *x, struct pseudo_ctx *c);
void proc_mounts(struct text *x, struct pseudo_ctx *c);
void proc_mountinfo(struct text *x, struct pseudo_ctx *c);
void proc_mountstats(struct text *x, struct pseudo_ctx *c);

/* Modelled sizes of an address space, in pages. */
struct proc_mem {
    uint64_t size, resident, shared, text, data, stack, lib, anon, file;
};
void proc_mem_of(const struct mm *mm, struct proc_mem *out); /* mm may be NULL: zeroes */

/* /proc files of the whole machine. */
void proc_meminfo(struct text *x, struct pseudo_ctx *c);
void proc_cpuinfo(struct text *x, struct pseudo_ctx *c);
void proc_cpu_stat(struct text *x, struct pseudo_ctx *c);
void proc_uptime(struct text *x, struct pseudo_ctx *c);
void proc_loadavg(struct text *x, struct pseudo_ctx *c);
void proc_version(struct text *x, struct pseudo_ctx *c);
void proc_filesystems(struct text *x, struct pseudo_ctx *c);
void proc_devices(struct text *x, struct pseudo_ctx *c);
void proc_vmstat(struct text *x, struct pseudo_ctx *c);
void proc_interrupts(struct text *x, struct pseudo_ctx *c);
void proc_softirqs(struct text *x, struct pseudo_ctx *c);
void proc_buddyinfo(struct text *x, struct pseudo_ctx *c);
void proc_zoneinfo(struct text *x, struct pseudo_ctx *c);

#endif
