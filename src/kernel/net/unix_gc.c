/* Sockets whose only references are in messages queued on sockets of the same kind: a program sent
 * a socket over itself, or two over each other, and closed them. As Linux's net/unix/garbage.c. */
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/unix.h"
#include "kernel/vfs/file.h"

static struct unix_sock *unix_of_file(const struct file *f)
{
    struct sock *sk = sock_of_file(f);
    return sk && sk->family == ABI_AF_UNIX ? unix_of(sk) : NULL;
}

void unix_inflight(struct machine *m, struct file *f, int delta)
{
    struct unix_sock *us = unix_of_file(f);
    if (us) {
        us->inflight += (uint32_t)delta;
        m->net->inflight_files += (uint64_t)(int64_t)delta;
    }
}

/* Calls fn for every AF_UNIX socket that a message queued on `us`, or on a connection waiting in
 * its accept queue, refers to. */
static void each_child(struct unix_sock *us, void (*fn)(struct unix_sock *child))
{
    struct skb *s;
    list_for_each_entry (s, &us->sk.rcvq, link) {
        for (uint32_t i = 0; s->scm && i < s->scm->nfiles; i++) {
            struct unix_sock *child = unix_of_file(s->scm->files[i]);
            if (child) {
                fn(child);
            }
        }
    }
    struct unix_sock *c;
    list_for_each_entry (c, &us->acceptq, queue_link) {
        each_child(c, fn);
    }
}

static void uncount(struct unix_sock *child)
{
    if (child->gc_candidate) {
        child->gc_external--;
    }
}

static void keep(struct unix_sock *child)
{
    if (child->gc_candidate && !child->gc_kept) {
        child->gc_kept = true;
        each_child(child, keep);
    }
}

void unix_gc(struct machine *m)
{
    struct net *net = m->net;
    struct unix_sock *us;
    if (net->inflight_files == 0 || net->collecting) {
        return;
    }
    bool any = false;
    list_for_each_entry (us, &net->unix_socks, all_link) {
        us->gc_candidate = us->inflight && us->sk.file && us->sk.file->refs == us->inflight;
        us->gc_kept = false;
        us->gc_external = us->inflight;
        any = any || us->gc_candidate;
    }
    if (!any) {
        return;
    }
    list_for_each_entry (us, &net->unix_socks, all_link) {
        if (us->gc_candidate) {
            each_child(us, uncount);
        }
    }
    list_for_each_entry (us, &net->unix_socks, all_link) {
        if (us->gc_candidate && us->gc_external) {
            keep(us);
        }
    }
    /* The queue of each doomed socket goes; that drops the files. Start over after every one, since
     * closing changes the list. */
    net->collecting = true;
    for (bool found = true; found;) {
        found = false;
        list_for_each_entry (us, &net->unix_socks, all_link) {
            if (us->gc_candidate && !us->gc_kept) {
                us->gc_candidate = false;
                unix_get(us);
                unix_purge(us);
                unix_put(us);
                found = true;
                break;
            }
        }
    }
    net->collecting = false;
}
