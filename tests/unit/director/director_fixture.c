#include "director_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "director/director.h"
#include "director/hooks.h"
#include "kernel/alloc.h"
#include "kernel/net/net.h"
#include "kernel/signal/signal.h"
#include "kernel/task/lifecycle.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/vfs.h"

struct world *the_world;

/* --- memory: blocks of libc, so that the sanitizers watch them; freed with the world ---------- */

struct block {
    struct list_head link;
    size_t size;
    _Alignas(16) unsigned char data[];
};

static struct list_head blocks;

void *kalloc(struct machine *m, size_t size)
{
    struct block *b = calloc(1, sizeof *b + size);
    b->size = size;
    list_add_tail(&blocks, &b->link);
    return b->data;
}

void kfree(struct machine *m, void *p)
{
    if (p) {
        struct block *b = container_of(p, struct block, data);
        list_del(&b->link);
        free(b);
    }
}

void *krealloc(struct machine *m, void *p, size_t size)
{
    void *q = kalloc(m, size);
    if (p) {
        size_t old = container_of(p, struct block, data)->size;
        memcpy(q, p, old < size ? old : size);
        kfree(m, p);
    }
    return q;
}

char *kstrdup(struct machine *m, const char *s, size_t len)
{
    char *p = kalloc(m, len + 1);
    memcpy(p, s, len);
    return p;
}

/* --- processes -------------------------------------------------------------------------------- */

struct actor {
    struct process p; /* first */
    struct timer timer;
    struct script script;
    bool due_while_paused;
};

static void actor_end(struct machine *m, struct timer *t)
{
    struct actor *a = container_of(t, struct actor, timer);
    struct process *p = &a->p;
    struct node *n = p->node;
    if (n->paused) {
        a->due_while_paused = true;
        return;
    }
    p->zombie = true;
    if (n->init == p) {
        node_kill_all(n, p->by_injector);
        n->init = NULL;
    }
    if (p->on_exit) {
        p->on_exit(m, p);
    }
    list_del(&p->node_link);
    free(a);
    if (list_empty(&n->processes) && n->on_empty) {
        n->on_empty(n);
    }
}

static void actor_kill(struct actor *a, int status)
{
    a->p.exit_status = status;
    a->script.ignores_term = true;
    timer_arm(a->p.m, &a->timer, machine_now(a->p.m), a->p.node->index, actor_end);
}

struct process *process_spawn(struct machine *m, const struct spawn *s)
{
    struct world *w = world_of(m);
    struct actor *a = calloc(1, sizeof *a);
    assert_true(w->node_up[s->node->index]);
    assert_true(w->net_up[s->node->index]);
    assert_non_null(s->argv[0]);
    a->p.m = m;
    a->p.node = s->node;
    a->p.pid = a->p.pgid = s->new_pid1 ? 1 : (abi_pid)++s->node->last_pid;
    a->p.command_id = s->command_id;
    a->p.on_exit = s->on_exit;
    a->p.on_exit_data = s->on_exit_data;
    list_add_tail(&s->node->processes, &a->p.node_link);
    if (s->new_pid1) {
        assert_null(s->node->init);
        s->node->init = &a->p;
        s->node->last_pid = 1;
    }
    for (int i = 0; i < 3; i++) {
        file_put(s->stdio[i]);
    }
    w->spawns++;
    if (w->spawned) {
        w->spawned(w, s);
    }
    a->script =
        w->script ? w->script(w, s) : (struct script){.life_ns = s->new_pid1 ? VTIME_NEVER : 0};
    a->p.exit_status = a->script.status;
    if (a->script.life_ns != VTIME_NEVER) {
        timer_arm(m, &a->timer, machine_now(m) + a->script.life_ns, s->node->index, actor_end);
    }
    return &a->p;
}

int signal_send_process(struct process *p, const struct siginfo *info)
{
    struct actor *a = (struct actor *)p;
    if (!p->zombie && (info->signo == SIGNAL_KILL || !a->script.ignores_term)) {
        actor_kill(a, info->signo);
    }
    return 0;
}

int signal_send_group(struct node *n, int32_t pgid, const struct siginfo *info)
{
    struct process *p, *tmp;
    list_for_each_entry_safe (p, tmp, &n->processes, node_link) {
        if (p->pgid == pgid) {
            signal_send_process(p, info);
        }
    }
    return 0;
}

void node_kill_all(struct node *n, bool by_injector)
{
    struct process *p;
    node_resume(n);
    list_for_each_entry (p, &n->processes, node_link) {
        if (!p->zombie) {
            p->by_injector |= by_injector;
            actor_kill((struct actor *)p, SIGNAL_KILL);
        }
    }
}

void node_pause(struct node *n)
{
    assert_false(n->paused);
    n->paused = true;
}

void node_resume(struct node *n)
{
    struct process *p;
    n->paused = false;
    list_for_each_entry (p, &n->processes, node_link) {
        struct actor *a = (struct actor *)p;
        if (a->due_while_paused) {
            a->due_while_paused = false;
            timer_arm(n->m, &a->timer, machine_now(n->m), n->index, actor_end);
        }
    }
}

