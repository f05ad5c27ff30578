#include "kernel/net/cmsg.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/sock.h"
#include "kernel/net/unix.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"

#define CMSG_MAX_BYTES 20480u /* net.core.optmem_max: ENOBUFS above */
#define CAP_SETGID     6
#define CAP_SETUID     7
#define CAP_SYS_ADMIN  21

void scm_free(struct machine *m, struct scm *s)
{
    if (!s) {
        return;
    }
    for (uint32_t i = 0; i < s->nfiles; i++) {
        unix_inflight(m, s->files[i], -1);
        file_put(s->files[i]);
    }
    kfree(m, s);
}

static struct scm *scm_need(struct machine *m, struct scm **s)
{
    if (!*s) {
        *s = kalloc(m, sizeof **s + SCM_MAX_FD * sizeof(struct file *));
    }
    return *s;
}

static int take_files(struct task *t, const unsigned char *data, uint64_t bytes, struct scm **scm)
{
    uint64_t n = bytes / sizeof(int32_t);
    struct scm *s = scm_need(t->m, scm);
    if (s->nfiles + n > SCM_MAX_FD) {
        return -EINVAL;
    }
    for (uint64_t i = 0; i < n; i++) {
        int32_t fd;
        memcpy(&fd, data + i * sizeof fd, sizeof fd);
        struct file *f = fd_file(t, fd);
        if (!f) {
            return -EBADF;
        }
        s->files[s->nfiles++] = file_get(f);
        unix_inflight(t->m, f, 1);
    }
    return 0;
}

/* unix(7): one's own ids, or the capability to claim others. */
static int take_creds(struct task *t, const unsigned char *data, uint64_t bytes, struct scm **scm)
{
    struct abi_ucred c;
    const struct credentials *me = &t->cred;
    if (bytes != sizeof c) {
        return -EINVAL;
    }
    memcpy(&c, data, sizeof c);
    bool pid = c.pid == t->process->pid || task_capable(t, CAP_SYS_ADMIN);
    bool uid =
        c.uid == me->uid || c.uid == me->euid || c.uid == me->suid || task_capable(t, CAP_SETUID);
    bool gid =
        c.gid == me->gid || c.gid == me->egid || c.gid == me->sgid || task_capable(t, CAP_SETGID);
    if (!pid || !uid || !gid) {
        return -EPERM;
    }
    if (c.pid != t->process->pid && !process_find(t->node, c.pid)) {
        return -ESRCH;
    }
    struct scm *s = scm_need(t->m, scm);
    s->has_creds = true;
    s->creds = c;
    return 0;
}

static int take_ip(struct send_info *info, int type, const unsigned char *data, uint64_t bytes)
{
    if (type == IP_PKTINFO && bytes >= sizeof(struct in_pktinfo)) {
        struct in_pktinfo pi;
        memcpy(&pi, data, sizeof pi);
        info->ifindex = pi.ipi_ifindex > 0 ? (uint32_t)pi.ipi_ifindex : 0;
        if (pi.ipi_spec_dst.s_addr) {
            info->has_src = true;
            memset(info->src, 0, sizeof info->src);
            info->src[10] = info->src[11] = 0xff;
            memcpy(info->src + 12, &pi.ipi_spec_dst.s_addr, 4);
        }
        return 0;
    }
    if ((type == IP_TOS || type == IP_TTL) && bytes >= 1) {
        int v = data[0];
        if (bytes >= sizeof v) {
            memcpy(&v, data, sizeof v);
        }
        if (v < 0 || v > 255) {
            return -EINVAL;
        }
        *(type == IP_TOS ? &info->tos : &info->ttl) = v;
        return 0;
    }
    return -EINVAL;
}

static int take_ipv6(struct send_info *info, int type, const unsigned char *data, uint64_t bytes)
{
    int v;
    if (type == IPV6_PKTINFO && bytes >= 20) {
        static const unsigned char none[16];
        memcpy(&info->ifindex, data + 16, 4);
        info->has_src = memcmp(data, none, 16) != 0;
        memcpy(info->src, data, 16);
        return 0;
    }
    if ((type == IPV6_TCLASS || type == IPV6_HOPLIMIT) && bytes >= sizeof v) {
        memcpy(&v, data, sizeof v);
        if (v < -1 || v > 255) {
            return -EINVAL;
        }
        *(type == IPV6_TCLASS ? &info->tos : &info->ttl) = v;
        return 0;
    }
    return -EINVAL;
}

