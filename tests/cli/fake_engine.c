/* Stands in for everett-engine: writes a made-up universe into the event ring, so that everything
 * around the engine can be tested without one. What happens is told by FAKE=MODE in the environment
 * of the plan's first node; everything else is a function of the seed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "abi/control.h"
#include "abi/event.h"
#include "abi/plan.h"
#include "base/stream.h"

struct fake {
    struct control *control;
    const struct plan *plan;
    struct stream stream;
    uint64_t seq, now_ns;
};

static void futex_wake(uint32_t *word)
{
    __atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 64, NULL, NULL, 0);
}

static void ring_put(struct fake *f, const void *data, size_t len)
{
    struct control *c = f->control;
    unsigned char *ring = (unsigned char *)c + c->ring_off;
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++) {
        ring[(c->ring_head + i) & (c->ring_len - 1)] = p[i];
    }
    __atomic_store_n(&c->ring_head, c->ring_head + len, __ATOMIC_RELEASE);
}

static void put(struct fake *f, uint16_t type, uint16_t node, const void *head, size_t head_len,
                const char *text)
{
    unsigned char record[4096] = {0};
    struct event e = {.type = type, .node = node, .vtime_ns = f->now_ns, .seq = f->seq++, .pid = 7};
    size_t text_len = strlen(text);
    e.length = (uint32_t)(head_len + text_len);
    e.size = (uint32_t)((sizeof e + e.length + 7) & ~7ul);
    memcpy(record, &e, sizeof e);
    memcpy(record + sizeof e, head, head_len);
    memcpy(record + sizeof e + head_len, text, text_len);
    while (f->control->ring_head - __atomic_load_n(&f->control->ring_tail, __ATOMIC_ACQUIRE) >
           f->control->ring_len - sizeof record) {
        uint32_t room = f->control->ring_room;
        futex_wake(&f->control->notify);
        syscall(SYS_futex, &f->control->ring_room, FUTEX_WAIT, room, NULL, NULL, 0);
    }
    ring_put(f, record, e.size);
    f->control->vtime_ns = f->now_ns;
    f->control->calls++;
    f->now_ns += 1000000 + stream_below(&f->stream, 20000000);
}

static void line(struct fake *f, uint16_t node, const char *fmt, ...) printf_like(3, 4);

static void line(struct fake *f, uint16_t node, const char *fmt, ...)
{
    struct event_output head = {.stream = 1};
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put(f, EVENT_OUTPUT, node, &head, sizeof head, text);
}

static void sdk(struct fake *f, const char *json)
{
    struct event_output head = {0};
    put(f, EVENT_SDK, 0, &head, sizeof head, json);
}

static void check(struct fake *f, const char *id, bool hit, bool holds)
{
    char json[512];
    snprintf(
        json, sizeof json,
        "{\"antithesis_assert\":{\"id\":\"%s\",\"message\":\"%s\",\"hit\":%s,\"must_hit\":true,"
        "\"condition\":%s,\"assert_type\":\"always\",\"display_type\":\"Always\","
        "\"location\":{\"class\":\"\",\"function\":\"main\",\"file\":\"x.c\",\"begin_line\":4,"
        "\"begin_column\":0},\"details\":null}}",
        id, id, hit ? "true" : "false", holds ? "true" : "false");
    sdk(f, json);
}

/* The universe stays until the runner ends it, as the real engine's does. */
static _Noreturn void rest(void)
{
    for (;;) {
        pause();
    }
}

static _Noreturn void end(struct fake *f, uint32_t reason, const char *text)
{
    struct event_end e = {.reason = reason, .calls = f->control->calls, .setup_complete = 1};
    e.digest[0] = stream_next(&f->stream);
    e.digest[1] = f->plan->seed;
    e.setup_complete = reason != END_SETUP_FAILED && reason != END_SETUP_TIMEOUT;
    put(f, EVENT_END, EVENT_NO_NODE, &e, sizeof e, text);
    __atomic_store_n(&f->control->over, CONTROL_ENDED, __ATOMIC_RELEASE);
    futex_wake(&f->control->notify);
    rest();
}

static const char *mode_of(const struct plan *p)
{
    const struct plan_node *n = PLAN_AT(p, p->nodes, struct plan_node, 0);
    for (uint32_t i = 0; i < n->env.count; i++) {
        const char *v = PLAN_STR(p, *PLAN_AT(p, n->env, plan_str, i));
        if (strncmp(v, "FAKE=", 5) == 0) {
            return v + 5;
        }
    }
    return "";
}

static void fail_setup(struct fake *f)
{
    line(f, 0, "cannot open the door: no key");
    put(f, EVENT_CONTAINER, 0, "", 0, "{\"event\":\"died\",\"container_exit_code\":3}");
    end(f, END_SETUP_FAILED, "container one died during set-up with exit code 3");
}

static void misbehave(struct fake *f, const char *mode)
{
    if (strcmp(mode, "panic") == 0) {
        snprintf(f->control->panic_text, sizeof f->control->panic_text, "fake panic");
        __atomic_store_n(&f->control->over, CONTROL_PANIC, __ATOMIC_RELEASE);
        futex_wake(&f->control->notify);
        rest();
    } else if (strcmp(mode, "abort") == 0) {
        abort();
    } else if (strcmp(mode, "kill_worker") == 0 && f->plan->seed % 2) {
        kill(getppid(), SIGKILL);
    } else if (strcmp(mode, "gap") == 0) {
        f->seq++;
    } else if (strcmp(mode, "random") == 0) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        line(f, 0, "the host's clock says %ld.%09ld", (long)ts.tv_sec, ts.tv_nsec);
    }
}

static _Noreturn void live(struct fake *f, const char *mode)
{
    line(f, 0, "hello from seed %016llx", (unsigned long long)f->plan->seed);
    if (strcmp(mode, "setup_failed") == 0) {
        fail_setup(f);
    }
    sdk(f, "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":null}}");
    check(f, "The fake holds", false, false);
    misbehave(f, mode);
    for (int i = 0; i < 50; i++) {
        line(f, 0, "step %d drew %llu", i, (unsigned long long)stream_below(&f->stream, 1000));
    }
    if (strcmp(mode, "never") != 0) {
        check(f, "The fake holds", true, strcmp(mode, "fail") != 0);
    }
    line(f, 0, "after the check");
    if (strcmp(mode, "hang") == 0) {
        futex_wake(&f->control->notify);
        rest();
    }
    end(f, END_COMPOSER, "the fake is done");
}

int main(int argc, char **argv)
{
    int fd = argc > 1 ? atoi(argv[1]) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        return 90;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct fake f = {.control = p};
    if (p == MAP_FAILED || f.control->magic != CONTROL_MAGIC) {
        return 91;
    }
    f.plan = (const struct plan *)(const void *)((char *)p + f.control->plan_off);
    stream_init(&f.stream, f.plan->seed, STREAM_SCHED, 0);
    live(&f, mode_of(f.plan));
}
