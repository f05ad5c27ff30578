/* Life and death of containers; see container.h. */
#include "director/container.h"

#include "base/str.h"
#include "director/composer.h"
#include "director/container_priv.h"
#include "director/launch.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/net/net.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

/* Creating a container takes a real engine this long; drawn, so that start orders vary. */
#define START_DELAY_MIN_NS (10 * NSEC_PER_MSEC)
#define START_DELAY_MAX_NS (300 * NSEC_PER_MSEC)

/* Docker's restart manager: 100 ms doubling to a minute, forgotten after ten seconds of life. */
#define BACKOFF_MIN_NS    (100 * NSEC_PER_MSEC)
#define BACKOFF_MAX_NS    (60 * NSEC_PER_SEC)
#define BACKOFF_FORGET_NS (10 * NSEC_PER_SEC)

#define SIGNAL_EXIT_BASE 128u

void container_event_open(struct report *r, const struct container *c, const char *event)
{
    report_open(r, c->node->m);
    json_cstr(&r->json, "event", event);
    report_container(r, c->node, "id", "name");
}

void container_event_send(struct report *r, const struct container *c)
{
    report_send(r, EVENT_CONTAINER, c->node, 0);
}

static void emit(const struct container *c, const char *event)
{
    struct report r;
    container_event_open(&r, c, event);
    container_event_send(&r, c);
}

static void emit_create(const struct container *c)
{
    const struct machine *m = c->node->m;
    const struct plan_node *pn = c->node->plan;
    struct report r;
    container_event_open(&r, c, "create");
    if (pn->image < m->plan->images.count) {
        const struct plan_image *image =
            PLAN_AT(m->plan, m->plan->images, struct plan_image, pn->image);
        json_cstr(&r.json, "image", PLAN_STR(m->plan, image->name));
    }
    container_event_send(&r, c);
}

static void emit_died(const struct container *c)
{
    struct report r;
    container_event_open(&r, c, "died");
    report_number(&r, "container_exit_code", c->exit_code);
    if (c->held) {
        json_bool(&r.json, "by_injector", true);
    }
    container_event_send(&r, c);
}

static void emit_kill(const struct container *c, uint32_t signo)
{
    struct report r;
    container_event_open(&r, c, "kill");
    report_number(&r, "signal", signo);
    container_event_send(&r, c);
}

/* --- start ------------------------------------------------------------------------------------ */

static void pid1_exited(struct machine *m, struct process *p);

/* `init: true`: the kernel reaps orphans (task/exit.c), and as under a small init the program has
 * none of PID 1's immunity against signals that it does not handle. */
static void start_pid1(struct container *c)
{
    struct node *n = c->node;
    const char **argv = plan_strings(n->m, n->plan->argv);
    struct spawn s = {.node = n,
                      .argv = argv,
                      .stdio = {NULL, console_create(n, 1, 0), console_create(n, 2, 0)},
                      .new_pid1 = true,
                      .on_exit = pid1_exited,
                      .on_exit_data = c};
    struct process *p = launch(&s);
    p->sig.killable = n->plan->init != 0;
    kfree(n->m, argv);
}

static void start(struct container *c)
{
    struct node *n = c->node;
    char err[256] = "no command is given";
    if (n->plan->argv.count == 0 || vfs_node_up(n, err, sizeof err)) {
        machine_end(n->m, n->m->setup_complete ? END_ENGINE_ERROR : END_SETUP_FAILED,
                    "container '%s' cannot start: %s", n->name, err);
        return;
    }
    net_node_up(n);
    c->state = CONTAINER_UP;
    c->has_started = true;
    c->held = c->revive = false;
    c->started_at = n->boot_time = machine_now(n->m);
    emit(c, "start");
    start_pid1(c);
    health_start(c);
    containers_check(n->m);
    composer_poke(n->m);
}

static void start_due(struct machine *m, struct timer *t)
{
    struct container *c = container_of(t, struct container, timer);
    if (c->state == CONTAINER_RESTARTING) {
        c->restarts++;
        struct report r;
        container_event_open(&r, c, "restart");
        report_number(&r, "restart_count", c->restarts);
        container_event_send(&r, c);
    }
    start(c);
}

void container_start_soon(struct container *c)
{
    struct node *n = c->node;
    struct stream *s = &n->streams[STREAM_COMPOSER];
    uint64_t delay = stream_range(s, START_DELAY_MIN_NS, START_DELAY_MAX_NS);
    trace_decision(n->m, STREAM_COMPOSER, n, s->count - 1, delay, "start delay");
    c->state = CONTAINER_STARTING;
    timer_arm(n->m, &c->timer, machine_now(n->m) + delay, n->index, start_due);
}

/* --- end -------------------------------------------------------------------------------------- */

