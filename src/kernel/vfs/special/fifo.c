/* Opening FIFOs (fifo(7)): both sides meet in open(2).
 *
 * On Linux a blocked opener already counts as a reader or writer. Here a handler cannot hold
 * anything while it sleeps, so the pipe remembers (task, ticket); the ticket lies in the task's
 * call state, which the next call clears, so an entry is void as soon as its open ended in any way.
 */
#include "kernel/vfs/special/pipe.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/pipe_priv.h"
#include "kernel/vfs/vfs.h"

#define SCRATCH_COUNTER 4 /* the other side's opens when we began to wait */
#define SCRATCH_TICKET  5

static struct task *pending_task(const struct pipe *p, const struct pipe_pending *e)
{
    struct task *t;

    if (!p->m->nodes[e->node]) {
        return NULL;
    }
    t = task_find(p->m->nodes[e->node], e->tid);
    if (!t || t->id != e->task_id || t->state == TASK_DEAD ||
        t->call.scratch[SCRATCH_TICKET] != e->ticket) {
        return NULL;
    }
    return t;
}

/* Whether anybody on that side is inside open(2); forgets entries that are void. */
static bool side_pending(struct pipe *p, bool writer)
{
    bool found = false;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->pending_count; i++) {
        struct pipe_pending e = p->pending[i];

        if (pending_task(p, &e)) {
            p->pending[kept++] = e;
            found = found || e.writer == writer;
        }
    }
    p->pending_count = kept;
    return found;
}

bool pipe_has_readers(struct pipe *p)
{
    return p->readers > 0 || (p->pending_count > 0 && side_pending(p, false));
}

bool pipe_has_writers(struct pipe *p)
{
    return p->writers > 0 || (p->pending_count > 0 && side_pending(p, true));
}

static void pending_forget(struct pipe *p, const struct task *t)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->pending_count; i++) {
        if (p->pending[i].task_id != t->id) {
            p->pending[kept++] = p->pending[i];
        }
    }
    p->pending_count = kept;
}

static void pending_add(struct pipe *p, struct task *t, bool writer)
{
    if (p->pending_count == p->pending_cap) {
        p->pending_cap = p->pending_cap ? 2 * p->pending_cap : 2;
        p->pending = krealloc(p->m, p->pending, p->pending_cap * sizeof *p->pending);
    }
    p->pending[p->pending_count++] = (struct pipe_pending){
        .task_id = t->id,
        .ticket = t->call.scratch[SCRATCH_TICKET],
        .tid = t->tid,
        .node = t->node->index,
        .writer = writer,
    };
}

/* True when an opener of that side may go on. */
static bool may_open(struct task *t, struct pipe *p, uint32_t flags, bool writer)
{
    uint64_t counter = writer ? p->r_counter : p->w_counter;

    if (p->anonymous || (flags & O_ACCMODE) == O_RDWR || (!writer && (flags & O_NONBLOCK))) {
        return true;
    }
    if (t->call.scratch[SCRATCH_TICKET] != 0 && counter != t->call.scratch[SCRATCH_COUNTER]) {
        return true; /* the other side came, and may even be gone again */
    }
    return writer ? pipe_has_readers(p) : pipe_has_writers(p);
}

int fifo_open(struct task *t, struct inode *inode, struct file *f)
{
    struct pipe *p = inode->pipe ? inode->pipe : pipe_alloc(t->m, inode);
    uint32_t mode = f->flags & O_ACCMODE;
    bool writer = mode == O_WRONLY, first = t->call.scratch[SCRATCH_TICKET] == 0;

    if (!may_open(t, p, f->flags, writer)) {
        if (f->flags & O_NONBLOCK) {
            if (p->files == 0 && p->pending_count == 0) {
                pipe_free(p);
            }
            return -ENXIO;
        }
        if (first) {
            t->call.scratch[SCRATCH_TICKET] = ++p->next_ticket;
            t->call.scratch[SCRATCH_COUNTER] = writer ? p->r_counter : p->w_counter;
            *(writer ? &p->w_counter : &p->r_counter) += 1;
            pending_add(p, t, writer);
            waitq_wake(t->m, &p->open_wq, 0);
        }
        task_wait_on(t, &p->open_wq, 0);
        return -ERESTARTSYS;
    }
    pending_forget(p, t);
    t->call.scratch[SCRATCH_TICKET] = 0;
    pipe_attach(p, f);
    if (first) {
        p->r_counter += mode != O_WRONLY;
        p->w_counter += mode != O_RDONLY;
    }
    waitq_wake(t->m, &p->open_wq, 0);
    return 0;
}

void fifo_evict(struct inode *inode)
{
    struct pipe *p = inode->pipe;

    if (p) {
        ASSERT(p->files == 0);
        pipe_free(p);
    }
}
