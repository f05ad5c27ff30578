/* procfs: its tables, and the small files of /proc/PID (proc(5)). */
#include "kernel/vfs/special/proc.h"

#include <linux/magic.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/proc_net.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/special/sysctl.h"
#include "kernel/vfs/vfs.h"

#define ARG_TEXT_MAX (128u << 10)

/* --- memory of a process ---------------------------------------------------------------------- */

/* Only the reader's own address space can be looked into; of others the kernel keeps what exec gave
 * them (process->arg_text). */
static void argument_text(struct text *x, struct pseudo_ctx *c, bool environment)
{
    const struct process *p = c->process;
    const struct mm *mm = p->zombie ? NULL : c->target->mm;
    uint64_t start, end;

    if (!mm) {
        return;
    }
    start = environment ? mm->env_start : mm->arg_start;
    end = environment ? mm->env_end : mm->arg_end;
    if (c->t && mm == c->t->mm) {
        uint64_t len = min_u64(end - start, ARG_TEXT_MAX);
        char *buf = kalloc(c->m, len + 1);

        text_append(x, buf, user_read_some(c->t, buf, gaddr_of(start), len));
        kfree(c->m, buf);
    } else if (p->arg_text) {
        uint32_t from = environment ? p->arg_len : 0;

        text_append(x, p->arg_text + from, environment ? p->env_len : p->arg_len);
    }
}

#define ARG_COPY_MAX (16u << 10)

void proc_exec_done(struct task *t)
{
    struct process *p = t->process;
    const struct mm *mm = t->mm;
    uint64_t len = min_u64(mm->env_end - mm->arg_start, ARG_COPY_MAX);

    kfree(t->m, p->arg_text);
    p->arg_text = kalloc(t->m, len + 1);
    len = user_read_some(t, p->arg_text, gaddr_of(mm->arg_start), len);
    p->arg_len = (uint32_t)min_u64(mm->arg_end - mm->arg_start, len);
    p->env_len = (uint32_t)len - p->arg_len;
}

void proc_fork_done(struct process *child, const struct process *parent)
{
    child->oom_score_adj = parent->oom_score_adj;
    child->coredump_filter_flipped = parent->coredump_filter_flipped;
    child->arg_len = parent->arg_len;
    child->env_len = parent->env_len;
    if (parent->arg_text) {
        child->arg_text = kstrdup(child->m, parent->arg_text, parent->arg_len + parent->env_len);
    }
}

static void show_cmdline(struct text *x, struct pseudo_ctx *c)
{
    argument_text(x, c, false);
}

static void show_environ(struct text *x, struct pseudo_ctx *c)
{
    argument_text(x, c, true);
}

static void show_auxv(struct text *x, struct pseudo_ctx *c)
{
    const struct mm *mm = c->process->zombie ? NULL : c->target->mm;

    if (mm) {
        text_append(x, mm->auxv, min_u64(mm->auxv_count, ARRAY_LEN(mm->auxv)) * sizeof mm->auxv[0]);
    }
}

/* --- small files ------------------------------------------------------------------------------ */

static void show_comm(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%s\n", c->target->comm);
}

/* Only its own threads may rename a task (proc(5)). */
static int64_t store_comm(struct pseudo_ctx *c, char *data, size_t len)
{
    size_t n = min_u64(len, sizeof c->target->comm - 1);

    if (c->t->process != c->process) {
        return -EINVAL;
    }
    if (n > 0 && data[n - 1] == '\n') {
        n--;
    }
    memset(c->target->comm, 0, sizeof c->target->comm);
    memcpy(c->target->comm, data, n);
    return (int64_t)len;
}

static void show_limits(struct text *x, struct pseudo_ctx *c)
{
    static const struct {
        const char *name, *unit;
    } rows[RLIMIT_COUNT] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
        {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
    };

    text_printf(x, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
        const struct rlimit_pair *r = &c->process->rlimits[i];
        const uint64_t values[2] = {r->soft, r->hard};

        text_printf(x, "%-25s ", rows[i].name);
        for (unsigned k = 0; k < 2; k++) {
            char buf[24];

            str_format(buf, sizeof buf, "%lu", values[k]);
            text_printf(x, "%-20s ", values[k] == UINT64_MAX ? "unlimited" : buf);
        }
        text_printf(x, "%-10s\n", rows[i].unit);
    }
}

