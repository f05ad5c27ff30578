/* /proc/PID/{stat,statm,status}: the numbers of a process (proc(5)). */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/node.h"
#include "kernel/task/seccomp.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/special/tty.h"

#define RLIMIT_RSS_INDEX        5
#define RLIMIT_SIGPENDING_INDEX 11
#define RESIDENT_VMA_PAGES      4096u /* of one mapping, modelled: nothing counts host pages */
#define STACK_PAGES             33u   /* what Linux maps of one at first */

/* Resident memory is a model: every accessible mapping up to a bound. It depends on the guest's own
 * calls only, never on what the host happened to page in. */
void proc_mem_of(const struct mm *mm, struct proc_mem *out)
{
    *out = (struct proc_mem){0};
    for (uint32_t i = 0; mm && i < mm->vma_count; i++) {
        const struct vma *v = mm->vmas[i];
        uint64_t pages = (v->end - v->start) / 4096;
        uint64_t most = v->backing == VMA_STACK ? STACK_PAGES : RESIDENT_VMA_PAGES;
        uint64_t resident = v->prot ? min_u64(pages, most) : 0;

        out->size += pages;
        out->resident += resident;
        if (v->backing == VMA_FILE) {
            out->file += resident;
            out->shared += resident;
        } else {
            out->anon += resident;
        }
        if (v->backing == VMA_STACK) {
            out->stack += pages;
        } else if (v->prot & 4 && v->start >= mm->code_start && v->start < mm->code_end) {
            out->text += pages;
        } else if (v->prot & 4) {
            out->lib += pages;
        } else if (v->prot & 2) {
            out->data += pages;
        }
    }
}

static char state_of(const struct task *t)
{
    if (t->process->zombie) {
        return 'Z';
    }
    switch (t->state) {
    case TASK_RUNNABLE:
        return 'R';
    case TASK_BLOCKED:
        return t->spin.paused ? 'R' : 'S';
    case TASK_STOPPED:
        return 'T';
    default:
        return 'X';
    }
}

static const char *state_name(char c)
{
    switch (c) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "X (dead)";
    }
}

struct signal_sets {
    uint64_t ignored, caught;
};

static struct signal_sets signal_sets_of(const struct process *p)
{
    struct signal_sets s = {0, 0};

    for (int i = 0; p->sig.actions && i < SIG_MAX; i++) {
        uint64_t handler = p->sig.actions[i].handler;

        s.ignored |= handler == 1 ? SIG_BIT(i + 1) : 0;
        s.caught |= handler > 1 ? SIG_BIT(i + 1) : 0;
    }
    return s;
}

/* CPU time of what the file is about: a thread, or the whole process. */
static uint64_t ticks_of(const struct pseudo_ctx *c)
{
    vtime ns = c->ref->tid ? c->target->cpu_time_ns : process_cpu_ns(c->process);

    return ns / PROC_USER_HZ_NS;
}

void proc_stat(struct text *x, struct pseudo_ctx *c)
{
    const struct process *p = c->process;
    const struct task *t = c->target;
    const struct mm *mm = p->zombie ? NULL : t->mm;
    struct signal_sets sets = signal_sets_of(p);
    struct proc_mem mem;
    int priority =
        t->sched_policy == 1 || t->sched_policy == 2 ? -1 - t->sched_priority : 20 + t->nice;

    proc_mem_of(mm, &mem);
    text_printf(x, "%d (%s) %c %d %d %d %u %d 0 0 0 0 0 ", t->tid, t->comm, state_of(t),
                process_parent_pid(p), p->pgid, p->sid, tty_number(p), tty_foreground(p));
    text_printf(x, "%lu 0 %lu 0 %d %d %u 0 %lu ", ticks_of(c), p->children_cpu_ns / PROC_USER_HZ_NS,
                priority, t->nice, p->thread_count, t->start_time / PROC_USER_HZ_NS);
    text_printf(x, "%lu %lu %lu %lu %lu %lu 0 0 ", mem.size * 4096, mem.resident,
                p->rlimits[RLIMIT_RSS_INDEX].soft, mm ? mm->code_start : 0, mm ? mm->code_end : 0,
                mm ? mm->stack_start : 0);
    text_printf(x, "%lu %lu %lu %lu 0 0 0 %d 0 %u %u 0 0 0 ", t->sig.pending.set & 0x7fffffff,
                t->sig.blocked & 0x7fffffff, sets.ignored & 0x7fffffff, sets.caught & 0x7fffffff,
                p->zombie ? 0 : p->exit_signal,
                t->sched_policy == 1 || t->sched_policy == 2 ? (unsigned)t->sched_priority : 0,
                (unsigned)t->sched_policy);
    text_printf(x, "%lu %lu %lu %lu %lu %lu %lu %d\n", mm ? mm->data_start : 0,
                mm ? mm->data_end : 0, mm ? mm->brk_start : 0, mm ? mm->arg_start : 0,
                mm ? mm->arg_end : 0, mm ? mm->env_start : 0, mm ? mm->env_end : 0,
                p->zombie ? p->exit_status : 0);
}

