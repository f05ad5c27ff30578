/* POSIX message queues (mq_overview(7)): the queues of a node, and the open descriptions of them.
 * A queue lives while it has a name or is open. It has no entry in /dev/mqueue. */
#ifndef EVERETT_KERNEL_IPC_MQUEUE_H
#define EVERETT_KERNEL_IPC_MQUEUE_H

#include "abi/linux.h"
#include "base/list.h"
#include "kernel/sched/wait.h"

struct file;
struct inode;
struct ipc_namespace;
struct machine;
struct node;
struct task;

#define MQ_NAME_MAX 255
#define MQ_PRIO_MAX 32768u
#define MQ_COOKIE   32 /* NOTIFY_COOKIE_LEN of linux/mqueue.h */

struct abi_mq_attr {
    int64_t flags, maxmsg, msgsize, curmsgs;
    int64_t reserved[4];
};

_Static_assert(sizeof(struct abi_mq_attr) == 64, "mq_attr layout");

struct mq_message {
    struct list_head link;
    uint32_t prio;
    uint64_t len;
    unsigned char text[];
};

/* Who is to be told of the first message (mq_notify(3)); pid 0: nobody. */
struct mq_notification {
    int32_t pid, method, signo;
    uint64_t process_id; /* of that pid: a later process of the same number is another one */
    uint64_t value;
    struct file *socket; /* SIGEV_THREAD: holds a reference to the netlink socket of the library */
    unsigned char cookie[MQ_COOKIE];
};

/* Counted: by its name and by each open description. */
struct mqueue {
    struct list_head link; /* struct ipc_namespace mqueues, by creation */
    struct node *node;
    uint32_t refs;
    bool named;
    char name[MQ_NAME_MAX + 1];
    struct inode *inode;       /* mode and owner; holds a reference */
    struct list_head messages; /* struct mq_message, by priority, then by arrival */
    uint64_t count, bytes, count_max, size_max;
    uint64_t charge; /* against RLIMIT_MSGQUEUE of the user who made it */
    uint32_t charged_uid;
    struct waitq readers, writers, poll;
    struct mq_notification notify;
};

/* By name; NULL: none. */
struct mqueue *mqueue_find(const struct ipc_namespace *ns, const char *name);
/* Checks attr (NULL: the defaults) and the limits. 0 or -errno; *out is owned by its name. */
int mqueue_create(struct task *t, const char *name, uint32_t mode, const struct abi_mq_attr *attr,
                  struct mqueue **out);
/* Takes the name away. */
void mqueue_unlink(struct mqueue *q);
/* A new open description; owned by the caller. */
struct file *mqueue_open(struct mqueue *q, uint32_t flags);
/* The queue behind a description, or NULL. */
struct mqueue *mqueue_of(const struct file *f);
/* Enters a message, which the queue then owns; tells whoever asked to be told. */
void mqueue_put_message(struct task *t, struct mqueue *q, struct mq_message *msg);
/* The first message, which is then the caller's (kfree); the queue is not empty. */
struct mq_message *mqueue_take_message(struct mqueue *q);
/* Ends the notification; a socket is told so. */
void mqueue_forget(struct mqueue *q);
void mqueue_destroy_all(struct ipc_namespace *ns);

#endif