static void show_oom_score(struct text *x, struct pseudo_ctx *c)
{
    int score = 666 + c->process->oom_score_adj * 2 / 3;

    text_printf(x, "%d\n", score < 0 ? 0 : score);
}

static void show_oom_score_adj(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%d\n", c->process->oom_score_adj);
}

#define CAP_SYS_RESOURCE_BIT 24

static int64_t store_oom_score_adj(struct pseudo_ctx *c, char *data, size_t len)
{
    bool negative = data[0] == '-';
    size_t n = len;
    uint64_t v;
    int adj;

    while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == ' ')) {
        n--;
    }
    if (!str_to_u64(data + negative, n - negative, 10, &v) || v > 1000) {
        return -EINVAL;
    }
    adj = negative ? -(int)v : (int)v;
    if (adj < c->process->oom_score_adj && !task_capable(c->t, CAP_SYS_RESOURCE_BIT)) {
        return -EACCES;
    }
    c->process->oom_score_adj = adj;
    return (int64_t)len;
}

/* Bits of core(5); inherited by children. */
static void show_coredump_filter(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%08x\n", c->process->coredump_filter_flipped ^ 0x33u);
}

static int64_t store_coredump_filter(struct pseudo_ctx *c, char *data, size_t len)
{
    size_t n = len > 0 && data[len - 1] == '\n' ? len - 1 : len;
    bool hex = n > 2 && data[0] == '0' && data[1] == 'x';
    uint64_t v;

    if (!str_to_u64(data + (hex ? 2 : 0), n - (hex ? 2 : 0), hex ? 16 : 10, &v)) {
        return -EINVAL;
    }
    c->process->coredump_filter_flipped = ((uint32_t)v & 0x1ff) ^ 0x33u;
    return (int64_t)len;
}

static void show_io(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                 "cancelled_write_bytes: 0\n");
}

static void show_personality(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%08x\n", c->target->personality);
}

static void show_timerslack(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%u\n", c->target->timer_slack_ns ? c->target->timer_slack_ns : 50000);
}

static void show_id_map(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%10u %10u %10u\n", 0u, 0u, UINT32_MAX);
}

static void show_schedstat(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%lu 0 0\n", c->target->cpu_time_ns);
}

static void show_children(struct text *x, struct pseudo_ctx *c)
{
    const struct process *child;

    if (c->target != c->process->leader) {
        return;
    }
    list_for_each_entry (child, &c->process->children, sibling_link) {
        text_printf(x, "%d ", child->pid);
    }
}

static void show_wchan(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "0"); /* without a newline, as Linux */
}

/* --- links ------------------------------------------------------------------------------------ */

static int64_t path_link(struct pseudo_ctx *c, struct mount *mount, struct dentry *dentry,
                         char *buf, uint64_t cap)
{
    struct path p = {mount, dentry};

    return mount ? vfs_path_string(c->t, &p, buf, cap, true) : -ENOENT;
}

static int path_jump(struct mount *from_mount, struct dentry *from, struct mount **mount,
                     struct dentry **dentry)
{
    struct path p = {from_mount, from};

    if (!from_mount) {
        return -ENOENT;
    }
    path_get(&p);
    *mount = p.mount;
    *dentry = p.dentry;
    return 0;
}

static int64_t readlink_exe(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    const struct file *f = c->process->zombie ? NULL : c->process->exe_file;

    return f ? path_link(c, f->mount, f->dentry, buf, cap) : -ENOENT;
}

static int jump_exe(struct pseudo_ctx *c, struct mount **mount, struct dentry **dentry,
                    struct file **file)
{
    const struct file *f = c->process->zombie ? NULL : c->process->exe_file;

    return f ? path_jump(f->mount, f->dentry, mount, dentry) : -ENOENT;
}

