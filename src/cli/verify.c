#include "cli/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "report/text.h"
#include "store/moment.h"

#define CONTEXT_RECORDS 5u
#define QUIET_CALM                                                                                 \
    4u /* a repeat without a busy neighbour, and not the one that shows its output                 \
        */
#define STRACE_PAIRS                                                                               \
    3u /* tries to see a difference that comes and goes once more, call by call                    \
        */

struct recording {
    char *path; /* owned */
    void *map;
    size_t len;
};

void verify_record(FILE *record, const struct event *e)
{
    fwrite(e, 1, e->size, record);
}

/* --- one repeat ------------------------------------------------------------------------------- */

/* What must not matter, each in another rhythm so that their combinations occur. */
static void disturb(unsigned i)
{
    static const char *const zones[] = {"UTC", "Asia/Tokyo", "America/St_Johns"};
    static const char *const locales[] = {"C", "en_US.UTF-8", "tr_TR.UTF-8"};
    cleanup_free char *padding = mem_zalloc(1 + 613 * i);
    memset(padding, 'x', 613 * i);
    setenv("EVERETT_PADDING", padding, 1);
    setenv("TZ", zones[i % ARRAY_LEN(zones)], 1);
    setenv("LC_ALL", locales[i % ARRAY_LEN(locales)], 1);
    umask(i % 2 ? 077 : 022);
    for (unsigned n = 0; n < i % 5; n++) {
        (void)!open("/dev/null", O_RDONLY); /* inherited by whatever is started */
    }
    if (i % 3 == 2) {
        personality(ADDR_NO_RANDOMIZE);
    }
}

/* A neighbour that wants the same cores all the time. */
static pid_t start_hog(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned long n = 0;; n++) {
        }
    }
    return pid;
}

