/* sysfs and the container's cgroup (sysfs(5), cgroups(7)): the parts programs look at to size
 * themselves, all from the plan. */
#include <linux/magic.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/proc_net.h"
#include "kernel/vfs/special/pseudo.h"
#include "kernel/vfs/vfs.h"

#define RW_TEXT(file, v)                                                                           \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0644, .show = pseudo_show_value, .value = (v)        \
    }
#define RO_TEXT(file, v) PSEUDO_TEXT(file, v)

static const struct pseudo_entry empty_table[] = {PSEUDO_END};

static uint32_t cpus_of(const struct machine *m)
{
    return m->plan->cpus ? m->plan->cpus : 1;
}

/* --- processors ------------------------------------------------------------------------------- */

static void show_cpu_list(struct text *x, struct pseudo_ctx *c)
{
    uint32_t cpus = cpus_of(c->m);

    text_printf(x, cpus > 1 ? "0-%u\n" : "%u\n", cpus - 1);
}

static void show_cpu_mask(struct text *x, struct pseudo_ctx *c)
{
    uint32_t cpus = cpus_of(c->m);

    for (int word = (int)((cpus - 1) / 32); word >= 0; word--) {
        uint32_t bits = (uint32_t)min_u64(32, cpus - (uint32_t)word * 32);

        text_printf(x, "%08x%s", bits == 32 ? UINT32_MAX : (1u << bits) - 1, word ? "," : "\n");
    }
}

static void show_this_cpu(struct text *x, struct pseudo_ctx *c)
{
    text_printf(x, "%u\n", c->ref->num);
}

static void show_this_mask(struct text *x, struct pseudo_ctx *c)
{
    for (int word = (int)((cpus_of(c->m) - 1) / 32); word >= 0; word--) {
        uint32_t bit = c->ref->num / 32 == (uint32_t)word ? 1u << c->ref->num % 32 : 0;

        text_printf(x, "%08x%s", bit, word ? "," : "\n");
    }
}

static const struct pseudo_entry topology_table[] = {
    PSEUDO_FILE("core_cpus", 0444, show_this_mask),
    PSEUDO_FILE("core_cpus_list", 0444, show_this_cpu),
    PSEUDO_FILE("core_id", 0444, show_this_cpu),
    PSEUDO_FILE("core_siblings", 0444, show_cpu_mask),
    PSEUDO_FILE("core_siblings_list", 0444, show_cpu_list),
    PSEUDO_NUM("die_id", 0),
    PSEUDO_FILE("package_cpus", 0444, show_cpu_mask),
    PSEUDO_FILE("package_cpus_list", 0444, show_cpu_list),
    PSEUDO_NUM("physical_package_id", 0),
    PSEUDO_FILE("thread_siblings", 0444, show_this_mask),
    PSEUDO_FILE("thread_siblings_list", 0444, show_this_cpu),
    PSEUDO_END,
};

#define CACHE(level_no, kind, bytes, shared_mask, shared_list)                                     \
    {                                                                                              \
        PSEUDO_TEXT("coherency_line_size", "64"), PSEUDO_TEXT("level", level_no),                  \
            PSEUDO_TEXT("number_of_sets", "64"),                                                   \
            PSEUDO_FILE("shared_cpu_list", 0444, shared_list),                                     \
            PSEUDO_FILE("shared_cpu_map", 0444, shared_mask), PSEUDO_TEXT("size", bytes),          \
            PSEUDO_TEXT("type", kind), PSEUDO_TEXT("ways_of_associativity", "8"), PSEUDO_END       \
    }

static const struct pseudo_entry cache0[] =
    CACHE("1", "Data", "32K", show_this_mask, show_this_cpu);
static const struct pseudo_entry cache1[] =
    CACHE("1", "Instruction", "32K", show_this_mask, show_this_cpu);
static const struct pseudo_entry cache2[] =
    CACHE("2", "Unified", "1024K", show_this_mask, show_this_cpu);
