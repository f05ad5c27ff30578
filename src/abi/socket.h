/* The part of the sockets ABI that Linux's UAPI headers leave to libc (socket(2), recv(2), unix(7),
 * netdevice(7)): families, types, message flags, and the structures that cross the boundary. */
#ifndef EVERETT_ABI_SOCKET_H
#define EVERETT_ABI_SOCKET_H

#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/un.h>
#include <stdint.h>

#define ABI_AF_UNSPEC  0
#define ABI_AF_UNIX    1
#define ABI_AF_INET    2
#define ABI_AF_INET6   10
#define ABI_AF_NETLINK 16
#define ABI_AF_PACKET  17
#define ABI_AF_MAX     46

#define ABI_SOCK_STREAM    1
#define ABI_SOCK_DGRAM     2
#define ABI_SOCK_RAW       3
#define ABI_SOCK_RDM       4
#define ABI_SOCK_SEQPACKET 5
#define ABI_SOCK_DCCP      6
#define ABI_SOCK_PACKET    10
#define ABI_SOCK_TYPE_MASK 0xfu
#define ABI_SOCK_NONBLOCK  O_NONBLOCK
#define ABI_SOCK_CLOEXEC   O_CLOEXEC

#define ABI_MSG_OOB          0x1u
#define ABI_MSG_PEEK         0x2u
#define ABI_MSG_DONTROUTE    0x4u
#define ABI_MSG_CTRUNC       0x8u
#define ABI_MSG_TRUNC        0x20u
#define ABI_MSG_DONTWAIT     0x40u
#define ABI_MSG_EOR          0x80u
#define ABI_MSG_WAITALL      0x100u
#define ABI_MSG_CONFIRM      0x800u
#define ABI_MSG_ERRQUEUE     0x2000u
#define ABI_MSG_NOSIGNAL     0x4000u
#define ABI_MSG_MORE         0x8000u
#define ABI_MSG_WAITFORONE   0x10000u
#define ABI_MSG_ZEROCOPY     0x4000000u
#define ABI_MSG_FASTOPEN     0x20000000u
#define ABI_MSG_CMSG_CLOEXEC 0x40000000u

#define ABI_SHUT_RD   0
#define ABI_SHUT_WR   1
#define ABI_SHUT_RDWR 2

#define ABI_SOL_IP      0
#define ABI_SOL_TCP     6
#define ABI_SOL_UDP     17
#define ABI_SOL_IPV6    41
#define ABI_SOL_ICMPV6  58
#define ABI_SOL_RAW     255
#define ABI_SOL_NETLINK 270

#define ABI_SCM_RIGHTS      1
#define ABI_SCM_CREDENTIALS 2
#define ABI_TCP_CM_INQ      TCP_INQ

#define ABI_SOMAXCONN 4096 /* net.core.somaxconn since Linux 5.4 */

/* sockaddr_in of <linux/in.h> and sockaddr_in6 of <linux/in6.h> are the kernel's own. */
union abi_sockaddr {
    uint16_t family;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_nl nl;
    unsigned char raw[128]; /* sockaddr_storage */
};

struct abi_msghdr {
    uint64_t name;
    uint32_t namelen, pad0;
    uint64_t iov, iovlen;
    uint64_t control, controllen;
    uint32_t flags, pad1;
};

struct abi_mmsghdr {
    struct abi_msghdr hdr;
    uint32_t len, pad;
};

struct abi_cmsghdr {
    uint64_t len; /* header included, padding not */
    int32_t level, type;
};

#define ABI_CMSG_ALIGN(n) (((n) + 7ull) & ~7ull)

struct abi_ucred {
    int32_t pid;
    uint32_t uid, gid;
};

struct abi_linger {
    int32_t onoff, seconds;
};

/* sock_extended_err of <linux/errqueue.h>, which does not compile without libc. */
struct abi_sock_extended_err {
    uint32_t error;
    uint8_t origin, type, code, pad;
    uint32_t info, data;
};
#define ABI_SO_EE_ORIGIN_LOCAL 1
#define ABI_SO_EE_ORIGIN_ICMP  2
#define ABI_SO_EE_ORIGIN_ICMP6 3

/* struct ifreq and ifconf of netdevice(7); <linux/if.h> pulls in libc. */
struct abi_ifreq {
    char name[16];
    union {
        struct sockaddr_in addr;
        struct {
            uint16_t family;
            unsigned char data[14];
        } hwaddr;
        int16_t flags;
        int32_t ivalue;
        char newname[16];
        unsigned char raw[24];
    };
};

struct abi_ifconf {
    int32_t len, pad;
    uint64_t buf;
};

#define ABI_IFF_UP          0x1u
#define ABI_IFF_BROADCAST   0x2u
#define ABI_IFF_LOOPBACK    0x8u
#define ABI_IFF_RUNNING     0x40u
#define ABI_IFF_MULTICAST   0x1000u
#define ABI_IFF_LOWER_UP    0x10000u
#define ABI_ARPHRD_ETHER    1
#define ABI_ARPHRD_LOOPBACK 772

_Static_assert(sizeof(struct abi_msghdr) == 56, "struct msghdr");
_Static_assert(sizeof(struct abi_mmsghdr) == 64, "struct mmsghdr");
_Static_assert(sizeof(struct abi_cmsghdr) == 16, "struct cmsghdr");
_Static_assert(sizeof(struct abi_ifreq) == 40, "struct ifreq");
_Static_assert(sizeof(struct sockaddr_un) == 110, "struct sockaddr_un");
_Static_assert(sizeof(union abi_sockaddr) == 128, "struct sockaddr_storage");

#endif
