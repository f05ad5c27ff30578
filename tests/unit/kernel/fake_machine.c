/* The fake machine: life cycle, guest memory, plan, port and running of handlers. */
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FAKE_DATA_BASE 0x300000000000ul

/* The port has no context argument, and every test program has one machine at a time. */
static struct fake_machine *the_machine;

static void *check(void *p, const char *what)
{
    if (!p || p == MAP_FAILED) {
        fprintf(stderr, "fake machine: no %s\n", what);
        abort();
    }
    return p;
}

static bool guest_ok(uint64_t va, size_t n)
{
    return va >= FAKE_GUEST_BASE && n <= FAKE_GUEST_BYTES &&
           va + n <= FAKE_GUEST_BASE + FAKE_GUEST_BYTES;
}

/* Bytes of [va, va + n) before the first inaccessible one. */
static size_t guest_reach(uint64_t va, size_t n)
{
    if (!guest_ok(va, 0)) {
        return 0;
    }
    return (size_t)min_u64(n, FAKE_GUEST_BASE + FAKE_GUEST_BYTES - va);
}

static size_t fake_copy_in(void *dst, uint64_t src, size_t n)
{
    size_t k = guest_reach(src, n);
    if (k) {
        memcpy(dst, (const void *)src, k);
    }
    return n - k;
}

static size_t fake_copy_out(uint64_t dst, const void *src, size_t n)
{
    size_t k = guest_reach(dst, n);
    if (k) {
        memcpy((void *)dst, src, k);
    }
    return n - k;
}

static size_t fake_zero_out(uint64_t dst, size_t n)
{
    size_t k = guest_reach(dst, n);
    if (k) {
        memset((void *)dst, 0, k);
    }
    return n - k;
}

static int fake_map(uint64_t va, uint64_t len, uint32_t prot, enum port_map_store store,
                    uint32_t file, uint64_t offset, bool shared)
{
    return 0;
}

static int fake_unmap(uint64_t va, uint64_t len)
{
    return 0;
}

static int fake_protect(uint64_t va, uint64_t len, uint32_t prot)
{
    return 0;
}

static int fake_move(uint64_t old_va, uint64_t old_len, uint64_t new_va, uint64_t new_len)
{
    return 0;
}

static int fake_discard(uint64_t va, uint64_t len)
{
    return 0;
}

static void fake_data_discard(uint64_t first_page, uint64_t pages)
{
    unsigned char *p = the_machine->port.data_base + first_page * 4096;
    the_machine->discarded_pages += pages;
    if (madvise(p, pages * 4096, MADV_DONTNEED)) {
        abort();
    }
}

static void fake_emit(const void *record, size_t len)
{
    struct fake_event *e = check(malloc(sizeof *e + len), "memory");
    e->next = NULL;
    e->len = len;
    memcpy(e->record, record, len);
    *the_machine->events_tail = e;
    the_machine->events_tail = &e->next;
    the_machine->event_count++;
}

static void fake_panic(const char *text)
{
    fprintf(stderr, "kernel panic: %s\n", text);
    abort();
}

static void fake_universe_over(struct machine *m)
{
    fprintf(stderr, "universe over\n");
    abort();
}

static void fake_code_mapped(const struct vma *v, uint64_t start, uint64_t end)
{
}

static void fake_port_init(struct port *p)
{
    p->map = fake_map;
    p->unmap = fake_unmap;
    p->protect = fake_protect;
    p->move = fake_move;
    p->discard = fake_discard;
    p->code_mapped = fake_code_mapped;
    p->copy_in = fake_copy_in;
    p->copy_out = fake_copy_out;
    p->zero_out = fake_zero_out;
    p->data_discard = fake_data_discard;
    p->emit = fake_emit;
    p->panic = fake_panic;
    p->universe_over = fake_universe_over;
    p->data_base =
        check(mmap((void *)FAKE_DATA_BASE, FAKE_DATA_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
              "data store");
}

static void task_init(struct fake_machine *fm, struct process *p, struct task *t, abi_pid pid)
{
    p->m = &fm->m;
    p->node = &fm->node;
    p->id = (uint64_t)pid;
    p->pid = p->pgid = p->sid = pid;
    p->leader = t;
    p->thread_count = 1;
    list_init(&p->children);
    list_init(&p->threads);
    list_add_tail(&fm->node.processes, &p->node_link);
    list_add_tail(&p->threads, &t->thread_link);
    list_init(&p->child_wait.waiters);
    list_init(&p->sig.pending.queue);
    list_init(&p->sig.posix_timers);
    for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
        p->rlimits[i] = (struct rlimit_pair){UINT64_MAX, UINT64_MAX};
    }
    p->rlimits[7] = (struct rlimit_pair){1024, 1048576}; /* RLIMIT_NOFILE */
    t->m = &fm->m;
    t->node = &fm->node;
    t->process = p;
    t->id = (uint64_t)pid;
    t->tid = pid;
    list_init(&t->run_link);
    list_init(&t->sig.pending.queue);
    list_init(&t->sig.wait.waiters);
    t->cred.cap_effective = t->cred.cap_permitted = t->cred.cap_bounding = (1ull << 41) - 1;
    memcpy(t->comm, "test", 5);
    fm->node.pids[pid] = t;
    fm->node.last_pid = (uint32_t)pid;
    fm->node.task_count++;
}