static int64_t readlink_cwd(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    const struct fs_context *fs = c->target->fs;

    return fs ? path_link(c, fs->cwd_mount, fs->cwd, buf, cap) : -ENOENT;
}

static int jump_cwd(struct pseudo_ctx *c, struct mount **mount, struct dentry **dentry,
                    struct file **file)
{
    const struct fs_context *fs = c->target->fs;

    return fs ? path_jump(fs->cwd_mount, fs->cwd, mount, dentry) : -ENOENT;
}

static int64_t readlink_root(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    const struct fs_context *fs = c->target->fs;

    return fs ? path_link(c, fs->root_mount, fs->root, buf, cap) : -ENOENT;
}

static int jump_root(struct pseudo_ctx *c, struct mount **mount, struct dentry **dentry,
                     struct file **file)
{
    const struct fs_context *fs = c->target->fs;

    return fs ? path_jump(fs->root_mount, fs->root, mount, dentry) : -ENOENT;
}

static int64_t number_link(char *buf, uint64_t cap, abi_pid a, abi_pid b)
{
    char text[48];
    size_t n = b ? str_format(text, sizeof text, "%d/task/%d", a, b)
                 : str_format(text, sizeof text, "%d", a);

    n = min_u64(n, cap);
    memcpy(buf, text, n);
    return (int64_t)n;
}

/* A reader of another PID namespace has no number here. */
static int64_t readlink_self(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    return c->t && c->t->node == c->node ? number_link(buf, cap, c->t->process->pid, 0) : -ENOENT;
}