static const struct pseudo_entry cache3[] =
    CACHE("3", "Unified", "16384K", show_cpu_mask, show_cpu_list);

static const struct pseudo_entry cache_table[] = {
    PSEUDO_DIR("index0", cache0),
    PSEUDO_DIR("index1", cache1),
    PSEUDO_DIR("index2", cache2),
    PSEUDO_DIR("index3", cache3),
    PSEUDO_END,
};

static const struct pseudo_entry one_cpu_table[] = {
    PSEUDO_DIR("cache", cache_table),
    PSEUDO_LINK("node0", "../../node/node0"),
    PSEUDO_TEXT("online", "1"),
    PSEUDO_DIR("topology", topology_table),
    PSEUDO_END,
};

static const struct pseudo_entry one_cpu = {
    .name = "", .mode = ABI_S_IFDIR | 0755, .table = one_cpu_table};

static bool cpu_child(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    if (*key >= cpus_of(dir->node->m)) {
        return false;
    }
    *out = (struct pseudo_child){.entry = &one_cpu, .num = (uint32_t)*key};
    str_format(out->name, sizeof out->name, "cpu%lu", *key);
    (*key)++;
    return true;
}

static bool cpu_named(const struct pseudo_ref *dir, const char *name, uint32_t len,
                      struct pseudo_child *out)
{
    uint64_t n;

    if (len < 4 || !str_starts(name, "cpu") || (len > 4 && name[3] == '0') ||
        !str_to_u64(name + 3, len - 3, 10, &n)) {
        return false;
    }
    return cpu_child(dir, &n, out);
}

static const struct pseudo_children cpu_children = {cpu_child, cpu_named};

static const struct pseudo_entry cpu_table[] = {
    PSEUDO_FILE("isolated", 0444, pseudo_show_empty),
    PSEUDO_TEXT("kernel_max", "8191"),
    PSEUDO_FILE("offline", 0444, pseudo_show_empty),
    PSEUDO_FILE("online", 0444, show_cpu_list),
    PSEUDO_FILE("possible", 0444, show_cpu_list),
    PSEUDO_FILE("present", 0444, show_cpu_list),
    PSEUDO_END,
};

/* --- memory nodes ----------------------------------------------------------------------------- */

static void show_node_meminfo(struct text *x, struct pseudo_ctx *c)
{
    uint64_t total = c->m->plan->memory_bytes / 1024;

    text_printf(x,
                "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\n"
                "Node 0 MemUsed:        %8lu kB\nNode 0 HugePages_Total:     0\n"
                "Node 0 HugePages_Free:      0\nNode 0 HugePages_Surp:      0\n",
                total, total - total / 4, total / 4);
}

static const struct pseudo_entry node0_table[] = {
    PSEUDO_FILE("cpulist", 0444, show_cpu_list),
    PSEUDO_FILE("cpumap", 0444, show_cpu_mask),
    PSEUDO_TEXT("distance", "10"),
    PSEUDO_FILE("meminfo", 0444, show_node_meminfo),
    PSEUDO_TEXT("numastat", "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
                            "local_node 0\nother_node 0"),
    PSEUDO_END,
};

/* The processors of the only memory node, as directories rather than links. */
static const struct pseudo_entry node_table[] = {
    PSEUDO_TEXT("has_cpu", "0"),
    PSEUDO_TEXT("has_memory", "0"),
    PSEUDO_TEXT("has_normal_memory", "0"),
    {.name = "node0", .mode = ABI_S_IFDIR | 0755, .table = node0_table, .children = &cpu_children},
    PSEUDO_TEXT("online", "0"),
    PSEUDO_TEXT("possible", "0"),
    PSEUDO_END,
};

static const struct pseudo_entry clocksource0_table[] = {
    PSEUDO_TEXT("available_clocksource", "tsc"),
    PSEUDO_TEXT("current_clocksource", "tsc"),
    PSEUDO_END,
};
static const struct pseudo_entry clocksource_table[] = {
    PSEUDO_DIR("clocksource0", clocksource0_table), PSEUDO_END};

