/* A fake machine whose tasks have signals, registers and an FP area, and whose scheduler is the
 * test: a task that would sleep is marked blocked, a task that would die is noted. */
#ifndef EVERETT_TESTS_SIGNAL_FIXTURE_H
#define EVERETT_TESTS_SIGNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "abi/signal_abi.h"
#include "fake_machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/regs.h"

#define FIX_FP_SIZE 832u
#define FIX_FP_MASK 7ull

struct fake_machine *fix_create(void);
void fix_destroy(struct fake_machine *fm);
/* A task of a new process, or another thread of p. */
struct task *fix_process(struct fake_machine *fm);
struct task *fix_thread(struct fake_machine *fm, struct process *p);

/* Runs a call as t. FAKE_BLOCKED leaves it asleep (TASK_BLOCKED). */
int64_t fix_call(struct fake_machine *fm, struct task *t, syscall_fn fn, const uint64_t a[6]);
/* The task was woken: its call goes on. */
int64_t fix_again(struct fake_machine *fm, struct task *t, syscall_fn fn, const uint64_t a[6]);

/* Runs signal_deliver for t; the wait status it died with, or -1 while it lives. */
int fix_deliver(struct fake_machine *fm, struct task *t);
/* Called instead of sleeping when a task stops. NULL: the test fails. */
extern void (*fix_on_schedule)(struct machine *m);

void fix_action(struct process *p, int signo, uint64_t handler, uint64_t flags, uint64_t mask);
struct siginfo fix_info(int signo, int code, uint64_t value);

#define FIX_HANDLER  0x200000000100ull
#define FIX_RESTORER 0x200000000200ull

#endif
