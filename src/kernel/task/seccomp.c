/* seccomp(2): classic BPF programs that see a call's number and arguments and decide about it. The
 * programs form a tree: a thread points at its newest filter, every filter at the one before. */
#include "kernel/task/seccomp.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

/* Linux: MAX_INSNS_PER_PATH, and 4 for each filter. */
#define PATH_MAX_INSNS 32768u
#define FILTER_PENALTY 4u
#define DATA_SIZE      ((uint32_t)sizeof(struct seccomp_data))
#define FLAGS_KNOWN                                                                                \
    (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |        \
     SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct seccomp_filter {
    uint32_t refs;
    uint32_t len;
    struct seccomp_filter *older; /* counted */
    struct sock_filter code[];
};

static struct seccomp_filter *get(struct seccomp_filter *f)
{
    if (f) {
        f->refs++;
    }
    return f;
}

static void put(struct machine *m, struct seccomp_filter *f)
{
    while (f && --f->refs == 0) {
        struct seccomp_filter *older = f->older;
        kfree(m, f);
        f = older;
    }
}

void seccomp_copy(struct task *child, const struct task *parent)
{
    child->seccomp_mode = parent->seccomp_mode;
    child->seccomp = get(parent->seccomp);
}

void seccomp_fini(struct task *t)
{
    put(t->m, t->seccomp);
    t->seccomp = NULL;
}

uint32_t seccomp_count(const struct task *t)
{
    uint32_t n = 0;
    for (const struct seccomp_filter *f = t->seccomp; f; f = f->older) {
        n++;
    }
    return n;
}

/* --- programs --------------------------------------------------------------------------------- */

/* What the arithmetic and load instructions of a filter may be (seccomp(2), "BPF details"). */
static bool plain_code_ok(const struct sock_filter *i)
{
    switch (i->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return i->k < DATA_SIZE && i->k % 4 == 0;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return i->k < BPF_MEMWORDS;
    case BPF_ALU | BPF_DIV | BPF_K:
        return i->k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return i->k < 32;
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_ALU | BPF_NEG:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
        return true;
    default:
        break;
    }
    if (BPF_CLASS(i->code) != BPF_ALU) {
        return false;
    }
    uint16_t op = BPF_OP(i->code);
    return i->code == (BPF_ALU | op | BPF_SRC(i->code)) && op <= BPF_XOR && op != BPF_NEG &&
           op != BPF_MOD;
}

static bool jump_ok(const struct sock_filter *i, uint32_t left)
{
    uint16_t op = BPF_OP(i->code);
    if (i->code == (BPF_JMP | BPF_JA)) {
        return i->k < left;
    }
    return i->code == (BPF_JMP | op | BPF_SRC(i->code)) && op >= BPF_JEQ && op <= BPF_JSET &&
           i->jt < left && i->jf < left;
}

static bool program_ok(const struct seccomp_filter *f)
{
    for (uint32_t n = 0; n < f->len; n++) {
        const struct sock_filter *i = &f->code[n];
        bool jump = BPF_CLASS(i->code) == BPF_JMP;
        if (jump ? !jump_ok(i, f->len - n - 1) : !plain_code_ok(i)) {
            return false;
        }
    }
    return BPF_CLASS(f->code[f->len - 1].code) == BPF_RET;
}

struct bpf {
    uint32_t a, x;
    uint32_t mem[BPF_MEMWORDS];
    const struct seccomp_data *data;
};

static uint32_t operand(const struct bpf *b, const struct sock_filter *i)
{
    return BPF_SRC(i->code) == BPF_X ? b->x : i->k;
}

static uint32_t load(const struct bpf *b, const struct sock_filter *i)
{
    uint32_t word;
    switch (BPF_MODE(i->code)) {
    case BPF_IMM:
        return i->k;
    case BPF_MEM:
        return b->mem[i->k];
    case BPF_ABS:
        memcpy(&word, (const unsigned char *)b->data + i->k, sizeof word);
        return word;
    default:
        return DATA_SIZE; /* BPF_LEN */
    }
}

/* False: a division by zero, which ends a program with 0. */
static bool arithmetic(struct bpf *b, const struct sock_filter *i)
{
    uint32_t v = operand(b, i);
    switch (BPF_OP(i->code)) {
    case BPF_ADD:
        b->a += v;
        break;
    case BPF_SUB:
        b->a -= v;
        break;
    case BPF_MUL:
        b->a *= v;
        break;
    case BPF_DIV:
        if (v == 0) {
            return false;
        }
        b->a /= v;
        break;
    case BPF_AND:
        b->a &= v;
        break;
    case BPF_OR:
        b->a |= v;
        break;
    case BPF_XOR:
        b->a ^= v;
        break;
    case BPF_LSH:
        b->a <<= v & 31;
        break;
    case BPF_RSH:
        b->a >>= v & 31;
        break;
    default: /* BPF_NEG */
        b->a = -b->a;
        break;
    }
    return true;
}

/* How many instructions to skip. */
static uint32_t jump(const struct bpf *b, const struct sock_filter *i)
{
    uint32_t v = operand(b, i);
    switch (BPF_OP(i->code)) {
    case BPF_JA:
        return i->k;
    case BPF_JEQ:
        return b->a == v ? i->jt : i->jf;
    case BPF_JGT:
        return b->a > v ? i->jt : i->jf;
    case BPF_JGE:
        return b->a >= v ? i->jt : i->jf;
    default: /* BPF_JSET */
        return b->a & v ? i->jt : i->jf;
    }
}

/* Ends: jumps go forward only, and the last instruction returns. */
static uint32_t run(const struct seccomp_filter *f, const struct seccomp_data *data)
{
    struct bpf b = {.data = data};
    for (uint32_t n = 0;; n++) {
        const struct sock_filter *i = &f->code[n];
        switch (BPF_CLASS(i->code)) {
        case BPF_LD:
            b.a = load(&b, i);
            break;
        case BPF_LDX:
            b.x = load(&b, i);
            break;
        case BPF_ST:
            b.mem[i->k] = b.a;
            break;
        case BPF_STX:
            b.mem[i->k] = b.x;
            break;
        case BPF_ALU:
            if (!arithmetic(&b, i)) {
                return 0;
            }
            break;
        case BPF_JMP:
            n += jump(&b, i);
            break;
        case BPF_RET:
            return BPF_RVAL(i->code) == BPF_A ? b.a : i->k;
        default: /* BPF_MISC */
            if (BPF_MISCOP(i->code) == BPF_TAX) {
                b.x = b.a;
            } else {
                b.a = b.x;
            }
            break;
        }
    }
}

/* --- decisions -------------------------------------------------------------------------------- */

/* The strictest answer of all filters; of equally strict ones the newest. */
static uint32_t decide(const struct task *t, const struct seccomp_data *data)
{
    uint32_t strictest = SECCOMP_RET_ALLOW;
    for (const struct seccomp_filter *f = t->seccomp; f; f = f->older) {
        uint32_t r = run(f, data);
        if ((int32_t)(r & SECCOMP_RET_ACTION_FULL) <
            (int32_t)(strictest & SECCOMP_RET_ACTION_FULL)) {
            strictest = r;
        }
    }
    return strictest;
}

static bool strict_stops(struct task *t, uint64_t nr)
{
    if (nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn) {
        return false;
    }
    task_exit(t, SIGNAL_KILL);
}

bool seccomp_stops(struct task *t, const struct sysargs *a, struct sysret *result)
{
    if (t->seccomp_mode == SECCOMP_STRICT) {
        return strict_stops(t, a->nr);
    }
    struct seccomp_data data = {
        .nr = (int)a->nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = task_regs(t)->rip};
    memcpy(data.args, a->a, sizeof data.args);
    uint32_t r = decide(t, &data);
    uint32_t value = r & SECCOMP_RET_DATA;
    switch (r & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return false;
    case SECCOMP_RET_ERRNO:
        *result = sys_done(-(int64_t)min_u64(value, 4095));
        return true;
    case SECCOMP_RET_TRACE: /* there never is a tracer */
    case SECCOMP_RET_USER_NOTIF:
        *result = sys_done(-ENOSYS);
        return true;
    case SECCOMP_RET_TRAP:
        signal_force_sys(t, data.instruction_pointer, (int32_t)a->nr, (int32_t)value);
        *result = (struct sysret){.kind = SYSRET_NORETURN};
        return true;
    case SECCOMP_RET_KILL_THREAD:
        if (t->process->thread_count > 1) {
            task_exit(t, SIGNAL_SYS);
        }
        break;
    default: /* SECCOMP_RET_KILL_PROCESS, and what nobody knows */
        break;
    }
    task_exit_group(t, SIGNAL_SYS);
}

/* --- installation ----------------------------------------------------------------------------- */

static int64_t read_program(struct task *t, uint64_t addr, struct seccomp_filter **out)
{
    struct sock_fprog prog;
    if (user_read(t, &prog, gaddr_of(addr), sizeof prog)) {
        return -EFAULT;
    }
    if (prog.len == 0 || prog.len > BPF_MAXINSNS) {
        return -EINVAL;
    }
    if (!t->cred.no_new_privs && !task_capable(t, CAP_SYS_ADMIN)) {
        return -EACCES;
    }
    uint32_t total = prog.len;
    for (const struct seccomp_filter *f = t->seccomp; f; f = f->older) {
        total += f->len + FILTER_PENALTY;
    }
    if (total > PATH_MAX_INSNS) {
        return -ENOMEM;
    }
    size_t size = prog.len * sizeof(struct sock_filter);
    struct seccomp_filter *f = kalloc(t->m, sizeof *f + size);
    f->refs = 1;
    f->len = prog.len;
    *out = f;
    if (user_read(t, f->code, gaddr_of((uint64_t)(uintptr_t)prog.filter), size)) {
        return -EFAULT;
    }
    return program_ok(f) ? 0 : -EINVAL;
}

static bool is_ancestor(const struct seccomp_filter *older, const struct seccomp_filter *f)
{
    for (; f && f != older; f = f->older) {
    }
    return f == older;
}

/* A thread that is under filters which the caller is not, or NULL. */
static struct task *out_of_line(struct task *t)
{
    struct task *other;
    list_for_each_entry (other, &t->process->threads, thread_link) {
        if (other->seccomp_mode == SECCOMP_STRICT || !is_ancestor(other->seccomp, t->seccomp)) {
            return other;
        }
    }
    return NULL;
}

static void bring_in_line(struct task *t)
{
    struct task *other;
    list_for_each_entry (other, &t->process->threads, thread_link) {
        if (other != t) {
            put(t->m, other->seccomp);
            seccomp_copy(other, t);
            other->cred.no_new_privs |= t->cred.no_new_privs;
        }
    }
}

static int64_t add_filter(struct task *t, uint64_t flags, uint64_t addr)
{
    struct seccomp_filter *f = NULL;
    if (flags & ~(uint64_t)FLAGS_KNOWN) {
        if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
            trace_unknown(t, "seccomp flags", flags, 0, -EINVAL);
        }
        return -EINVAL;
    }
    int64_t err = read_program(t, addr, &f);
    if (err == 0 && t->seccomp_mode == SECCOMP_STRICT) {
        err = -EINVAL;
    }
    struct task *other = err == 0 && flags & SECCOMP_FILTER_FLAG_TSYNC ? out_of_line(t) : NULL;
    if (other) {
        err = flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : other->tid;
    }
    if (err) {
        kfree(t->m, f);
        return err;
    }
    f->older = t->seccomp; /* the thread's reference is the new filter's now */
    t->seccomp = f;
    t->seccomp_mode = SECCOMP_FILTERED;
    if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
        bring_in_line(t);
    }
    return 0;
}

