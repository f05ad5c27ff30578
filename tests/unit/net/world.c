#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/sock.h"
#include "kernel/net/tcp.h"
#include "kernel/task/cred.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"

/* --- stand-ins for the vfs -----------------------------------------------------------------------
 */

struct file *file_create(struct machine *m, const struct file_ops *ops, uint32_t flags)
{
    struct file *f = KALLOC(m, struct file);
    f->ops = ops;
    f->m = m;
    f->refs = 1;
    f->flags = flags;
    list_init(&f->epoll_links);
    return f;
}

struct file *file_get(struct file *f)
{
    f->refs++;
    return f;
}

void file_put(struct file *f)
{
    if (f && --f->refs == 0) {
        if (f->ops->release) {
            f->ops->release(f->m, f);
        }
        inode_put(f->inode);
        kfree(f->m, f);
    }
}

static struct machine *inode_machine;

struct inode *anon_inode_create(struct machine *m, const char *kind, uint32_t mode)
{
    inode_machine = m;
    struct inode *i = KALLOC(m, struct inode);
    i->refs = 1;
    i->mode = mode;
    i->ino = ++m->next_anon_ino;
    return i;
}

struct inode *inode_get(struct inode *i)
{
    i->refs++;
    return i;
}

void inode_put(struct inode *i)
{
    if (i && --i->refs == 0) {
        kfree(inode_machine, i);
    }
}

struct file *fd_file(struct task *t, int fd)
{
    return fd >= 0 && (uint32_t)fd < t->fds->cap ? t->fds->slots[fd].file : NULL;
}

struct file *fd_file_io(struct task *t, int fd)
{
    return fd_file(t, fd);
}

int fd_install(struct task *t, struct file *f, int min, bool cloexec)
{
    for (uint32_t fd = (uint32_t)min; fd < t->fds->cap; fd++) {
        if (!t->fds->slots[fd].file) {
            t->fds->slots[fd] = (struct fd_entry){f, cloexec};
            return (int)fd;
        }
    }
    return -EMFILE;
}

int fd_close(struct task *t, int fd)
{
    struct file *f = fd_file(t, fd);
    if (!f) {
        return -EBADF;
    }
    t->fds->slots[fd].file = NULL;
    file_put(f);
    return 0;
}

uint64_t rlimit_soft(const struct process *p, unsigned resource)
{
    return WORLD_FDS;
}

int64_t clock_realtime_ns(const struct node *n)
{
    return (int64_t)n->m->clock.now + n->m->clock.realtime_offset_ns;
}

uint64_t timespec_ns(const struct abi_timespec *ts)
{
    return (uint64_t)ts->sec * NSEC_PER_SEC + (uint64_t)ts->nsec;
}

/* Paths: the abstract name space is what unit tests use; paths are tested by guest programs. */
int vfs_lookup(struct task *t, int dirfd, const char *path, uint32_t flags, struct path *out)
{
    return -ENOENT;
}

int vfs_permission(struct task *t, const struct path *p, uint32_t bits)
{
    return 0;
}

void path_put(struct path *p)
{
}

int walk_init(struct walk *w, struct task *t, int dirfd, const char *path, uint32_t flags)
{
    return -ENOENT;
}

void walk_fini(struct walk *w)
{
}

int tree_mknod(struct walk *w, uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor)
{
    return -EROFS;
}

int vfs_node_write_file(struct node *n, const char *path, const void *data, size_t len,
                        uint32_t mode)
{
    return 0;
}

/* --- the world
 * ------------------------------------------------------------------------------------- */

static void plan_up(struct fake_machine *fm)
{
    struct plan *p = fake_plan(fm);
    struct plan_network nw = {.subnet4 = {10, 0, 0, 0},
                              .prefix4 = 24,
                              .gateway4 = {10, 0, 0, 1},
                              .subnet6 = {0xfd},
                              .prefix6 = 64,
                              .gateway6 = {0xfd, [15] = 1}};
    nw.name = fake_plan_str(fm, "backend");
    p->networks = (struct plan_list){fake_plan_put(fm, &nw, sizeof nw), 1};
    struct plan_node nodes[WORLD_NODES] = {0};
    for (int i = 0; i < WORLD_NODES; i++) {
        char name[16];
        struct plan_attach at = {.addr4 = {10, 0, 0, (uint8_t)(10 + i)},
                                 .addr6 = {0xfd, [15] = (uint8_t)(0x10 + i)}};
        plan_str alias = fake_plan_str(fm, i == 0 ? "leader" : "follower");
        at.aliases = (struct plan_list){fake_plan_put(fm, &alias, sizeof alias), 1};
        nodes[i].attaches = (struct plan_list){fake_plan_put(fm, &at, sizeof at), 1};
        snprintf(name, sizeof name, "n%d", i);
        nodes[i].name = fake_plan_str(fm, name);
        snprintf(name, sizeof name, "host%d", i);
        nodes[i].hostname = fake_plan_str(fm, name);
        nodes[i].service = fake_plan_str(fm, "store");
    }
    p->nodes = (struct plan_list){fake_plan_put(fm, nodes, sizeof nodes), WORLD_NODES};
}