static int take_item(struct task *t, struct sock *sk, const struct abi_cmsghdr *h,
                     const unsigned char *data, struct scm **scm, struct send_info *info)
{
    uint64_t bytes = h->len - sizeof *h;
    if (h->level == SOL_SOCKET && sk->family == ABI_AF_UNIX) {
        if (h->type == ABI_SCM_RIGHTS) {
            return take_files(t, data, bytes, scm);
        }
        return h->type == ABI_SCM_CREDENTIALS ? take_creds(t, data, bytes, scm) : -EINVAL;
    }
    bool inet = sk->family == ABI_AF_INET || sk->family == ABI_AF_INET6;
    if (inet && h->level == ABI_SOL_IP) {
        return take_ip(info, h->type, data, bytes);
    }
    if (sk->family == ABI_AF_INET6 && h->level == ABI_SOL_IPV6) {
        return take_ipv6(info, h->type, data, bytes);
    }
    if (inet && h->level == SOL_SOCKET) {
        trace_unknown(t, "control message", (uint64_t)h->level, (uint64_t)h->type, -EINVAL);
        return -EINVAL;
    }
    if (inet && h->level == ABI_SOL_UDP) {
        trace_unknown(t, "control message", (uint64_t)h->level, (uint64_t)h->type, -EINVAL);
        return -EINVAL;
    }
    return 0; /* other levels are skipped, as Linux does */
}

int cmsg_parse(struct task *t, struct sock *sk, gaddr ctl, uint64_t len, struct scm **scm,
               struct send_info *info)
{
    *scm = NULL;
    *info = (struct send_info){.tos = -1, .ttl = -1};
    if (len == 0) {
        return 0;
    }
    if (len > CMSG_MAX_BYTES) {
        return -ENOBUFS;
    }
    unsigned char *buf = kalloc(t->m, len);
    int err = user_read(t, buf, ctl, len);
    uint64_t at = 0;
    while (!err && len - at >= sizeof(struct abi_cmsghdr)) {
        struct abi_cmsghdr h;
        memcpy(&h, buf + at, sizeof h);
        if (h.len < sizeof h || h.len > len - at) {
            err = -EINVAL;
            break;
        }
        err = take_item(t, sk, &h, buf + at + sizeof h, scm, info);
        at += ABI_CMSG_ALIGN(h.len);
        if (at > len) {
            break;
        }
    }
    kfree(t->m, buf);
    if (err) {
        scm_free(t->m, *scm);
        *scm = NULL;
    }
    return err;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

void cmsg_put(struct cmsg_out *o, int level, int type, const void *data, uint32_t len)
{
    uint64_t room = o->cap - o->used;
    struct abi_cmsghdr h = {sizeof h + len, level, type};
    if (room < sizeof h) {
        o->truncated = true;
        return;
    }
    if (room < h.len) {
        o->truncated = true;
        h.len = room;
    }
    gaddr at = gaddr_add(o->at, o->used);
    if (user_write(o->task, at, &h, sizeof h) ||
        user_write(o->task, gaddr_add(at, sizeof h), data, h.len - sizeof h)) {
        o->truncated = true;
        return;
    }
    o->used += min_u64(ABI_CMSG_ALIGN(h.len), room);
}

void scm_deliver(struct task *t, struct scm *s, struct cmsg_out *out, bool cloexec, bool peek)
{
    int32_t fds[SCM_MAX_FD];
    uint32_t given = 0;
    uint64_t room = out ? out->cap - out->used : 0;
    uint64_t fit = room > sizeof(struct abi_cmsghdr)
                       ? (room - sizeof(struct abi_cmsghdr)) / sizeof(int32_t)
                       : 0;
    for (uint32_t i = 0; i < s->nfiles && i < fit; i++) {
        int fd = fd_install(t, file_get(s->files[i]), 0, cloexec);
        if (fd < 0) {
            file_put(s->files[i]);
            break;
        }
        fds[given++] = fd;
    }
    if (given) {
        cmsg_put(out, SOL_SOCKET, ABI_SCM_RIGHTS, fds, given * (uint32_t)sizeof *fds);
    }
    if (out && given < s->nfiles) {
        out->truncated = true;
    }
    if (!peek) {
        scm_free(t->m, s);
    }
}
