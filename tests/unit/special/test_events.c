/* Pipes and epoll on their own: contents against a model, order, memory, teardown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/eventpoll.h>
#include <string.h>

#include "kernel/vfs/special/epoll.h"
#include "kernel/vfs/special/eventfd.h"
#include "kernel/vfs/special/pipe.h"
#include "special_fixture.h"

/* 20,000 random reads and writes against a plain byte queue. */
static void test_pipe_model(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    static unsigned char model[1 << 17], buf[20000], got[20000];
    struct file *ends[2];
    struct stream rnd;
    size_t head = 0, len = 0;
    unsigned char next = 0;

    stream_init(&rnd, 7, 1, 0);
    pipe_create(&fm->m, O_NONBLOCK, ends);
    for (int i = 0; i < 20000; i++) {
        size_t n = 1 + stream_below(&rnd, stream_below(&rnd, 4) ? 300 : sizeof buf);
        int64_t r;

        if (stream_below(&rnd, 2)) {
            for (size_t k = 0; k < n; k++) {
                buf[k] = (unsigned char)(next + k);
            }
            r = file_write_bytes(&fm->task, ends[1], buf, n);
            assert_true(r == -EAGAIN || (r > 0 && r <= (int64_t)n));
            assert_true(r < 0 || n > 4096 || r == (int64_t)n); /* never split up to PIPE_BUF */
            for (int64_t k = 0; k < r; k++) {
                model[(head + len++) % sizeof model] = buf[k];
            }
            next = (unsigned char)(next + (r > 0 ? r : 0));
        } else {
            r = file_read_bytes(&fm->task, ends[0], got, n);
            assert_int_equal(r, len == 0 ? -EAGAIN : (int64_t)(n < len ? n : len));
            for (int64_t k = 0; k < r; k++, len--) {
                assert_int_equal(got[k], model[head++ % sizeof model]);
            }
        }
        assert_true(len <= 65536);
        assert_int_equal((ends[0]->ops->poll(ends[0]) & ABI_POLLIN) != 0, len > 0);
    }
    file_put(ends[0]);
    assert_int_equal(file_write_bytes(&fm->task, ends[1], "x", 1), -EPIPE);
    assert_int_equal(fm->sigpipes, 1);
    file_put(ends[1]);
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

static struct file *watch(struct file *ep, struct file *f, int fd, uint32_t events)
{
    struct abi_epoll_event ev = {events, (uint64_t)fd};

    assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, fd, f, &ev), 0);
    return f;
}

static int64_t collect(struct fake_machine *fm, struct file *ep, struct abi_epoll_event *out,
                       uint32_t max)
{
    gaddr at = gaddr_of(FAKE_GUEST_BASE);
    int64_t n = epoll_collect(&fm->task, ep, at, max);

    if (n > 0) {
        memcpy(out, fake_ptr(at), (size_t)n * sizeof *out);
    }
    return n;
}

/* Once everything exists, a ping-pong over eventfd, pipe and epoll takes no memory at all. */
static void test_no_allocation(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    struct file *ep = epoll_file_create(&fm->m), *e = eventfd_create(&fm->m, 0, false, 0), *p[2];
    struct abi_epoll_event out[4];
    uint64_t one = 1, before;
    char c;

    pipe_create(&fm->m, 0, p);
    watch(ep, e, 5, EPOLLIN);
    watch(ep, p[0], 6, EPOLLIN | EPOLLET);
    assert_int_equal(file_write_bytes(&fm->task, p[1], "x", 1), 1);
    assert_int_equal(file_read_bytes(&fm->task, p[0], &c, 1), 1);
    before = fm->allocations;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(file_write_bytes(&fm->task, e, &one, 8), 8);
        assert_int_equal(file_write_bytes(&fm->task, p[1], "x", 1), 1);
        assert_int_equal(collect(fm, ep, out, 4), 2);
        /* The pipe was first at the start; the level-triggered one then stayed in the list. */
        assert_int_equal(out[0].data, i == 0 ? 6 : 5);
        assert_int_equal(file_read_bytes(&fm->task, e, &one, 8), 8);
        assert_int_equal(file_read_bytes(&fm->task, p[0], &c, 1), 1);
    }
    assert_int_equal(fm->allocations, before);
    file_put(ep);
    file_put(e);
    file_put(p[0]);
    file_put(p[1]);
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

static void test_epoll_teardown(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    struct file *outer = epoll_file_create(&fm->m), *ep = epoll_file_create(&fm->m), *e[200];
    struct abi_epoll_event out[256], ev = {EPOLLIN, 0};

    watch(outer, ep, 1, EPOLLIN);
    assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 2, outer, &ev), -ELOOP);
    for (int i = 0; i < 200; i++) {
        e[i] = eventfd_create(&fm->m, 1, false, 0);
        watch(ep, e[i], i, EPOLLIN);
    }
    assert_int_equal(collect(fm, ep, out, 256), 200);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(out[i].data, i);
    }
    for (int i = 0; i < 200; i += 2) {
        file_put(e[i]); /* closing ends the registration */
    }
    assert_int_equal(collect(fm, ep, out, 256), 100);
    assert_int_equal(outer->ops->poll(outer), ABI_POLLIN | ABI_POLLRDNORM);
    file_put(ep);
    assert_int_equal(outer->ops->poll(outer), 0);
    file_put(outer);
    for (int i = 1; i < 200; i += 2) {
        file_put(e[i]);
    }
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

/* A fault in the middle keeps what was already told and loses nothing. */
static void test_collect_fault(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    struct file *ep = epoll_file_create(&fm->m), *a = eventfd_create(&fm->m, 1, false, 0);
    struct file *b = eventfd_create(&fm->m, 1, false, 0);
    struct abi_epoll_event out[2];
    gaddr end = gaddr_of(FAKE_GUEST_BASE + FAKE_GUEST_BYTES - sizeof out[0]);

    watch(ep, a, 1, EPOLLIN | EPOLLET);
    watch(ep, b, 2, EPOLLIN | EPOLLET);
    assert_int_equal(epoll_collect(&fm->task, ep, end, 2), 1);
    assert_int_equal(epoll_collect(&fm->task, ep, gaddr_of(8), 2), -EFAULT);
    assert_int_equal(collect(fm, ep, out, 2), 1);
    assert_int_equal(out[0].data, 2);
    file_put(a);
    file_put(b);
    file_put(ep);
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe_model),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_epoll_teardown),
        cmocka_unit_test(test_collect_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
