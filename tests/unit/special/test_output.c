/* Consoles cut output into lines; the line discipline survives anything that is typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kernel/limits.h"
#include "kernel/vfs/special/pty.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"
#include "special_fixture.h"

/* The n-th record's text, checked for length and the partial mark. */
static void expect_line(struct fake_machine *fm, unsigned n, const char *text, size_t len,
                        unsigned partial)
{
    const struct fake_event *e = fm->events;

    while (n-- > 0) {
        e = e->next;
    }
    const struct event *ev = (const struct event *)e->record;
    const struct event_output *head = (const struct event_output *)ev->payload;

    assert_int_equal(ev->type, EVENT_OUTPUT);
    assert_int_equal(head->stream, 2);
    assert_int_equal(head->command_id, 9);
    assert_int_equal(head->partial, partial);
    assert_int_equal(ev->length, sizeof *head + len);
    assert_memory_equal(ev->payload + sizeof *head, text, len);
}

static void test_console(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    static struct vfs vfs;
    static char big[3 * LIMIT_OUTPUT_LINE];

    fm->m.vfs = &vfs;
    static struct superblock sb;
    sb.m = &fm->m;
    vfs.anon = &sb;
    struct file *f = console_create(&fm->node, 2, 9);

    file_write_bytes(&fm->task, f, "one\ntw", 6);
    file_write_bytes(&fm->task, f, "o\n\nthree", 8);
    assert_int_equal(fm->event_count, 3);
    expect_line(fm, 0, "one", 3, 0);
    expect_line(fm, 1, "two", 3, 0);
    expect_line(fm, 2, "", 0, 0);
    memset(big, 'x', sizeof big);
    file_write_bytes(&fm->task, f, "\n", 1);
    assert_int_equal(file_write_bytes(&fm->task, f, big, sizeof big), sizeof big);
    assert_int_equal(fm->event_count, 7);
    expect_line(fm, 4, big, LIMIT_OUTPUT_LINE, 1);
    file_write_bytes(&fm->task, f, "end", 3);
    file_put(f);
    assert_int_equal(fm->event_count, 8);
    expect_line(fm, 7, "end", 3, 1);
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

static void check_rings(const struct tty *y)
{
    assert_true(y->in_line - y->in_read <= TTY_INPUT_BYTES);
    assert_true(y->in_tail - y->in_read <= TTY_INPUT_BYTES);
    assert_true(y->in_line - y->in_read <= y->in_tail - y->in_read);
    assert_true(tty_out_used(y) <= TTY_OUTPUT_BYTES);
}

/* Random keys, modes and flushes: the rings stay what they are. */
static void test_ldisc_random(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    struct ptys p = {.m = &fm->m, .node = &fm->node};
    struct tty *y = tty_create(&p, 0, 0);
    struct stream rnd;

    y->ptys = NULL;
    stream_init(&rnd, 3, 1, 0);
    for (int i = 0; i < 300000; i++) {
        uint64_t r = stream_below(&rnd, 1000);

        if (r == 0) {
            uint32_t old = y->termios.c_lflag;

            y->termios.c_lflag = (uint32_t)stream_next(&rnd) & 0xffff;
            y->termios.c_iflag = (uint32_t)stream_next(&rnd) & 0x7fff;
            y->termios.c_oflag = (uint32_t)stream_next(&rnd) & 0x1fff;
            tty_mode_changed(y, old);
        } else if (r == 1) {
            tty_flush_input(y);
        } else if (r < 4) {
            tty_flush_output(y);
        } else if (r < 200) {
            tty_output(y, (unsigned char)stream_next(&rnd));
        } else {
            tty_input(y, (unsigned char)stream_below(&rnd, 8) ? (unsigned char)stream_next(&rnd)
                                                              : (unsigned char)(r & 31));
        }
        check_rings(y);
    }
    tty_put(y);
    assert_int_equal(fm->live, 0);
    fake_machine_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console),
        cmocka_unit_test(test_ldisc_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
