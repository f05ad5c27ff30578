/* Tasks and processes as objects: creation, pids, look-up, removal. */
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/task/cred.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/regs.h"
#include "kernel/task/seccomp.h"
#include "kernel/vfs/file.h"

struct task *task_current(struct machine *m)
{
    return m->sched.current;
}

struct guest_regs *task_regs(const struct task *t)
{
    unsigned char *top = t->m->port->kstacks + (t->kstack + 1) * KSTACK_SIZE;
    return (struct guest_regs *)(void *)(top - sizeof(struct guest_regs));
}

unsigned char *task_fp_area(const struct task *t)
{
    return t->m->port->kstacks + t->kstack * KSTACK_SIZE;
}

uint32_t fp_area_size(const struct machine *m)
{
    return m->port->fp_size;
}

uint64_t fp_features(const struct machine *m)
{
    return m->port->fp_mask;
}

uint32_t kstack_alloc(struct mm *mm)
{
    if (mm->kstack_free_count > 0) {
        return mm->kstack_free[--mm->kstack_free_count];
    }
    ASSERT(mm->kstack_count < KSTACK_MAX);
    return mm->kstack_count++;
}

void kstack_free(struct mm *mm, uint32_t slot)
{
    if (mm->kstack_free_count == mm->kstack_free_cap) {
        mm->kstack_free_cap = mm->kstack_free_cap ? mm->kstack_free_cap * 2 : 8;
        mm->kstack_free = krealloc(mm->m, mm->kstack_free, mm->kstack_free_cap * sizeof(uint32_t));
    }
    mm->kstack_free[mm->kstack_free_count++] = slot;
}

static void set_pid(struct node *n, abi_pid pid, struct task *t)
{
    if ((uint32_t)pid >= n->pid_cap) {
        uint32_t cap = n->pid_cap ? n->pid_cap : 64;
        while (cap <= (uint32_t)pid) {
            cap *= 2;
        }
        n->pids = krealloc(n->m, n->pids, cap * sizeof *n->pids);
        n->pid_cap = cap;
    }
    n->pids[pid] = t;
}

/* As Linux: numbers go up and wrap to 300 (kernel/pid.c RESERVED_PIDS). 0 when none is free. */
static abi_pid next_pid(struct node *n)
{
    for (uint32_t tries = 0; tries < LIMIT_PID; tries++) {
        n->last_pid = n->last_pid + 1 < LIMIT_PID ? n->last_pid + 1 : 300;
        if (n->last_pid >= n->pid_cap || !n->pids[n->last_pid]) {
            return (abi_pid)n->last_pid;
        }
    }
    return 0;
}

struct task *task_create(struct process *p, abi_pid tid)
{
    struct machine *m = p->m;
    if (tid == 0) {
        tid = next_pid(p->node);
        if (tid == 0) {
            return NULL;
        }
    }
    struct task *t = KALLOC(m, struct task);
    t->m = m;
    t->node = p->node;
    t->process = p;
    t->id = m->sched.next_task_id++;
    t->tid = tid;
    t->state = TASK_BLOCKED;
    t->start_time = m->clock.now;
    list_init(&t->run_link);
    list_add_tail(&p->threads, &t->thread_link);
    set_pid(p->node, tid, t);
    p->thread_count++;
    p->node->task_count++;
    if (!p->leader) {
        p->leader = t;
        p->pid = tid;
    }
    return t;
}

struct process *process_create(struct node *n, struct process *parent)
{
    struct machine *m = n->m;
    struct process *p = KALLOC(m, struct process);
    p->m = m;
    p->node = n;
    p->id = m->sched.next_task_id++;
    p->parent = parent;
    p->dumpable = true;
    p->exit_signal = SIGNAL_CHLD;
    p->start_time = m->clock.now;
    list_init(&p->children);
    list_init(&p->sibling_link);
    list_init(&p->threads);
    waitq_init(&p->child_wait);
    list_add_tail(&n->processes, &p->node_link);
    if (parent) {
        list_add_tail(&parent->children, &p->sibling_link);
    }
    uint64_t key = stream_next(&n->streams[STREAM_ENTROPY]);
    stream_init(&p->entropy, key, STREAM_ENTROPY, (uint32_t)n->entropy_procs++);
    return p;
}

struct task *task_find(struct node *n, abi_pid tid)
{
    return tid > 0 && (uint32_t)tid < n->pid_cap ? n->pids[tid] : NULL;
}

struct process *process_find(struct node *n, abi_pid pid)
{
    struct task *t = task_find(n, pid);
    return t && t->process->leader == t ? t->process : NULL;
}

bool task_capable(const struct task *t, unsigned cap)
{
    return (t->cred.cap_effective >> cap & 1) != 0;
}

void task_unhash(struct task *t)
{
    if (t->node->pids[t->tid] == t) {
        t->node->pids[t->tid] = NULL;
    }
}

/* Frees what a dead task still has; the caller is not on its stack. */
void task_free(struct task *t)
{
    ASSERT(t->state == TASK_DEAD);
    task_unhash(t);
    for (uint32_t i = 0; i < t->heap_cap; i++) {
        kfree(t->m, t->heap_waiters[i]);
    }
    kfree(t->m, t->heap_waiters);
    cred_fini(t->m, &t->cred);
    seccomp_fini(t);
    kfree(t->m, t);
}

void process_reap(struct process *p)
{
    struct machine *m = p->m;
    struct node *n = p->node;
    ASSERT(p->zombie);
    if (p->parent) {
        p->parent->children_cpu_ns += process_cpu_ns(p) + p->children_cpu_ns;
    }
    list_del(&p->sibling_link);
    list_del(&p->node_link);
    waitq_fini(m, &p->child_wait);
    process_signals_fini(p);
    task_unhash(p->leader);
    if (p->leader == m->sched.current) {
        m->sched.dead = p->leader; /* it reaps itself on its own stack */
    } else {
        task_free(p->leader);
    }
    kfree(m, p->exe_path);
    kfree(m, p->arg_text);
    file_put(p->exe_file);
    file_put(p->tty);
    kfree(m, p);
    if (n->on_empty && list_empty(&n->processes)) {
        n->on_empty(n);
    }
}
