/* /proc/sys: sysctl values (proc(5), Documentation/admin-guide/sysctl). Each is a constant of the
 * modelled machine that a guest may overwrite; the new text is what it reads back. A value that has
 * an effect elsewhere has its own functions. */
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/dev.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/special/sysctl.h"
#include "kernel/vfs/special/version.h"

struct sysctl_value {
    struct list_head link;
    uint64_t ino; /* of the file: eth0 and lo share their tables */
    char *text;
};

struct sysctl_store {
    struct list_head values;
};

struct sysctl_store *sysctl_create(struct machine *m)
{
    struct sysctl_store *s = KALLOC(m, struct sysctl_store);

    list_init(&s->values);
    return s;
}

void sysctl_release(struct superblock *sb)
{
    struct sysctl_store *s = sb->priv;
    struct sysctl_value *v, *tmp;

    list_for_each_entry_safe (v, tmp, &s->values, link) {
        kfree(sb->m, v->text);
        kfree(sb->m, v);
    }
    kfree(sb->m, s);
}

static struct sysctl_value *stored(const struct pseudo_ctx *c)
{
    struct sysctl_store *s = c->ref->fs;
    struct sysctl_value *v;

    list_for_each_entry (v, &s->values, link) {
        if (v->ino == c->ref->ino) {
            return v;
        }
    }
    return NULL;
}

static void show(struct text *x, struct pseudo_ctx *c)
{
    const struct sysctl_value *v = stored(c);

    text_puts(x, v ? v->text : c->ref->entry->value);
    text_puts(x, "\n");
}

static size_t trimmed(const char *data, size_t len)
{
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == ' ' || data[len - 1] == 0)) {
        len--;
    }
    return len;
}

static int64_t store_text(struct pseudo_ctx *c, const char *data, size_t len)
{
    struct sysctl_store *s = c->ref->fs;
    struct sysctl_value *v = stored(c);

    if (!v) {
        v = KALLOC(c->m, struct sysctl_value);
        v->ino = c->ref->ino;
        list_add_tail(&s->values, &v->link);
    }
    kfree(c->m, v->text);
    v->text = kstrdup(c->m, data, trimmed(data, len));
    return (int64_t)len;
}

/* One or more decimal numbers; anything else is refused as the kernel's parser does. */
static int64_t store_numbers(struct pseudo_ctx *c, char *data, size_t len)
{
    size_t n = trimmed(data, len), digits = 0;

    for (size_t i = 0; i < n; i++) {
        bool sign = data[i] == '-' && (i == 0 || data[i - 1] == ' ' || data[i - 1] == '\t');

        if (data[i] >= '0' && data[i] <= '9') {
            digits++;
        } else if (!sign && data[i] != ' ' && data[i] != '\t') {
            return -EINVAL;
        }
    }
    return digits ? store_text(c, data, len) : -EINVAL;
}

static int64_t store_any(struct pseudo_ctx *c, char *data, size_t len)
{
    return store_text(c, data, len);
}

/* --- values with a meaning here --------------------------------------------------------------- */

static void show_hostname(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%s\n", c->node->hostname);
}

static int64_t store_hostname(struct pseudo_ctx *c, char *data, size_t len)
{
    size_t n = min_u64(trimmed(data, len), sizeof c->node->hostname - 1);

    data[n] = 0;
    str_copy(c->node->hostname, sizeof c->node->hostname, data);
    return (int64_t)len;
}

static void show_domainname(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%s\n", c->node->domainname[0] ? c->node->domainname : "(none)");
}

static void uuid_text(struct text *x, uint64_t hi, uint64_t lo)
{
    hi = (hi & ~0xf000ull) | 0x4000;                /* version 4 */
    lo = (lo & 0x3fffffffffffffffull) | 1ull << 63; /* variant 1 */
    text_printf(x, "%08lx-%04lx-%04lx-%04lx-%012lx\n", hi >> 32, hi >> 16 & 0xffff, hi & 0xffff,
                lo >> 48, lo & 0xfffffffffffful);
}

