/* /proc files about the machine: everything comes from the plan and from modelled time, never from
 * the host (proc(5)). */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/special/version.h"

static uint32_t cpus_of(const struct machine *m)
{
    return m->plan->cpus ? m->plan->cpus : 1;
}

static uint64_t uptime_ns(const struct pseudo_ctx *c)
{
    return machine_now(c->m);
}

/* Modelled: a machine with an eighth of its memory in use and another eighth in caches. The numbers
 * stay fixed because nothing in a universe may depend on what the host happens to page in. */
void proc_meminfo(struct text *x, struct pseudo_ctx *c)
{
    uint64_t total = c->m->plan->memory_bytes / 1024, eighth = total / 8;
    const struct {
        const char *name;
        uint64_t kb;
    } rows[] = {
        {"MemTotal", total},
        {"MemFree", total - 2 * eighth},
        {"MemAvailable", total - eighth},
        {"Buffers", eighth / 16},
        {"Cached", eighth - eighth / 8},
        {"SwapCached", 0},
        {"Active", eighth},
        {"Inactive", eighth / 2},
        {"Active(anon)", eighth / 2},
        {"Inactive(anon)", 0},
        {"Active(file)", eighth / 2},
        {"Inactive(file)", eighth / 2},
        {"Unevictable", 0},
        {"Mlocked", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", 0},
        {"Writeback", 0},
        {"AnonPages", eighth / 2},
        {"Mapped", eighth / 4},
        {"Shmem", 0},
        {"KReclaimable", eighth / 16},
        {"Slab", eighth / 8},
        {"SReclaimable", eighth / 16},
        {"SUnreclaim", eighth / 16},
        {"KernelStack", 4096},
        {"PageTables", 8192},
        {"NFS_Unstable", 0},
        {"Bounce", 0},
        {"WritebackTmp", 0},
        {"CommitLimit", total / 2},
        {"Committed_AS", eighth},
        {"VmallocTotal", 34359738367ull},
        {"VmallocUsed", 16384},
        {"VmallocChunk", 0},
        {"Percpu", 1024ull * cpus_of(c->m)},
        {"HardwareCorrupted", 0},
        {"AnonHugePages", 0},
        {"ShmemHugePages", 0},
        {"ShmemPmdMapped", 0},
        {"FileHugePages", 0},
        {"FilePmdMapped", 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        text_printf(x, "%s:", rows[i].name);
        for (size_t n = str_len(rows[i].name) + 1; n < 15; n++) {
            text_puts(x, " ");
        }
        text_printf(x, " %8lu kB\n", rows[i].kb);
    }
    text_puts(x, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
                 "HugePages_Surp:        0\nHugepagesize:       2048 kB\n"
                 "Hugetlb:               0 kB\n");
    text_printf(x,
                "DirectMap4k:    %8lu kB\nDirectMap2M:    %8lu kB\nDirectMap1G:           0 kB\n",
                total / 16, total - total / 16);
}

/* The x86-64-v2 level: what a program may find here and rely on, on any host Everett supports. */
#define CPU_FLAGS                                                                                  \
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr "    \
    "sse sse2 ht syscall nx rdtscp lm constant_tsc rep_good nopl nonstop_tsc cpuid pni pclmulqdq " \
    "ssse3 cx16 sse4_1 sse4_2 popcnt aes xsave hypervisor lahf_lm"

void proc_cpuinfo(struct text *x, struct pseudo_ctx *c)
{
    uint32_t cpus = cpus_of(c->m);

    for (uint32_t i = 0; i < cpus; i++) {
        text_printf(x,
                    "processor\t: %u\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
                    "model name\t: Everett Virtual CPU\nstepping\t: 7\nmicrocode\t: 0x1\n"
                    "cpu MHz\t\t: 2000.000\ncache size\t: 16384 KB\nphysical id\t: 0\n"
                    "siblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\n"
                    "initial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
                    "cpuid level\t: 13\nwp\t\t: yes\nflags\t\t: %s\nbugs\t\t:\n"
                    "bogomips\t: 4000.00\nclflush size\t: 64\ncache_alignment\t: 64\n"
                    "address sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n",
                    i, cpus, i, cpus, i, i, CPU_FLAGS);
    }
}

static uint64_t cpu_used_ns(const struct machine *m)
{
    uint64_t ns = 0;

    for (uint32_t i = 0; i < m->node_count; i++) {
        const struct process *p;

        list_for_each_entry (p, &m->nodes[i]->processes, node_link) {
            ns += process_cpu_ns(p);
        }
    }
    return ns;
}

static uint32_t runnable(const struct machine *m)
{
    const struct task *t;
    uint32_t n = 1; /* the reader */

    list_for_each_entry (t, &m->sched.runnable, run_link) {
        n++;
    }
    return n;
}

void proc_cpu_stat(struct text *x, struct pseudo_ctx *c)
{
    uint32_t cpus = cpus_of(c->m);
    uint64_t up = uptime_ns(c) / PROC_USER_HZ_NS;
    uint64_t used = min_u64(cpu_used_ns(c->m) / PROC_USER_HZ_NS, up * cpus);

    text_printf(x, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", used, up * cpus - used);
    for (uint32_t i = 0; i < cpus; i++) {
        /* Equal shares, the rest on the first ones. */
        uint64_t mine = used / cpus + (i < used % cpus);

        text_printf(x, "cpu%u %lu 0 0 %lu 0 0 0 0 0 0\n", i, mine, up > mine ? up - mine : 0);
    }
    text_printf(x,
                "intr 0\nctxt %lu\nbtime %ld\nprocesses %lu\nprocs_running %u\n"
                "procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
                c->m->sched.switches,
                (clock_realtime_ns(c->node) - (int64_t)machine_now(c->m)) / (int64_t)NSEC_PER_SEC,
                c->m->sched.next_task_id, runnable(c->m));
}

void proc_uptime(struct text *x, struct pseudo_ctx *c)
{
    uint64_t up = uptime_ns(c) / PROC_USER_HZ_NS;
    uint64_t all = up * cpus_of(c->m), used = cpu_used_ns(c->m) / PROC_USER_HZ_NS;
    uint64_t idle = all > used ? all - used : 0;

    text_printf(x, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

void proc_loadavg(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "0.00 0.00 0.00 %u/%u %u\n", runnable(c->m), c->node->task_count,
                c->node->last_pid);
}

void proc_version(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, UTS_SYSNAME " version " UTS_RELEASE " (everett@everett) (gcc) " UTS_VERSION "\n");
}

void proc_filesystems(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n"
                 "nodev\tsockfs\nnodev\tpipefs\nnodev\tdevpts\nnodev\tmqueue\nnodev\toverlay\n");
}

void proc_devices(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
                 "136 pts\n\nBlock devices:\n");
}

void proc_vmstat(struct text *x, struct pseudo_ctx *c)
{
    uint64_t pages = c->m->plan->memory_bytes / 4096;

    text_printf(x,
                "nr_free_pages %lu\nnr_inactive_anon 0\nnr_active_anon %lu\n"
                "nr_inactive_file %lu\nnr_active_file %lu\nnr_unevictable 0\nnr_mlock 0\n"
                "nr_dirty 0\nnr_writeback 0\n",
                pages - pages / 4, pages / 16, pages / 16, pages / 16);
    text_puts(x, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgalloc_normal 0\npgfree 0\n"
                 "pgfault 0\npgmajfault 0\noom_kill 0\n");
}

static void cpu_heading(struct text *x, const char *indent, uint32_t cpus)
{
    text_puts(x, indent);
    for (uint32_t i = 0; i < cpus; i++) {
        text_printf(x, "CPU%-8u", i);
    }
    text_puts(x, "\n");
}

void proc_interrupts(struct text *x, struct pseudo_ctx *c)
{
    cpu_heading(x, "           ", cpus_of(c->m));
}

void proc_softirqs(struct text *x, struct pseudo_ctx *c)
{
    cpu_heading(x, "                    ", cpus_of(c->m));
}

void proc_buddyinfo(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "Node 0, zone   Normal %6u %6u %6u %6u %6u %6u %6u %6u %6u %6u %6lu \n", 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, c->m->plan->memory_bytes / 4096 / 4 * 3 / 1024);
}

void proc_zoneinfo(struct text *x, struct pseudo_ctx *c)
{
    uint64_t pages = c->m->plan->memory_bytes / 4096;

    text_printf(x,
                "Node 0, zone   Normal\n  pages free     %lu\n        min      1024\n"
                "        low      1280\n        high     1536\n        spanned  %lu\n"
                "        present  %lu\n        managed  %lu\n",
                pages - pages / 4, pages, pages, pages);
}
