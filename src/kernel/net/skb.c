#include "kernel/net/skb.h"

#include "kernel/alloc.h"

struct skb *skb_alloc(struct machine *m, uint32_t cap)
{
    struct skb *s = kalloc(m, sizeof *s + cap);
    list_init(&s->link);
    s->refs = 1;
    s->cap = cap;
    s->ttl = 64;
    s->data = (unsigned char *)(s + 1);
    return s;
}

struct skb *skb_share(struct machine *m, struct skb *s, uint32_t off, uint32_t len)
{
    ASSERT(off <= s->len && len <= s->len - off);
    struct skb *c = KALLOC(m, struct skb);
    struct skb *owner = s->base ? s->base : s;
    owner->refs++;
    list_init(&c->link);
    c->refs = 1;
    c->base = owner;
    c->data = s->data + off;
    c->len = len;
    c->ttl = 64;
    return c;
}

void skb_free(struct machine *m, struct skb *s)
{
    if (!s) {
        return;
    }
    ASSERT(!s->scm);
    struct skb *owner = s->base;
    if (owner) {
        kfree(m, s);
        s = owner;
    }
    ASSERT(s->refs > 0);
    if (--s->refs == 0) {
        kfree(m, s);
    }
}