static bool policy_restarts(const struct container *c)
{
    const struct plan_node *pn = c->node->plan;
    switch ((enum plan_restart)pn->restart) {
    case PLAN_RESTART_NO:
        return false;
    case PLAN_RESTART_ALWAYS:
    case PLAN_RESTART_UNLESS_STOPPED: /* nobody stops one for good */
        return true;
    case PLAN_RESTART_ON_FAILURE:
        return c->exit_code != 0 && (pn->restart_max == 0 || c->restarts < pn->restart_max);
    }
    return false;
}

static void restart_later(struct container *c)
{
    struct machine *m = c->node->m;
    vtime now = machine_now(m);
    if (c->backoff_ns == 0 || now - c->started_at >= BACKOFF_FORGET_NS) {
        c->backoff_ns = BACKOFF_MIN_NS;
    } else {
        c->backoff_ns = min_u64(2 * c->backoff_ns, BACKOFF_MAX_NS);
    }
    c->state = CONTAINER_RESTARTING;
    timer_arm(m, &c->timer, now + c->backoff_ns, c->node->index, start_due);
}

static void ended_for_good(struct container *c)
{
    struct machine *m = c->node->m;
    c->state = CONTAINER_EXITED;
    if (!m->setup_complete && c->exit_code != 0) {
        machine_end(m, END_SETUP_FAILED,
                    "container '%s' exited with code %u before set-up was complete", c->node->name,
                    c->exit_code);
    }
}

/* Every process has gone: nothing refers to the mounts and sockets of that life any more. */
static void tear_down(struct machine *m, struct timer *t)
{
    struct container *c = container_of(t, struct container, tidy);
    ASSERT(c->state == CONTAINER_ENDING);
    net_node_down(c->node);
    vfs_node_down(c->node);
    if (c->held) {
        c->state = CONTAINER_HELD;
        if (c->revive) {
            container_start_soon(c);
        }
    } else if (policy_restarts(c)) {
        restart_later(c);
    } else {
        ended_for_good(c);
    }
    containers_check(m);
    composer_poke(m);
}

static void node_empty(struct node *n)
{
    struct container *c = n->container;
    if (c->state == CONTAINER_ENDING) {
        timer_arm(n->m, &c->tidy, machine_now(n->m), n->index, tear_down);
    }
}

/* The kernel kills whatever else is in the node now; node_empty follows. */
static void pid1_exited(struct machine *m, struct process *p)
{
    struct container *c = p->on_exit_data;
    uint32_t signo = (uint32_t)p->exit_status & 0x7f;
    c->exit_code = signo ? SIGNAL_EXIT_BASE + signo : (uint32_t)p->exit_status >> 8 & 0xff;
    c->state = CONTAINER_ENDING;
    timer_disarm(m, &c->timer);
    health_stop(c);
    emit_died(c);
}

/* --- faults ----------------------------------------------------------------------------------- */

void container_kill(struct node *n)
{
    struct container *c = n->container;
    ASSERT(c->state == CONTAINER_UP);
    c->held = true;
    timer_disarm(n->m, &c->timer);
    emit_kill(c, SIGNAL_KILL);
    node_kill_all(n, true);
}

static void grace_over(struct machine *m, struct timer *t)
{
    container_kill(container_of(t, struct container, timer)->node);
}

void container_stop(struct node *n)
{
    struct container *c = n->container;
    ASSERT(c->state == CONTAINER_UP);
    uint32_t signo = n->plan->stop_signal ? n->plan->stop_signal : SIGNAL_TERM;
    struct siginfo info = {.signo = (int32_t)signo};
    c->held = true;
    n->init->by_injector = true;
    emit_kill(c, signo);
    signal_send_process(n->init, &info);
    timer_arm(n->m, &c->timer, machine_now(n->m) + n->plan->stop_grace_ns, n->index, grace_over);
}

/* As `docker start`: a fresh life for the restart policy. */
void container_revive(struct node *n, bool at_once)
{
    struct container *c = n->container;
    if (!c->held) {
        return;
    }
    c->revive = true;
    c->restarts = 0;
    c->backoff_ns = 0;
    if (c->state == CONTAINER_HELD) {
        container_start_soon(c);
    } else if (at_once && c->state == CONTAINER_UP && timer_armed(&c->timer)) {
        timer_arm(n->m, &c->timer, machine_now(n->m), n->index, grace_over);
    }
}

bool container_is_usable(const struct node *n)
{
    return n->container->state == CONTAINER_UP && !n->container->held && !n->paused;
}

bool containers_settled(const struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        if (m->nodes[i]->container->held || m->nodes[i]->paused) {
            return false;
        }
    }
    return true;
}

void containers_boot(struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        struct container *c = KALLOC(m, struct container);
        c->node = m->nodes[i];
        c->node->container = c;
        c->node->on_empty = node_empty;
        emit_create(c);
    }
    containers_check(m);
}
