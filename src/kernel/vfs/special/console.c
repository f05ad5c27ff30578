/* Where containers and commands write: descriptors that look like the pipes Docker gives them.
 *
 * A console collects lines; what the last writer leaves unfinished is sent as a partial line. A raw
 * output passes bytes through (`exec`). Neither ever blocks or answers as a terminal. */
#include "abi/event.h"
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define BUFFER_MIN 512u

struct console {
    struct inode inode; /* first: freed through it. Opening it again reaches the same console */
    struct node *node;
    uint32_t writers;
    uint32_t command_id;
    uint8_t stream;
    bool raw, is_probe;
    uint32_t last_pid; /* who wrote the unfinished line */
    char *buf;
    uint32_t len, cap;
};

static void emit(struct console *c, const char *data, uint32_t len, bool partial)
{
    struct event_output head = {.stream = c->stream,
                                .partial = partial,
                                .is_probe = c->is_probe,
                                .command_id = c->command_id};
    struct trace_part parts[] = {{&head, sizeof head}, {data, len}};

    trace_event(c->node->m, c->raw ? EVENT_TTY : EVENT_OUTPUT, c->node, c->last_pid, parts, 2);
}

/* Sends every finished line, and a full buffer in pieces; keeps the rest. */
static void emit_lines(struct console *c)
{
    uint32_t start = 0;

    while (start < c->len) {
        const char *line = c->buf + start;
        const char *end = str_chr(line, '\n', c->len - start);

        if (!end) {
            break;
        }
        emit(c, line, (uint32_t)(end - line), false);
        start = (uint32_t)(end - c->buf) + 1;
    }
    c->len -= start;
    memmove(c->buf, c->buf + start, c->len);
    if (c->len == LIMIT_OUTPUT_LINE) {
        emit(c, c->buf, c->len, true);
        c->len = 0;
    }
}

static void make_room(struct console *c, uint64_t want)
{
    uint32_t cap = c->cap ? c->cap : BUFFER_MIN;

    while (cap - c->len < want && cap < LIMIT_OUTPUT_LINE) {
        cap *= 2;
    }
    if (cap != c->cap) {
        c->buf = krealloc(c->node->m, c->buf, cap);
        c->cap = cap;
    }
}

static int64_t console_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct console *c = f->priv;
    int64_t total = 0;

    while (from->left > 0) {
        uint64_t n;
        int64_t r;

        make_room(c, from->left);
        n = min_u64(from->left, c->cap - c->len);
        r = uio_copy_from(from, c->buf + c->len, n);
        if (r < 0) {
            return total ? total : r;
        }
        c->len += (uint32_t)r;
        c->last_pid = t ? (uint32_t)t->process->pid : c->last_pid;
        total += r;
        if (c->raw) {
            emit(c, c->buf, c->len, false);
            c->len = 0;
        } else {
            emit_lines(c);
        }
        if ((uint64_t)r < n) {
            break;
        }
    }
    return total;
}

static uint32_t console_poll(struct file *f)
{
    return ABI_POLLOUT | ABI_POLLWRNORM;
}

/* The last writer is gone: whatever it left unfinished is all there will be. */
static void console_release(struct machine *m, struct file *f)
{
    struct console *c = f->priv;

    if (--c->writers == 0 && c->len > 0) {
        emit(c, c->buf, c->len, true);
        c->len = 0;
    }
}

static const struct file_ops console_ops = {
    .name = "console",
    .write = console_write,
    .poll = console_poll,
    .release = console_release,
};

static int console_open(struct task *t, struct inode *inode, struct file *f)
{
    struct console *c = container_of(inode, struct console, inode);

    f->ops = &console_ops;
    f->priv = c;
    c->writers++;
    return 0;
}

static void console_evict(struct inode *inode)
{
    kfree(inode->sb->m, container_of(inode, struct console, inode)->buf);
}

/* A program that logs to /dev/stdout opens it again through /proc/self/fd. */
static const struct inode_ops console_inode_ops = {.open = console_open, .evict = console_evict};

static struct file *create(struct node *n, uint8_t stream, uint32_t command_id, bool raw)
{
    struct machine *m = n->m;
    struct console *c = KALLOC(m, struct console);
    struct file *f = file_create(m, &console_ops, O_WRONLY);

    inode_init(&c->inode, m->vfs->anon, &console_inode_ops, ABI_S_IFIFO | 0600, ++m->next_anon_ino);
    c->inode.priv = (void *)(uintptr_t) "pipe"; /* its name, as anon_inode_create has it */
    c->node = n;
    c->command_id = command_id;
    c->stream = stream;
    c->raw = raw;
    c->writers = 1;
    f->inode = &c->inode;
    f->priv = c;
    return f;
}

struct file *console_create(struct node *n, uint8_t stream, uint32_t command_id)
{
    return create(n, stream, command_id, false);
}

struct file *console_create_probe(struct node *n, uint8_t stream)
{
    struct file *f = create(n, stream, 0, false);
    ((struct console *)f->priv)->is_probe = true;
    return f;
}

struct file *rawout_create(struct node *n, uint8_t stream)
{
    return create(n, stream, 0, true);
}
