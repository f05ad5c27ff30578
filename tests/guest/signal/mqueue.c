/* POSIX message queues: order, limits, waiting, notification (mq_overview(7)). */
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "guest_test.h"

#define NAME "/guest-mqueue"

static mqd_t make(long maxmsg, long msgsize, int flags)
{
    struct mq_attr attr = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
    mq_unlink(NAME);
    mqd_t q = mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attr);
    if (q == (mqd_t)-1 && errno == ENOSYS) {
        SKIP("a kernel without message queues");
    }
    CHECK(q >= 0);
    return q;
}

static struct timespec in_ms(long ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    long long ns = ts.tv_nsec + ms * 1000000ll;
    ts.tv_sec += ns / 1000000000;
    ts.tv_nsec = ns % 1000000000;
    return ts;
}

TEST(highest_priority_first)
{
    static const struct {
        const char *text;
        unsigned prio;
    } sent[] = {{"a", 1}, {"b", 5}, {"c", 1}, {"d", 0}, {"e", 5}};
    mqd_t q = make(10, 16, 0);
    char got[16], order[COUNT(sent) + 1] = "";
    unsigned prio;
    for (size_t i = 0; i < COUNT(sent); i++) {
        CHECK_EQ(mq_send(q, sent[i].text, 1, sent[i].prio), 0);
    }
    struct mq_attr attr;
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_curmsgs, 5);
    CHECK_EQ(attr.mq_maxmsg, 10);
    CHECK_EQ(attr.mq_msgsize, 16);
    for (size_t i = 0; i < COUNT(sent); i++) {
        CHECK_EQ(mq_receive(q, got, sizeof got, &prio), 1);
        order[i] = got[0];
        CHECK_EQ(prio, i < 2 ? 5 : i < 4 ? 1 : 0);
    }
    CHECK_EQ(strcmp(order, "beacd"), 0);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(bad_arguments)
{
    mqd_t q = make(2, 8, O_NONBLOCK);
    struct mq_attr attr = {.mq_maxmsg = 0, .mq_msgsize = 8};
    char big[16] = "";
    CHECK_ERR(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    CHECK_ERR(mq_open("/guest-absent", O_RDWR), ENOENT);
    CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
    CHECK_ERR(mq_open("/guest-zero", O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    CHECK_ERR(mq_unlink("/guest-absent"), ENOENT);
    CHECK_ERR(mq_send(q, big, 9, 0), EMSGSIZE);
    CHECK_ERR(mq_send(q, big, 1, 32768), EINVAL);
    CHECK_ERR(mq_receive(q, big, 7, NULL), EMSGSIZE);
    CHECK_ERR(mq_receive(q, big, 8, NULL), EAGAIN);
    CHECK_ERR(mq_send(0, big, 1, 0), EBADF);
    CHECK_EQ(mq_send(q, big, 0, 0), 0);
    CHECK_EQ(mq_send(q, big, 8, 0), 0);
    CHECK_ERR(mq_send(q, big, 8, 0), EAGAIN);
    mqd_t reader = mq_open(NAME, O_RDONLY);
    CHECK_ERR(mq_send(reader, big, 1, 0), EBADF);
    CHECK_EQ(mq_receive(reader, big, 8, NULL), 0);
    CHECK(fcntl(reader, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(mq_unlink(NAME), 0);
    CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
    CHECK_EQ(mq_receive(reader, big, 8, NULL), 8); /* lives on without a name */
    CHECK_EQ(mq_close(reader), 0);
    CHECK_ERR(mq_close(reader), EBADF);
}

TEST(too_many_bytes)
{
    struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
    mq_close(make(1, 8, 0)); /* or there are no queues at all */
    CHECK_EQ(mq_unlink(NAME), 0);
    CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 100};
    CHECK_ERR(mq_open("/guest-bytes", O_RDWR | O_CREAT, 0600, &attr), EMFILE);
}

TEST(set_nonblocking)
{
    mqd_t q = make(1, 8, 0);
    struct mq_attr set = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 77}, old;
    char text[8];
    CHECK_EQ(mq_setattr(q, &set, &old), 0);
    CHECK_EQ(old.mq_flags, 0);
    CHECK_ERR(mq_receive(q, text, 8, NULL), EAGAIN);
    CHECK_EQ(mq_getattr(q, &old), 0);
    CHECK_EQ(old.mq_flags, O_NONBLOCK);
    CHECK_EQ(old.mq_maxmsg, 1);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(waits_for_room_and_for_messages)
{
    mqd_t q = make(1, 8, 0);
    char text[8] = "first";
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(mq_send(q, "1", 1, 0), 0);
        CHECK_EQ(mq_send(q, "2", 1, 0), 0); /* waits until the first is taken */
        CHECK_EQ(mq_send(q, "3", 1, 0), 0);
        _exit(0);
    }
    for (char c = '1'; c <= '3'; c++) {
        CHECK_EQ(mq_receive(q, text, 8, NULL), 1);
        CHECK_EQ(text[0], c);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(timed_calls_give_up)
{
    mqd_t q = make(1, 8, 0);
    struct timespec when = in_ms(30), bad = {.tv_sec = 1, .tv_nsec = -1}, past = {.tv_sec = 1};
    char text[8];
    long long begun = guest_now_ns();
    CHECK_ERR(mq_timedreceive(q, text, 8, NULL, &when), ETIMEDOUT);
    CHECK(guest_now_ns() - begun >= 25000000);
    CHECK_ERR(mq_timedreceive(q, text, 8, NULL, &past), ETIMEDOUT);
    CHECK_ERR(mq_timedreceive(q, text, 8, NULL, &bad), EINVAL);
    CHECK_EQ(mq_timedsend(q, "x", 1, 0, &past), 0); /* there is room: no reason to wait */
    CHECK_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
    CHECK_EQ(mq_timedreceive(q, text, 8, NULL, &past), 1);
    CHECK_EQ(mq_unlink(NAME), 0);
}

static volatile sig_atomic_t got_signal, got_code, got_value;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    got_signal = signo;
    got_code = info->si_code;
    got_value = info->si_value.sival_int;
}

TEST(notifies_by_signal_once)
{
    mqd_t q = make(4, 8, 0);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    ev.sigev_value.sival_int = 42;
    sigaction(SIGUSR1, &sa, NULL);
    CHECK_EQ(mq_notify(q, &ev), 0);
    CHECK_ERR(mq_notify(q, &ev), EBUSY);
    CHECK_EQ(mq_send(q, "a", 1, 0), 0);
    CHECK_EQ(got_signal, SIGUSR1);
    CHECK_EQ(got_code, SI_MESGQ);
    CHECK_EQ(got_value, 42);
    got_signal = 0;
    CHECK_EQ(mq_notify(q, &ev), 0); /* free again, and the queue is not empty */
    CHECK_EQ(mq_send(q, "b", 1, 0), 0);
    CHECK_EQ(got_signal, 0);
    CHECK_EQ(mq_notify(q, NULL), 0);
    CHECK_EQ(mq_notify(q, &ev), 0);
    mqd_t again = mq_open(NAME, O_RDWR);
    CHECK_EQ(mq_close(q), 0); /* takes the registration away */
    CHECK_EQ(mq_notify(again, &ev), 0);
    CHECK_EQ(mq_unlink(NAME), 0);
}

static int told[2];

static void on_thread(union sigval value)
{
    char c = (char)value.sival_int;
    CHECK_EQ(write(told[1], &c, 1), 1);
}

TEST(notifies_by_thread)
{
    mqd_t q = make(4, 8, 0);
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread};
    char c = 0;
    ev.sigev_value.sival_int = 'T';
    CHECK_EQ(pipe(told), 0);
    CHECK_EQ(mq_notify(q, &ev), 0);
    CHECK_EQ(mq_send(q, "a", 1, 0), 0);
    CHECK_EQ(read(told[0], &c, 1), 1);
    CHECK_EQ(c, 'T');
    CHECK_EQ(mq_unlink(NAME), 0);
}

TEST(polls_and_says_its_state)
{
    mqd_t q = make(1, 8, 0);
    struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
    struct stat st;
    char line[100] = "";
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    CHECK_EQ(mq_send(q, "abc", 3, 0), 0);
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN);
    CHECK_EQ(fstat(q, &st), 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0600);
    CHECK(read(q, line, sizeof line - 1) > 0);
    CHECK_EQ(strncmp(line, "QSIZE:3          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", 60), 0);
    CHECK_EQ(mq_unlink(NAME), 0);
}

static const struct guest_test tests[] = {
    ENTRY(highest_priority_first),
    ENTRY(bad_arguments),
    ENTRY(too_many_bytes),
    ENTRY(set_nonblocking),
    ENTRY(waits_for_room_and_for_messages),
    ENTRY(timed_calls_give_up),
    ENTRY(notifies_by_signal_once),
    ENTRY(notifies_by_thread),
    ENTRY(polls_and_says_its_state),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
