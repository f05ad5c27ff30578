#include "runner/universe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/control.h"
#include "abi/layout.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stream.h"
#include "image/hostimport.h"
#include "runner/plan_builder.h"

#define RING_BYTES (4ul << 20)
#define TICK_NS    100000000l

struct universe {
    const struct plan_builder *plan;
    const struct universe_options *o;
    struct universe_result *r;
    int control_fd, arena_fd, data_fd;
    struct control *control; /* guests may scribble over it: what is read from it is checked */
    uint64_t control_bytes, ring_off;
    pid_t group; /* the zygote's pid: the process group of the universe */
    uint64_t started_ns, tick_ns;
    struct plan_spin *spins; /* what the plan says about loops without calls */
    size_t spin_count, spin_cap;
    uint64_t watch_entries; /* where the attempt before found one */
    struct {
        uint64_t count, hash;
    } seen, told;          /* records of this attempt; those passed on by any */
    unsigned char *record; /* one event, copied out of the ring */
    size_t record_cap;
    bool ended; /* the END event was seen */
};

static int memory_file(const char *name, uint64_t size, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size)) {
        int e = errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_errno(err, e, "cannot make shared memory for a universe");
    }
    return fd;
}

static int make_control(struct universe *u, struct err *err)
{
    uint64_t plan_off = round_up_u64(sizeof(struct control), PAGE_SIZE);
    uint64_t spins_off = round_up_u64(u->plan->bytes.len, 8);
    uint64_t plan_len = spins_off + u->spin_count * sizeof *u->spins;
    uint64_t ring_off = round_up_u64(plan_off + plan_len, PAGE_SIZE);
    uint64_t ahead_off = ring_off + RING_BYTES;
    uint64_t bytes = ahead_off + (u->o->import ? IMPORT_AHEAD_BYTES : 0);
    u->control_fd = memory_file("everett-control", bytes, err);
    u->arena_fd = u->control_fd < 0 ? -1 : memory_file("everett-arena", ARENA_MAX_BYTES, err);
    u->data_fd = u->arena_fd < 0 ? -1 : memory_file("everett-data", DATA_MAX_BYTES, err);
    if (u->data_fd < 0) {
        return -1;
    }
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, u->control_fd, 0);
    if (p == MAP_FAILED) {
        return err_errno(err, errno, "cannot map the control area");
    }
    struct control *c = u->control = p;
    c->magic = CONTROL_MAGIC;
    c->bytes = u->control_bytes = bytes;
    c->arena_fd = ENGINE_FD_ARENA;
    c->data_fd = ENGINE_FD_DATA;
    c->plan_off = plan_off;
    c->plan_len = plan_len;
    c->ring_off = u->ring_off = ring_off;
    c->ring_len = RING_BYTES;
    c->watch_entries = u->watch_entries;
    c->watch_ns = u->o->recorded_ns;
    if (u->o->import) {
        c->ahead_off = ahead_off;
        hostimport_share(u->o->import, (char *)c + ahead_off);
    }
    memcpy((char *)c + plan_off, u->plan->bytes.data, u->plan->bytes.len);
    if (u->spin_count) {
        struct plan *copy = (struct plan *)(void *)((char *)c + plan_off);
        copy->spins = (struct plan_list){(uint32_t)spins_off, (uint32_t)u->spin_count};
        copy->length = plan_len;
        memcpy((char *)copy + spins_off, u->spins, u->spin_count * sizeof *u->spins);
    }
    return 0;
}

/* --- the child that becomes the zygote -------------------------------------------------------- */

/* Handing over between processes costs four times as much across cores (futex wake-up of an idle
 * one), so a universe and its runner share a core: the one asked for, or where we are now. */