struct fake_machine *fake_machine_create(void)
{
    struct fake_machine *fm = check(calloc(1, sizeof *fm), "memory");
    the_machine = fm;
    fm->events_tail = &fm->events;
    fake_port_init(&fm->port);
    check(mmap((void *)FAKE_GUEST_BASE, FAKE_GUEST_BYTES, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
          "guest memory");
    fm->plan_bytes = check(calloc(1, FAKE_PLAN_BYTES), "memory");
    fm->plan_used = (uint32_t)round_up_u64(sizeof(struct plan), 8);
    struct plan *plan = fake_plan(fm);
    plan->magic = PLAN_MAGIC;
    plan->length = FAKE_PLAN_BYTES;
    plan->seed = 1;
    plan->realtime_start_ns = 1700000000ll * 1000000000ll;
    plan->memory_bytes = 4ull << 30;
    plan->cpus = 2;
    struct machine *m = &fm->m;
    m->port = &fm->port;
    m->plan = plan;
    m->clock.realtime_offset_ns = plan->realtime_start_ns;
    list_init(&m->sched.runnable);
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        stream_init(&m->streams[i], plan->seed, i, UINT32_MAX);
        stream_init(&fm->node.streams[i], plan->seed, i, 0);
    }
    fm->node.m = m;
    fm->node.name = "node";
    memcpy(fm->node.hostname, "node", 5);
    list_init(&fm->node.processes);
    list_init(&fm->node.held);
    fm->node.pid_cap = 256;
    fm->node.pids = check(calloc(256, sizeof(struct task *)), "memory");
    fm->node.init = &fm->process;
    m->nodes[0] = &fm->node;
    m->node_count = 1;
    task_init(fm, &fm->process, &fm->task, 1);
    m->sched.current = &fm->task;
    return fm;
}

void fake_machine_destroy(struct fake_machine *fm)
{
    for (uint32_t pid = 2; pid <= fm->node.last_pid; pid++) {
        if (fm->node.pids[pid]) {
            free(fm->node.pids[pid]->process);
            free(fm->node.pids[pid]);
        }
    }
    while (fm->events) {
        struct fake_event *e = fm->events;
        fm->events = e->next;
        free(e);
    }
    fake_blocks_free(fm);
    munmap((void *)FAKE_GUEST_BASE, FAKE_GUEST_BYTES);
    munmap(fm->port.data_base, FAKE_DATA_BYTES);
    free(fm->plan_bytes);
    free(fm->node.pids);
    free(fm);
    the_machine = NULL;
}

struct task *fake_task_create(struct fake_machine *fm)
{
    struct process *p = check(calloc(1, sizeof *p), "memory");
    struct task *t = check(calloc(1, sizeof *t), "memory");
    if (fm->node.last_pid + 1 >= fm->node.pid_cap) {
        abort();
    }
    task_init(fm, p, t, (abi_pid)(fm->node.last_pid + 1));
    p->parent = &fm->process;
    list_add_tail(&fm->process.children, &p->sibling_link);
    return t;
}

void fake_task_switch(struct fake_machine *fm, struct task *t)
{
    fm->m.sched.current = t;
}

void fake_become(struct task *t, uint32_t uid, uint32_t gid)
{
    t->cred.uid = t->cred.euid = t->cred.suid = t->cred.fsuid = uid;
    t->cred.gid = t->cred.egid = t->cred.sgid = t->cred.fsgid = gid;
    t->cred.cap_effective = t->cred.cap_permitted = 0;
}

gaddr fake_guest(struct fake_machine *fm, size_t n)
{
    gaddr a = gaddr_of(FAKE_GUEST_BASE + fm->guest_used);
    fm->guest_used += round_up_u64(n, 16);
    if (fm->guest_used > FAKE_GUEST_BYTES) {
        abort();
    }
    return a;
}

gaddr fake_guest_str(struct fake_machine *fm, const char *s)
{
    size_t n = strlen(s) + 1;
    gaddr a = fake_guest(fm, n);
    memcpy(fake_ptr(a), s, n);
    return a;
}

void *fake_ptr(gaddr a)
{
    return (void *)a.va;
}

uint32_t fake_plan_put(struct fake_machine *fm, const void *data, size_t n)
{
    uint32_t off = fm->plan_used;
    fm->plan_used += (uint32_t)round_up_u64(n, 8);
    if (fm->plan_used > FAKE_PLAN_BYTES) {
        abort();
    }
    if (data) {
        memcpy(fm->plan_bytes + off, data, n);
    }
    return off;
}

plan_str fake_plan_str(struct fake_machine *fm, const char *s)
{
    return fake_plan_put(fm, s, strlen(s) + 1);
}

struct plan *fake_plan(struct fake_machine *fm)
{
    return (struct plan *)fm->plan_bytes;
}

static int64_t run(struct fake_machine *fm, syscall_fn fn, const uint64_t a[6])
{
    struct task *t = fm->m.sched.current;
    struct sysargs args = {0};
    memcpy(args.a, a, sizeof args.a);
    for (;;) {
        fm->wait_count = 0;
        fm->wait_until = VTIME_NEVER;
        struct sysret r = fn(t, &args);
        vtime until = fm->wait_until;
        if (r.kind == SYSRET_BLOCK && until != VTIME_NEVER) {
            fake_advance(fm, until > fm->m.clock.now ? until - fm->m.clock.now : 0);
            t->call.retry = true;
            continue;
        }
        if (r.kind == SYSRET_BLOCK) {
            return FAKE_BLOCKED;
        }
        kfree(&fm->m, t->call.held);
        t->call.held = NULL;
        return r.value;
    }
}

int64_t fake_call6(struct fake_machine *fm, syscall_fn fn, const uint64_t a[6])
{
    memset(&fm->m.sched.current->call, 0, sizeof fm->m.sched.current->call);
    return run(fm, fn, a);
}

int64_t fake_retry(struct fake_machine *fm, syscall_fn fn, const uint64_t a[6])
{
    fm->m.sched.current->call.retry = true;
    return run(fm, fn, a);
}