/* --- files ------------------------------------------------------------------------------------ */

struct file *console_create(struct node *n, uint8_t stream, uint32_t command_id)
{
    struct file *f = calloc(1, sizeof *f);
    f->refs = 1;
    return f;
}

struct file *console_create_probe(struct node *n, uint8_t stream)
{
    return console_create(n, stream, 0);
}

struct file *rawout_create(struct node *n, uint8_t stream)
{
    return console_create(n, stream, 0);
}

struct file *devnull_open(struct node *n, uint32_t flags)
{
    return console_create(n, 0, 0);
}

void file_put(struct file *f)
{
    if (f && --f->refs == 0) {
        free(f->inode);
        free(f);
    }
}

int vfs_node_up(struct node *n, char *err, size_t err_cap)
{
    struct world *w = world_of(n->m);
    if (w->up_error) {
        snprintf(err, err_cap, "the volume is gone");
        return w->up_error;
    }
    assert_false(w->node_up[n->index]);
    w->node_up[n->index] = true;
    return 0;
}

void vfs_node_down(struct node *n)
{
    assert_true(list_empty(&n->processes));
    assert_false(world_of(n->m)->net_up[n->index]);
    assert_true(world_of(n->m)->node_up[n->index]);
    world_of(n->m)->node_up[n->index] = false;
}

static const struct world_file *find_file(const struct world *w, const struct node *n,
                                          const char *path)
{
    for (unsigned i = 0; i < w->file_count; i++) {
        if (w->files[i].node == n->index && strcmp(w->files[i].path, path) == 0) {
            return &w->files[i];
        }
    }
    return NULL;
}

int vfs_node_open(struct node *n, const char *path, uint32_t flags, uint32_t mode,
                  struct file **out)
{
    const struct world_file *wf = find_file(world_of(n->m), n, path);
    if (!wf) {
        return -ENOENT;
    }
    *out = console_create(n, 0, 0);
    (*out)->inode = calloc(1, sizeof(struct inode));
    (*out)->inode->mode = ABI_S_IFREG | wf->mode;
    (*out)->inode->uid = wf->uid;
    (*out)->inode->gid = wf->uid;
    return 0;
}

/* The table is in bytewise order already. */
int vfs_node_list(struct node *n, const char *path,
                  void (*fn)(void *ctx, const char *name, const struct attr *a), void *ctx)
{
    struct world *w = world_of(n->m);
    size_t len = strlen(path);
    char last[256] = "";
    int result = -ENOENT;
    for (unsigned i = 0; i < w->file_count; i++) {
        const struct world_file *f = &w->files[i];
        if (f->node != n->index || strncmp(f->path, path, len) != 0) {
            continue;
        }
        if (f->path[len] != '/') {
            result = f->path[len] ? result : -ENOTDIR;
            continue;
        }
        result = 0;
        char name[256];
        snprintf(name, sizeof name, "%s", f->path + len + 1);
        char *slash = strchr(name, '/');
        struct attr a = {.mode = slash ? ABI_S_IFDIR | 0755 : ABI_S_IFREG | f->mode};
        if (slash) {
            *slash = 0;
        }
        if (name[0] && strcmp(name, last) != 0) {
            strcpy(last, name);
            fn(ctx, name, &a);
        }
    }
    return result;
}

/* --- network ---------------------------------------------------------------------------------- */

void net_node_up(struct node *n)
{
    assert_true(world_of(n->m)->node_up[n->index]);
    world_of(n->m)->net_up[n->index] = true;
}

void net_node_down(struct node *n)
{
    assert_true(list_empty(&n->processes));
    world_of(n->m)->net_up[n->index] = false;
}

void net_link_set(struct machine *m, uint32_t from, uint32_t to, const struct link_policy *p)
{
    assert_true(from != to);
    world_of(m)->links[from * m->node_count + to] = *p;
}

void net_link_restore_all(struct machine *m)
{
    memset(world_of(m)->links, 0, m->node_count * m->node_count * sizeof(struct link_policy));
}

/* --- the world -------------------------------------------------------------------------------- */

static struct plan_list put_strings(struct fake_machine *fm, const char *const *v)
{
    struct plan_list l = {0};
    while (v[l.count]) {
        l.count++;
    }
    l.off = fake_plan_put(fm, NULL, l.count * sizeof(plan_str));
    for (uint32_t i = 0; i < l.count; i++) {
        plan_str s = fake_plan_str(fm, v[i]);
        memcpy(fm->plan_bytes + l.off + i * sizeof s, &s, sizeof s);
    }
    return l;
}