static void pin_to_core(int core)
{
    int cpu = core >= 0 ? core : sched_getcpu();
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

/* Sources first go above every target number, then each to its place. Those are inherited. */
static bool place_descriptors(const struct universe *u)
{
    size_t n = 3 + u->plan->fd_count;
    int *high = mem_zalloc(n * sizeof *high); /* given up by execve */
    for (size_t i = 0; i < n; i++) {
        int fd = i == 0   ? u->control_fd
                 : i == 1 ? u->arena_fd
                 : i == 2 ? u->data_fd
                          : u->plan->fds[i - 3];
        high[i] = fcntl(fd, F_DUPFD, ENGINE_FD_CONTROL + (int)n);
        if (high[i] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (dup2(high[i], ENGINE_FD_CONTROL + (int)i) < 0) {
            return false;
        }
    }
    return syscall(SYS_close_range, 0u, (unsigned)ENGINE_FD_CONTROL - 1, 0u) == 0 &&
           syscall(SYS_close_range, (unsigned)(ENGINE_FD_CONTROL + (int)n), ~0u, 0u) == 0;
}

static _Noreturn void become_zygote(const struct universe *u, pid_t runner)
{
    static const struct rlimit no_core = {0, 0};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    char fd_text[16] = "900";
    char *argv[] = {(char *)(uintptr_t) "everett-engine", fd_text, NULL};
    char *envp[] = {NULL};
    if (getppid() == runner && place_descriptors(u)) {
        execve(u->o->engine_path, argv, envp);
    }
    _exit(95);
}

static int start_engine(struct universe *u, struct err *err)
{
    pid_t self = getpid();
    if (access(u->o->engine_path, X_OK)) {
        return err_errno(err, errno, "engine %s", u->o->engine_path);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become_zygote(u, self);
    }
    if (pid < 0) {
        return err_errno(err, errno, "cannot start the engine");
    }
    setpgid(pid, pid);
    u->group = pid;
    return 0;
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void read_ring(const struct universe *u, uint64_t at, void *dst, size_t n)
{
    const unsigned char *ring = (const unsigned char *)u->control + u->ring_off;
    uint64_t pos = at & (RING_BYTES - 1);
    size_t first = (size_t)min_u64(n, RING_BYTES - pos);
    memcpy(dst, ring + pos, first);
    memcpy((char *)dst + first, ring, n - first);
}

static void note_end(struct universe *u, const struct event *e)
{
    struct event_end end;
    if (e->type != EVENT_END || e->length < sizeof end) {
        return;
    }
    memcpy(&end, e->payload, sizeof end);
    u->r->end = end;
    u->r->virtual_ns = e->vtime_ns;
    size_t n = min_u64(e->length - sizeof end, sizeof u->r->end_text - 1);
    memcpy(u->r->end_text, e->payload + sizeof end, n);
    u->ended = true;
}

static uint64_t hash_record(uint64_t hash, const unsigned char *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) { /* records are whole words */
        uint64_t word;
        memcpy(&word, p, 8);
        hash = stream_mix(hash ^ word);
    }
    return hash;
}

static void engine_error(struct universe *u, const char *fmt, ...) printf_like(2, 3);

/* Passes a record on, unless an earlier attempt did: then the two must be equal. */
static void take_record(struct universe *u)
{
    const struct event *e = (const struct event *)(void *)u->record;
    u->seen.count++;
    u->seen.hash = hash_record(u->seen.hash, u->record, e->size);
    if (u->seen.count > u->told.count) {
        u->told = u->seen;
        note_end(u, e);
        u->o->on_event(u->o->ctx, e);
    } else if (u->seen.count == u->told.count && u->seen.hash != u->told.hash) {
        engine_error(u, "run again because of a loop without calls, the universe took another way");
    }
}

/* The ring is shared with processes that run hostile code: sizes are checked, not trusted. */
static bool drain(struct universe *u)
{
    struct control *c = u->control;
    uint64_t head = __atomic_load_n(&c->ring_head, __ATOMIC_ACQUIRE), tail = c->ring_tail;
    if (tail == head) {
        return true;
    }
    while (tail < head) {
        struct event e;
        if (head - tail < sizeof e || head - tail > RING_BYTES) {
            return false;
        }
        read_ring(u, tail, &e, sizeof e);
        if (e.size < sizeof e || e.size % 8 || e.size > head - tail ||
            e.length > e.size - sizeof e) {
            return false;
        }
        if (e.size > u->record_cap) {
            free(u->record);
            u->record_cap = e.size * 2;
            u->record = mem_zalloc(u->record_cap);
        }
        read_ring(u, tail, u->record, e.size);
        memcpy(u->record, &e, sizeof e); /* as checked, whatever the ring holds by now */
        tail += e.size;
        take_record(u);
    }
    __atomic_store_n(&c->ring_tail, tail, __ATOMIC_RELEASE);
    __atomic_add_fetch(&c->ring_room, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &c->ring_room, FUTEX_WAKE, 64, NULL, NULL, 0);
    return true;
}

/* True if a request was waiting. */
static bool serve_import(struct universe *u)
{
    struct control *c = u->control;
    if (__atomic_load_n(&c->import_state, __ATOMIC_ACQUIRE) != 1) {
        return false;
    }
    memset(&c->import_response, 0, offsetof(struct import_response, payload));
    if (u->o->import) {
        struct import_request request = c->import_request; /* checked and used as one */
        hostimport_serve(u->o->import, &request, &c->import_response);
    } else {
        c->import_response.result = -EINVAL;
    }
    __atomic_store_n(&c->import_state, 2, __ATOMIC_RELEASE);
    syscall(SYS_futex, &c->import_state, FUTEX_WAKE, 1, NULL, NULL, 0);
    return true;
}

static void engine_error(struct universe *u, const char *fmt, ...)
{
    if (u->r->engine_error) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    u->r->engine_error = mem_vprintf(fmt, ap);
    va_end(ap);
}

/* Host processes end with status 0 when their guest process ends; anything else is our failure. */
static bool reap(struct universe *u, int flags)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-u->group, &status, flags)) > 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            continue;
        }
        if (WIFSIGNALED(status)) {
            engine_error(
                u, "a host process of the universe was killed by signal %d%s", WTERMSIG(status),
                WTERMSIG(status) == SIGSYS ? " (a host call outside the allowed ones)" : "");
        } else {
            engine_error(u, "a host process of the universe exited with status %d",
                         WEXITSTATUS(status));
        }
        return false;
    }
    if (pid < 0 && errno == ECHILD) {
        engine_error(u, "every host process of the universe is gone");
        return false;
    }
    return true;
}

