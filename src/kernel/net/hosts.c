/* The files Docker writes into every container: /etc/hosts, /etc/resolv.conf, /etc/hostname. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/netns.h"
#include "kernel/node.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/vfs.h"

#define HOSTS_MAX 16384u

struct page {
    char *buf;
    size_t len;
};

static void line(struct page *p, const char *addr, const char *name)
{
    if (p->len < HOSTS_MAX) {
        p->len += str_format(p->buf + p->len, HOSTS_MAX - p->len, "%s\t%s\n", addr, name);
    }
}

size_t ip_format(char *dst, size_t cap, const struct ipaddr *a)
{
    if (ip_is_v4(a)) {
        return str_format(dst, cap, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
    }
    /* RFC 5952: the longest run of zero groups, at least two, becomes "::". */
    int best = -1, best_len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && !a->b[(i + n) * 2] && !a->b[(i + n) * 2 + 1]) {
            n++;
        }
        if (n > best_len) {
            best = i;
            best_len = n;
        }
    }
    size_t len = 0;
    dst[0] = 0;
    for (int i = 0; i < 8 && len < cap; i++) {
        if (i == best) {
            len += str_format(dst + len, cap - len, "::");
            i += best_len - 1;
            continue;
        }
        bool colon = i > 0 && i != best + best_len;
        colon = colon || (i > 0 && best < 0);
        len += str_format(dst + len, cap - len, "%s%x", colon ? ":" : "",
                          (unsigned)(a->b[i * 2] << 8 | a->b[i * 2 + 1]));
    }
    return len;
}

static void own_addresses(struct netns *ns, struct page *p)
{
    char addr[48];
    for (uint32_t i = 1; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        if (f->has4) {
            ip_format(addr, sizeof addr, &f->addr4);
            line(p, addr, ns->node->hostname);
        }
        if (f->has6) {
            ip_format(addr, sizeof addr, &f->addr6);
            line(p, addr, ns->node->hostname);
        }
    }
}

static void write(struct netns *ns, const char *path, const char *text, size_t len)
{
    int err = vfs_node_write_file(ns->node, path, text, len, 0644);
    if (err) {
        char note[128];
        size_t n = str_format(note, sizeof note, "cannot write %s: errno %d", path, -err);
        trace_text(ns->m, EVENT_DIAGNOSTIC, ns->node, note, n);
    }
}

void hosts_write(struct netns *ns)
{
    const struct plan *plan = ns->m->plan;
    const struct plan_node *pn = ns->node->plan;
    static const char resolv[] = "nameserver 127.0.0.11\noptions ndots:0\n";
    struct page p = {kalloc(ns->m, HOSTS_MAX), 0};
    line(&p, "127.0.0.1", "localhost");
    line(&p, "::1", "localhost ip6-localhost ip6-loopback");
    line(&p, "fe00::0", "ip6-localnet");
    line(&p, "ff00::0", "ip6-mcastprefix");
    line(&p, "ff02::1", "ip6-allnodes");
    line(&p, "ff02::2", "ip6-allrouters");
    for (uint32_t i = 0; pn && i < pn->hosts.count; i++) {
        const struct plan_host_entry *e = PLAN_AT(plan, pn->hosts, struct plan_host_entry, i);
        line(&p, PLAN_STR(plan, e->address), PLAN_STR(plan, e->name));
    }
    own_addresses(ns, &p);
    ASSERT(p.len < HOSTS_MAX);
    write(ns, "/etc/hosts", p.buf, p.len);
    write(ns, "/etc/resolv.conf", resolv, sizeof resolv - 1);
    char name[72];
    size_t n = str_format(name, sizeof name, "%s\n", ns->node->hostname);
    write(ns, "/etc/hostname", name, n);
    kfree(ns->m, p.buf);
}
