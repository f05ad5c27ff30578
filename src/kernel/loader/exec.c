/* execve(2) and execveat(2). */
#include "kernel/loader/exec.h"

#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/strace/errno_names.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/special/proc.h"
#include "kernel/vfs/vfs.h"

#define SCRIPT_DEPTH_MAX 4   /* Linux fs/exec.c: 5 formats, ELOOP beyond */
#define SCRIPT_LINE_MAX  256 /* BINPRM_BUF_SIZE */

void exec_plan_free(struct machine *m, struct exec_plan *p)
{
    if (p) {
        file_put(p->exe);
        file_put(p->interp);
        kfree(m, p->filename);
        kfree(m, p->strings);
        kfree(m, p);
    }
}

static int add_string(struct machine *m, struct exec_plan *p, const char *s, size_t len)
{
    if (len + 1 > LIMIT_ARG_STRLEN || p->strings_len + len + 1 > LIMIT_ARG_BYTES) {
        return -E2BIG;
    }
    if (p->strings_len + len + 1 > p->strings_cap) {
        p->strings_cap = max_u64(2 * p->strings_cap, round_up_u64(p->strings_len + len + 1, 4096));
        p->strings = krealloc(m, p->strings, p->strings_cap);
    }
    memcpy(p->strings + p->strings_len, s, len);
    p->strings[p->strings_len + len] = 0;
    p->strings_len += len + 1;
    return 0;
}

int exec_add_arg(struct machine *m, struct exec_plan *p, const char *s, size_t len)
{
    ASSERT(p->envc == 0);
    int err = add_string(m, p, s, len);
    p->argc += err == 0;
    return err;
}

int exec_add_env(struct machine *m, struct exec_plan *p, const char *s, size_t len)
{
    int err = add_string(m, p, s, len);
    p->envc += err == 0;
    return err;
}

/* Puts strings in place of argv[0] (a script's interpreter, its argument, the script). */
static int replace_argv0(struct machine *m, struct exec_plan *p, const char *const *front,
                         unsigned n)
{
    char *old = p->strings;
    uint64_t old_len = p->strings_len;
    uint64_t skip = p->argc ? str_len(old) + 1 : 0;
    p->strings = NULL;
    p->strings_len = p->strings_cap = 0;
    int err = 0;
    for (unsigned i = 0; i < n && !err; i++) {
        err = add_string(m, p, front[i], str_len(front[i]));
    }
    for (uint64_t at = skip; at < old_len && !err;) {
        size_t len = str_len(old + at);
        err = add_string(m, p, old + at, len);
        at += len + 1;
    }
    p->argc = p->argc + n - (p->argc ? 1 : 0);
    kfree(m, old);
    return err;
}

static int open_program(struct task *t, int dirfd, const char *path, uint32_t flags,
                        struct file **out)
{
    struct path where;
    int err = vfs_lookup(t, dirfd, path, flags, &where);
    if (err) {
        return err;
    }
    struct inode *i = where.dentry->inode;
    if ((i->mode & ABI_S_IFMT) == ABI_S_IFLNK) {
        err = -ELOOP; /* AT_SYMLINK_NOFOLLOW */
    } else if ((i->mode & ABI_S_IFMT) != ABI_S_IFREG || where.mount->flags & 8 /* MS_NOEXEC */) {
        err = -EACCES;
    } else {
        err = vfs_permission(t, &where, 1);
    }
    if (err == 0) {
        err = file_open_path(t, &where, O_RDONLY, out);
    }
    path_put(&where);
    return err;
}

/* "#! interpreter [one argument]" (execve(2)). Returns false if this is no script line. */
static bool parse_script(char *line, size_t len, char **interp, char **arg)
{
    char *end = (char *)(uintptr_t)str_chr(line, '\n', len);
    if (!end) {
        end = line + len;
    }
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }
    *end = 0;
    char *s = line + 2;
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    *interp = s;
    while (*s && *s != ' ' && *s != '\t') {
        s++;
    }
    *arg = NULL;
    if (*s) {
        *s++ = 0;
        while (*s == ' ' || *s == '\t') {
            s++;
        }
        *arg = *s ? s : NULL;
    }
    return **interp != 0;
}