static struct task *node_task(struct world *w, int i)
{
    struct task *t = i == 0 ? &w->fm->task : fake_task_create(w->fm);
    t->node = w->nodes[i];
    t->process->node = w->nodes[i];
    t->fds = calloc(1, sizeof *t->fds);
    t->fds->cap = WORLD_FDS;
    t->fds->slots = calloc(WORLD_FDS, sizeof *t->fds->slots);
    return t;
}

void world_up(struct world *w, uint64_t latency_ns, uint64_t jitter_ns, uint32_t loss_ppm)
{
    struct fake_machine *fm = fake_machine_create();
    *w = (struct world){.fm = fm, .m = &fm->m};
    w->live_before = fm->live;
    plan_up(fm);
    struct plan *p = fake_plan(fm);
    p->link = (struct plan_link){latency_ns, jitter_ns, loss_ppm, 0};
    for (int i = 0; i < WORLD_NODES; i++) {
        struct node *n = i == 0 ? &fm->node : calloc(1, sizeof *n);
        n->m = w->m;
        n->index = (uint32_t)i;
        n->plan = PLAN_AT(p, p->nodes, struct plan_node, i);
        n->name = PLAN_STR(p, n->plan->name);
        snprintf(n->hostname, sizeof n->hostname, "host%d", i);
        for (uint32_t s = 0; s < STREAM_COUNT; s++) {
            stream_init(&n->streams[s], 7, s, (uint32_t)i);
        }
        w->m->nodes[i] = w->nodes[i] = n;
    }
    w->m->node_count = WORLD_NODES;
    w->m->clock.now = NSEC_PER_SEC;
    for (int i = 0; i < WORLD_NODES; i++) {
        w->tasks[i] = node_task(w, i);
    }
    w->buf = fake_guest(fm, WORLD_BUF);
    w->addr = fake_guest(fm, 128);
    w->len = fake_guest(fm, 16);
    w->opt = fake_guest(fm, 512);
    w->hdr = fake_guest(fm, 4096);
    net_boot(w->m);
    for (int i = 0; i < WORLD_NODES; i++) {
        net_node_up(w->nodes[i]);
    }
}

void world_down(struct world *w)
{
    for (int i = 0; i < WORLD_NODES; i++) {
        fake_task_switch(w->fm, w->tasks[i]);
        for (int fd = 0; fd < WORLD_FDS; fd++) {
            fd_close(w->tasks[i], fd);
        }
    }
    net_link_restore_all(w->m);
    world_run(w, 2000 * NSEC_PER_SEC); /* orphans and TIME_WAIT end by themselves */
    for (int i = 0; i < WORLD_NODES; i++) {
        assert_true(list_empty(&w->nodes[i]->net->timewaits));
        unsigned left = 0;
        struct sock *sk;
        list_for_each_entry (sk, &w->nodes[i]->net->socks, ns_link) {
            left++;
        }
        assert_int_equal(left, 1); /* the resolver's listener */
    }
    net_fini(w->m);
    assert_int_equal(w->m->timers.count, 0);
    kfree(w->m, w->m->timers.items);
    assert_int_equal(w->fm->live, w->live_before);
    for (int i = 0; i < WORLD_NODES; i++) {
        free(w->tasks[i]->fds->slots);
        free(w->tasks[i]->fds);
        if (i > 0) {
            free(w->nodes[i]);
        }
    }
    fake_machine_destroy(w->fm);
}

static bool fire_next(struct world *w, vtime end)
{
    vtime next = timer_next(w->m);
    if (next > end) {
        return false;
    }
    if (next > w->m->clock.now) {
        w->m->clock.now = next;
    }
    timer_run_due(w->m);
    return true;
}

void world_run(struct world *w, uint64_t ns)
{
    vtime end = w->m->clock.now + ns;
    while (fire_next(w, end)) {
    }
    w->m->clock.now = end;
}

static struct sysret attempt(struct world *w, struct task *t, syscall_fn fn, const uint64_t a[6])
{
    struct sysargs args = {0};
    memcpy(args.a, a, sizeof args.a);
    w->fm->wait_until = VTIME_NEVER;
    fake_task_switch(w->fm, t);
    return fn(t, &args);
}

static int64_t finish(struct world *w, struct task *t, int64_t value)
{
    kfree(w->m, t->call.held);
    memset(&t->call, 0, sizeof t->call);
    return value;
}

int64_t world_try(struct world *w, int node, syscall_fn fn, const uint64_t a[6])
{
    struct task *t = w->tasks[node];
    struct sysret r = attempt(w, t, fn, a);
    return finish(w, t, r.kind == SYSRET_BLOCK ? FAKE_BLOCKED : r.value);
}

int64_t world_call(struct world *w, int node, syscall_fn fn, const uint64_t a[6], uint64_t ns)
{
    struct task *t = w->tasks[node];
    vtime end = w->m->clock.now + ns;
    for (;;) {
        struct sysret r = attempt(w, t, fn, a);
        if (r.kind != SYSRET_BLOCK) {
            return finish(w, t, r.value);
        }
        t->call.retry = true;
        vtime until = w->fm->wait_until;
        if (until <= end && until < timer_next(w->m)) {
            w->m->clock.now = until;
        } else if (!fire_next(w, end)) {
            return finish(w, t, FAKE_BLOCKED);
        }
    }
}