static bool within_limits(struct universe *u)
{
    uint64_t now = clock_host_ns();
    const struct control *c = u->control;
    if (u->o->stop && *u->o->stop) {
        u->r->stopped = true;
        return false;
    }
    if (u->o->wall_limit_ns && now - u->started_ns > u->o->wall_limit_ns) {
        u->r->out_of_time = true;
        return false;
    }
    if (u->o->on_tick && now - u->tick_ns >= TICK_NS) {
        u->tick_ns = now;
        u->o->on_tick(u->o->ctx, c->vtime_ns, c->calls);
    }
    return true;
}

static void wait_for_news(struct universe *u, uint32_t seen)
{
    struct timespec ts = {0, TICK_NS};
    syscall(SYS_futex, &u->control->notify, FUTEX_WAIT, seen, &ts, NULL, 0);
}

static void add_spin(struct plan_spin **spins, size_t *count, size_t *cap, struct plan_spin add)
{
    for (size_t i = 0; i < *count; i++) {
        struct plan_spin *s = &(*spins)[i];
        if (s->task == add.task && s->entries == add.entries) {
            s->slices = max_u64(s->slices, add.slices);
            return;
        }
    }
    *ARRAY_PUSH(*spins, *count, *cap) = add;
}

void universe_note_spin(const struct event *e, struct plan_spin **spins, size_t *count, size_t *cap)
{
    struct event_decision d;
    if (e->type != EVENT_DECISION || e->length < sizeof d) {
        return;
    }
    memcpy(&d, e->payload, sizeof d);
    if (d.stream == EVENT_DECISION_SPIN) {
        add_spin(spins, count, cap, (struct plan_spin){d.value >> 16, d.index, d.value & 0xffff});
    }
}

