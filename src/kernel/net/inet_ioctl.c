/* Interface and routing ioctls of netdevice(7): what getifaddrs' predecessors and ifconfig ask. */
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define CAP_NET_ADMIN 12

static void put_addr(struct abi_ifreq *r, uint32_t addr)
{
    memset(r->raw, 0, sizeof r->raw);
    r->addr.sin_family = ABI_AF_INET;
    r->addr.sin_addr.s_addr = addr;
}

static uint32_t netmask_of(const struct netif *f)
{
    return f->prefix4 ? be32(0xffffffffu << (32 - f->prefix4)) : 0;
}

/* SIOCGIFCONF: interfaces with an IPv4 address; without a buffer, the room they need. */
static int64_t if_conf(struct task *t, const struct netns *ns, gaddr arg)
{
    struct abi_ifconf c;
    int err = user_read(t, &c, arg, sizeof c);
    if (err) {
        return err;
    }
    int32_t done = 0;
    for (uint32_t i = 0; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        struct abi_ifreq r = {0};
        if (!f->has4) {
            continue;
        }
        if (c.buf) {
            if (c.len - done < (int32_t)sizeof r) {
                break;
            }
            str_copy(r.name, sizeof r.name, f->name);
            put_addr(&r, f->addr4.w[3]);
            err = user_write(t, gaddr_of(c.buf + (uint64_t)done), &r, sizeof r);
            if (err) {
                return err;
            }
        }
        done += (int32_t)sizeof r;
    }
    c.len = done;
    return user_write(t, arg, &c, sizeof c);
}

static int fill_request(const struct netif *f, uint32_t cmd, struct abi_ifreq *r)
{
    memset(r->raw, 0, sizeof r->raw);
    switch (cmd) {
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
        put_addr(r, f->addr4.w[3]);
        return f->has4 ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFBRDADDR:
        put_addr(r, f->network == NET_NO_NODE ? 0 : f->addr4.w[3] | ~netmask_of(f));
        return f->has4 ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFNETMASK:
        put_addr(r, netmask_of(f));
        return f->has4 ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFFLAGS:
        r->flags = (int16_t)(f->flags & 0xffff);
        return 0;
    case SIOCGIFMTU:
        r->ivalue = (int32_t)f->mtu;
        return 0;
    case SIOCGIFMETRIC:
        r->ivalue = 0;
        return 0;
    case SIOCGIFINDEX:
        r->ivalue = (int32_t)f->index;
        return 0;
    case SIOCGIFTXQLEN:
        r->ivalue = f->index == NET_LO ? 1000 : 0;
        return 0;
    case SIOCGIFMAP:
        return 0;
    case SIOCGIFHWADDR:
        r->hwaddr.family = f->index == NET_LO ? ABI_ARPHRD_LOOPBACK : ABI_ARPHRD_ETHER;
        memcpy(r->hwaddr.data, f->mac, sizeof f->mac);
        return 0;
    default:
        return -EINVAL;
    }
}

static int64_t if_request(struct task *t, const struct netns *ns, uint32_t cmd, gaddr arg)
{
    struct abi_ifreq r;
    int err = user_read(t, &r, arg, sizeof r);
    if (err) {
        return err;
    }
    const struct netif *f;
    if (cmd == SIOCGIFNAME) {
        f = netns_if(ns, (uint32_t)r.ivalue);
        if (!f) {
            return -ENODEV;
        }
        str_copy(r.name, sizeof r.name, f->name);
        return user_write(t, arg, &r, sizeof r);
    }
    r.name[sizeof r.name - 1] = 0;
    f = netns_if_by_name(ns, r.name);
    if (!f) {
        return -ENODEV;
    }
    err = fill_request(f, cmd, &r);
    return err ? err : user_write(t, arg, &r, sizeof r);
}

/* SIOCGSTAMP: when the last datagram read had come. */
static int64_t last_stamp(struct task *t, struct sock *sk, uint32_t cmd, gaddr arg)
{
    if (sk->last_stamp == 0) {
        return -ENOENT;
    }
    int64_t ago = (int64_t)(machine_now(sk->m) - sk->last_stamp);
    struct abi_timespec ts = timespec_of_ns((uint64_t)(clock_realtime_ns(sk->ns->node) - ago));
    if (cmd == SIOCGSTAMP_OLD) {
        ts.nsec /= 1000;
    }
    return user_write(t, arg, &ts, sizeof ts);
}

int64_t inet_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    gaddr a = gaddr_of(arg);
    switch (cmd) {
    case SIOCGIFCONF:
        return if_conf(t, sk->ns, a);
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFFLAGS:
    case SIOCGIFMTU:
    case SIOCGIFMETRIC:
    case SIOCGIFINDEX:
    case SIOCGIFTXQLEN:
    case SIOCGIFMAP:
    case SIOCGIFHWADDR:
    case SIOCGIFNAME:
        return if_request(t, sk->ns, cmd, a);
    case SIOCGSTAMP_OLD:
    case SIOCGSTAMPNS_OLD:
        return last_stamp(t, sk, cmd, a);
    case SIOCADDRT:
    case SIOCDELRT:
    case SIOCSIFADDR:
    case SIOCSIFFLAGS:
    case SIOCSIFNETMASK:
    case SIOCSIFMTU:
    case SIOCSIFBRDADDR:
    case SIOCSIFNAME:
        if (!task_capable(t, CAP_NET_ADMIN)) {
            return -EPERM;
        }
        trace_unknown(t, "ioctl", cmd, 0, -EOPNOTSUPP); /* the plan decides addresses and routes */
        return -EOPNOTSUPP;
    case SIOCETHTOOL:
        trace_unknown(t, "ioctl", cmd, 0, -EOPNOTSUPP);
        return -EOPNOTSUPP;
    default:
        return -ENOIOCTLCMD;
    }
}

/* Ioctls of every socket (sock_ioctl); FIONBIO, FIOASYNC and the like never reach a file. */
int64_t sock_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    int64_t r = sk->ops->ioctl(t, sk, cmd, arg);
    if (r == -ENOIOCTLCMD) {
        r = inet_ioctl(t, sk, cmd, arg); /* netdevice(7): any socket will do */
    }
    return r == -ENOIOCTLCMD ? -ENOTTY : r;
}
