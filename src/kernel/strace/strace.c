#include "kernel/strace/strace.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/strace/errno_names.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

struct line {
    char text[1024];
    size_t len;
};

static void add(struct line *l, const char *fmt, ...) printf_like(2, 3);

static void add(struct line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t room = sizeof l->text - l->len;
    size_t n = str_vformat(l->text + l->len, room, fmt, ap);
    va_end(ap);
    l->len += n < room ? n : room - 1;
}

/* Quotes up to 32 bytes, as strace's default string size. */
static void add_bytes(struct line *l, struct task *t, uint64_t addr, uint64_t len, bool is_string)
{
    unsigned char bytes[33];
    size_t n = user_read_some(t, bytes, gaddr_of(addr), (size_t)min_u64(len, sizeof bytes));
    bool more = len > 32;
    if (is_string) {
        const char *nul = str_chr((char *)bytes, 0, n);
        more = !nul;
        n = nul ? (size_t)(nul - (char *)bytes) : n;
    } else if (n == 0 && len > 0) {
        add(l, "%#lx", (unsigned long)addr);
        return;
    }
    n = n > 32 ? 32 : n;
    add(l, "\"");
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            add(l, "\\n");
        } else if (bytes[i] == '"' || bytes[i] == '\\') {
            add(l, "\\%c", bytes[i]);
        } else if (bytes[i] >= 32 && bytes[i] < 127) {
            add(l, "%c", bytes[i]);
        } else {
            add(l, "\\%o", bytes[i]);
        }
    }
    add(l, more ? "\"..." : "\"");
}

static void add_path(struct line *l, struct task *t, uint64_t addr)
{
    char path[256];
    int64_t n = user_read_str(t, path, gaddr_of(addr), sizeof path);
    if (addr == 0) {
        add(l, "NULL");
    } else if (n == -EFAULT) {
        add(l, "%#lx", (unsigned long)addr);
    } else if (n < 0) {
        add(l, "\"%.*s\"...", (int)sizeof path, path);
    } else {
        add(l, "\"%s\"", path);
    }
}

static void add_arg(struct line *l, struct task *t, const char *kind, const uint64_t *a,
                    int64_t ret)
{
    uint64_t v = a[0];
    switch (*kind) {
    case 'd':
    case 'f':
    case 'g':
        add(l, "%d", (int)v);
        break;
    case 'u':
        add(l, "%lu", (unsigned long)v);
        break;
    case 'o':
        add(l, "%#lo", (unsigned long)v);
        break;
    case 's':
        add_path(l, t, v);
        break;
    case 'b':
        add_bytes(l, t, v, a[1], false);
        break;
    case 'B':
        add_bytes(l, t, v, ret > 0 ? (uint64_t)ret : 0, false);
        break;
    default:
        if (v) {
            add(l, "%#lx", (unsigned long)v);
        } else {
            add(l, *kind == 'x' ? "0" : "NULL");
        }
    }
}

static void add_result(struct line *l, struct sysret r)
{
    if (r.kind == SYSRET_NORETURN) {
        add(l, " = ?");
    } else if (r.value >= 0 || r.value < -4095) {
        bool address = (uint64_t)r.value > 0xffffffff;
        add(l, address ? " = %#lx" : " = %ld", (long)r.value);
    } else {
        const char *name = errno_name((int)-r.value);
        add(l, " = -1 %s", name);
    }
}

void strace_call(struct task *t, const struct syscall_row *row, const struct sysargs *a,
                 struct sysret r)
{
    struct line l = {.len = 0};
    uint64_t us = t->m->clock.now / NSEC_PER_USEC;
    add(&l, "[%d] %lu.%06lu ", t->tid, (unsigned long)(us / 1000000),
        (unsigned long)(us % 1000000));
    if (!row) {
        add(&l, "syscall_%#lx(%#lx, %#lx, %#lx)", (unsigned long)a->nr, (unsigned long)a->a[0],
            (unsigned long)a->a[1], (unsigned long)a->a[2]);
    } else {
        add(&l, "%s(", row->name);
        for (unsigned i = 0; i < 6 && row->args[i]; i++) {
            if (i > 0) {
                add(&l, ", ");
            }
            add_arg(&l, t, &row->args[i], &a->a[i], r.value);
        }
        add(&l, ")");
    }
    add_result(&l, r);
    trace_text(t->m, EVENT_STRACE, t->node, l.text, l.len);
}
