/* Decoding that the socket calls share. */
#ifndef EVERETT_KERNEL_SYSCALLS_SOCK_ARGS_H
#define EVERETT_KERNEL_SYSCALLS_SOCK_ARGS_H

#include "abi/socket.h"
#include "kernel/syscalls/sysret.h"

struct file;
struct sock;
struct task;

/* 0, -EBADF, -ENOTSOCK. Both are borrowed. */
int sock_arg(struct task *t, uint64_t fd, struct file **f, struct sock **sk);
/* move_addr_to_kernel: -EINVAL for a length outside 0..128. */
int sock_addr_in(struct task *t, uint64_t addr, uint64_t len, union abi_sockaddr *out);
/* move_addr_to_user: cut to the room given, full length reported. */
int sock_addr_out(struct task *t, uint64_t addr, uint64_t len_at, const union abi_sockaddr *a,
                  uint32_t len);
/* Sleeps for `mask`, at most timeout_ns (VTIME_NEVER: no limit); when that is over the call ends
 * with `otherwise`. Bytes in call.progress win over a signal. */
struct sysret sock_wait(struct task *t, struct sock *sk, uint32_t mask, uint64_t timeout_ns,
                        int64_t otherwise);

#endif
