/* Contents of /proc/net files, as proc(5) lays them out, headers included. Implemented by net/. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PROC_NET_H
#define EVERETT_KERNEL_VFS_SPECIAL_PROC_NET_H

struct node;
struct text;

void net_proc_dev(struct text *x, struct node *n);
void net_proc_tcp(struct text *x, struct node *n);
void net_proc_tcp6(struct text *x, struct node *n);
void net_proc_udp(struct text *x, struct node *n);
void net_proc_udp6(struct text *x, struct node *n);
void net_proc_raw(struct text *x, struct node *n);
void net_proc_raw6(struct text *x, struct node *n);
void net_proc_unix(struct text *x, struct node *n);
void net_proc_route(struct text *x, struct node *n);
void net_proc_ipv6_route(struct text *x, struct node *n);
void net_proc_if_inet6(struct text *x, struct node *n);
void net_proc_arp(struct text *x, struct node *n);
void net_proc_snmp(struct text *x, struct node *n);
void net_proc_snmp6(struct text *x, struct node *n);
void net_proc_netstat(struct text *x, struct node *n);
void net_proc_sockstat(struct text *x, struct node *n);
void net_proc_sockstat6(struct text *x, struct node *n);

/* Interfaces of a node for /sys/class/net, in index order. `index` counts from 0; false at the end.
 */
struct net_sys_if {
    char name[16];
    unsigned ifindex, mtu, flags; /* flags: IFF_* */
    unsigned type;                /* ARPHRD_* */
    unsigned char mac[6];
    unsigned long long rx_bytes, tx_bytes, rx_packets, tx_packets, rx_dropped, tx_dropped;
};
_Bool net_sys_interface(struct node *n, unsigned index, struct net_sys_if *out);

#endif
