/* IP addresses and subnets of the modelled networks. */
#ifndef EVERETT_COMPOSE_ADDR_H
#define EVERETT_COMPOSE_ADDR_H

#include "base/base.h"

struct compose_ip {
    uint8_t family;    /* 4 or 6; 0: no address */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
};

struct compose_subnet {
    struct compose_ip base; /* host bits are zero; family 0: no subnet */
    uint8_t prefix;         /* bits */
};

enum { IP_TEXT_MAX = 48 }; /* an address with "/128" */

/* Accepts only the numeric forms of inet_pton. Returns -1 otherwise. */
int ip_parse(const char *s, struct compose_ip *out);
/* "10.0.0.0/24"; `*had_host_bits` tells that bits behind the prefix were set and cleared. */
int subnet_parse(const char *s, struct compose_subnet *out, bool *had_host_bits);
/* Bytewise; families first. Returns <0, 0, >0. */
int ip_compare(const struct compose_ip *a, const struct compose_ip *b);
bool subnet_contains(const struct compose_subnet *net, const struct compose_ip *ip);
bool subnet_overlaps(const struct compose_subnet *a, const struct compose_subnet *b);
/* base + n; family 0 when that is outside the subnet. */
struct compose_ip subnet_nth(const struct compose_subnet *net, uint64_t n);
/* The last address: the broadcast address of IPv4. */
struct compose_ip subnet_last(const struct compose_subnet *net);
void ip_format(const struct compose_ip *ip, char text[IP_TEXT_MAX]);
void subnet_format(const struct compose_subnet *net, char text[IP_TEXT_MAX]);

#endif
