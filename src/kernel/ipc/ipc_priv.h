/* Shared among the files of kernel/ipc only: object tables, permissions, the ABI of the three
 * kinds. */
#ifndef EVERETT_KERNEL_IPC_IPC_PRIV_H
#define EVERETT_KERNEL_IPC_IPC_PRIV_H

#include "abi/linux.h"
#include "base/list.h"
#include "kernel/ipc/ipc.h"
#include "kernel/mm/usercopy.h"
#include "kernel/sched/wait.h"

struct task;

#define IPC_CREAT_   01000u
#define IPC_EXCL_    02000u
#define IPC_NOWAIT_  04000u
#define IPC_PRIVATE_ 0
#define IPC_RMID_    0
#define IPC_SET_     1
#define IPC_STAT_    2
#define IPC_INFO_    3
#define IPC_64_      0x100 /* glibc ORs it in on some architectures */

#define IPC_LIMIT    32000u /* SHMMNI, SEMMNI, MSGMNI of Linux's defaults: ENOSPC */
#define IPC_ID_SHIFT 15

enum ipc_kind {
    IPC_KIND_SHM,
    IPC_KIND_SEM,
    IPC_KIND_MSG,
    IPC_KINDS,
};

/* Head of every object. */
struct ipc_object {
    int32_t key, id;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t seq;
};

struct ipc_table {
    struct ipc_object **slots; /* NULL = free */
    uint32_t cap, used;
    int32_t last_index;
    uint16_t seq;
};

struct ipc_namespace {
    struct ipc_table tables[IPC_KINDS];
    struct sem_undo *undo;    /* by creation */
    struct list_head mqueues; /* struct mqueue, by creation: POSIX message queues */
};

/* struct ipc64_perm */
struct abi_ipc_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t seq, pad;
    uint32_t pad2;
    uint64_t unused[2];
};

_Static_assert(sizeof(struct abi_ipc_perm) == 48, "ipc64_perm layout");

struct ipc_namespace *ipc_of(struct node *n);
struct ipc_table *ipc_table(struct task *t, enum ipc_kind kind);
/* By id; NULL: none (the id's sequence number counts). */
void *ipc_find(struct task *t, enum ipc_kind kind, int32_t id);
/* By position, for the *_STAT commands; NULL: free. */
void *ipc_at(struct task *t, enum ipc_kind kind, int32_t index);

/* The common part of shmget, semget, msgget: an existing object in *found, or NULL with 0 when the
 * caller is to create one; else -errno. */
int ipc_get(struct task *t, enum ipc_kind kind, int32_t key, uint32_t flags, void **found);
/* Enters a new object and gives it its id; -ENOSPC. */
int ipc_add(struct task *t, enum ipc_kind kind, struct ipc_object *o, int32_t key, uint32_t flags);
void ipc_remove(struct ipc_table *table, struct ipc_object *o);
/* Access bits as in a mode (0444 read, 0222 write): 0 or -EACCES. */
int ipc_permission(const struct task *t, const struct ipc_object *o, uint32_t want);
/* IPC_SET and IPC_RMID: owner, creator or CAP_SYS_ADMIN; 0 or -EPERM. */
int ipc_owner(const struct task *t, const struct ipc_object *o);
struct abi_ipc_perm ipc_perm_of(const struct ipc_object *o);
void ipc_set_perm(struct ipc_object *o, const struct abi_ipc_perm *p);
/* Highest used index, 0 if none: what *_INFO returns. */
int32_t ipc_highest(const struct ipc_table *table);
int64_t ipc_seconds(const struct node *n); /* wall clock */

void shm_destroy_all(struct node *n, struct ipc_table *table);
void sem_destroy_all(struct node *n, struct ipc_namespace *ns);
void msg_destroy_all(struct node *n, struct ipc_table *table);

#endif
