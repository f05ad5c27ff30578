/* Boot plan: everything a universe is made of, written by the runner, read once by the kernel.
 *
 * It lies in shared memory at a fixed address. References are byte offsets from its start; strings
 * are NUL-terminated; offset 0 means "none". The plan is part of the universe's identity. */
#ifndef EVERETT_ABI_PLAN_H
#define EVERETT_ABI_PLAN_H

#include <stdint.h>

#include "abi/plan_faults.h"
#include "abi/plan_net.h"

#define PLAN_MAGIC 0x324e414c50565645ull /* "EVEPLAN2" */
#define PLAN_NONE  0xffffffffu

/* A pack file the runner has opened: `fd` is inherited by every guest process. */
struct plan_file {
    int32_t fd;
    uint32_t is_data;  /* 0: index, 1: data */
    uint64_t map_addr; /* within ENGINE_PACKS, page-aligned */
    uint64_t length; /* index: exact bytes; data: whole pages; import data, which grows: reserved */
};

/* An image is an index file and the data files it names, in the order of its data table. */
struct plan_image {
    plan_str name;
    uint32_t index_file;         /* in `files`; PLAN_NONE: the host root, served by import */
    struct plan_list data_files; /* uint32_t: positions in `files` */
    uint8_t id[32];              /* image id */
};

enum plan_mount_kind {
    PLAN_MOUNT_VOLUME = 1, /* source: index in `volumes` */
    PLAN_MOUNT_PACK = 2,   /* source: index in `images`; subpath within it; may be a single file */
    PLAN_MOUNT_TMPFS = 3,
    PLAN_MOUNT_EMPTY = 4, /* a bind whose source does not exist: empty directory */
    PLAN_MOUNT_SDK = 5,   /* tmpfs whose *.jsonl files are SDK input */
};

struct plan_mount {
    uint32_t kind;
    uint32_t source;
    plan_str target;
    plan_str subpath;
    uint32_t read_only;
    uint32_t mode;       /* tmpfs: mode of its root, 0 = 01777 */
    uint64_t size_bytes; /* tmpfs: 0 = half of the modelled memory */
};

struct plan_volume {
    plan_str name;
};

enum plan_condition {
    PLAN_STARTED = 1,
    PLAN_HEALTHY = 2,
    PLAN_COMPLETED = 3,
};

struct plan_depends {
    uint32_t node;
    uint32_t condition;
    uint32_t required;
};

struct plan_health {
    struct plan_list test; /* plan_str argv; empty: none */
    uint64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    uint32_t retries;
    uint32_t reserved;
};

enum plan_restart {
    PLAN_RESTART_NO = 0,
    PLAN_RESTART_ALWAYS = 1,
    PLAN_RESTART_ON_FAILURE = 2,
    PLAN_RESTART_UNLESS_STOPPED = 3,
};

struct plan_rlimit {
    uint32_t resource; /* RLIMIT_* */
    uint32_t reserved;
    uint64_t soft, hard;
};

struct plan_host_entry {
    plan_str name;
    plan_str address;
};

struct plan_node {
    plan_str name; /* container name */
    plan_str hostname;
    plan_str service;
    uint32_t image;
    struct plan_list argv; /* plan_str */
    struct plan_list env;  /* plan_str "K=V" */
    plan_str cwd;
    uint32_t uid, gid;
    struct plan_list groups; /* uint32_t */
    uint32_t init;           /* 1: a reaper is PID 1 */
    uint32_t read_only_root;
    uint32_t restart;     /* enum plan_restart */
    uint32_t restart_max; /* on-failure: 0 = no limit */
    uint32_t stop_signal;
    uint64_t stop_grace_ns;
    uint64_t memory_limit_bytes; /* 0: none */
    uint64_t shm_bytes;
    struct plan_health health;
    struct plan_list depends;  /* struct plan_depends */
    struct plan_list mounts;   /* struct plan_mount, parents before children */
    struct plan_list attaches; /* struct plan_attach */
    struct plan_list rlimits;  /* struct plan_rlimit */
    struct plan_list hosts;    /* struct plan_host_entry: extra_hosts */
    uint32_t fault_exclude;    /* PLAN_EXCLUDE_* bits */
    uint32_t is_tty;
    uint32_t no_new_privs; /* 1: execve gives nobody more rights (PR_SET_NO_NEW_PRIVS) */
    uint64_t capabilities; /* the bounding set; a root user starts with all of it */
};

/* The set Docker leaves to a container's root. */
#define PLAN_CAPABILITIES 0xa80425fbull

#define PLAN_EXCLUDE_NETWORK 1u
#define PLAN_EXCLUDE_PAUSE   2u
#define PLAN_EXCLUDE_KILL    4u
#define PLAN_EXCLUDE_STOP    8u

/* A branch: the history of the plan up to a moment, and from there on with one more command in one
 * container. The universe ends with that command. */
struct plan_branch {
    uint64_t at_ns;      /* the moment; 0: no branch */
    uint64_t timeout_ns; /* the command is cut off after so long */
    uint32_t node;
    uint32_t reserved;
    struct plan_list argv; /* plan_str */
};

/* A loop without calls, found by an earlier attempt at the same universe (kernel/sched/spin.h). */
struct plan_spin {
    uint64_t task, entries; /* its id; how often it had entered the kernel */
    uint64_t slices;        /* how often it gives way there */
};

struct plan {
    uint64_t magic;
    uint64_t length;
    uint64_t seed;
    uint64_t input_hash;
    int64_t realtime_start_ns; /* CLOCK_REALTIME at virtual time 0 */
    uint64_t duration_ns;      /* virtual time after which the universe ends */
    uint64_t setup_limit_ns;   /* virtual time by which setup_complete must have come */
    uint64_t call_cost_ns;     /* of one system call */
    uint64_t clock_cost_ns;    /* of one clock read through the vDSO */
    uint64_t memory_bytes;     /* what /proc/meminfo and sysinfo say */
    uint32_t cpus;             /* what sched_getaffinity and /proc say */
    uint32_t is_exec;          /* 1: one node, the universe ends with its PID 1 */
    uint32_t strace;
    uint32_t no_patch;           /* keep every call on the trap path (tests) */
    uint32_t compose_test;       /* 1: the composer runs test commands */
    uint32_t preempt_mean_calls; /* mean calls between extra preemptions; 0: none */
    plan_str template_only;      /* run only this template; 0: any */
    uint32_t strict;             /* 1: the universe ends at the first thing Everett lacks */
    struct plan_link link;       /* between different nodes */
    struct plan_faults faults;
    struct plan_list files;    /* struct plan_file */
    struct plan_list images;   /* struct plan_image */
    struct plan_list volumes;  /* struct plan_volume */
    struct plan_list networks; /* struct plan_network */
    struct plan_list nodes;    /* struct plan_node */
    struct plan_branch branch;
    struct plan_list spins; /* struct plan_spin; appended by the runner, not in input_hash */
};

/* Kernel side: the checked way to an element. */
#define PLAN_AT(plan, list, type, i)                                                               \
    ((const type *)((const char *)(plan) + (list).off + (uint64_t)(i) * sizeof(type)))
#define PLAN_STR(plan, s) ((const char *)(plan) + (s))

#endif
