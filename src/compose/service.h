/* One service of a compose file, as resolved data. Everything is owned by the project.
 *
 * "Unset" means that the image's own value holds: an empty list with `set` false, a NULL string. */
#ifndef EVERETT_COMPOSE_SERVICE_H
#define EVERETT_COMPOSE_SERVICE_H

#include "compose/addr.h"

struct compose_strings {
    char **v; /* NULL-terminated when not NULL */
    size_t n, cap;
};

struct compose_argv {
    bool set; /* false: the image's. true with no words: empty on purpose */
    struct compose_strings words;
};

/* A name and its value, in file order. A variable with value NULL is removed, even if the image
 * sets it. */
struct compose_pair {
    char *name;
    char *value;
};

struct compose_pairs {
    struct compose_pair *v;
    size_t n, cap;
};

enum compose_condition { COMPOSE_STARTED, COMPOSE_HEALTHY, COMPOSE_COMPLETED };

struct compose_dependency {
    char *service;
    enum compose_condition condition;
    bool required; /* false: a failure of that service does not hold this one back */
    bool restart;  /* restart this service after that one was restarted on purpose */
    uint32_t line, col;
};

enum compose_health_test {
    COMPOSE_TEST_UNSET, /* the image's test, with the numbers below that are set */
    COMPOSE_TEST_NONE,  /* switched off */
    COMPOSE_TEST_EXEC,  /* argv */
    COMPOSE_TEST_SHELL, /* the container's shell (/bin/sh -c) and argv */
};

/* Virtual nanoseconds. A value that the file does not give is Docker's default, and its bit in
 * `given` is clear: the image's healthcheck, if there is one, beats defaults but not given values.
 */
struct compose_healthcheck {
    bool present;
    enum compose_health_test test;
    struct compose_strings argv;
    uint64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    uint32_t retries;
    bool interval_given, timeout_given, start_period_given, start_interval_given, retries_given;
};

enum compose_mount_type {
    COMPOSE_MOUNT_VOLUME,    /* `source` names an entry of the project's volumes */
    COMPOSE_MOUNT_ANONYMOUS, /* a fresh volume for each container */
    COMPOSE_MOUNT_BIND,      /* `source` is a path below the compose directory */
    COMPOSE_MOUNT_TMPFS,
};

struct compose_mount {
    enum compose_mount_type type;
    char *source;  /* normalised, no leading '/', "." for the directory itself; NULL if none */
    char *target;  /* absolute, normalised */
    char *subpath; /* of the volume, or NULL */
    bool read_only;
    bool no_copy;      /* do not pre-fill the new volume from the image */
    bool empty_source; /* bind: nothing to read, so an empty directory takes its place */
    uint64_t size;     /* tmpfs: bytes, 0 = no limit of its own */
    uint32_t mode;     /* tmpfs: 01777 unless given */
    uint32_t uid, gid; /* tmpfs */
    uint32_t line, col;
};

/* A config or secret as a file of the container. Exactly one of `path` and `content` is set. */
struct compose_file {
    char *name;
    char *target;  /* absolute */
    char *path;    /* below the compose directory */
    char *content; /* text, NUL-terminated */
    uint32_t uid, gid, mode;
};

struct compose_attachment {
    char *network;                /* key in the project's networks */
    struct compose_ip ipv4, ipv6; /* static addresses; family 0: assigned by the project */
    struct compose_strings aliases;
    char *interface_name;     /* or NULL */
    int64_t priority;         /* higher comes first among the interfaces */
    int64_t gateway_priority; /* the highest holds the default route */
    uint32_t line, col;
};

enum compose_net_mode {
    COMPOSE_NET_NETWORKS, /* `attachments` */
    COMPOSE_NET_NONE,     /* loopback only */
    COMPOSE_NET_SERVICE,  /* shares the interfaces of `net_service` */
};

enum compose_restart {
    COMPOSE_RESTART_NO,
    COMPOSE_RESTART_ALWAYS,
    COMPOSE_RESTART_ON_FAILURE,
    COMPOSE_RESTART_UNLESS_STOPPED,
};

struct compose_ulimit {
    char *name;
    int resource;        /* RLIMIT_* of Linux x86-64 */
    uint64_t soft, hard; /* UINT64_MAX: unlimited */
};

/* A command run inside a container that has started (`post_start`). */
struct compose_hook {
    struct compose_argv command;
    char *user, *working_dir;
    bool privileged;
    struct compose_pairs environment; /* on top of the container's */
};

/* `host-gateway` has no host to name: it resolves to the gateway of the first network. */
struct compose_extra_host {
    char *name;
    struct compose_ip ip; /* family 0 until resolved, for host-gateway */
    bool host_gateway;
};

struct compose_service {
    char *name;
    uint32_t line, col;
    bool active; /* false: its profiles are off, so it has no containers */
    uint32_t replicas;
    struct compose_strings profiles;

    /* what runs */
    char *image;                             /* as written; NULL only for an inactive service */
    struct compose_argv entrypoint, command; /* a set entrypoint drops the image's command */
    struct compose_pairs environment;        /* env_file and environment merged */
    char *working_dir, *user;
    struct compose_strings groups; /* group_add */
    bool init, tty, stdin_open;
    struct compose_hook *post_start;
    size_t post_start_count, post_start_cap;

    /* names and network */
    char *container_name, *hostname, *domainname;
    enum compose_net_mode net_mode;
    char *net_service;
    struct compose_attachment *attachments; /* by priority, then network name: eth0, eth1 ... */
    size_t attachment_count, attachment_cap;
    struct compose_extra_host *extra_hosts;
    size_t extra_host_count, extra_host_cap;

    /* files */
    struct compose_mount *mounts; /* in file order; volumes, then tmpfs */
    size_t mount_count, mount_cap;
    struct compose_file *files; /* configs, then secrets */
    size_t file_count, file_cap;
    bool read_only;    /* of the root file system */
    uint64_t shm_size; /* bytes of /dev/shm; 64 MiB unless given */

    /* life */
    struct compose_dependency *depends_on;
    size_t depends_count, depends_cap;
    struct compose_healthcheck healthcheck;
    enum compose_restart restart;
    uint32_t restart_max; /* on-failure: 0 = without end */
    int stop_signal;      /* 0: the image's, else SIGTERM */
    uint64_t stop_grace_ns;

    /* limits and rights */
    struct compose_ulimit *ulimits;
    size_t ulimit_count, ulimit_cap;
    uint64_t mem_limit; /* bytes, 0 = none */
    bool privileged;
    bool no_new_privs;     /* security_opt: no-new-privileges */
    uint64_t capabilities; /* bit n = capability number n of Linux, after add and drop */
    struct compose_pairs sysctls;
    struct compose_pairs labels;
    struct compose_strings fault_exclusions; /* com.antithesis.exclude_from_faults, split */
};

#endif
