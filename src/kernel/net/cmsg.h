/* Ancillary data (cmsg(3)): parsed from a sender, written to a receiver. */
#ifndef EVERETT_KERNEL_NET_CMSG_H
#define EVERETT_KERNEL_NET_CMSG_H

#include "abi/socket.h"
#include "kernel/mm/usercopy.h"

struct cmsg_out;
struct file;
struct machine;
struct send_info;
struct sock;
struct task;

#define SCM_MAX_FD 253u

/* Descriptors and credentials under way. The files are references of their own. */
struct scm {
    uint32_t nfiles;
    bool has_creds;
    struct abi_ucred creds;
    struct file *files[];
};

/* Parses the control block of sendmsg for sk's protocol. *scm and info are filled in; *scm is NULL
 * if there is nothing to pass. Errors: EINVAL, EBADF, EPERM, ETOOMANYREFS as sendmsg(2), unix(7).
 */
int cmsg_parse(struct task *t, struct sock *sk, gaddr ctl, uint64_t len, struct scm **scm,
               struct send_info *info) must_check;
void scm_free(struct machine *m, struct scm *s); /* accepts NULL */
/* Gives the receiver the descriptors; what does not fit is closed and sets MSG_CTRUNC. Frees s. */
void scm_deliver(struct task *t, struct scm *s, struct cmsg_out *out, bool cloexec, bool peek);

/* A receiver's control buffer. */
struct cmsg_out {
    struct task *task;
    gaddr at;
    uint64_t cap, used;
    bool truncated; /* MSG_CTRUNC */
};

/* Appends one item; a partial one sets `truncated`, as Linux's put_cmsg. */
void cmsg_put(struct cmsg_out *o, int level, int type, const void *data, uint32_t len);

#endif
