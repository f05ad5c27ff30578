/* RDRAND, RDSEED and RDPID: what the instructions promise (Intel SDM), whoever answers them. */
#include <cpuid.h>
#include <stdint.h>
#include <sys/mman.h>

#include "guest_test.h"

static bool has_rdrand(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_RDRND;
}

static bool has_leaf7(unsigned in_ebx, unsigned in_ecx)
{
    unsigned a, b = 0, c = 0, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & in_ebx) == in_ebx &&
           (c & in_ecx) == in_ecx;
}

/* The flags that the instruction must set or clear, as PUSHF gives them. */
#define RANDOM(insn, value, flags)                                                                 \
    __asm__ volatile("stc\n\t" insn "\n\tpushf\n\tpop %1" : "+r"(value), "=r"(flags) : : "cc")

enum { ARITHMETIC = 0x8d5, CARRY = 1 };

/* Linux guests draw until it works, ten times at most (SDM, 7.3.17.1). */
#define DRAW(insn, value)                                                                          \
    do {                                                                                           \
        uint64_t flags_ = 0;                                                                       \
        for (int i_ = 0; i_ < 1000 && !(flags_ & CARRY); i_++) {                                   \
            RANDOM(insn, value, flags_);                                                           \
            CHECK_EQ(flags_ &ARITHMETIC & ~(uint64_t)CARRY, 0);                                    \
        }                                                                                          \
        CHECK(flags_ &CARRY);                                                                      \
    } while (0)

TEST(rdrand)
{
    if (!has_rdrand()) {
        SKIP("the processor has no RDRAND");
        return;
    }
    uint64_t a = 0, b = 0, c = UINT64_MAX, low = 0x1122334455667788;
    DRAW("rdrand %0", a);
    DRAW("rdrand %0", b);
    CHECK(a != b);
    DRAW("rdrand %k0", c);
    CHECK_EQ(c >> 32, 0);
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++) {
        DRAW("rdrand %w0", low);
        CHECK_EQ(low >> 16, 0x112233445566);
        seen |= low & 0xffff;
    }
    CHECK_EQ(seen, 0xffff);
}

TEST(rdrand_high_register)
{
    if (!has_rdrand()) {
        SKIP("the processor has no RDRAND");
        return;
    }
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++) {
        register uint64_t v __asm__("r13") = 0;
        uint64_t flags = 0;
        RANDOM("rdrand %0", v, flags);
        seen |= flags & CARRY ? v : 0;
    }
    CHECK_EQ(seen, UINT64_MAX);
}

TEST(rdseed)
{
    if (!has_leaf7(bit_RDSEED, 0)) {
        SKIP("the processor has no RDSEED");
        return;
    }
    uint64_t a = 0, b = 0;
    DRAW("rdseed %0", a);
    DRAW("rdseed %0", b);
    CHECK(a != b);
}

TEST(rdpid)
{
    if (!has_leaf7(0, 1u << 22)) {
        SKIP("the processor has no RDPID");
        return;
    }
    uint64_t cpu = UINT64_MAX;
    __asm__ volatile("rdpid %0" : "+r"(cpu));
    CHECK((cpu & 0xfff) < (uint64_t)sysconf(_SC_NPROCESSORS_CONF));
}

/* Code that was dropped and comes again from its file, and in a child. */
TEST(after_discard)
{
    if (!has_rdrand()) {
        SKIP("the processor has no RDRAND");
        return;
    }
    uintptr_t page = (uintptr_t)test_rdrand & ~(uintptr_t)4095;
    CHECK_EQ(madvise((void *)page, 4096, MADV_DONTNEED), 0);
    test_rdrand();
    CHECK_EQ(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    CHECK_EQ(mprotect((void *)page, 4096, PROT_READ | PROT_EXEC), 0);
    test_rdrand();
    pid_t child = fork();
    if (child == 0) {
        test_rdrand();
        _exit(0);
    }
    CHECK_EXIT(child, 0);
}

static const struct guest_test tests[] = {
    ENTRY(rdrand), ENTRY(rdrand_high_register), ENTRY(rdseed), ENTRY(rdpid), ENTRY(after_discard),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
