/* Tables and permissions that the three kinds of System V IPC share. */
#include "kernel/ipc/ipc_priv.h"

#include <linux/capability.h>

#include "kernel/ipc/mqueue.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

struct ipc_namespace *ipc_of(struct node *n)
{
    struct ipc_namespace **all = n->m->shm;
    if (!all) {
        all = kalloc(n->m, LIMIT_NODES * sizeof(struct ipc_namespace *));
        n->m->shm = all;
    }
    if (!all[n->index]) {
        all[n->index] = KALLOC(n->m, struct ipc_namespace);
        for (unsigned k = 0; k < IPC_KINDS; k++) {
            all[n->index]->tables[k].last_index = -1;
        }
        list_init(&all[n->index]->mqueues);
    }
    return all[n->index];
}

struct ipc_table *ipc_table(struct task *t, enum ipc_kind kind)
{
    return &ipc_of(t->node)->tables[kind];
}

void *ipc_at(struct task *t, enum ipc_kind kind, int32_t index)
{
    const struct ipc_table *table = ipc_table(t, kind);
    return index >= 0 && (uint32_t)index < table->cap ? table->slots[index] : NULL;
}

void *ipc_find(struct task *t, enum ipc_kind kind, int32_t id)
{
    struct ipc_object *o = id >= 0 ? ipc_at(t, kind, id & ((1 << IPC_ID_SHIFT) - 1)) : NULL;
    return o && o->id == id ? o : NULL;
}

static struct ipc_object *by_key(const struct ipc_table *table, int32_t key)
{
    for (uint32_t i = 0; i < table->cap; i++) {
        if (table->slots[i] && table->slots[i]->key == key) {
            return table->slots[i];
        }
    }
    return NULL;
}

int ipc_permission(const struct task *t, const struct ipc_object *o, uint32_t want)
{
    uint32_t granted = o->mode;
    uint32_t bits = (want >> 6 | want >> 3 | want) & 7;
    if (t->cred.euid == o->cuid || t->cred.euid == o->uid) {
        granted >>= 6;
    } else if (cred_in_group(&t->cred, o->cgid) || cred_in_group(&t->cred, o->gid)) {
        granted >>= 3;
    }
    return (bits & ~granted & 7) && !task_capable(t, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_owner(const struct task *t, const struct ipc_object *o)
{
    return t->cred.euid == o->cuid || t->cred.euid == o->uid || task_capable(t, CAP_SYS_ADMIN)
               ? 0
               : -EPERM;
}

int ipc_get(struct task *t, enum ipc_kind kind, int32_t key, uint32_t flags, void **found)
{
    *found = NULL;
    struct ipc_object *o = key == IPC_PRIVATE_ ? NULL : by_key(ipc_table(t, kind), key);
    if (!o) {
        return key == IPC_PRIVATE_ || (flags & IPC_CREAT_) ? 0 : -ENOENT;
    }
    if ((flags & IPC_CREAT_) && (flags & IPC_EXCL_)) {
        return -EEXIST;
    }
    *found = o;
    return ipc_permission(t, o, flags & 0777);
}

static int32_t free_index(struct machine *m, struct ipc_table *table)
{
    for (uint32_t i = 0; i < table->cap; i++) {
        if (!table->slots[i]) {
            return (int32_t)i;
        }
    }
    uint32_t old = table->cap;
    table->cap = old ? old * 2 : 16;
    table->slots = krealloc(m, table->slots, table->cap * sizeof *table->slots);
    return (int32_t)old;
}

int ipc_add(struct task *t, enum ipc_kind kind, struct ipc_object *o, int32_t key, uint32_t flags)
{
    struct ipc_table *table = ipc_table(t, kind);
    if (table->used >= IPC_LIMIT) {
        return -ENOSPC;
    }
    int32_t index = free_index(t->m, table);
    if (index <= table->last_index) {
        table->seq = (uint16_t)((table->seq + 1) & 0x7fff); /* an old id never names a new object */
    }
    table->last_index = index;
    *o = (struct ipc_object){.key = key,
                             .uid = t->cred.euid,
                             .cuid = t->cred.euid,
                             .gid = t->cred.egid,
                             .cgid = t->cred.egid,
                             .mode = flags & 0777,
                             .seq = table->seq,
                             .id =
                                 (int32_t)((uint32_t)table->seq << IPC_ID_SHIFT | (uint32_t)index)};
    table->slots[index] = o;
    table->used++;
    return o->id;
}

void ipc_remove(struct ipc_table *table, struct ipc_object *o)
{
    uint32_t index = (uint32_t)o->id & ((1u << IPC_ID_SHIFT) - 1);
    ASSERT(table->slots[index] == o);
    table->slots[index] = NULL;
    table->used--;
}

struct abi_ipc_perm ipc_perm_of(const struct ipc_object *o)
{
    return (struct abi_ipc_perm){.key = o->key,
                                 .uid = o->uid,
                                 .gid = o->gid,
                                 .cuid = o->cuid,
                                 .cgid = o->cgid,
                                 .mode = o->mode,
                                 .seq = o->seq};
}

void ipc_set_perm(struct ipc_object *o, const struct abi_ipc_perm *p)
{
    o->uid = p->uid;
    o->gid = p->gid;
    o->mode = (o->mode & ~0777u) | (p->mode & 0777);
}

int32_t ipc_highest(const struct ipc_table *table)
{
    for (uint32_t i = table->cap; i > 0; i--) {
        if (table->slots[i - 1]) {
            return (int32_t)i - 1;
        }
    }
    return 0;
}

int64_t ipc_seconds(const struct node *n)
{
    return clock_realtime_ns(n) / (int64_t)NSEC_PER_SEC;
}

void ipc_node_down(struct node *n)
{
    struct ipc_namespace **all = n->m->shm;
    if (!all || !all[n->index]) {
        return;
    }
    struct ipc_namespace *ns = all[n->index];
    shm_destroy_all(n, &ns->tables[IPC_KIND_SHM]);
    sem_destroy_all(n, ns);
    msg_destroy_all(n, &ns->tables[IPC_KIND_MSG]);
    mqueue_destroy_all(ns);
    for (unsigned k = 0; k < IPC_KINDS; k++) {
        kfree(n->m, ns->tables[k].slots);
    }
    kfree(n->m, ns);
    all[n->index] = NULL;
}
