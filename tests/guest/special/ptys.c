/* Pseudo-terminals: line discipline, job control, hang-up (pty(7), termios(3), ioctl_tty(2)). */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <utmp.h>

#include "../guest_test.h"

static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
    caught = signo;
}

struct pair {
    int m, s;
};

static struct pair open_pair(void)
{
    struct pair p;
    CHECK(openpty(&p.m, &p.s, NULL, NULL, NULL) == 0);
    return p;
}

static void expect_read(int fd, const char *text, size_t n)
{
    char buf[512];
    size_t at = 0;
    while (at < n) {
        ssize_t r = read(fd, buf + at, sizeof buf - at);
        CHECK(r > 0);
        at += (size_t)r;
    }
    CHECK_EQ(at, n);
    CHECK(memcmp(buf, text, n) == 0);
}

/* Linux processes input in a worker of its own: give it a moment. */
static void type(int fd, const char *text)
{
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    guest_nap(3);
}

static void catch (int signo)
{
    struct sigaction sa = {.sa_handler = on_signal};
    CHECK(sigaction(signo, &sa, NULL) == 0);
}

/* True once `fd` is readable. */
static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

#define EXPECT(fd, text) expect_read(fd, text, sizeof(text) - 1)

TEST(names)
{
    int m = posix_openpt(O_RDWR | O_NOCTTY), n = -1, locked = 0;
    char path[64];
    CHECK(m >= 0 && isatty(m));
    CHECK(ioctl(m, TIOCGPTN, &n) == 0 && n >= 0);
    snprintf(path, sizeof path, "/dev/pts/%d", n);
    CHECK_ERR(open(path, O_RDWR | O_NOCTTY), EIO);
    CHECK(grantpt(m) == 0 && unlockpt(m) == 0);
    CHECK(ioctl(m, TIOCGPTLCK, &locked) == 0 && !locked);
    int s = open(path, O_RDWR | O_NOCTTY);
    CHECK(s >= 0 && isatty(s) && strcmp(ttyname(s), path) == 0);
    struct stat st;
    CHECK(fstat(s, &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(st.st_rdev == (dev_t)(136 << 8 | n));
    CHECK_ERR(lseek(s, 0, SEEK_SET), ESPIPE);
    close(m);
    CHECK_ERR(open(path, O_RDWR | O_NOCTTY), ENOENT);
}

TEST(canonical)
{
    struct pair p = open_pair();
    type(p.m, "abc");
    CHECK(!readable(p.s));
    type(p.m, "\x7f"
              "d\n");
    EXPECT(p.s, "abd\n");
    EXPECT(p.m, "abc\b \bd\r\n");
    type(p.m, "one two\x17three\x15rest\n"); /* ^W, ^U */
    EXPECT(p.s, "rest\n");
    char buf[200];
    CHECK(read(p.m, buf, sizeof buf) > 0);
    type(p.m, "l1\nl2\n");
    EXPECT(p.s, "l1\n"); /* one line a read */
    int n = 0;
    CHECK(ioctl(p.s, FIONREAD, &n) == 0 && n == 3);
    CHECK(read(p.s, buf, 2) == 2 && read(p.s, buf, 2) == 1);
    type(p.m, "part\x04");
    EXPECT(p.s, "part");
    type(p.m, "\x04");
    CHECK_EQ(read(p.s, buf, 10), 0);
    type(p.m, "a\x16\x03z\r"); /* ^V ^C, and a carriage return */
    EXPECT(p.s, "a\003z\n");
}

TEST(output)
{
    struct pair p = open_pair();
    struct termios t;
    type(p.s, "a\nb");
    EXPECT(p.m, "a\r\nb");
    CHECK(tcgetattr(p.s, &t) == 0);
    t.c_oflag |= XTABS;
    CHECK(tcsetattr(p.s, TCSANOW, &t) == 0);
    type(p.s, "\r1\t2\n");
    EXPECT(p.m, "\r1       2\r\n");
    t.c_oflag &= ~(tcflag_t)OPOST;
    CHECK(tcsetattr(p.s, TCSANOW, &t) == 0);
    type(p.s, "x\n");
    EXPECT(p.m, "x\n");
    CHECK(tcdrain(p.s) == 0);
    type(p.m, "\x13"); /* ^S */
    struct pollfd pf = {.fd = p.s, .events = POLLOUT};
    CHECK(fcntl(p.s, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    CHECK_ERR(write(p.s, "q", 1), EAGAIN);
    type(p.m, "\x11");
    CHECK(poll(&pf, 1, 1000) == 1 && write(p.s, "q", 1) == 1);
}

TEST(raw)
{
    struct pair p = open_pair();
    struct termios t, back;
    char buf[16];
    CHECK(tcgetattr(p.s, &t) == 0);
    CHECK(t.c_lflag & ICANON && t.c_lflag & ECHO && t.c_iflag & ICRNL && t.c_cc[VINTR] == 3);
    cfmakeraw(&t);
    t.c_cc[VMIN] = 3;
    CHECK(tcsetattr(p.s, TCSAFLUSH, &t) == 0);
    CHECK(tcgetattr(p.m, &back) == 0 && !(back.c_lflag & ICANON));
    type(p.m, "\x03\r");
    CHECK(!readable(p.s)); /* VMIN is 3 */
    type(p.m, "!");
    EXPECT(p.s, "\x03\r!");
    t.c_cc[VMIN] = 0;
    CHECK(tcsetattr(p.s, TCSANOW, &t) == 0);
    CHECK_EQ(read(p.s, buf, 4), 0);
    t.c_cc[VTIME] = 1;
    CHECK(tcsetattr(p.s, TCSANOW, &t) == 0);
    long long t0 = guest_now_ns();
    CHECK_EQ(read(p.s, buf, 4), 0);
    CHECK(guest_now_ns() - t0 >= 90000000);
    type(p.m, "k");
    CHECK_EQ(read(p.s, buf, 4), 1);
    type(p.m, "junk");
    CHECK(tcflush(p.s, TCIFLUSH) == 0 && !readable(p.s));
    CHECK_ERR(tcflush(p.s, 77), EINVAL);
}

TEST(winsize)
{
    struct pair p = open_pair();
    struct winsize w = {24, 80, 1, 2}, got = {0};
    CHECK(ioctl(p.m, TIOCSWINSZ, &w) == 0);
    CHECK(ioctl(p.s, TIOCGWINSZ, &got) == 0 && memcmp(&w, &got, sizeof w) == 0);
}

TEST(not_terminals)
{
    int p[2];
    struct termios t;
    CHECK(pipe(p) == 0 && !isatty(p[0]));
    CHECK_ERR(tcgetattr(p[0], &t), ENOTTY);
    CHECK_ERR(tcgetattr(open("/dev/null", O_RDWR), &t), ENOTTY);
    CHECK_ERR(tcgetattr(open(".", O_RDONLY), &t), ENOTTY);
}

/* A session of its own, on the slave. */
static pid_t session_child(struct pair *p)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(p->m);
        if (login_tty(p->s)) {
            _exit(99);
        }
    }
    return pid;
}

TEST(controlling)
{
    struct pair p = open_pair();
    pid_t pid = session_child(&p);
    if (pid == 0) {
        int tty = open("/dev/tty", O_RDWR);
        bool ok = tty >= 0 && isatty(tty) && tcgetpgrp(0) == getpgrp() && tcgetsid(0) == getsid(0);
        ok = ok && write(tty, "via tty", 7) == 7;
        _exit(ok ? 0 : 1);
    }
    close(p.s);
    CHECK_EXIT(pid, 0);
    EXPECT(p.m, "via tty");
    char c;
    CHECK_ERR(read(p.m, &c, 1), EIO);
    struct pollfd pf = {.fd = p.m, .events = POLLIN};
    CHECK(poll(&pf, 1, 0) == 1 && pf.revents & POLLHUP);
}

TEST(no_controlling)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN); /* TIOCNOTTY sends one */
        bool ok = open("/dev/tty", O_RDWR) < 0 && errno == ENXIO;
        struct pair p = open_pair(); /* O_NOCTTY */
        ok = ok && tcgetpgrp(p.s) < 0 && errno == ENOTTY;
        ok = ok && open("/dev/tty", O_RDWR) < 0;
        int s = open(ttyname(p.s), O_RDWR); /* a leader without a terminal gets this one */
        ok = ok && s >= 0 && open("/dev/tty", O_RDWR) >= 0 && tcgetpgrp(s) == getpgrp();
        ok = ok && ioctl(s, TIOCNOTTY) == 0;
        _exit(ok ? 0 : 1);
    }
    CHECK_EXIT(pid, 0);
}