/* --- short forms
 * ----------------------------------------------------------------------------------- */

#define TRY(node, fn, ...) world_try(w, (node), (fn), FAKE_ARGS(__VA_ARGS__))

static void put_addr(struct world *w, int to, uint16_t port)
{
    struct sockaddr_in *in = fake_ptr(w->addr);
    uint32_t host = to == -2 ? 0 : to == -1 ? 0x7f000001u : 0x0a00000au + (uint32_t)to;
    *in = (struct sockaddr_in){.sin_family = ABI_AF_INET, .sin_port = be16(port)};
    in->sin_addr.s_addr = be32(host);
}

int sock_new(struct world *w, int node, int family, int type)
{
    return (int)TRY(node, sys_socket, (uint64_t)family, (uint64_t)type, 0);
}

int64_t sock_bind(struct world *w, int node, int fd, int on, uint16_t port)
{
    put_addr(w, on, port);
    return TRY(node, sys_bind, (uint64_t)fd, w->addr.va, 16);
}

int64_t sock_connect(struct world *w, int node, int fd, int to, uint16_t port)
{
    put_addr(w, to, port);
    return TRY(node, sys_connect, (uint64_t)fd, w->addr.va, 16);
}

int64_t sock_listen(struct world *w, int node, int fd, int backlog)
{
    return TRY(node, sys_listen, (uint64_t)fd, (uint64_t)backlog);
}

int64_t sock_accept(struct world *w, int node, int fd)
{
    return TRY(node, sys_accept, (uint64_t)fd, 0, 0);
}

int64_t sock_write(struct world *w, int node, int fd, const void *data, size_t n, uint32_t flags)
{
    memcpy(fake_ptr(w->buf), data, n);
    return TRY(node, sys_sendto, (uint64_t)fd, w->buf.va, n, flags | ABI_MSG_DONTWAIT);
}

int64_t sock_read(struct world *w, int node, int fd, void *data, size_t n, uint32_t flags)
{
    int64_t got = TRY(node, sys_recvfrom, (uint64_t)fd, w->buf.va, n, flags | ABI_MSG_DONTWAIT);
    if (got > 0) {
        memcpy(data, fake_ptr(w->buf), (size_t)got < n ? (size_t)got : n);
    }
    return got;
}

int64_t sock_sendto(struct world *w, int node, int fd, const void *data, size_t n, int to,
                    uint16_t port)
{
    memcpy(fake_ptr(w->buf), data, n);
    put_addr(w, to, port);
    return TRY(node, sys_sendto, (uint64_t)fd, w->buf.va, n, ABI_MSG_DONTWAIT, w->addr.va, 16);
}

int64_t sock_set(struct world *w, int node, int fd, int level, int name, int v)
{
    memcpy(fake_ptr(w->opt), &v, sizeof v);
    return TRY(node, sys_setsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name, w->opt.va,
               sizeof v);
}

int64_t sock_get(struct world *w, int node, int fd, int level, int name)
{
    int v = 0, len = sizeof v;
    memcpy(fake_ptr(w->opt), &v, sizeof v);
    memcpy(fake_ptr(w->len), &len, sizeof len);
    int64_t err = TRY(node, sys_getsockopt, (uint64_t)fd, (uint64_t)level, (uint64_t)name,
                      w->opt.va, w->len.va);
    memcpy(&v, fake_ptr(w->opt), sizeof v);
    return err ? err : v;
}

uint32_t sock_poll(struct world *w, int node, int fd)
{
    return file_poll(fd_file(w->tasks[node], fd));
}

int64_t sock_shut(struct world *w, int node, int fd, int how)
{
    return TRY(node, sys_shutdown, (uint64_t)fd, (uint64_t)how);
}

void sock_close(struct world *w, int node, int fd)
{
    fake_task_switch(w->fm, w->tasks[node]);
    assert_int_equal(fd_close(w->tasks[node], fd), 0);
}

void connect_pair(struct world *w, int a, int b, uint16_t port, int fds[2], int *lfd)
{
    int l = sock_new(w, b, ABI_AF_INET, ABI_SOCK_STREAM);
    assert_int_equal(sock_set(w, b, l, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(sock_bind(w, b, l, -2, port), 0);
    assert_int_equal(sock_listen(w, b, l, 16), 0);
    fds[0] = sock_new(w, a, ABI_AF_INET, ABI_SOCK_STREAM);
    put_addr(w, a == b ? -1 : b, port);
    assert_int_equal(world_call(w, a, sys_connect, FAKE_ARGS((uint64_t)fds[0], w->addr.va, 16),
                                10 * NSEC_PER_SEC),
                     0);
    fds[1] = (int)world_call(w, b, sys_accept, FAKE_ARGS((uint64_t)l, 0, 0), 10 * NSEC_PER_SEC);
    assert_true(fds[1] >= 0);
    if (lfd) {
        *lfd = l;
    } else {
        sock_close(w, b, l);
    }
}