static void show_uuid(struct text *x, struct pseudo_ctx *c)
{
    uint64_t r[2];

    entropy_bytes(c->t, r, sizeof r);
    uuid_text(x, r[0], r[1]);
}

/* One value for each life of the universe's machine, without drawing from any stream. */
static void show_boot_id(struct text *x, struct pseudo_ctx *c)
{
    uint64_t key = c->m->streams[STREAM_ENTROPY].key;

    uuid_text(x, stream_mix(key ^ 0x626f6f74), stream_mix(key ^ 0x6964));
}

static void show_threads_max(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%lu\n", c->m->plan->memory_bytes / 65536);
}

static void show_file_max(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "9223372036854775807\n");
}

static void show_file_nr(struct text *x, struct pseudo_ctx *c)
{
    text_puts(x, "1024\t0\t9223372036854775807\n");
}

/* --- tables ----------------------------------------------------------------------------------- */

#define RW(file, v)                                                                                \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0644, .show = show, .store = store_numbers,          \
        .value = (v)                                                                               \
    }
#define RW_TEXT(file, v)                                                                           \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0644, .show = show, .store = store_any, .value = (v) \
    }
#define RO(file, v) PSEUDO_TEXT(file, v)

static const struct pseudo_entry random_table[] = {
    PSEUDO_FILE("boot_id", 0444, show_boot_id),
    RO("entropy_avail", "256"),
    RO("poolsize", "256"),
    RW("urandom_min_reseed_secs", "60"),
    PSEUDO_FILE("uuid", 0444, show_uuid),
    RW("write_wakeup_threshold", "256"),
    PSEUDO_END,
};

static const struct pseudo_entry keys_table[] = {
    RW("maxbytes", "20000"),       RW("maxkeys", "200"), RW("root_maxbytes", "25000000"),
    RW("root_maxkeys", "1000000"), PSEUDO_END,
};