TEST(interrupt_key)
{
    struct pair p = open_pair();
    pid_t pid = session_child(&p);
    if (pid == 0) {
        catch (SIGINT);
        sigset_t block, old; /* or the key could come before anybody waits for it */
        sigemptyset(&block);
        sigaddset(&block, SIGINT);
        sigprocmask(SIG_BLOCK, &block, &old);
        (void)!write(1, "ready", 5);
        bool woken = sigsuspend(&old) == -1 && errno == EINTR && caught == SIGINT;
        char c;
        fcntl(0, F_SETFL, O_RDWR | O_NONBLOCK);
        _exit(woken && read(0, &c, 1) == -1 && errno == EAGAIN ? 7 : 1);
    }
    EXPECT(p.m, "ready");
    type(p.m, "lost\x03");
    CHECK_EXIT(pid, 7);
    close(p.s);
    EXPECT(p.m, "^C"); /* the rest of the output was flushed */
}

/* A background reader is stopped by SIGTTIN; in the foreground it goes on. */
TEST(background_read)
{
    struct pair p = open_pair();
    pid_t pid = session_child(&p);
    if (pid == 0) {
        signal(SIGTTOU, SIG_IGN);
        pid_t job = fork();
        if (job == 0) {
            char c = 0;
            setpgid(0, 0);
            _exit(read(0, &c, 1) == 1 && c == 'x' ? 3 : 1);
        }
        int status;
        setpgid(job, job);
        if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status) ||
            WSTOPSIG(status) != SIGTTIN) {
            _exit(1);
        }
        tcsetpgrp(0, job);
        kill(-job, SIGCONT);
        (void)!write(1, "go", 2);
        waitpid(job, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    EXPECT(p.m, "go");
    type(p.m, "x\n");
    CHECK_EXIT(pid, 3);
}

