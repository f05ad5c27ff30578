#include "compose/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "compose/units.h"

static size_t ip_len(const struct compose_ip *ip)
{
    return ip->family == 4 ? 4 : 16;
}

int ip_parse(const char *s, struct compose_ip *out)
{
    struct compose_ip ip = {0};
    if (inet_pton(AF_INET, s, ip.bytes) == 1) {
        ip.family = 4;
    } else if (inet_pton(AF_INET6, s, ip.bytes) == 1) {
        ip.family = 6;
    } else {
        return -1;
    }
    *out = ip;
    return 0;
}

static uint8_t mask_byte(uint8_t prefix, size_t index)
{
    size_t before = index * 8;
    if (prefix >= before + 8) {
        return 0xff;
    }
    return prefix <= before ? 0 : (uint8_t)(0xff << (8 - (prefix - before)));
}

int subnet_parse(const char *s, struct compose_subnet *out, bool *had_host_bits)
{
    char text[IP_TEXT_MAX];
    const char *slash = strchr(s, '/');
    if (!slash || (size_t)(slash - s) >= sizeof text) {
        return -1;
    }
    memcpy(text, s, (size_t)(slash - s));
    text[slash - s] = 0;
    struct compose_subnet net = {0};
    int64_t prefix = 0;
    if (ip_parse(text, &net.base) ||
        parse_integer(slash + 1, 0, net.base.family == 4 ? 32 : 128, &prefix)) {
        return -1;
    }
    net.prefix = (uint8_t)prefix;
    *had_host_bits = false;
    for (size_t i = 0; i < ip_len(&net.base); i++) {
        uint8_t masked = net.base.bytes[i] & mask_byte(net.prefix, i);
        *had_host_bits |= masked != net.base.bytes[i];
        net.base.bytes[i] = masked;
    }
    *out = net;
    return 0;
}

int ip_compare(const struct compose_ip *a, const struct compose_ip *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool subnet_contains(const struct compose_subnet *net, const struct compose_ip *ip)
{
    if (net->base.family == 0 || net->base.family != ip->family) {
        return false;
    }
    for (size_t i = 0; i < ip_len(ip); i++) {
        if ((ip->bytes[i] & mask_byte(net->prefix, i)) != net->base.bytes[i]) {
            return false;
        }
    }
    return true;
}

bool subnet_overlaps(const struct compose_subnet *a, const struct compose_subnet *b)
{
    return subnet_contains(a, &b->base) || subnet_contains(b, &a->base);
}

struct compose_ip subnet_nth(const struct compose_subnet *net, uint64_t n)
{
    struct compose_ip ip = net->base;
    uint64_t carry = n;
    for (size_t i = ip_len(&ip); i-- > 0 && carry;) {
        uint64_t sum = (carry & 0xff) + ip.bytes[i];
        ip.bytes[i] = (uint8_t)sum;
        carry = (carry >> 8) + (sum >> 8);
    }
    if (carry || !subnet_contains(net, &ip)) {
        return (struct compose_ip){0};
    }
    return ip;
}

struct compose_ip subnet_last(const struct compose_subnet *net)
{
    struct compose_ip ip = net->base;
    for (size_t i = 0; i < ip_len(&ip); i++) {
        ip.bytes[i] |= (uint8_t)~mask_byte(net->prefix, i);
    }
    return ip;
}

void ip_format(const struct compose_ip *ip, char text[IP_TEXT_MAX])
{
    text[0] = 0;
    if (ip->family) {
        inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, text, IP_TEXT_MAX);
    }
}

void subnet_format(const struct compose_subnet *net, char text[IP_TEXT_MAX])
{
    ip_format(&net->base, text);
    size_t len = strlen(text);
    if (len) {
        snprintf(text + len, IP_TEXT_MAX - len, "/%u", (unsigned)net->prefix);
    }
}