static int64_t readlink_thread_self(struct pseudo_ctx *c, char *buf, uint64_t cap)
{
    return c->t && c->t->node == c->node ? number_link(buf, cap, c->t->process->pid, c->t->tid)
                                         : -ENOENT;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Glue only: the network knows nothing of this file system. */
#define NET(fn)                                                                                    \
    static void fn##_file(struct text *x, struct pseudo_ctx *c)                                    \
    {                                                                                              \
        fn(x, c->node);                                                                            \
    }
NET(net_proc_dev)
NET(net_proc_tcp)
NET(net_proc_tcp6)
NET(net_proc_udp)
NET(net_proc_udp6)
NET(net_proc_raw)
NET(net_proc_raw6)
NET(net_proc_unix)
NET(net_proc_route)
NET(net_proc_ipv6_route)
NET(net_proc_if_inet6)
NET(net_proc_arp)
NET(net_proc_snmp)
NET(net_proc_snmp6)
NET(net_proc_netstat)
NET(net_proc_sockstat)
NET(net_proc_sockstat6)
#undef NET

const struct pseudo_entry proc_net_table[] = {
    PSEUDO_FILE("arp", 0444, net_proc_arp_file),
    PSEUDO_FILE("dev", 0444, net_proc_dev_file),
    PSEUDO_FILE("if_inet6", 0444, net_proc_if_inet6_file),
    PSEUDO_FILE("ipv6_route", 0444, net_proc_ipv6_route_file),
    PSEUDO_FILE("netstat", 0444, net_proc_netstat_file),
    PSEUDO_FILE("raw", 0444, net_proc_raw_file),
    PSEUDO_FILE("raw6", 0444, net_proc_raw6_file),
    PSEUDO_FILE("route", 0444, net_proc_route_file),
    PSEUDO_FILE("snmp", 0444, net_proc_snmp_file),
    PSEUDO_FILE("snmp6", 0444, net_proc_snmp6_file),
    PSEUDO_FILE("sockstat", 0444, net_proc_sockstat_file),
    PSEUDO_FILE("sockstat6", 0444, net_proc_sockstat6_file),
    PSEUDO_FILE("tcp", 0444, net_proc_tcp_file),
    PSEUDO_FILE("tcp6", 0444, net_proc_tcp6_file),
    PSEUDO_FILE("udp", 0444, net_proc_udp_file),
    PSEUDO_FILE("udp6", 0444, net_proc_udp6_file),
    PSEUDO_FILE("unix", 0444, net_proc_unix_file),
    PSEUDO_END,
};

/* What a process and each of its threads have alike. */
#define TASK_ROWS                                                                                  \
    PSEUDO_FILE("auxv", 0400, show_auxv), PSEUDO_TEXT("cgroup", "0::/"),                           \
        PSEUDO_FILE("cmdline", 0444, show_cmdline),                                                \
        {.name = "comm", .mode = ABI_S_IFREG | 0644, .show = show_comm, .store = store_comm},      \
        PSEUDO_TEXT("cpuset", "/"),                                                                \
        {.name = "cwd", .mode = ABI_S_IFLNK | 0777, .readlink = readlink_cwd, .jump = jump_cwd},   \
        PSEUDO_FILE("environ", 0400, show_environ),                                                \
        {.name = "exe", .mode = ABI_S_IFLNK | 0777, .readlink = readlink_exe, .jump = jump_exe},   \
        {.name = "fd", .mode = ABI_S_IFDIR | 0500, .children = &proc_fd_children},                 \
        {.name = "fdinfo", .mode = ABI_S_IFDIR | 0555, .children = &proc_fdinfo_children},         \
        PSEUDO_FILE("gid_map", 0644, show_id_map), PSEUDO_FILE("io", 0400, show_io),               \
        PSEUDO_FILE("limits", 0444, show_limits), PSEUDO_NUM("loginuid", UINT32_MAX),              \
        PSEUDO_FILE("maps", 0444, proc_maps), PSEUDO_FILE("mountinfo", 0444, proc_mountinfo),      \
        PSEUDO_FILE("mounts", 0444, proc_mounts), PSEUDO_DIR("net", proc_net_table),               \
        PSEUDO_DIR("ns", proc_ns_table), PSEUDO_FILE("numa_maps", 0444, proc_numa_maps),           \
        PSEUDO_FILE("oom_score", 0444, show_oom_score),                                            \
        {.name = "oom_score_adj",                                                                  \
         .mode = ABI_S_IFREG | 0644,                                                               \
         .show = show_oom_score_adj,                                                               \
         .store = store_oom_score_adj},                                                            \
        PSEUDO_FILE("personality", 0400, show_personality),                                        \
        PSEUDO_FILE("projid_map", 0644, show_id_map),                                              \
        {.name = "root",                                                                           \
         .mode = ABI_S_IFLNK | 0777,                                                               \
         .readlink = readlink_root,                                                                \
         .jump = jump_root},                                                                       \
        PSEUDO_FILE("schedstat", 0444, show_schedstat), PSEUDO_NUM("sessionid", UINT32_MAX),       \
        PSEUDO_TEXT("setgroups", "allow"), PSEUDO_FILE("smaps", 0444, proc_smaps),                 \
        PSEUDO_FILE("smaps_rollup", 0444, proc_smaps_rollup),                                      \
        PSEUDO_FILE("stat", 0444, proc_stat), PSEUDO_FILE("statm", 0444, proc_statm),              \
        PSEUDO_FILE("status", 0444, proc_status), PSEUDO_FILE("uid_map", 0644, show_id_map),       \
        PSEUDO_FILE("wchan", 0444, show_wchan)

const struct pseudo_entry proc_thread_table[] = {
    TASK_ROWS,
    PSEUDO_FILE("children", 0444, show_children),
    PSEUDO_END,
};

const struct pseudo_entry proc_pid_table[] = {
    TASK_ROWS,
    {.name = "coredump_filter",
     .mode = ABI_S_IFREG | 0644,
     .show = show_coredump_filter,
     .store = store_coredump_filter},
    PSEUDO_FILE("mountstats", 0400, proc_mountstats),
    {.name = "task", .mode = ABI_S_IFDIR | 0555, .children = &proc_task_children},
    PSEUDO_FILE("timerslack_ns", 0666, show_timerslack),
    PSEUDO_END,
};

static const struct pseudo_entry process_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0555, .table = proc_pid_table};