static const struct pseudo_entry system_table[] = {
    PSEUDO_DIR("clocksource", clocksource_table),
    {.name = "cpu", .mode = ABI_S_IFDIR | 0755, .table = cpu_table, .children = &cpu_children},
    PSEUDO_DIR("node", node_table),
    PSEUDO_END,
};

/* --- network interfaces ----------------------------------------------------------------------- */

static bool interface(const struct pseudo_ctx *c, struct net_sys_if *i)
{
    return net_sys_interface(c->node, c->ref->num, i);
}

static void show_if(struct text *x, struct pseudo_ctx *c)
{
    struct net_sys_if i;

    if (!interface(c, &i)) {
        c->err = -ENODEV;
        return;
    }
    switch (c->ref->entry->value[0]) {
    case 'a':
        text_printf(x, "%02x:%02x:%02x:%02x:%02x:%02x\n", i.mac[0], i.mac[1], i.mac[2], i.mac[3],
                    i.mac[4], i.mac[5]);
        break;
    case 'c':
        text_puts(x, i.flags & 1 ? "1\n" : "0\n");
        break;
    case 'f':
        text_printf(x, "0x%x\n", i.flags);
        break;
    case 'i':
        text_printf(x, "%u\n", i.ifindex);
        break;
    case 'm':
        text_printf(x, "%u\n", i.mtu);
        break;
    case 'o':
        text_puts(x, i.flags & 8 ? "unknown\n" : i.flags & 1 ? "up\n" : "down\n");
        break;
    case 't':
        text_printf(x, "%u\n", i.type);
        break;
    default:
        c->err = -EIO;
    }
}

static void show_if_count(struct text *x, struct pseudo_ctx *c)
{
    struct net_sys_if i;

    if (!interface(c, &i)) {
        c->err = -ENODEV;
        return;
    }
    const unsigned long long values[] = {
        i.rx_bytes, i.rx_packets, i.rx_dropped, i.tx_bytes, i.tx_packets, i.tx_dropped, 0};

    text_printf(x, "%llu\n", values[min_u64(c->ref->entry->num, ARRAY_LEN(values) - 1)]);
}

#define IF(file, what)                                                                             \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0444, .show = show_if, .value = (what)               \
    }
#define IF_COUNT(file, n)                                                                          \
    {                                                                                              \
        .name = (file), .mode = ABI_S_IFREG | 0444, .show = show_if_count, .num = (n)              \
    }

static const struct pseudo_entry if_statistics[] = {
    IF_COUNT("collisions", 6),
    IF_COUNT("multicast", 6),
    IF_COUNT("rx_bytes", 0),
    IF_COUNT("rx_dropped", 2),
    IF_COUNT("rx_errors", 6),
    IF_COUNT("rx_packets", 1),
    IF_COUNT("tx_bytes", 3),
    IF_COUNT("tx_dropped", 5),
    IF_COUNT("tx_errors", 6),
    IF_COUNT("tx_packets", 4),
    PSEUDO_END,
};

static const struct pseudo_entry if_table[] = {
    IF("address", "a"),
    PSEUDO_TEXT("addr_len", "6"),
    IF("carrier", "c"),
    PSEUDO_TEXT("duplex", "full"),
    IF("flags", "f"),
    IF("ifindex", "i"),
    IF("iflink", "i"),
    IF("mtu", "m"),
    IF("operstate", "o"),
    PSEUDO_TEXT("speed", "10000"),
    PSEUDO_DIR("statistics", if_statistics),
    PSEUDO_TEXT("tx_queue_len", "1000"),
    IF("type", "t"),
    PSEUDO_END,
};

static const struct pseudo_entry if_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0755, .table = if_table};

static bool if_next(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out)
{
    struct net_sys_if i;

    if (!net_sys_interface(dir->node, (unsigned)*key, &i)) {
        return false;
    }
    *out = (struct pseudo_child){.entry = &if_entry, .num = (uint32_t)*key};
    str_copy(out->name, sizeof out->name, i.name);
    (*key)++;
    return true;
}

