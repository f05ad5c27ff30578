/* cgroup2 as a container sees its own: limits from the plan, usage from the model. */
#include "kernel/vfs/special/cgroupfs.h"

#include <linux/magic.h>

#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/vfs.h"

#define FILE_RW(file, fn)                                                                          \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0644, .show = (fn)                                   \
    }
#define TEXT_RW(file, v)                                                                           \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0644, .show = pseudo_show_value, .value = (v)        \
    }

static void show_memory_max(struct text *x, struct pseudo_ctx *c)
{
    uint64_t limit = c->node->plan ? c->node->plan->memory_limit_bytes : 0;

    if (limit) {
        text_printf(x, "%lu\n", limit);
    } else {
        text_puts(x, "max\n");
    }
}

/* Address spaces are counted once, by their first process in order of creation. */
static uint64_t memory_pages(const struct node *n)
{
    const struct process *p;
    uint64_t pages = 0;

    list_for_each_entry (p, &n->processes, node_link) {
        struct proc_mem m;

        if (!p->zombie && p->leader->mm) {
            proc_mem_of(p->leader->mm, &m);
            pages += m.anon;
        }
    }
    return pages;
}

static void show_memory_current(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%lu\n", memory_pages(c->node) * 4096);
}

static void show_memory_stat(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x,
                "anon %lu\nfile 0\nkernel 0\nkernel_stack 0\npagetables 0\nsock 0\nshmem 0\n"
                "file_mapped 0\nfile_dirty 0\nfile_writeback 0\ninactive_anon 0\n"
                "active_anon %lu\ninactive_file 0\nactive_file 0\nunevictable 0\n"
                "slab_reclaimable 0\nslab_unreclaimable 0\nslab 0\npgfault 0\npgmajfault 0\n",
                memory_pages(c->node) * 4096, memory_pages(c->node) * 4096);
}

static void show_cpu_stat(struct text *x, struct pseudo_ctx *c)
{
    const struct process *p;
    uint64_t us = 0;

    list_for_each_entry (p, &c->node->processes, node_link) {
        us += process_cpu_ns(p) / NSEC_PER_USEC;
    }
    text_printf(x,
                "usage_usec %lu\nuser_usec %lu\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\n"
                "throttled_usec 0\n",
                us, us);
}

static void show_procs(struct text *x, struct pseudo_ctx *c)
{
    const struct process *p;

    list_for_each_entry (p, &c->node->processes, node_link) {
        if (!p->zombie) {
            text_printf(x, "%d\n", p->pid);
        }
    }
}

static void show_threads(struct text *x, struct pseudo_ctx *c)
{
    for (uint32_t tid = 1; tid < c->node->pid_cap; tid++) {
        if (c->node->pids[tid] && c->node->pids[tid]->state != TASK_DEAD) {
            text_printf(x, "%u\n", tid);
        }
    }
}

static void show_pids_current(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%u\n", c->node->task_count);
}

static void show_cpus(struct text *x, struct pseudo_ctx *c)
{
    uint32_t cpus = c->m->plan->cpus ? c->m->plan->cpus : 1;

    text_printf(x, cpus > 1 ? "0-%u\n" : "%u\n", cpus - 1);
}

#define PRESSURE                                                                                   \
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 "      \
    "total=0"

static const struct pseudo_entry table[] = {
    PSEUDO_TEXT("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc"),
    PSEUDO_TEXT("cgroup.events", "populated 1\nfrozen 0"),
    TEXT_RW("cgroup.freeze", "0"),
    TEXT_RW("cgroup.max.depth", "max"),
    TEXT_RW("cgroup.max.descendants", "max"),
    FILE_RW("cgroup.procs", show_procs),
    PSEUDO_TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0"),
    {.name = "cgroup.subtree_control", .mode = ABI_S_IFREG | 0644, .show = pseudo_show_empty},
    FILE_RW("cgroup.threads", show_threads),
    TEXT_RW("cgroup.type", "domain"),
    TEXT_RW("cpu.max", "max 100000"),
    TEXT_RW("cpu.max.burst", "0"),
    PSEUDO_TEXT("cpu.pressure", PRESSURE),
    PSEUDO_FILE("cpu.stat", 0444, show_cpu_stat),
    TEXT_RW("cpu.weight", "100"),
    TEXT_RW("cpu.weight.nice", "0"),
    {.name = "cpuset.cpus", .mode = ABI_S_IFREG | 0644, .show = pseudo_show_empty},
    PSEUDO_FILE("cpuset.cpus.effective", 0444, show_cpus),
    {.name = "cpuset.mems", .mode = ABI_S_IFREG | 0644, .show = pseudo_show_empty},
    PSEUDO_TEXT("cpuset.mems.effective", "0"),
    {.name = "io.max", .mode = ABI_S_IFREG | 0644, .show = pseudo_show_empty},
    PSEUDO_TEXT("io.pressure", PRESSURE),
    PSEUDO_FILE("io.stat", 0444, pseudo_show_empty),
    PSEUDO_FILE("memory.current", 0444, show_memory_current),
    PSEUDO_TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0"),
    TEXT_RW("memory.high", "max"),
    TEXT_RW("memory.low", "0"),
    FILE_RW("memory.max", show_memory_max),
    TEXT_RW("memory.min", "0"),
    TEXT_RW("memory.oom.group", "0"),
    PSEUDO_FILE("memory.peak", 0444, show_memory_current),
    PSEUDO_TEXT("memory.pressure", PRESSURE),
    PSEUDO_FILE("memory.stat", 0444, show_memory_stat),
    PSEUDO_TEXT("memory.swap.current", "0"),
    PSEUDO_TEXT("memory.swap.events", "high 0\nmax 0\nfail 0"),
    TEXT_RW("memory.swap.max", "0"),
    PSEUDO_FILE("pids.current", 0444, show_pids_current),
    PSEUDO_TEXT("pids.events", "max 0"),
    TEXT_RW("pids.max", "max"),
    PSEUDO_END,
};

static const struct pseudo_entry root_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0555, .table = table};

struct superblock *cgroupfs_create(struct node *n, struct inode **root)
{
    return pseudo_create(n, "cgroup2", CGROUP2_SUPER_MAGIC, &root_entry, NULL, root);
}
