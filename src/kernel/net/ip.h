/* Internet addresses. One form for both families: IPv4 is kept v4-mapped (RFC 4291 2.5.5.2), so
 * that one table serves AF_INET and AF_INET6. Ports are in host byte order inside the kernel. */
#ifndef EVERETT_KERNEL_NET_IP_H
#define EVERETT_KERNEL_NET_IP_H

#include "base/base.h"
#include "base/stream.h"

struct ipaddr {
    union {
        uint8_t b[16];
        uint32_t w[4]; /* network byte order */
        uint64_t d[2];
    };
};

struct endpoint {
    struct ipaddr addr;
    uint16_t port;
};

static inline uint16_t be16(uint16_t x)
{
    return __builtin_bswap16(x);
}

static inline uint32_t be32(uint32_t x)
{
    return __builtin_bswap32(x);
}

/* From network byte order, as in sin_addr. */
static inline struct ipaddr ip_from_v4(uint32_t net_order)
{
    return (struct ipaddr){.w = {0, 0, 0xffff0000u, net_order}};
}

static inline struct ipaddr ip_from_bytes4(const uint8_t b[4])
{
    return (struct ipaddr){.b = {[10] = 0xff, [11] = 0xff, [12] = b[0], b[1], b[2], b[3]}};
}

static inline struct ipaddr ip_from_bytes16(const uint8_t b[16])
{
    struct ipaddr a;
    __builtin_memcpy(a.b, b, 16);
    return a;
}

static inline bool ip_is_v4(const struct ipaddr *a)
{
    return a->d[0] == 0 && a->w[2] == 0xffff0000u;
}

static inline bool ip_eq(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

/* 0.0.0.0 or :: */
static inline bool ip_is_any(const struct ipaddr *a)
{
    return a->d[0] == 0 && a->w[3] == 0 && (a->w[2] == 0 || a->w[2] == 0xffff0000u);
}

/* 127.0.0.0/8 or ::1 */
static inline bool ip_is_loopback(const struct ipaddr *a)
{
    if (ip_is_v4(a)) {
        return a->b[12] == 127;
    }
    return a->d[0] == 0 && a->w[2] == 0 && a->w[3] == 0x01000000u;
}

static inline bool ip_is_multicast(const struct ipaddr *a)
{
    return ip_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

static inline bool ip_is_limited_broadcast(const struct ipaddr *a)
{
    return ip_is_v4(a) && a->w[3] == 0xffffffffu;
}

static inline bool ip_is_link_local(const struct ipaddr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool ip_prefix_eq(const struct ipaddr *a, const struct ipaddr *b, uint32_t bits)
{
    uint32_t bytes = bits / 8, rest = bits % 8;
    if (__builtin_memcmp(a->b, b->b, bytes) != 0) {
        return false;
    }
    return rest == 0 || ((a->b[bytes] ^ b->b[bytes]) >> (8 - rest)) == 0;
}

/* Text form; IPv6 as in RFC 5952. Returns the length. cap >= 46 always suffices. */
size_t ip_format(char *dst, size_t cap, const struct ipaddr *a);

static inline uint32_t ip_hash(const struct ipaddr *a, uint64_t extra)
{
    return (uint32_t)stream_mix(a->d[0] * 31 + a->d[1] + stream_mix(extra));
}

#endif