static bool if_find(const struct pseudo_ref *dir, const char *name, uint32_t len,
                    struct pseudo_child *out)
{
    uint64_t key = 0;

    while (if_next(dir, &key, out)) {
        if (str_len(out->name) == len && memcmp(out->name, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static const struct pseudo_children if_children = {if_next, if_find};

static const struct pseudo_entry class_table[] = {
    PSEUDO_DIR("block", empty_table),
    {.name = "net", .mode = ABI_S_IFDIR | 0755, .children = &if_children},
    PSEUDO_DIR("thermal", empty_table),
    PSEUDO_END,
};

/* --- memory management ------------------------------------------------------------------------ */

static const struct pseudo_entry khugepaged_table[] = {
    RO_TEXT("defrag", "1"),
    RO_TEXT("pages_to_scan", "4096"),
    RO_TEXT("scan_sleep_millisecs", "10000"),
    PSEUDO_END,
};

static const struct pseudo_entry thp_table[] = {
    RW_TEXT("defrag", "always defer defer+madvise [madvise] never"),
    RW_TEXT("enabled", "always [madvise] never"),
    RO_TEXT("hpage_pmd_size", "2097152"),
    PSEUDO_DIR("khugepaged", khugepaged_table),
    RW_TEXT("shmem_enabled", "always within_size advise [never] deny force"),
    RW_TEXT("use_zero_page", "1"),
    PSEUDO_END,
};

static const struct pseudo_entry huge2m_table[] = {
    RO_TEXT("free_hugepages", "0"),          RO_TEXT("nr_hugepages", "0"),
    RO_TEXT("nr_overcommit_hugepages", "0"), RO_TEXT("resv_hugepages", "0"),
    RO_TEXT("surplus_hugepages", "0"),       PSEUDO_END,
};
static const struct pseudo_entry hugepages_table[] = {PSEUDO_DIR("hugepages-2048kB", huge2m_table),
                                                      PSEUDO_END};

static const struct pseudo_entry mm_table[] = {
    PSEUDO_DIR("hugepages", hugepages_table),
    PSEUDO_DIR("transparent_hugepage", thp_table),
    PSEUDO_END,
};
static const struct pseudo_entry kernel_table[] = {PSEUDO_DIR("mm", mm_table), PSEUDO_END};

static const struct pseudo_entry devices_table[] = {PSEUDO_DIR("system", system_table), PSEUDO_END};
static const struct pseudo_entry dev_table[] = {PSEUDO_DIR("block", empty_table),
                                                PSEUDO_DIR("char", empty_table), PSEUDO_END};
/* The cgroup file system is mounted on it. */
static const struct pseudo_entry fs_table[] = {PSEUDO_DIR("cgroup", empty_table), PSEUDO_END};

static const struct pseudo_entry root_table[] = {
    PSEUDO_DIR("block", empty_table),
    PSEUDO_DIR("bus", empty_table),
    PSEUDO_DIR("class", class_table),
    PSEUDO_DIR("dev", dev_table),
    PSEUDO_DIR("devices", devices_table),
    PSEUDO_DIR("firmware", empty_table),
    PSEUDO_DIR("fs", fs_table),
    PSEUDO_DIR("kernel", kernel_table),
    PSEUDO_DIR("module", empty_table),
    PSEUDO_DIR("power", empty_table),
    PSEUDO_END,
};

static const struct pseudo_entry root_entry = {
    .name = "", .mode = ABI_S_IFDIR | 0555, .table = root_table};

struct superblock *sysfs_create(struct node *n, struct inode **root)
{
    struct superblock *sb = pseudo_create(n, "sysfs", SYSFS_MAGIC, &root_entry, NULL, root);

    sb->no_dcache = false; /* its names never change, and the cgroup is mounted on one of them */
    return sb;
}