static void end_hog(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

struct repeat {
    verify_run *run;
    void *ctx;
    unsigned number;
    bool strace;
};

static int in_child(const struct repeat *r, const char *path)
{
    FILE *record = fopen(path, "we");
    if (!record) {
        fprintf(stderr, "everett: %s: %s\n", path, strerror(errno));
        return CLI_SETUP;
    }
    disturb(r->number);
    int status = r->run(r->ctx, record, r->number > 0, r->strace);
    if (fclose(record)) {
        fprintf(stderr, "everett: %s: %s\n", path, strerror(errno));
        return CLI_SETUP;
    }
    return status;
}

/* The repeat's exit status, or -1. */
static int repeat(const struct repeat *r, const char *path)
{
    pid_t hog = r->number % 2 ? start_hog() : 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int status = in_child(r, path);
        fflush(NULL);
        _exit(status);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    end_hog(hog);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- comparing -------------------------------------------------------------------------------- */

static int recording_open(struct recording *r, struct err *err)
{
    struct stat st;
    cleanup_close int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        return err_errno(err, errno, "%s", r->path);
    }
    r->len = (size_t)st.st_size;
    r->map = r->len ? mmap(NULL, r->len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return err_errno(err, errno, "%s", r->path);
    }
    return 0;
}

static void recording_close(struct recording *r)
{
    if (r->map) {
        munmap(r->map, r->len);
    }
    r->map = NULL;
    r->len = 0;
}

static const struct event *record_at(const struct recording *r, size_t at)
{
    const struct event *e = (const struct event *)(const void *)((const char *)r->map + at);
    return at + sizeof *e <= r->len && at + e->size <= r->len && e->size >= sizeof *e ? e : NULL;
}

/* Byte offset of the first record that differs, SIZE_MAX when there is none; `before` are the
 * offsets of the records in front of it, oldest first. */
static size_t first_difference(const struct recording *a, const struct recording *b,
                               size_t before[static CONTEXT_RECORDS], size_t *count)
{
    *count = 0;
    if (a->len == b->len && (a->len == 0 || memcmp(a->map, b->map, a->len) == 0)) {
        return SIZE_MAX;
    }
    for (size_t at = 0;;) {
        const struct event *x = record_at(a, at), *y = record_at(b, at);
        if (!x || !y || x->size != y->size || memcmp(x, y, x->size) != 0) {
            return at;
        }
        if (*count == CONTEXT_RECORDS) {
            memmove(before, before + 1, (CONTEXT_RECORDS - 1) * sizeof *before);
            --*count;
        }
        before[(*count)++] = at;
        at += x->size;
    }
}

static size_t count_records(const struct recording *r)
{
    size_t n = 0;
    const struct event *e;
    for (size_t at = 0; (e = record_at(r, at)); at += e->size) {
        n++;
    }
    return n;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void put_payload(struct buf *b, const struct event *e)
{
    size_t head = e->type == EVENT_OUTPUT || e->type == EVENT_TTY || e->type == EVENT_SDK
                      ? sizeof(struct event_output)
                  : e->type == EVENT_PROCESS  ? sizeof(struct event_process)
                  : e->type == EVENT_UNKNOWN  ? sizeof(struct event_unknown)
                  : e->type == EVENT_DECISION ? sizeof(struct event_decision)
                  : e->type == EVENT_END      ? sizeof(struct event_end)
                                              : 0;
    if (e->type == EVENT_DECISION && e->length >= head) {
        struct event_decision d;
        memcpy(&d, e->payload, sizeof d);
        buf_printf(b, "stream %u, draw %" PRIu64 " = %" PRIu64 " ", d.stream, d.index, d.value);
    }
    if (e->length > head) {
        text_clean(b, (const char *)e->payload + head, e->length - head, 400);
    }
}

static void tell_record(const char *label, const struct event *e)
{
    static const char *const types[] = {[EVENT_OUTPUT] = "output",
                                        [EVENT_SDK] = "sdk",
                                        [EVENT_COMPOSER] = "composer",
                                        [EVENT_FAULT] = "fault",
                                        [EVENT_CONTAINER] = "container",
                                        [EVENT_PROCESS] = "process",
                                        [EVENT_UNKNOWN] = "unknown",
                                        [EVENT_STRACE] = "call",
                                        [EVENT_DECISION] = "decision",
                                        [EVENT_DIAGNOSTIC] = "diagnostic",
                                        [EVENT_END] = "end",
                                        [EVENT_TTY] = "output"};
    char vtime[VTIME_TEXT_MAX];
    cleanup_buf struct buf b = {0};
    if (!e) {
        fprintf(stderr, "  %-8s (nothing more)\n", label);
        return;
    }
    vtime_seconds(e->vtime_ns, vtime);
    put_payload(&b, e);
    fprintf(stderr, "  %-8s %s s  %s  pid %" PRIu32 "  %s\n", label, vtime,
            e->type < ARRAY_LEN(types) && types[e->type] ? types[e->type] : "?", e->pid,
            b.data ? b.data : "");
}

/* True when they differ, which is then told. */
static bool tell_difference(const struct recording *a, const struct recording *b, unsigned number)
{
    size_t before[CONTEXT_RECORDS], count;
    size_t at = first_difference(a, b, before, &count);
    if (at == SIZE_MAX) {
        return false;
    }
    fprintf(stderr, "everett: run %u differs from run 1; the first difference:\n", number + 1);
    for (size_t i = 0; i < count; i++) {
        tell_record("both", record_at(a, before[i]));
    }
    tell_record("run 1", record_at(a, at));
    char label[24];
    snprintf(label, sizeof label, "run %u", number + 1);
    tell_record(label, record_at(b, at));
    return true;
}

/* --- all of it -------------------------------------------------------------------------------- */

struct verification {
    struct repeat repeat;
    struct recording first, other;
    struct err err;
};

static int run_into(struct verification *v, struct recording *to, unsigned number, bool strace)
{
    v->repeat.number = number;
    v->repeat.strace = strace;
    recording_close(to);
    int status = repeat(&v->repeat, to->path);
    if (status < 0) {
        return err_set(&v->err, ERR_ENGINE, "run %u was killed", number + 1);
    }
    return recording_open(to, &v->err) ? -1 : status;
}

/* The same pair again with every call as a record: which call was the first to differ. */
static void narrow_down(struct verification *v, unsigned number)
{
    fputs("everett: looking for the first call that differs\n", stderr);
    for (unsigned i = 0; i < STRACE_PAIRS; i++) {
        if (run_into(v, &v->first, QUIET_CALM, true) < 0 ||
            run_into(v, &v->other, number, true) < 0 ||
            tell_difference(&v->first, &v->other, number)) {
            return;
        }
    }
    fprintf(stderr, "everett: %u more pairs were equal call by call: it does not always differ\n",
            STRACE_PAIRS);
}

static int compare_all(struct verification *v, uint64_t repeats)
{
    int status = run_into(v, &v->first, 0, false);
    for (uint64_t i = 1; status >= 0 && i < repeats; i++) {
        if (run_into(v, &v->other, (unsigned)i, false) < 0) {
            return -1;
        }
        if (tell_difference(&v->first, &v->other, (unsigned)i)) {
            narrow_down(v, (unsigned)i);
            return CLI_FAILED;
        }
    }
    if (status >= 0) {
        fprintf(stderr,
                "verified: %" PRIu64 " runs, each of %zu records and %zu bytes, are equal\n",
                repeats, count_records(&v->first), v->first.len);
    }
    return status;
}

int verify(uint64_t repeats, verify_run *run, void *ctx)
{
    char dir[] = "/tmp/everett-verify-XXXXXX";
    struct verification v = {.repeat = {.run = run, .ctx = ctx}};
    cleanup_buf struct buf a = {0}, b = {0};
    if (!mkdtemp(dir)) {
        err_errno(&v.err, errno, "%s", dir);
        return cli_fail(&v.err);
    }
    buf_printf(&a, "%s/1", dir);
    buf_printf(&b, "%s/2", dir);
    v.first.path = a.data;
    v.other.path = b.data;
    int status = compare_all(&v, repeats);
    if (status < 0) {
        status = cli_fail(&v.err);
    }
    recording_close(&v.first);
    recording_close(&v.other);
    unlink(a.data);
    unlink(b.data);
    rmdir(dir);
    err_clear(&v.err);
    return status;
}
