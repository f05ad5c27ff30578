/* libvoidstar: randomness, JSON documents, and the older input calls. */
#include "sdk/libvoidstar/voidstar.h"

#include "abi/guestcall.h"
#include "sdk/common/rawcall.h"

static uint64_t host_random(void)
{
    uint64_t value = 0;
    size_t have = 0;
    while (have < sizeof(value)) {
        long got = raw_call3(RAW_GETRANDOM, raw_pointer(&value) + (long)have,
                             (long)(sizeof(value) - have), 0);
        if (got == -RAW_EINTR) {
            continue;
        }
        if (got <= 0) {
            raw_exit(1);
        }
        have += (size_t)got;
    }
    return value;
}

uint64_t fuzz_get_random(void)
{
    uint64_t value = 0;
    long result = raw_call1(GUESTCALL_RANDOM, raw_pointer(&value));
    if (result == 0) {
        return value;
    }
    if (result == -RAW_ENOSYS) {
        return host_random();
    }
    raw_exit(1); /* a constant in place of randomness would hide the failure */
}

void fuzz_json_data(const char *message, size_t length)
{
    static const char too_long[] =
        "{\"antithesis_error\":{\"message\":\"libvoidstar: a JSON document "
        "was refused by the universe\",\"code\":7}}";
    if (length == 0) {
        return;
    }
    long result = raw_call2(GUESTCALL_JSON, raw_pointer(message), (long)length);
    if (result < 0 && result != -RAW_ENOSYS) {
        raw_call2(GUESTCALL_JSON, raw_pointer(too_long), (long)(sizeof(too_long) - 1));
    }
}

void fuzz_flush(void)
{
    raw_call1(GUESTCALL_FLUSH, 0);
}

int fuzz_getchar(void)
{
    fuzz_flush();
    return (int)(fuzz_get_random() & 0xff);
}

bool fuzz_coin_flip(void)
{
    return (fuzz_get_random() & 1) != 0;
}

size_t fuzz_getblob(void *buffer, size_t buffer_size)
{
    unsigned char *bytes = buffer;
    uint64_t word = 0;
    for (size_t i = 0; i < buffer_size; i++) {
        if (i % sizeof(word) == 0) {
            word = fuzz_get_random();
        }
        bytes[i] = (unsigned char)(word >> (8 * (i % sizeof(word))));
    }
    return buffer_size;
}

void fuzz_set_source_name(const char *name)
{
    enum { NAME_MAX_BYTES = 64 };
    char copy[NAME_MAX_BYTES + 1];
    size_t n = 0;
    while (n < NAME_MAX_BYTES && name[n] != '\0') {
        copy[n] = name[n];
        n++;
    }
    copy[n] = '\0';
    raw_call1(GUESTCALL_SOURCE_NAME, raw_pointer(copy));
}
