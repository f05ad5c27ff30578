/* Moving bytes between descriptors inside the kernel (splice(2), sendfile(2)). */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_SPLICE_H
#define EVERETT_KERNEL_VFS_SPECIAL_SPLICE_H

#include "base/base.h"

struct file;
struct pipe;
struct task;

/* Where the next attempt has to wait, when a transfer returns -EAGAIN. */
struct splice_wait {
    struct file *file;
    uint32_t mask;
};

/* Each moves up to len bytes and returns how many: short counts are normal. 0: end of input;
 * -EAGAIN: nothing could move, *wait says why; other negative errnos. Positions advance by what was
 * moved. */
int64_t splice_file_to_file(struct task *t, struct file *in, uint64_t *in_pos, struct file *out,
                            uint64_t *out_pos, uint64_t len, struct splice_wait *wait);
int64_t splice_to_pipe(struct task *t, struct file *in, uint64_t *in_pos, struct file *out,
                       uint64_t len, struct splice_wait *wait);
int64_t splice_from_pipe(struct task *t, struct file *in, struct file *out, uint64_t *out_pos,
                         uint64_t len, struct splice_wait *wait);
/* Copies without taking from the input pipe (tee(2)). */
int64_t splice_tee(struct task *t, struct file *in, struct file *out, uint64_t len,
                   struct splice_wait *wait);

#endif