bool proc_is_process_dir(struct task *t, const struct file *f, struct process **p)
{
    const struct pseudo_ref *ref = f->inode ? pseudo_ref_of(f->inode) : NULL;
    struct pseudo_ctx c;

    if (!ref || ref->entry != &process_entry) {
        return false;
    }
    *p = pseudo_resolve(ref, t, &c) ? c.process : NULL;
    return true;
}

static bool process_next(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    const struct node *n = dir->node;

    for (uint64_t pid = *key ? *key : 1; pid < n->pid_cap; pid++) {
        const struct task *t = n->pids[pid];

        if (t && (uint64_t)t->process->pid == pid) {
            *out = (struct pseudo_child){.entry = &process_entry, .pid = (abi_pid)pid};
            str_format(out->name, sizeof out->name, "%lu", pid);
            *key = pid + 1;
            return true;
        }
    }
    return false;
}

/* A thread can be found by its number too, but is not listed (proc(5)). */
static bool process_name(const struct pseudo_ref *dir, const char *name, uint32_t len,
                         struct pseudo_child *out)
{
    const struct task *t;
    uint64_t pid;

    if (name[0] == '0' || !str_to_u64(name, len, 10, &pid) || pid >= dir->node->pid_cap) {
        return false;
    }
    t = dir->node->pids[pid];
    if (!t) {
        return false;
    }
    *out = (struct pseudo_child){.entry = &process_entry,
                                 .pid = t->process->pid,
                                 .tid = (uint64_t)t->process->pid == pid ? 0 : (abi_pid)pid};
    return true;
}

static const struct pseudo_children process_children = {process_next, process_name};

static const struct pseudo_entry root_table[] = {
    PSEUDO_FILE("buddyinfo", 0400, proc_buddyinfo),
    PSEUDO_TEXT("cmdline", "quiet"),
    PSEUDO_TEXT("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
                           "cpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nblkio\t0\t1\t1\n"
                           "memory\t0\t1\t1\npids\t0\t1\t1"),
    PSEUDO_FILE("cpuinfo", 0444, proc_cpuinfo),
    PSEUDO_FILE("devices", 0444, proc_devices),
    PSEUDO_FILE("diskstats", 0444, pseudo_show_empty),
    PSEUDO_FILE("filesystems", 0444, proc_filesystems),
    PSEUDO_FILE("interrupts", 0444, proc_interrupts),
    PSEUDO_FILE("loadavg", 0444, proc_loadavg),
    PSEUDO_FILE("locks", 0444, pseudo_show_empty),
    PSEUDO_FILE("meminfo", 0444, proc_meminfo),
    PSEUDO_FILE("misc", 0444, pseudo_show_empty),
    PSEUDO_FILE("modules", 0444, pseudo_show_empty),
    PSEUDO_LINK("mounts", "self/mounts"),
    PSEUDO_LINK("net", "self/net"),
    PSEUDO_TEXT("partitions", "major minor  #blocks  name\n"),
    {.name = "self", .mode = ABI_S_IFLNK | 0777, .readlink = readlink_self},
    PSEUDO_FILE("softirqs", 0444, proc_softirqs),
    PSEUDO_FILE("stat", 0444, proc_cpu_stat),
    PSEUDO_TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"),
    PSEUDO_DIR("sys", proc_sys_table),
    {.name = "thread-self", .mode = ABI_S_IFLNK | 0777, .readlink = readlink_thread_self},
    PSEUDO_FILE("uptime", 0444, proc_uptime),
    PSEUDO_FILE("version", 0444, proc_version),
    PSEUDO_FILE("vmstat", 0444, proc_vmstat),
    PSEUDO_FILE("zoneinfo", 0400, proc_zoneinfo),
    PSEUDO_END,
};

static const struct pseudo_entry root_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0555, .table = root_table, .children = &process_children};

struct superblock *procfs_create(struct node *n, struct inode **root)
{
    struct superblock *sb =
        pseudo_create(n, "proc", PROC_SUPER_MAGIC, &root_entry, sysctl_create(n->m), root);

    sb->release = sysctl_release;
    return sb;
}
