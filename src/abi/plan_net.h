/* The part of the boot plan that says which networks there are and who is on them. */
#ifndef EVERETT_ABI_PLAN_NET_H
#define EVERETT_ABI_PLAN_NET_H

#include "abi/plan_base.h"

struct plan_network {
    plan_str name;
    uint32_t internal;
    uint8_t subnet4[4];
    uint32_t prefix4; /* 0: no IPv4 */
    uint8_t gateway4[4];
    uint8_t subnet6[16];
    uint32_t prefix6; /* 0: no IPv6 */
    uint8_t gateway6[16];
};

struct plan_attach {
    uint32_t network;
    uint8_t addr4[4];
    uint8_t addr6[16];
    struct plan_list aliases; /* plan_str: names this node answers to on that network */
};

#endif
