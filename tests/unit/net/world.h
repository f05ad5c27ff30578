/* A small network for unit tests: nodes n0, n1, n2 on one network 10.0.0.0/24 (10.0.0.10 + i) and
 * fd00::/64, each with one process, on the fake machine. Descriptors and inodes are stand-ins. */
#ifndef EVERETT_TESTS_NET_WORLD_H
#define EVERETT_TESTS_NET_WORLD_H

#include "abi/socket.h"
#include "fake_machine.h"
#include "kernel/net/net.h"
#include "kernel/net/netns.h"
#include "kernel/syscalls/handlers.h"

#define WORLD_NODES 3
#define WORLD_FDS   2048

struct world {
    struct fake_machine *fm;
    struct machine *m;
    struct node *nodes[WORLD_NODES];
    struct task *tasks[WORLD_NODES];
    gaddr buf, addr, len, opt, hdr; /* scratch in guest memory */
    uint64_t live_before;
};

#define WORLD_BUF (4u << 20)

void world_up(struct world *w, uint64_t latency_ns, uint64_t jitter_ns, uint32_t loss_ppm);
/* Closes every descriptor, lets what remains time out, frees the network, and fails the test if a
 * single allocation is left. */
void world_down(struct world *w);

/* Fires timers up to now + ns, each at its own time. */
void world_run(struct world *w, uint64_t ns);
/* One attempt of a call: its result or FAKE_BLOCKED. */
int64_t world_try(struct world *w, int node, syscall_fn fn, const uint64_t a[6]);
/* Repeats a call that blocks while timers run, for at most ns of virtual time. */
int64_t world_call(struct world *w, int node, syscall_fn fn, const uint64_t a[6], uint64_t ns);

/* Short forms on IPv4 addresses; node -1 means 127.0.0.1, -2 the wildcard. All are single attempts.
 */
int sock_new(struct world *w, int node, int family, int type);
int64_t sock_bind(struct world *w, int node, int fd, int on, uint16_t port);
int64_t sock_connect(struct world *w, int node, int fd, int to, uint16_t port);
int64_t sock_listen(struct world *w, int node, int fd, int backlog);
int64_t sock_accept(struct world *w, int node, int fd);
int64_t sock_write(struct world *w, int node, int fd, const void *data, size_t n, uint32_t flags);
int64_t sock_read(struct world *w, int node, int fd, void *data, size_t n, uint32_t flags);
int64_t sock_sendto(struct world *w, int node, int fd, const void *data, size_t n, int to,
                    uint16_t port);
int64_t sock_set(struct world *w, int node, int fd, int level, int name, int v);
int64_t sock_get(struct world *w, int node, int fd, int level, int name);
uint32_t sock_poll(struct world *w, int node, int fd);
int64_t sock_shut(struct world *w, int node, int fd, int how);
void sock_close(struct world *w, int node, int fd);

/* A connection from node a to node b on port; fds[0] at a, fds[1] at b; lfd stays open if wanted.
 */
void connect_pair(struct world *w, int a, int b, uint16_t port, int fds[2], int *lfd);

#endif
