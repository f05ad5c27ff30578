/* First instructions of a universe: this host process is the zygote. It maps everything the engine
 * needs, boots the machine, then becomes the source of every fresh host process. */
#include <linux/mman.h>
#include <linux/prctl.h>

#include "abi/time_page.h"
#include "base/str.h"
#include "director/director.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "entry/pages.h"
#include "kernel/boot.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"

struct engine engine;

void engine_start(const uint64_t *stack);

static void must_map(uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, int fd)
{
    if ((uint64_t)host_mmap(addr, len, prot, flags | MAP_FIXED, fd, 0) != addr) {
        engine_panic("the host has no room for the engine's mappings");
    }
}

/* argv[1] is the descriptor of the control area in decimal. */
static int control_fd(const uint64_t *stack)
{
    uint64_t fd = 0;
    const char *arg = stack[0] >= 2 ? (const char *)(uintptr_t)stack[2] : "";
    if (!str_to_u64(arg, str_len(arg), 10, &fd)) {
        host3(__NR_exit_group, 97, 0, 0);
    }
    return (int)fd;
}

static void map_control(int fd)
{
    must_map(ENGINE_CONTROL, sizeof(struct control), PROT_READ, MAP_SHARED, fd);
    struct control *c = (struct control *)ENGINE_CONTROL;
    if (c->magic != CONTROL_MAGIC) {
        host3(__NR_exit_group, 96, 0, 0);
    }
    uint64_t bytes = c->bytes;
    must_map(ENGINE_CONTROL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    engine.control = c;
}

static void map_engine(const struct control *c, const struct plan *plan)
{
    uint32_t rw = PROT_READ | PROT_WRITE;
    uint64_t stacks = KSTACKS_ADDR - ENGINE_PRIVATE + KSTACK_MAX * KSTACK_SIZE;
    must_map(ENGINE_PRIVATE, stacks, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    must_map(ENGINE_ARENA, ARENA_MAX_BYTES, rw, MAP_SHARED | MAP_NORESERVE, c->arena_fd);
    must_map(ENGINE_DATA, DATA_MAX_BYTES, rw, MAP_SHARED | MAP_NORESERVE, c->data_fd);
    for (uint32_t i = 0; i < plan->files.count; i++) {
        const struct plan_file *f = PLAN_AT(plan, plan->files, struct plan_file, i);
        must_map(f->map_addr, round_up_u64(f->length, PAGE_SIZE), PROT_READ, MAP_SHARED, f->fd);
    }
}

static void universe_over(struct machine *m)
{
    machine_emit_end(m);
    engine_over(CONTROL_ENDED);
}

static void panic(const char *text)
{
    engine_panic(text);
}

static void fill_port(struct port *p)
{
    pages_init(p);
    p->switch_to = port_switch_to;
    p->fork_mm = port_fork_mm;
    p->prepare_thread = port_prepare_thread;
    p->exit_mm = port_exit_mm;
    p->single_step = step_guest;
    p->site_trapped = patch_site;
    p->code_mapped = patch_code_mapped;
    p->emit = port_emit;
    p->import = port_import;
    p->universe_over = universe_over;
    p->panic = panic;
    p->time_page = (struct time_page *)TIME_PAGE_ADDR;
}

void engine_start(const uint64_t *stack)
{
    int fd = control_fd(stack);
    host3(__NR_munmap, GUEST_LOW_START, (long)(GUEST_LOW_END - GUEST_LOW_START), 0);
    host3(__NR_munmap, (long)GUEST_HIGH_START, (long)(GUEST_HIGH_END - GUEST_HIGH_START), 0);
    map_control(fd);
    struct control *c = engine.control;
    const struct plan *plan = (const struct plan *)((const char *)c + c->plan_off);
    map_engine(c, plan);
    fill_port(&engine.port);
    context_init();
    struct time_page *tp = engine.port.time_page;
    tp->cost_ns = plan->clock_cost_ns;
    tp->reads_max = SCHED_CLOCK_STREAK;
    trap_init();
    watchdog_init();
    if (host6(__NR_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0) ||
        host6(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0)) {
        engine_panic("the host does not let RDTSC be trapped");
    }
    filter_install();
    engine.machine = machine_boot((void *)ENGINE_ARENA, ARENA_MAX_BYTES, plan, &engine.port);
    director_boot(engine.machine);
    struct task *first = sched_pick(engine.machine);
    engine.machine->sched.current = first;
    first->mm->host = MM_HOST_ALIVE;
    zygote_run(first);
}