void proc_statm(struct text *x, struct pseudo_ctx *c)
{
    struct proc_mem m;

    proc_mem_of(c->process->zombie ? NULL : c->target->mm, &m);
    text_printf(x, "%lu %lu %lu %lu 0 %lu 0\n", m.size, m.resident, m.shared, m.text,
                m.data + m.stack);
}

static void status_ids(struct text *x, const struct pseudo_ctx *c)
{
    const struct process *p = c->process;
    const struct credentials *k = &c->target->cred;

    text_printf(x, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", p->pid,
                c->target->tid, process_parent_pid(p));
    text_printf(x, "Uid:\t%u\t%u\t%u\t%u\n", k->uid, k->euid, k->suid, k->fsuid);
    text_printf(x, "Gid:\t%u\t%u\t%u\t%u\n", k->gid, k->egid, k->sgid, k->fsgid);
    text_printf(x, "FDSize:\t%u\nGroups:\t",
                c->target->fds ? (uint32_t)max_u64(64, c->target->fds->cap) : 0);
    for (uint32_t i = 0; i < k->ngroups; i++) {
        text_printf(x, "%u ", k->groups[i]);
    }
    text_printf(x, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, c->target->tid,
                p->pgid, p->sid);
}

static void status_memory(struct text *x, const struct pseudo_ctx *c)
{
    struct proc_mem m;
    const uint64_t kb = 4;

    if (c->process->zombie || !c->target->mm) {
        return;
    }
    proc_mem_of(c->target->mm, &m);
    text_printf(x, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n",
                m.size * kb, m.size * kb);
    text_printf(x, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n",
                m.resident * kb, m.resident * kb, m.anon * kb, m.file * kb);
    text_printf(x, "RssShmem:\t       0 kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n",
                m.data * kb, m.stack * kb, m.text * kb);
    text_printf(x, "VmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t       0 kB\n", m.lib * kb,
                round_up_u64(m.resident, 512) / 512 * kb);
    text_puts(x, "HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t1\n");
}

static void status_signals(struct text *x, const struct pseudo_ctx *c)
{
    const struct process *p = c->process;
    struct signal_sets sets = signal_sets_of(p);

    text_printf(x, "Threads:\t%u\nSigQ:\t%u/%lu\n", p->thread_count, p->sig.queued,
                p->rlimits[RLIMIT_SIGPENDING_INDEX].soft);
    text_printf(x, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
                c->target->sig.pending.set, p->sig.pending.set, c->target->sig.blocked);
    text_printf(x, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", sets.ignored, sets.caught);
}

/* A bit mask of the modelled processors, as the kernel prints one ("f", "ff", "ffffffff,ffffffff").
 */
static void cpu_mask(struct text *x, uint32_t cpus)
{
    bool first = true;

    for (int word = (int)((cpus - 1) / 32); word >= 0; word--) {
        uint32_t bits = (uint32_t)min_u64(32, cpus - (uint32_t)word * 32);
        uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;

        text_printf(x, first ? "%x" : ",%08x", mask);
        first = false;
    }
}

void proc_status(struct text *x, struct pseudo_ctx *c)
{
    const struct task *t = c->target;
    const struct credentials *k = &t->cred;
    uint32_t cpus = c->m->plan->cpus ? c->m->plan->cpus : 1;

    text_puts(x, "Name:\t");
    text_escaped(x, t->comm, str_nlen(t->comm, sizeof t->comm), "\n\\");
    text_printf(x, "\nUmask:\t%04o\nState:\t%s\n", t->fs ? t->fs->umask : 0,
                state_name(state_of(t)));
    status_ids(x, c);
    status_memory(x, c);
    status_signals(x, c);
    text_printf(x, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", k->cap_inheritable,
                k->cap_permitted, k->cap_effective);
    text_printf(x, "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n", k->cap_bounding,
                k->cap_ambient, k->no_new_privs);
    text_printf(x, "Seccomp:\t%u\nSeccomp_filters:\t%u\n", t->seccomp_mode, seccomp_count(t));
    text_puts(x, "Speculation_Store_Bypass:\tthread vulnerable\n"
                 "SpeculationIndirectBranch:\tconditional enabled\nCpus_allowed:\t");
    cpu_mask(x, cpus);
    text_puts(x, "\nCpus_allowed_list:\t");
    text_printf(x, cpus > 1 ? "0-%u" : "%u", cpus - 1);
    text_puts(x, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n"
                 "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}
