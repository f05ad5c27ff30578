#include "fake_universe.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "abi/guestcall.h"

struct fake_universe fake = {.json_limit = FAKE_TEXT_MAX / 2, .module_offset = 1 << 20};

static long take_json(const char *json, size_t length)
{
    if (length > fake.json_limit || fake.text_length + length + 2 > FAKE_TEXT_MAX) {
        return -E2BIG;
    }
    memcpy(fake.text + fake.text_length, json, length);
    fake.text_length += length;
    fake.text[fake.text_length++] = '\n';
    fake.text[fake.text_length] = '\0';
    return 0;
}

static long take_module(uint64_t edges, const char *name, uint64_t *offset)
{
    fake.modules++;
    fake.module_edges = edges;
    snprintf(fake.module_name, sizeof(fake.module_name), "%s", name);
    *offset = fake.module_offset;
    fake.module_offset += 1 << 20;
    return 0;
}

static long take_edge(uint64_t edge, uint64_t hits)
{
    if (fake.edge_count < FAKE_EDGES_MAX) {
        fake.edges[fake.edge_count].edge = edge;
        fake.edges[fake.edge_count].hits = hits;
        fake.edge_count++;
    }
    return (long)fake.lease;
}

static long answer(long number, const greg_t *registers)
{
    uint64_t a = (uint64_t)registers[REG_RDI];
    uint64_t b = (uint64_t)registers[REG_RSI];
    uint64_t c = (uint64_t)registers[REG_RDX];
    switch (number) {
    case GUESTCALL_RANDOM:
        *(uint64_t *)(uintptr_t)a = fake.randoms++;
        return 0;
    case GUESTCALL_JSON:
        return take_json((const char *)(uintptr_t)a, b);
    case GUESTCALL_FLUSH:
        fake.flushes++;
        return 0;
    case GUESTCALL_COVERAGE_MODULE:
        return take_module(a, (const char *)(uintptr_t)b, (uint64_t *)(uintptr_t)c);
    case GUESTCALL_COVERAGE_EDGE:
        return take_edge(a, b);
    case GUESTCALL_SOURCE_NAME:
        snprintf(fake.source_name, sizeof(fake.source_name), "%s", (const char *)(uintptr_t)a);
        return 0;
    default:
        return -ENOSYS;
    }
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal;
    registers[REG_RAX] = answer(info->si_syscall, registers);
}

static int catch_guest_calls(void)
{
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    return sigaction(SIGSYS, &action, NULL);
}

void fake_universe_enter(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, GUESTCALL_BASE, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, GUESTCALL_END, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
    if (catch_guest_calls() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("fake_universe: seccomp");
        abort();
    }
}

void fake_universe_reset(void)
{
    if (catch_guest_calls() != 0) {
        abort();
    }
    fake.text_length = 0;
    fake.text[0] = '\0';
    fake.flushes = fake.modules = fake.edge_count = 0;
    memset(fake.edges, 0, sizeof(fake.edges));
}

#ifdef FAKE_UNIVERSE_EARLY
/* Before the constructors that ask where they are. */
__attribute__((constructor(101))) static void enter_early(void)
{
    fake_universe_enter();
}
#endif