static int64_t set_strict(struct task *t)
{
    if (t->seccomp_mode == SECCOMP_FILTERED) {
        return -EINVAL;
    }
    t->seccomp_mode = SECCOMP_STRICT;
    return 0;
}

int64_t seccomp_set_mode(struct task *t, uint64_t mode, uint64_t addr)
{
    switch (mode) {
    case SECCOMP_MODE_STRICT:
        return set_strict(t);
    case SECCOMP_MODE_FILTER:
        return add_filter(t, 0, addr);
    default:
        return -EINVAL;
    }
}

static int64_t action_available(struct task *t, uint64_t addr)
{
    uint32_t action;
    if (user_read(t, &action, gaddr_of(addr), sizeof action)) {
        return -EFAULT;
    }
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

struct sysret sys_seccomp(struct task *t, const struct sysargs *a)
{
    uint64_t flags = (uint32_t)a->a[1];
    switch ((uint32_t)a->a[0]) {
    case SECCOMP_SET_MODE_STRICT:
        return sys_done(flags || a->a[2] ? -EINVAL : set_strict(t));
    case SECCOMP_SET_MODE_FILTER:
        return sys_done(add_filter(t, flags, a->a[2]));
    case SECCOMP_GET_ACTION_AVAIL:
        return sys_done(flags ? -EINVAL : action_available(t, a->a[2]));
    default: /* SECCOMP_GET_NOTIF_SIZES: as a kernel before user notification */
        return sys_done(-EINVAL);
    }
}
