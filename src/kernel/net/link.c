/* Links. One queue a direction, ordered by (time of arrival, order of sending); one timer for its
 * head. In-order packets (TCP) never overtake each other; datagrams may, when the jitter says so.
 */
#include "kernel/net/link.h"

#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/trace/trace.h"

#define LINK_QUEUE_MAX                                                                             \
    65536u /* packets under way or held; more are lost, as in a full device queue */

struct link {
    struct timer timer;
    uint32_t from, to;
    struct link_policy policy;
    struct list_head queue; /* struct skb by due */
    struct list_head jam;   /* struct skb by arrival at the jam */
    uint32_t count;
    vtime last_due; /* of the last ordered packet */
};

static void link_fire(struct machine *m, struct timer *t);

void link_boot(struct machine *m)
{
    m->net->links = kalloc(m, (size_t)m->node_count * m->node_count * sizeof(struct link *));
}

static struct link *link_get(struct machine *m, uint32_t from, uint32_t to)
{
    ASSERT(from < m->node_count);
    ASSERT(to < m->node_count);
    struct link **slot = &m->net->links[from * m->node_count + to];
    if (!*slot) {
        struct link *l = KALLOC(m, struct link);
        l->from = from;
        l->to = to;
        list_init(&l->queue);
        list_init(&l->jam);
        *slot = l;
    }
    return *slot;
}

static void link_enqueue(struct machine *m, struct link *l, struct skb *s, vtime due)
{
    s->due = due;
    struct list_head *at = l->queue.prev;
    while (at != &l->queue && list_entry(at, struct skb, link)->due > due) {
        at = at->prev;
    }
    list_add(at, &s->link);
    l->count++;
    if (l->queue.next == &s->link) {
        timer_arm(m, &l->timer, due, l->to, link_fire);
    }
}

/* Draws are made only when there is something to draw, so that a universe without loss and jitter
 * uses none. */
static bool link_loses(struct machine *m, const struct link *l)
{
    uint64_t ppm = (uint64_t)m->plan->link.loss_ppm + l->policy.loss_ppm;
    if (ppm == 0) {
        return false;
    }
    struct node *n = m->nodes[l->from];
    struct stream *st = &n->streams[STREAM_NET];
    uint64_t index = st->count;
    if (!stream_chance_ppm(st, (uint32_t)min_u64(ppm, 1000000))) {
        return false;
    }
    trace_decision(m, STREAM_NET, n, index, l->to, "packet lost");
    return true;
}

static uint64_t link_delay(struct machine *m, const struct link *l)
{
    uint64_t jitter = m->plan->link.jitter_ns + l->policy.jitter_ns;
    uint64_t delay = m->plan->link.latency_ns + l->policy.latency_ns;
    if (jitter) {
        delay += stream_range(&m->nodes[l->from]->streams[STREAM_NET], 0, jitter);
    }
    return delay;
}

void link_send(struct machine *m, uint32_t from, uint32_t to, struct skb *s, bool ordered)
{
    struct link *l = link_get(m, from, to);
    if (l->policy.mode == LINK_STOPPED || l->count >= LINK_QUEUE_MAX || link_loses(m, l)) {
        skb_free(m, s);
        return;
    }
    vtime due = machine_now(m) + link_delay(m, l);
    if (ordered) {
        due = max_u64(due, l->last_due);
        l->last_due = due;
    }
    link_enqueue(m, l, s, due);
}

void link_send_at(struct machine *m, uint32_t node, struct skb *s, vtime when)
{
    struct link *l = link_get(m, node, node);
    if (l->count >= LINK_QUEUE_MAX) {
        skb_free(m, s);
        return;
    }
    link_enqueue(m, l, s, when);
}

static void link_deliver(struct machine *m, struct link *l, struct skb *s)
{
    struct node *to = m->nodes[l->to];
    trace_mix(m, (uint64_t)l->from << 32 | l->to, (uint64_t)s->proto << 32 | s->len);
    if (!to->net || !to->net->up) {
        skb_free(m, s);
        return;
    }
    ip_input(to->net, s);
}

static void link_fire(struct machine *m, struct timer *t)
{
    struct link *l = container_of(t, struct link, timer);
    vtime now = machine_now(m);
    while (!list_empty(&l->queue)) {
        struct skb *s = list_first_entry(&l->queue, struct skb, link);
        if (s->due > now) {
            break;
        }
        list_del(&s->link);
        if (l->policy.mode == LINK_JAMMED) {
            list_add_tail(&l->jam, &s->link);
            continue;
        }
        l->count--;
        if (l->policy.mode == LINK_STOPPED) {
            skb_free(m, s); /* was under way when the link stopped */
            continue;
        }
        link_deliver(m, l, s);
        net_flush(m);
    }
    if (!list_empty(&l->queue)) {
        vtime next = list_first_entry(&l->queue, struct skb, link)->due;
        timer_arm(m, &l->timer, next, l->to, link_fire);
    }
}

/* What was held arrives now, before anything that is still under way. */
static void link_release(struct machine *m, struct link *l)
{
    if (list_empty(&l->jam)) {
        return;
    }
    struct list_head *last = l->jam.prev, *first = l->jam.next;
    for (struct list_head *i = first; i != &l->jam; i = i->next) {
        list_entry(i, struct skb, link)->due = machine_now(m);
    }
    last->next = l->queue.next;
    l->queue.next->prev = last;
    l->queue.next = first;
    first->prev = &l->queue;
    list_init(&l->jam);
    timer_arm(m, &l->timer, machine_now(m), l->to, link_fire);
}

void net_link_set(struct machine *m, uint32_t from, uint32_t to, const struct link_policy *p)
{
    if (from == to) {
        return;
    }
    struct link *l = link_get(m, from, to);
    bool was_jammed = l->policy.mode == LINK_JAMMED;
    l->policy = *p;
    if (was_jammed && p->mode != LINK_JAMMED) {
        link_release(m, l);
    }
}

void net_link_restore_all(struct machine *m)
{
    static const struct link_policy normal = {0};
    for (uint32_t i = 0; i < m->node_count * m->node_count; i++) {
        struct link *l = m->net->links[i];
        if (l && l->from != l->to) {
            net_link_set(m, l->from, l->to, &normal);
        }
    }
}

void net_link_fini(struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count * m->node_count; i++) {
        struct link *l = m->net->links[i];
        if (!l) {
            continue;
        }
        timer_disarm(m, &l->timer);
        struct skb *s, *tmp;
        list_for_each_entry_safe (s, tmp, &l->queue, link) {
            list_del(&s->link);
            skb_free(m, s);
        }
        list_for_each_entry_safe (s, tmp, &l->jam, link) {
            list_del(&s->link);
            skb_free(m, s);
        }
        kfree(m, l);
    }
    kfree(m, m->net->links);
    m->net->links = NULL;
}
