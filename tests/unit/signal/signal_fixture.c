#include "signal_fixture.h"

#include <stdlib.h>

#include "kernel/mm/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sync/futex.h"
#include "kernel/task/lifecycle.h"
#include "kernel/vfs/file.h"

#define TASKS 64

static struct guest_regs regs[TASKS];
static unsigned char fp_areas[TASKS][FIX_FP_SIZE];
static unsigned char fp_registers[FIX_FP_SIZE];
static struct mm the_mm;
static struct task *threads[TASKS];
static unsigned thread_count;
static jmp_buf death;
static int death_status;

void (*fix_on_schedule)(struct machine *m);

struct guest_regs *task_regs(const struct task *t)
{
    return &regs[t->tid];
}

unsigned char *task_fp_area(const struct task *t)
{
    return fp_areas[t->tid];
}

uint32_t fp_area_size(const struct machine *m)
{
    return FIX_FP_SIZE;
}

uint64_t fp_features(const struct machine *m)
{
    return FIX_FP_MASK;
}

static void fp_save(struct task *t)
{
    memcpy(fp_areas[t->tid], fp_registers, FIX_FP_SIZE);
}

static void fp_restore(struct task *t)
{
    memcpy(fp_registers, fp_areas[t->tid], FIX_FP_SIZE);
}

void task_wake(struct task *t)
{
    if (t->state == TASK_BLOCKED) {
        t->state = TASK_RUNNABLE;
        task_cancel_waits(t);
    }
}

void sched_enqueue(struct task *t)
{
    t->state = TASK_RUNNABLE;
}

void schedule(struct machine *m)
{
    assert_non_null(fix_on_schedule);
    fix_on_schedule(m);
}

_Noreturn void task_exit_group(struct task *t, int status)
{
    t->process->group_exit = true;
    death_status = status;
    longjmp(death, 1);
}

struct vma *mm_find(struct mm *mm, uint64_t va)
{
    for (uint32_t i = 0; i < mm->vma_count; i++) {
        if (va >= mm->vmas[i]->start && va < mm->vmas[i]->end) {
            return mm->vmas[i];
        }
    }
    return NULL;
}

static void prepare(struct fake_machine *fm, struct task *t)
{
    static struct vma all = {.start = FAKE_GUEST_BASE,
                             .end = FAKE_GUEST_BASE + FAKE_GUEST_BYTES,
                             .flags = 2 /* MAP_PRIVATE */};
    static struct vma *vmas[1] = {&all};
    the_mm.vmas = vmas;
    the_mm.vma_count = 1;
    t->mm = &the_mm;
    t->state = TASK_RUNNABLE;
    task_signals_init(t, NULL, false);
    memset(&regs[t->tid], 0, sizeof regs[t->tid]);
    regs[t->tid].orig_rax = ~0ull;
    regs[t->tid].rsp = fake_guest(fm, 65536).va + 65536;
    regs[t->tid].rip = FAKE_GUEST_BASE + 0x5000;
    regs[t->tid].cs = GUEST_CS;
    regs[t->tid].ss = GUEST_SS;
    regs[t->tid].rflags = GUEST_FLAGS_FIXED;
}

struct fake_machine *fix_create(void)
{
    struct fake_machine *fm = fake_machine_create();
    fake_guest(fm, 4096);
    fm->port.fp_save = fp_save;
    fm->port.fp_restore = fp_restore;
    memset(fp_registers, 0, sizeof fp_registers);
    memset(fp_areas, 0, sizeof fp_areas);
    fix_on_schedule = NULL;
    futex_boot(&fm->m);
    process_signals_init(&fm->process);
    prepare(fm, &fm->task);
    fm->process.rlimits[11] = (struct rlimit_pair){1024, 1024};
    return fm;
}

void fix_destroy(struct fake_machine *fm)
{
    struct process *p;
    list_for_each_entry (p, &fm->node.processes, node_link) {
        struct task *t;
        list_for_each_entry (t, &p->threads, thread_link) {
            task_cancel_waits(t);
            kfree(&fm->m, t->heap_waiters);
            kfree(&fm->m, t->call.held);
            t->call.held = NULL;
            t->process->group_exit = true;
            task_signals_fini(t);
        }
        process_signals_fini(p);
    }
    kfree(&fm->m, fm->m.futexes);
    kfree(&fm->m, fm->m.fp_layout);
    for (unsigned i = 0; i < thread_count; i++) {
        fm->node.pids[threads[i]->tid] = NULL;
        free(threads[i]);
    }
    thread_count = 0;
    kfree(&fm->m, fm->m.timers.items);
    fm->m.timers.items = NULL;
    assert_int_equal(fm->live, 0); /* nothing left behind */
    fake_machine_destroy(fm);
}

struct task *fix_process(struct fake_machine *fm)
{
    struct task *t = fake_task_create(fm);
    process_signals_init(t->process);
    t->process->exit_signal = SIGNAL_CHLD;
    prepare(fm, t);
    t->process->rlimits[11] = (struct rlimit_pair){1024, 1024};
    return t;
}

struct task *fix_thread(struct fake_machine *fm, struct process *p)
{
    struct task *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->m = &fm->m;
    t->node = &fm->node;
    t->process = p;
    t->tid = (abi_pid)++fm->node.last_pid;
    t->id = (uint64_t)t->tid;
    t->cred = p->leader->cred;
    list_init(&t->run_link);
    list_add_tail(&p->threads, &t->thread_link);
    p->thread_count++;
    fm->node.pids[t->tid] = t;
    threads[thread_count++] = t;
    prepare(fm, t);
    return t;
}

static int64_t attempt(struct fake_machine *fm, struct task *t, syscall_fn fn, const uint64_t a[6])
{
    struct sysargs args = {.nr = 999};
    memcpy(args.a, a, sizeof args.a);
    fm->m.sched.current = t;
    struct sysret r = fn(t, &args);
    if (r.kind == SYSRET_BLOCK) {
        t->state = TASK_BLOCKED;
        return FAKE_BLOCKED;
    }
    kfree(&fm->m, t->call.held);
    t->call.held = NULL;
    task_cancel_waits(t);
    return r.value;
}

int64_t fix_call(struct fake_machine *fm, struct task *t, syscall_fn fn, const uint64_t a[6])
{
    memset(&t->call, 0, sizeof t->call);
    return attempt(fm, t, fn, a);
}

int64_t fix_again(struct fake_machine *fm, struct task *t, syscall_fn fn, const uint64_t a[6])
{
    assert_int_equal(t->state, TASK_RUNNABLE);
    t->call.retry = true;
    return attempt(fm, t, fn, a);
}

int fix_deliver(struct fake_machine *fm, struct task *t)
{
    fm->m.sched.current = t;
    if (setjmp(death)) {
        return death_status;
    }
    signal_deliver(t);
    return -1;
}

void fix_action(struct process *p, int signo, uint64_t handler, uint64_t flags, uint64_t mask)
{
    p->sig.actions[signo - 1] = (struct sigaction_entry){.handler = handler,
                                                         .flags = flags | ABI_SA_RESTORER,
                                                         .restorer = FIX_RESTORER,
                                                         .mask = mask};
}

struct siginfo fix_info(int signo, int code, uint64_t value)
{
    struct siginfo info = {.signo = signo, .code = code};
    info.kill.value = value;
    return info;
}

/* Parts of the kernel these tests never reach. */
const struct syscall_row *syscall_row(uint64_t nr)
{
    return NULL;
}

void file_put(struct file *f)
{
    assert_null(f);
}