/* True if the universe is to be run again, with more known about its loops. */
static bool watch(struct universe *u)
{
    struct control *c = u->control;
    for (;;) {
        uint32_t seen = __atomic_load_n(&c->notify, __ATOMIC_ACQUIRE);
        uint32_t over = __atomic_load_n(&c->over, __ATOMIC_ACQUIRE);
        if (!drain(u)) {
            engine_error(u, "the event ring is damaged (a wild write of a guest?)");
        }
        if (over == CONTROL_PANIC) {
            c->panic_text[sizeof c->panic_text - 1] = 0;
            engine_error(u, "%s", c->panic_text);
        }
        if (u->r->engine_error) {
            return false;
        }
        if (over == CONTROL_SPIN) {
            add_spin(&u->spins, &u->spin_count, &u->spin_cap, c->spin);
            u->watch_entries = max_u64(u->watch_entries, c->spin_entries);
            return true;
        }
        if (over == CONTROL_ENDED) {
            if (!u->ended) {
                engine_error(u, "the universe ended without its last event");
            }
            return false;
        }
        if (!serve_import(u) && (!reap(u, WNOHANG) || !within_limits(u))) {
            return false;
        }
        wait_for_news(u, seen);
    }
}

static void stop_everything(struct universe *u)
{
    kill(-u->group, SIGKILL);
    while (waitpid(-u->group, NULL, 0) > 0 || errno == EINTR) {
    }
}

static void release(struct universe *u)
{
    if (u->control) {
        if (u->o->import) {
            hostimport_unshare(u->o->import);
        }
        munmap(u->control, u->control_bytes);
    }
    int fds[] = {u->control_fd, u->arena_fd, u->data_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    u->control = NULL;
    u->control_fd = u->arena_fd = u->data_fd = -1;
}

/* 0 or -1 with err; *again: it must be run once more. */
static int attempt(struct universe *u, bool *again, struct err *err)
{
    *again = false;
    u->seen.count = u->seen.hash = 0;
    u->r->attempts++;
    int status = make_control(u, err);
    if (status == 0) {
        status = start_engine(u, err);
    }
    if (status == 0) {
        *again = watch(u);
        if (!u->ended) {
            u->r->virtual_ns = u->control->vtime_ns;
        }
        stop_everything(u);
    }
    release(u);
    return status;
}

int universe_run(const struct plan_builder *plan, const struct universe_options *o,
                 struct universe_result *r, struct err *err)
{
    struct universe u = {
        .plan = plan, .o = o, .r = r, .control_fd = -1, .arena_fd = -1, .data_fd = -1};
    *r = (struct universe_result){0};
    u.started_ns = u.tick_ns = clock_host_ns();
    for (size_t i = 0; i < o->spin_count; i++) {
        add_spin(&u.spins, &u.spin_count, &u.spin_cap, o->spins[i]);
    }
    int status = 0;
    bool again = true;
    cpu_set_t before;
    bool restore = sched_getaffinity(0, sizeof before, &before) == 0;
    pin_to_core(o->core);
    while (status == 0 && again) {
        status = attempt(&u, &again, err);
    }
    r->wall_ns = clock_host_ns() - u.started_ns;
    free(u.record);
    free(u.spins);
    if (restore) {
        sched_setaffinity(0, sizeof before, &before);
    }
    return status;
}

void universe_result_fini(struct universe_result *r)
{
    free(r->engine_error);
    *r = (struct universe_result){0};
}