static int resolve_script(struct task *t, const char *path, char *line, size_t len,
                          struct exec_plan *p, char *next, size_t cap)
{
    char *interp, *arg;
    if (!parse_script(line, len, &interp, &arg)) {
        return -ENOEXEC;
    }
    const char *front[3] = {interp};
    unsigned n = 1;
    if (arg) {
        front[n++] = arg;
    }
    front[n++] = path;
    int err = replace_argv0(t->m, p, front, n);
    if (str_copy(next, cap, interp) != str_len(interp)) {
        return -ENAMETOOLONG;
    }
    return err;
}

static void note_set_ids(struct task *t, struct exec_plan *p)
{
    const struct inode *i = p->exe->inode;
    bool nosuid = p->exe->mount && p->exe->mount->flags & 2 /* MS_NOSUID */;
    p->euid = p->egid = UINT32_MAX;
    if (nosuid || t->cred.no_new_privs) {
        return;
    }
    if (i->mode & 04000) {
        p->euid = i->uid;
    }
    if ((i->mode & 02010) == 02010) {
        p->egid = i->gid;
    }
}

int exec_resolve(struct task *t, int dirfd, const char *path, uint32_t flags, struct exec_plan *p)
{
    struct machine *m = t->m;
    char *buf = kalloc(m, LIMIT_PATH + SCRIPT_LINE_MAX + 1);
    char *current = buf, *line = buf + LIMIT_PATH;
    p->filename = kstrdup(m, path, str_len(path));
    str_copy(current, LIMIT_PATH, path);
    int err = 0;
    for (unsigned depth = 0;; depth++) {
        file_put(p->exe);
        p->exe = NULL;
        err = depth > SCRIPT_DEPTH_MAX ? -ELOOP : open_program(t, dirfd, current, flags, &p->exe);
        if (err) {
            break;
        }
        dirfd = AT_FDCWD;
        flags = LOOKUP_FOLLOW;
        int64_t n = file_read_kernel(p->exe, line, SCRIPT_LINE_MAX, 0);
        if (n < 2 || line[0] != '#' || line[1] != '!') {
            err = n < 0 ? (int)n : 0;
            break;
        }
        err = resolve_script(t, depth == 0 ? p->filename : current, line, (size_t)n, p, current,
                             LIMIT_PATH);
        if (err) {
            break;
        }
    }
    if (err == 0) {
        err = elf_probe(p->exe, current, LIMIT_PATH);
    }
    if (err == 0 && current[0]) {
        err = open_program(t, AT_FDCWD, current, LOOKUP_FOLLOW, &p->interp);
    }
    if (err == 0) {
        note_set_ids(t, p);
    }
    kfree(m, buf);
    return err;
}

/* --- from the call to the new program --------------------------------------------------------- */

static int read_vector(struct task *t, uint64_t addr, struct exec_plan *p, bool env, char *buf)
{
    for (uint64_t i = 0; addr; i++) {
        uint64_t ptr;
        if (user_read_u64(t, &ptr, gaddr_of(addr + 8 * i))) {
            return -EFAULT;
        }
        if (ptr == 0) {
            break;
        }
        int64_t n = user_read_str(t, buf, gaddr_of(ptr), LIMIT_ARG_STRLEN);
        if (n < 0) {
            return n == -ENAMETOOLONG ? -E2BIG : (int)n;
        }
        int err =
            env ? exec_add_env(t->m, p, buf, (size_t)n) : exec_add_arg(t->m, p, buf, (size_t)n);
        if (err) {
            return err;
        }
    }
    return 0;
}

