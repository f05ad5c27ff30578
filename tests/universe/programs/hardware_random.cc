#include <cstdint>
#include <cstdio>
#include <cpuid.h>
#include <random>

int main()
{
    unsigned a, b, c = 0, d;
    std::random_device device;
    std::printf("random_device %08x %08x\n", device(), device());
    if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_RDRND) {
        std::random_device rdrand("rdrand");
        std::printf("random_device of RDRAND %08x\n", rdrand());
        std::uint64_t v = 0;
        __asm__ volatile("rdrand %0" : "=r"(v) : : "cc");
        std::printf("RDRAND %016llx\n", static_cast<unsigned long long>(v));
    }
    return 0;
}
