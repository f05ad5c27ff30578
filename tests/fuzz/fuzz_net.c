/* libFuzzer target for what guests send to the kernel's own network services. The first byte
 * chooses: D a DNS message, N netlink requests, C the control block of sendmsg. What is answered
 * must be well formed, the same each time, and leave nothing behind.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DEVERETT_HOST_BUILD -D_GNU_SOURCE -Isrc \
 *       -Itests/unit/kernel -Itests/unit/net tests/fuzz/fuzz_net.c tests/unit/net/world.c \
 *       tests/unit/kernel/fake_{machine,stand_ins}.c $(find src/kernel/net -name "[^p]*.c") \
 *       src/kernel/syscalls/sys_sock{et,msg}.c src/kernel/time/timer.c \
 *       src/base/{str,format,stream,assert_host}.c -lcmocka -o fuzz_net
 *   ./fuzz_net corpus/ tests/fuzz/regress/net/
 *
 * Inputs that once failed stay in tests/fuzz/regress/net; `make check` replays them. */
#include <linux/netlink.h>
#include <string.h>

#include "kernel/net/cmsg.h"
#include "kernel/net/dns.h"
#include "kernel/net/netlink.h"
#include "kernel/net/skb.h"
#include "kernel/net/sock.h"
#include "kernel/vfs/file.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world w;
static int unix_fd, inet_fd;

static void start(void)
{
    if (!w.m) {
        world_up(&w, NSEC_PER_USEC, 0, 0);
        unix_fd = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_STREAM);
        inet_fd = sock_new(&w, 0, ABI_AF_INET6, ABI_SOCK_DGRAM);
    }
}

static void fuzz_dns(const uint8_t *data, uint32_t size)
{
    static unsigned char first[DNS_MSG_MAX], second[DNS_MSG_MAX];
    struct netns *ns = w.nodes[0]->net;
    struct stream saved = w.nodes[0]->streams[STREAM_NET];
    uint32_t n = dns_answer(ns, data, size, first, sizeof first, true);
    w.nodes[0]->streams[STREAM_NET] = saved;
    ASSERT(n <= sizeof first);
    ASSERT(n == 0 || (n >= 12 && (first[2] & 0x80)));
    ASSERT(n == dns_answer(ns, data, size, second, sizeof second, true));
    ASSERT(memcmp(first, second, n) == 0);
    dns_answer(ns, data, size, second, 64, false);
}

static void fuzz_netlink(const uint8_t *data, uint32_t size)
{
    struct list_head answers;
    list_init(&answers);
    struct nl_reply r = {
        .m = w.m, .ns = w.nodes[0]->net, .portid = 1, .strict = size & 1, .queue = &answers};
    netlink_request(&r, data, size, size & 2);
    while (!list_empty(&answers)) {
        struct skb *s = list_first_entry(&answers, struct skb, link);
        uint32_t at = 0;
        while (at < s->len) {
            struct nlmsghdr h;
            ASSERT(s->len - at >= sizeof h);
            memcpy(&h, s->data + at, sizeof h);
            ASSERT(h.nlmsg_len >= sizeof h);
            ASSERT(h.nlmsg_len <= s->len - at);
            at += NLMSG_ALIGN(h.nlmsg_len);
        }
        list_del(&s->link);
        skb_free(w.m, s);
    }
}

static void fuzz_control(const uint8_t *data, size_t size)
{
    int fds[] = {unix_fd, inet_fd};
    if (size > 4096) {
        return;
    }
    memcpy(fake_ptr(w.hdr), data, size);
    for (int i = 0; i < 2; i++) {
        struct scm *scm;
        struct send_info info;
        struct sock *sk = sock_of_file(w.tasks[0]->fds->slots[fds[i]].file);
        int err = cmsg_parse(w.tasks[0], sk, w.hdr, size, &scm, &info);
        ASSERT(err <= 0);
        ASSERT(!err || !scm);
        scm_free(w.m, scm);
    }
    ASSERT(w.m->net->inflight_files == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    if (size == 0 || size > 65536) {
        return 0;
    }
    uint64_t live = w.fm->live;
    if (data[0] == 'D') {
        fuzz_dns(data + 1, (uint32_t)size - 1);
    } else if (data[0] == 'N') {
        fuzz_netlink(data + 1, (uint32_t)size - 1);
    } else if (data[0] == 'C') {
        fuzz_control(data + 1, size - 1);
    }
    ASSERT(w.fm->live == live);
    return 0;
}