static int gather(struct task *t, const struct sysargs *a, int dirfd, uint32_t flags,
                  struct exec_plan *p)
{
    char *buf = kalloc(t->m, LIMIT_ARG_STRLEN);
    int64_t n = user_read_str(t, buf, gaddr_of(a->a[0]), LIMIT_PATH);
    char *path = n < 0 ? NULL : kstrdup(t->m, buf, (size_t)n);
    int err = n < 0 ? (int)n : read_vector(t, a->a[1], p, false, buf);
    if (err == 0 && p->argc == 0) {
        err = exec_add_arg(t->m, p, "", 0); /* since Linux 5.18 */
    }
    if (err == 0) {
        err = read_vector(t, a->a[2], p, true, buf);
    }
    if (err == 0) {
        err = exec_resolve(t, dirfd, path, flags, p);
    }
    kfree(t->m, path);
    kfree(t->m, buf);
    return err;
}

static void set_comm(struct task *t, const char *filename)
{
    const char *name = filename;
    for (const char *c = filename; *c; c++) {
        if (*c == '/') {
            name = c + 1;
        }
    }
    memset(t->comm, 0, sizeof t->comm);
    str_copy(t->comm, sizeof t->comm, name);
}

static void emit_exec(struct task *t)
{
    struct process *p = t->process;
    struct event_process e = {.kind = PROCESS_EXEC,
                              .parent_pid = (uint32_t)process_parent_pid(p),
                              .command_id = p->command_id};
    struct trace_part parts[] = {{&e, sizeof e}, {p->exe_path, str_len(p->exe_path)}};
    trace_event(t->m, EVENT_PROCESS, t->node, (uint32_t)p->pid, parts, 2);
}

static void set_exe(struct task *t, struct exec_plan *plan)
{
    struct process *p = t->process;
    struct path where = {plan->exe->mount, plan->exe->dentry};
    char *buf = kalloc(t->m, LIMIT_PATH);
    int64_t n = vfs_path_string(t, &where, buf, LIMIT_PATH, false);
    kfree(t->m, p->exe_path);
    p->exe_path = n < 0 ? kstrdup(t->m, plan->filename, str_len(plan->filename))
                        : kstrdup(t->m, buf, (size_t)n);
    kfree(t->m, buf);
    file_put(p->exe_file);
    p->exe_file = file_get(plan->exe);
}

/* A process the kernel started has nobody to report an error to but its own stderr, in the words
 * and with the exit status of `docker exec` and sh(1). */
static _Noreturn void spawn_failed(struct task *t, const char *name, int err)
{
    char text[512];
    str_format(text, sizeof text, "everett: exec %s: %s\n", name, errno_name(-err));
    struct file *f = fd_file(t, 2);
    if (f && f->ops->write) {
        struct uio u;
        uio_init_kernel(&u, text, str_len(text));
        f->ops->write(t, f, &u, &f->pos);
    }
    task_exit_group(t, (err == -ENOENT ? 127 : 126) << 8);
}

/* execvp(3): a name without a slash is looked for along PATH. */
static int resolve_in_path(struct task *t, struct exec_plan *p, const char *name)
{
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    uint64_t at = 0;
    for (uint32_t i = 0; i < p->argc + p->envc; i++) {
        if (i >= p->argc && str_starts(p->strings + at, "PATH=")) {
            path = p->strings + at + 5;
        }
        at += str_len(p->strings + at) + 1;
    }
    char *copy = kstrdup(t->m, path, str_len(path)), *full = kalloc(t->m, LIMIT_PATH);
    int err = -ENOENT;
    for (char *dir = copy, *end; dir && err == -ENOENT; dir = end) {
        end = (char *)(uintptr_t)str_chr(dir, ':', str_len(dir));
        if (end) {
            *end++ = 0;
        }
        str_format(full, LIMIT_PATH, "%s/%s", *dir ? dir : ".", name);
        kfree(t->m, p->filename);
        p->filename = NULL;
        err = exec_resolve(t, AT_FDCWD, full, LOOKUP_FOLLOW, p);
    }
    kfree(t->m, copy);
    kfree(t->m, full);
    return err;
}

static void resolve_spawn(struct task *t, struct exec_plan *p)
{
    char *name = kstrdup(t->m, p->strings, str_len(p->strings));
    bool has_slash = str_chr(name, '/', str_len(name)) != NULL;
    int err =
        has_slash ? exec_resolve(t, AT_FDCWD, name, LOOKUP_FOLLOW, p) : resolve_in_path(t, p, name);
    if (err) {
        exec_plan_free(t->m, p);
        spawn_failed(t, name, err);
    }
    kfree(t->m, name);
}

