/* Between the files of the fault injector. */
#ifndef EVERETT_DIRECTOR_FAULTS_PRIV_H
#define EVERETT_DIRECTOR_FAULTS_PRIV_H

#include "abi/plan.h"
#include "base/list.h"
#include "director/report.h"
#include "kernel/net/net.h"
#include "kernel/time/timer.h"

enum fault_kind {
    FAULT_PARTITION,
    FAULT_CLOG,
    FAULT_PAUSE,
    FAULT_KILL,
    FAULT_KINDS,
};

/* What happens to packets on a disrupted link. */
enum disruption {
    DISRUPTION_STOPPED,
    DISRUPTION_SLOWED,
    DISRUPTION_JAMMED,
    DISRUPTIONS,
};

/* One kind's strikes in this universe. */
struct fault_schedule {
    struct plan_fault plan; /* with the mean interval this universe has drawn; 0: never */
    struct timer timer;     /* the next strike */
};

/* A network fault in effect. `group` has an entry a node: of a partition its group, of a clog 1
 * if its links are clogged; GROUP_NONE where it is left alone. */
#define GROUP_NONE 0xffu

struct net_fault {
    struct list_head link;
    struct timer end;
    enum fault_kind kind;
    enum disruption disruption;
    bool asymmetric; /* partition: only towards higher groups; clog: one of the two below */
    bool clogs_in, clogs_out;
    struct link_policy policy;
    uint8_t group[];
};

/* At most one per node. */
struct node_fault {
    struct timer end;
    enum {
        NODE_FAULT_NONE,
        NODE_FAULT_PAUSE,
        NODE_FAULT_DOWN, /* killed or stopped */
    } what;
};

struct faults {
    bool has_begun;  /* set-up is complete */
    bool is_allowed; /* by the composer */
    bool is_on;      /* strikes come */
    vtime quiet_until;
    bool is_quiet; /* ... and that has been said */
    struct timer update;
    struct fault_schedule schedules[FAULT_KINDS];
    uint32_t disruptions;      /* bits 1 << enum disruption: those of this universe */
    struct list_head net;      /* struct net_fault, by start */
    struct link_policy *links; /* [from * node_count + to]: what the network was told */
    struct node_fault *nodes;
};

/* A fault record up to and without its details: {"fault":{"name":..,"type":..,...  The caller adds
 * "details" and closes the inner object. `affected` NULL: ["ALL"]. */
void fault_open(struct report *r, struct machine *m, const char *name, const char *type);
/* "affected_nodes": those for which member[i] is set; ["ALL"] when that is every node. */
void fault_affected(struct report *r, const struct machine *m, const uint8_t *member);
void fault_send(struct report *r);
/* {"info":{"message":..,"details":{"node":..}}} */
void fault_info_node(struct machine *m, const char *message, const struct node *n);

uint64_t fault_duration(struct machine *m, const struct plan_fault *f);

/* --- faults_net.c ----------------------------------------------------------------------------- */

void net_fault_partition(struct machine *m);
void net_fault_clog(struct machine *m);
/* Ends every network fault; says so if there was one. */
void net_faults_end(struct machine *m);

/* --- faults_node.c ---------------------------------------------------------------------------- */

void node_fault_pause(struct machine *m);
void node_fault_kill(struct machine *m);
/* Everybody runs again, or starts to come up. */
void node_faults_end(struct machine *m);

#endif
