/* Field functions of the parts of a service, and readers of the file's other sections. Private to
 * this folder. */
#ifndef EVERETT_COMPOSE_READ_PARTS_H
#define EVERETT_COMPOSE_READ_PARTS_H

#include "compose/read.h"

/* What a service's mapping says before its fields are put together. */
struct service_draft {
    struct compose_service s;
    struct compose_pairs env_files;
    struct compose_strings cap_add, cap_drop;
    bool built;
    char *network_mode;
    struct mark network_mode_at, container_name_at, scale_at, cap_at;
    bool scale_given, replicas_given, restart_given, policy_given;
    uint32_t scale, deploy_replicas;
    enum compose_restart policy;
    uint32_t policy_max;
    uint64_t deploy_memory;
};

#define FIELD_FN(fn)                                                                               \
    int fn(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)

/* read_env.c: into struct compose_pairs */
FIELD_FN(read_env_file);
FIELD_FN(read_sysctls);

/* read_life.c */
FIELD_FN(read_depends_on);  /* whole struct service_draft */
FIELD_FN(read_links);       /* whole */
FIELD_FN(read_healthcheck); /* struct compose_healthcheck */
FIELD_FN(read_restart);     /* whole */
FIELD_FN(read_deploy);      /* whole */
FIELD_FN(read_hooks);       /* whole */

/* read_limits.c */
FIELD_FN(read_ulimits);      /* whole */
FIELD_FN(read_security_opt); /* whole */
FIELD_FN(read_stop_signal);  /* int */
FIELD_FN(read_platform);
/* Docker's default set, plus `add`, minus `drop`. */
uint64_t capability_mask(struct reader *r, struct mark at, const struct compose_strings *add,
                         const struct compose_strings *drop);
enum { CAPABILITY_COUNT = 41 };

/* read_mounts.c: whole struct service_draft */
FIELD_FN(read_volumes);
FIELD_FN(read_tmpfs);

/* read_files.c: whole */
FIELD_FN(read_service_configs);
FIELD_FN(read_service_secrets);
/* The top-level sections, checked even where no service uses them. */
FIELD_FN(read_configs_section);
FIELD_FN(read_secrets_section);

/* read_attach.c: whole struct service_draft */
FIELD_FN(read_service_networks);
FIELD_FN(read_extra_hosts);

/* read_network.c */
FIELD_FN(read_networks_section);
FIELD_FN(read_volumes_section);

/* read_service.c */
FIELD_FN(read_services_section);

/* resolve.c: profiles, references, start order, containers. assign.c: subnets and addresses. */
int resolve_project(struct reader *r);
int assign_addresses(struct reader *r);

/* Whether `name` is letters, digits, `.`, `_`, `-`, starting with a letter or digit. */
bool valid_name(const char *name);

#endif