TEST(hang_up)
{
    struct pair p = open_pair();
    pid_t pid = session_child(&p);
    if (pid == 0) {
        catch (SIGHUP);
        (void)!write(1, "ready", 5);
        char c;
        ssize_t n = read(0, &c, 1);
        guest_nap(GUEST_NAP_MS);
        bool ok = n <= 0 && caught == SIGHUP;
        ok = ok && read(0, &c, 1) == 0 && write(1, &c, 1) == -1 && errno == EIO;
        _exit(ok ? 4 : 1);
    }
    close(p.s);
    EXPECT(p.m, "ready");
    close(p.m);
    CHECK_EXIT(pid, 4);
}

TEST(packet_mode)
{
    struct pair p = open_pair();
    int on = 1;
    char buf[16];
    CHECK(ioctl(p.m, TIOCPKT, &on) == 0);
    type(p.s, "d");
    CHECK(read(p.m, buf, 16) == 2 && buf[0] == 0 && buf[1] == 'd');
    CHECK(tcflush(p.s, TCIFLUSH) == 0);
    CHECK(read(p.m, buf, 16) == 1 && buf[0] == 1);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(names),         ENTRY(canonical),       ENTRY(output),      ENTRY(raw),
        ENTRY(winsize),       ENTRY(not_terminals),   ENTRY(controlling), ENTRY(no_controlling),
        ENTRY(interrupt_key), ENTRY(background_read), ENTRY(hang_up),     ENTRY(packet_mode),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
