/* Which addresses a user may make the server talk to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "server/notify/notify_priv.h"

struct block4 {
    uint32_t address;
    unsigned bits;
};

/* RFC 6890 and its registry: everything that is not globally reachable. */
static bool is_public4(uint32_t a)
{
    static const struct block4 blocks[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        if (((a ^ blocks[i].address) >> (32 - blocks[i].bits)) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t read4(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Of IPv6 only 2000::/3 is handed out, and of that, what carries an IPv4 address is as good as
 * that one. */
static bool is_public6(const uint8_t *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0) {
        return is_public4(read4(a + 12));
    }
    if ((a[0] & 0xe0) != 0x20) {
        return false;
    }
    if (a[0] == 0x20 && a[1] == 0x02) { /* 6to4 */
        return is_public4(read4(a + 2));
    }
    bool is_special = a[0] == 0x20 && a[1] == 0x01 && a[2] < 2; /* Teredo and others */
    bool is_example = a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8;
    return !is_special && !is_example;
}

bool address_is_public(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, addr, sizeof in);
        return is_public6(in.sin6_addr.s6_addr);
    }
    return false;
}