static const struct pseudo_entry kernel_table[] = {
    RO("cap_last_cap", "40"),
    RW_TEXT("core_pattern", "core"),
    RW("core_pipe_limit", "0"),
    RW("core_uses_pid", "0"),
    RW("dmesg_restrict", "1"),
    PSEUDO_FILE("domainname", 0444, show_domainname),
    {.name = "hostname",
     .mode = ABI_S_IFREG | 0644,
     .show = show_hostname,
     .store = store_hostname},
    RW("hung_task_timeout_secs", "120"),
    RW("io_uring_disabled", "2"),
    PSEUDO_DIR("keys", keys_table),
    RW("kptr_restrict", "1"),
    RW("msgmax", "8192"),
    RW("msgmnb", "16384"),
    RW("msgmni", "32000"),
    RO("ngroups_max", "65536"),
    RW("numa_balancing", "0"),
    RO("osrelease", UTS_RELEASE),
    RO("ostype", UTS_SYSNAME),
    RO("overflowgid", "65534"),
    RO("overflowuid", "65534"),
    RW("panic", "0"),
    RW("panic_on_oops", "0"),
    RW("perf_event_mlock_kb", "516"),
    RW("perf_event_paranoid", "3"),
    RW("pid_max", "32768"),
    RW("printk", "4\t4\t1\t7"),
    PSEUDO_DIR("random", random_table),
    RW("randomize_va_space", "0"),
    RW("sched_autogroup_enabled", "0"),
    RW("sched_child_runs_first", "0"),
    RW("sched_rt_period_us", "1000000"),
    RW("sched_rt_runtime_us", "950000"),
    RW("sem", "32000\t1024000000\t500\t32000"),
    RW("shmall", "18446744073692774399"),
    RW("shmmax", "18446744073692774399"),
    RW("shmmni", "4096"),
    RW("shm_rmid_forced", "0"),
    RW("sysrq", "0"),
    RW("tainted", "0"),
    {.name = "threads-max", .mode = ABI_S_IFREG | 0444, .show = show_threads_max},
    RW("unprivileged_bpf_disabled", "2"),
    RO("version", UTS_VERSION),
    RW("watchdog", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry vm_table[] = {
    RW("compaction_proactiveness", "20"),
    RW("dirty_background_bytes", "0"),
    RW("dirty_background_ratio", "10"),
    RW("dirty_bytes", "0"),
    RW("dirty_expire_centisecs", "3000"),
    RW("dirty_ratio", "20"),
    RW("dirty_writeback_centisecs", "500"),
    RW("drop_caches", "0"),
    RW("max_map_count", "65530"),
    RW("min_free_kbytes", "67584"),
    RW("mmap_min_addr", "65536"),
    RW("nr_hugepages", "0"),
    RW("nr_overcommit_hugepages", "0"),
    RW("oom_kill_allocating_task", "0"),
    RW("overcommit_kbytes", "0"),
    RW("overcommit_memory", "1"),
    RW("overcommit_ratio", "50"),
    RW("page-cluster", "3"),
    RW("panic_on_oom", "0"),
    RW("swappiness", "60"),
    RW("unprivileged_userfaultfd", "0"),
    RW("vfs_cache_pressure", "100"),
    RW("zone_reclaim_mode", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry inotify_table[] = {
    RW("max_queued_events", "16384"),
    RW("max_user_instances", "128"),
    RW("max_user_watches", "65536"),
    PSEUDO_END,
};

static const struct pseudo_entry mqueue_table[] = {
    RW("msg_default", "10"),   RW("msg_max", "10"),     RW("msgsize_default", "8192"),
    RW("msgsize_max", "8192"), RW("queues_max", "256"), PSEUDO_END,
};

static const struct pseudo_entry epoll_table[] = {RW("max_user_watches", "904000"), PSEUDO_END};

static const struct pseudo_entry fs_table[] = {
    RW("aio-max-nr", "65536"),
    RO("aio-nr", "0"),
    PSEUDO_DIR("epoll", epoll_table),
    {.name = "file-max", .mode = ABI_S_IFREG | 0444, .show = show_file_max},
    {.name = "file-nr", .mode = ABI_S_IFREG | 0444, .show = show_file_nr},
    PSEUDO_DIR("inotify", inotify_table),
    RW("lease-break-time", "45"),
    RW("leases-enable", "1"),
    RW("mount-max", "100000"),
    PSEUDO_DIR("mqueue", mqueue_table),
    RW("nr_open", "1048576"),
    RO("overflowgid", "65534"),
    RO("overflowuid", "65534"),
    RW("pipe-max-size", "1048576"),
    RW("pipe-user-pages-hard", "0"),
    RW("pipe-user-pages-soft", "16384"),
    RW("protected_fifos", "1"),
    RW("protected_hardlinks", "1"),
    RW("protected_regular", "2"),
    RW("protected_symlinks", "1"),
    RW("suid_dumpable", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry core_table[] = {
    RW("busy_poll", "0"),
    RW("busy_read", "0"),
    RW_TEXT("default_qdisc", "pfifo_fast"),
    RW("netdev_budget", "300"),
    RW("netdev_max_backlog", "1000"),
    RW("optmem_max", "20480"),
    RW("rmem_default", "212992"),
    RW("rmem_max", "212992"),
    RW("somaxconn", "4096"),
    RW("wmem_default", "212992"),
    RW("wmem_max", "212992"),
    PSEUDO_END,
};

static const struct pseudo_entry conf4_table[] = {
    RW("accept_redirects", "0"), RW("arp_announce", "0"),
    RW("arp_ignore", "0"),       RW("forwarding", "1"),
    RW("rp_filter", "0"),        RW("route_localnet", "0"),
    RW("send_redirects", "1"),   PSEUDO_END,
};

static const struct pseudo_entry conf4_dirs[] = {
    PSEUDO_DIR("all", conf4_table),
    PSEUDO_DIR("default", conf4_table),
    PSEUDO_DIR("eth0", conf4_table),
    PSEUDO_DIR("lo", conf4_table),
    PSEUDO_END,
};

static const struct pseudo_entry ipv4_table[] = {
    PSEUDO_DIR("conf", conf4_dirs),
    RW("icmp_echo_ignore_all", "0"),
    RW("ip_default_ttl", "64"),
    RW("ip_forward", "1"),
    RW("ip_local_port_range", "32768\t60999"),
    RW("ip_local_reserved_ports", ""),
    RW("ip_nonlocal_bind", "0"),
    RW("ip_unprivileged_port_start", "0"),
    RW("ping_group_range", "0\t2147483647"),
    RW("tcp_abort_on_overflow", "0"),
    RO("tcp_available_congestion_control", "reno cubic"),
    RW_TEXT("tcp_congestion_control", "cubic"),
    RW("tcp_ecn", "2"),
    RW("tcp_fastopen", "1"),
    RW("tcp_fin_timeout", "60"),
    RW("tcp_keepalive_intvl", "75"),
    RW("tcp_keepalive_probes", "9"),
    RW("tcp_keepalive_time", "7200"),
    RW("tcp_max_orphans", "16384"),
    RW("tcp_max_syn_backlog", "512"),
    RW("tcp_max_tw_buckets", "16384"),
    RW("tcp_mem", "94539\t126053\t189078"),
    RW("tcp_moderate_rcvbuf", "1"),
    RW("tcp_orphan_retries", "0"),
    RW("tcp_retries1", "3"),
    RW("tcp_retries2", "15"),
    RW("tcp_rmem", "4096\t131072\t6291456"),
    RW("tcp_sack", "1"),
    RW("tcp_slow_start_after_idle", "1"),
    RW("tcp_syn_retries", "6"),
    RW("tcp_synack_retries", "5"),
    RW("tcp_syncookies", "1"),
    RW("tcp_timestamps", "1"),
    RW("tcp_tw_reuse", "2"),
    RW("tcp_window_scaling", "1"),
    RW("tcp_wmem", "4096\t16384\t4194304"),
    RW("udp_mem", "189078\t252106\t378156"),
    RW("udp_rmem_min", "4096"),
    RW("udp_wmem_min", "4096"),
    PSEUDO_END,
};

static const struct pseudo_entry conf6_table[] = {
    RW("accept_ra", "0"),
    RW("autoconf", "1"),
    RW("disable_ipv6", "0"),
    RW("forwarding", "0"),
    RW("hop_limit", "64"),
    RW("mtu", "1500"),
    PSEUDO_END,
};

static const struct pseudo_entry conf6_dirs[] = {
    PSEUDO_DIR("all", conf6_table),
    PSEUDO_DIR("default", conf6_table),
    PSEUDO_DIR("eth0", conf6_table),
    PSEUDO_DIR("lo", conf6_table),
    PSEUDO_END,
};

static const struct pseudo_entry ipv6_table[] = {
    RW("bindv6only", "0"),
    PSEUDO_DIR("conf", conf6_dirs),
    RW("ip_nonlocal_bind", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry unix_table[] = {RW("max_dgram_qlen", "10"), PSEUDO_END};

static const struct pseudo_entry net_table[] = {
    PSEUDO_DIR("core", core_table),
    PSEUDO_DIR("ipv4", ipv4_table),
    PSEUDO_DIR("ipv6", ipv6_table),
    PSEUDO_DIR("unix", unix_table),
    PSEUDO_END,
};

static const struct pseudo_entry user_table[] = {
    RW("max_inotify_instances", "128"),
    RW("max_inotify_watches", "65536"),
    RW("max_user_namespaces", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry empty_table[] = {PSEUDO_END};

const struct pseudo_entry proc_sys_table[] = {
    PSEUDO_DIR("abi", empty_table),
    PSEUDO_DIR("debug", empty_table),
    PSEUDO_DIR("dev", empty_table),
    PSEUDO_DIR("fs", fs_table),
    PSEUDO_DIR("kernel", kernel_table),
    PSEUDO_DIR("net", net_table),
    PSEUDO_DIR("user", user_table),
    PSEUDO_DIR("vm", vm_table),
    PSEUDO_END,
};