/* The new program takes over the running, empty address space. */
void exec_start(struct task *t)
{
    struct exec_plan *p = t->exec;
    t->exec = NULL;
    t->start = START_RETURN;
    if (t->exiting) {
        exec_plan_free(t->m, p);
        task_exit(t, t->exit_code);
    }
    if (!p->exe) {
        resolve_spawn(t, p);
    }
    signals_exec(t);
    t->process->exec_done = true;
    fd_table_close_on_exec(t, t->fds);
    set_comm(t, p->filename);
    set_exe(t, p);
    t->rseq = t->robust_list = t->clear_child_tid = 0;
    int err = elf_load(t, p);
    exec_plan_free(t->m, p);
    if (err) {
        task_exit_group(t, SIGNAL_SEGV);
    }
    proc_exec_done(t);
    emit_exec(t);
}

/* The calling thread becomes the process's only one and has the leader's id (execve(2)). */
static void take_leadership(struct task *t)
{
    struct process *p = t->process;
    struct task *old = p->leader;
    if (old == t) {
        return;
    }
    ASSERT(old->state == TASK_DEAD);
    task_unhash(t);
    task_unhash(old);
    t->tid = p->pid;
    t->node->pids[t->tid] = t;
    p->leader = t;
    task_free(old);
}

/* A vfork child leaves the address space it shares; the zygote makes it one of its own. */
static _Noreturn void move_to_fresh_mm(struct task *t, struct mm *fresh)
{
    struct machine *m = t->m;
    struct mm *old = t->mm;
    kstack_free(old, t->kstack);
    t->mm = fresh;
    t->kstack = kstack_alloc(fresh);
    t->start = START_EXEC;
    mm_put(m, old);
    task_release_vfork_parent(t);
    t->call = (struct task_call){0};
    sched_enqueue(t);
    schedule_gone(m);
}

static struct sysret begin(struct task *t, struct exec_plan *p)
{
    struct mm *fresh = NULL;
    take_leadership(t);
    if (t->mm->refs > 1) {
        fresh = mm_create(t->m);
        if (!fresh) {
            exec_plan_free(t->m, p);
            return sys_done(-EAGAIN);
        }
    }
    task_leave_memory(t);
    t->exec = p;
    t->call.held = NULL;
    if (fresh) {
        move_to_fresh_mm(t, fresh);
    }
    mm_clear(t->mm);
    task_release_vfork_parent(t);
    exec_start(t);
    return sys_noreturn();
}

/* First attempt: gather and check, then end the other threads; later ones: wait until they are
 * gone. */
static struct sysret do_exec(struct task *t, const struct sysargs *a, int dirfd, uint32_t flags)
{
    struct exec_plan *p = (struct exec_plan *)(uintptr_t)t->call.scratch[0];
    if (!t->call.retry) {
        p = KALLOC(t->m, struct exec_plan);
        int err = gather(t, a, dirfd, flags, p);
        if (err) {
            exec_plan_free(t->m, p);
            return sys_done(err);
        }
        t->call.scratch[0] = (uint64_t)(uintptr_t)p;
        process_kill_others(t, SIGNAL_KILL);
    }
    if (t->process->thread_count > 1) {
        task_wait_on(t, &t->process->child_wait, 0);
        return sys_block_or(0);
    }
    return begin(t, p);
}

struct sysret sys_execve(struct task *t, const struct sysargs *a)
{
    return do_exec(t, a, AT_FDCWD, LOOKUP_FOLLOW);
}

struct sysret sys_execveat(struct task *t, const struct sysargs *a)
{
    uint64_t flags = a->a[4];
    if (flags & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        return sys_done(-EINVAL);
    }
    struct sysargs inner = {a->nr, {a->a[1], a->a[2], a->a[3]}};
    uint32_t lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    return do_exec(t, &inner, (int)a->a[0], lookup);
}