struct world *world_create(uint32_t count, uint64_t seed)
{
    static const char *const argv[] = {"/bin/server", NULL};
    struct world *w = the_world = calloc(1, sizeof *w);
    list_init(&blocks);
    struct fake_machine *fm = w->fm = fake_machine_create();
    struct plan *plan = fake_plan(fm);
    w->m = &fm->m;
    w->run_limit = 2000000;
    w->links = calloc(count * count, sizeof *w->links);
    plan->seed = seed;
    plan->nodes.count = count;
    plan->nodes.off = fake_plan_put(fm, NULL, count * sizeof(struct plan_node));
    w->plans = (struct plan_node *)(fm->plan_bytes + plan->nodes.off);
    w->m->sched.current = NULL;
    w->m->node_count = count;
    for (uint32_t id = 0; id < STREAM_COUNT; id++) {
        stream_init(&w->m->streams[id], seed, id, LIMIT_NODES);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct node *n = &w->nodes[i];
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        w->plans[i].name = fake_plan_str(fm, name);
        w->plans[i].argv = put_strings(fm, argv);
        n->m = w->m;
        n->index = i;
        n->plan = &w->plans[i];
        n->name = PLAN_STR(plan, w->plans[i].name);
        list_init(&n->processes);
        list_init(&n->held);
        for (uint32_t id = 0; id < STREAM_COUNT; id++) {
            stream_init(&n->streams[id], seed, id, i);
        }
        w->m->nodes[i] = n;
    }
    return w;
}

void world_destroy(struct world *w)
{
    for (uint32_t i = 0; i < w->m->node_count; i++) {
        struct process *p, *tmp;
        list_for_each_entry_safe (p, tmp, &w->nodes[i].processes, node_link) {
            list_del(&p->node_link);
            free(p);
        }
    }
    while (!list_empty(&blocks)) {
        kfree(w->m, list_first_entry(&blocks, struct block, link)->data);
    }
    fake_machine_destroy(w->fm);
    free(w->links);
    free(w);
    the_world = NULL;
}

void world_boot(struct world *w)
{
    director_boot(w->m);
}

void world_run(struct world *w, vtime until)
{
    struct machine *m = w->m;
    uint64_t rounds = 0;
    while (!m->ending) {
        vtime next = timer_next(m);
        vtime end = m->ends_at ? min_u64(m->ends_at, until) : until;
        assert_true(rounds++ < w->run_limit);
        if (next > end) {
            m->clock.now = max_u64(m->clock.now, end);
            if (m->ends_at && end == m->ends_at) {
                machine_end(m, END_TIME_LIMIT, "the virtual duration is over");
            }
            return;
        }
        m->clock.now = max_u64(m->clock.now, next);
        timer_run_due(m);
    }
}

void world_setup_complete(struct world *w)
{
    w->m->setup_complete = 1;
    director_setup_completed(w->m);
}

struct plan_node *world_plan(struct world *w, uint32_t node)
{
    return &w->plans[node];
}

void world_depends(struct world *w, uint32_t node, uint32_t on, uint32_t condition, bool required)
{
    struct plan_depends d = {on, condition, required};
    struct plan_list *l = &w->plans[node].depends;
    ASSERT(l->count == 0);
    l->off = fake_plan_put(w->fm, &d, sizeof d);
    l->count = 1;
}

void world_health(struct world *w, uint32_t node, const char *command)
{
    const char *argv[] = {command, NULL};
    struct plan_health *h = &w->plans[node].health;
    h->test = put_strings(w->fm, argv);
    h->interval_ns = 10 * SEC;
    h->timeout_ns = 2 * SEC;
    h->retries = 3;
}

/* --- records ---------------------------------------------------------------------------------- */

const struct event *world_event(const struct fake_event *e)
{
    return (const struct event *)(const void *)e->record;
}

const struct fake_event *world_next(const struct world *w, const struct fake_event *after,
                                    enum event_type type)
{
    const struct fake_event *e = after ? after->next : w->fm->events;
    while (e && world_event(e)->type != type) {
        e = e->next;
    }
    return e;
}

json_t *world_json(const struct fake_event *e)
{
    const struct event *ev = world_event(e);
    json_error_t why;
    json_t *j = json_loadb((const char *)ev->payload, ev->length, 0, &why);
    if (!j) {
        fail_msg("%s in %.*s", why.text, (int)ev->length, (const char *)ev->payload);
    }
    return j;
}

unsigned world_count(const struct world *w, const char *name, const char *what, vtime *last)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_CONTAINER));) {
        json_t *j = world_json(e);
        if (strcmp(json_string_value(json_object_get(j, "name")), name) == 0 &&
            strcmp(json_string_value(json_object_get(j, "event")), what) == 0) {
            count++;
            if (last) {
                *last = world_event(e)->vtime_ns;
            }
        }
        json_decref(j);
    }
    return count;
}

uint64_t world_digest(const struct world *w)
{
    uint64_t h = 0;
    for (const struct fake_event *e = w->fm->events; e; e = e->next) {
        for (size_t i = 0; i < e->len; i++) {
            h = stream_mix(h ^ e->record[i]);
        }
    }
    return h;
}
