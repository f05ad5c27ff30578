#include "explorer/crew.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"

/* The n-th CPU this process may run on, or -1 when there are not that many. */
static int nth_core(size_t n)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) {
        return -1;
    }
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET((size_t)i, &set) && n-- == 0) {
            return i;
        }
    }
    return -1;
}

int crew_init(struct crew *c, const struct worker_setup *common, size_t count, struct err *err)
{
    *c = (struct crew){.setup = *common, .count = count};
    void *p = mmap(NULL, count * sizeof *c->slots, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return err_errno(err, errno, "cannot share memory with workers");
    }
    c->slots = p;
    c->members = mem_zalloc(count * sizeof *c->members);
    for (size_t i = 0; i < count; i++) {
        c->members[i].socket = -1;
        c->members[i].core = nth_core(i);
    }
    return 0;
}

void crew_fini(struct crew *c)
{
    for (size_t i = 0; c->members && i < c->count; i++) {
        struct crew_member *m = &c->members[i];
        if (m->pid) {
            if (m->busy) {
                kill(m->pid, SIGKILL);
            }
            close(m->socket); /* an idle worker leaves by itself */
            while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR) {
            }
        }
        buf_free(&m->input);
    }
    free(c->members);
    if (c->slots) {
        munmap(c->slots, c->count * sizeof *c->slots);
    }
    *c = (struct crew){0};
}

/* --- starting --------------------------------------------------------------------------------- */

/* The database and the lock belong to the explorer alone: a lock held by a worker would outlive it.
 */
static void close_run_files(const char *run_dir)
{
    cleanup_free char *base = realpath(run_dir, NULL);
    cleanup_closedir DIR *dir = opendir("/proc/self/fd");
    size_t n = base ? strlen(base) : 0;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char target[PATH_MAX];
        ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
        if (len > 0 && base) {
            target[len] = 0;
            if (strncmp(target, base, n) == 0 && target[n] == '/') {
                close(atoi(e->d_name));
            }
        }
    }
}

static _Noreturn void become_worker(struct crew *c, size_t member, int socket)
{
    struct worker_setup s = c->setup;
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].socket >= 0) {
            close(c->members[i].socket); /* or its worker would never see the explorer leave */
        }
    }
    close_run_files(s.run_dir);
    s.socket = socket;
    s.core = c->members[member].core;
    s.slot = &c->slots[member];
    worker_main(&s);
}

int crew_start(struct crew *c, size_t member, struct err *err)
{
    struct crew_member *m = &c->members[member];
    int pair[2];
    ASSERT(m->pid == 0);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return err_errno(err, errno, "cannot talk to a worker");
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        become_worker(c, member, pair[1]);
    }
    int failed = pid < 0 ? errno : 0;
    close(pair[1]);
    if (failed) {
        close(pair[0]);
        return err_errno(err, failed, "cannot start a worker");
    }
    m->pid = pid;
    m->socket = pair[0];
    m->busy = false;
    buf_reset(&m->input);
    return 0;
}

/* --- talking ---------------------------------------------------------------------------------- */

bool crew_give(struct crew *c, size_t member, const struct worker_job *job)
{
    struct crew_member *m = &c->members[member];
    ASSERT(!m->busy);
    m->busy = true;
    m->job = *job;
    m->tick = (struct worker_tick){0};
    return message_send(m->socket, MESSAGE_JOB, job, sizeof *job) == 0;
}

void crew_stop(struct crew *c)
{
    for (size_t i = 0; i < c->count; i++) {
        c->slots[i].stop = 1;
    }
}

size_t crew_busy(const struct crew *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++) {
        n += c->members[i].busy;
    }
    return n;
}

static void read_input(struct crew_member *m)
{
    for (;;) {
        buf_reserve(&m->input, 65536);
        ssize_t n = recv(m->socket, m->input.data + m->input.len, m->input.cap - m->input.len - 1,
                         MSG_DONTWAIT);
        if (n > 0) {
            m->input.len += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

void crew_wait(struct crew *c, int timeout_ms)
{
    struct pollfd *p = mem_zalloc(c->count * sizeof *p);
    for (size_t i = 0; i < c->count; i++) {
        p[i].fd = c->members[i].pid ? c->members[i].socket : -1;
        p[i].events = POLLIN;
    }
    if (poll(p, c->count, timeout_ms) > 0) {
        for (size_t i = 0; i < c->count; i++) {
            if (p[i].revents) {
                read_input(&c->members[i]);
            }
        }
    }
    free(p);
}

bool crew_message(struct crew *c, size_t member, struct message_head *head, const char **data)
{
    struct buf *in = &c->members[member].input;
    if (*data) { /* the message handed out before */
        size_t used = (size_t)(*data - in->data) + (size_t)head->len;
        memmove(in->data, in->data + used, in->len - used);
        in->len -= used;
        *data = NULL;
    }
    if (in->len < sizeof *head) {
        return false;
    }
    memcpy(head, in->data, sizeof *head);
    ASSERT(head->len <= MESSAGE_LEN_MAX);
    if (in->len - sizeof *head < head->len) {
        return false;
    }
    *data = in->data + sizeof *head;
    return true;
}

bool crew_reap(struct crew *c, size_t member, int *status)
{
    struct crew_member *m = &c->members[member];
    if (!m->pid || waitpid(m->pid, status, WNOHANG) != m->pid) {
        return false;
    }
    read_input(m); /* what it said last */
    close(m->socket);
    m->socket = -1;
    m->pid = 0;
    return true;
}
