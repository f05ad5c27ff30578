/* stop-faults SECONDS: the program behind ANTITHESIS_STOP_FAULTS.
 *
 * Asks the universe for a quiet period and returns at once; the caller sleeps by itself. Static and
 * without a libc, so that it runs in any container, an empty one included. Exit status: 0 asked,
 * 1 not inside a universe (or refused by it), 2 wrong usage. */
#include <stdbool.h>

#include "abi/guestcall.h"
#include "sdk/common/rawcall.h"

enum { STANDARD_OUT = 1, STANDARD_ERROR = 2 };

/* A year: far beyond any run, and far below what could overflow. */
#define QUIET_MAX_MS UINT64_C(31536000000)

static const char usage[] =
    "usage: stop-faults SECONDS\n"
    "Stops fault injection for SECONDS (decimals allowed) of the universe's "
    "time, and returns at once.\n";

static void say(int fd, const char *text)
{
    size_t left = raw_strlen(text);
    while (left > 0) {
        long done = raw_call3(RAW_WRITE, fd, raw_pointer(text), (long)left);
        if (done == -RAW_EINTR) {
            continue;
        }
        if (done <= 0) {
            return;
        }
        text += done;
        left -= (size_t)done;
    }
}

/* "12", "0.25", ".5", "3."; digits behind the third decimal round up, so that a period is never
 * shorter than asked. */
static bool parse_milliseconds(const char *text, uint64_t *ms)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > QUIET_MAX_MS / 1000) {
            return false;
        }
    }
    value *= 1000;
    bool round_up = false;
    if (*text == '.') {
        text++;
        for (uint64_t unit = 100; *text >= '0' && *text <= '9'; text++, digits++) {
            value += (uint64_t)(*text - '0') * unit;
            round_up = round_up || (unit == 0 && *text != '0');
            unit /= 10;
        }
    }
    *ms = value + (round_up ? 1 : 0);
    return digits > 0 && *text == '\0' && *ms <= QUIET_MAX_MS;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static int run(long argc, char *const *argv)
{
    uint64_t ms = 0;
    if (argc == 2 && (same(argv[1], "--help") || same(argv[1], "-h"))) {
        say(STANDARD_OUT, usage);
        return 0;
    }
    if (argc != 2 || !parse_milliseconds(argv[1], &ms)) {
        say(STANDARD_ERROR, usage);
        return 2;
    }
    long result = raw_call1(GUESTCALL_STOP_FAULTS, (long)ms);
    if (result == -RAW_ENOSYS) {
        say(STANDARD_ERROR, "stop-faults: not inside an Everett universe, nothing to stop\n");
        return 1;
    }
    if (result < 0) {
        say(STANDARD_ERROR, "stop-faults: the universe refused the quiet period\n");
        return 1;
    }
    return 0;
}

/* At entry the stack holds argc, then argv (System V ABI, 3.4.1). */
_Noreturn void stop_faults_start(long *stack);

_Noreturn void stop_faults_start(long *stack)
{
    raw_exit(run(stack[0], (char *const *)(stack + 1)));
}

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call stop_faults_start\n"
        "    hlt\n");
