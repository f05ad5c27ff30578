#include "base/stream.h"

#include "base/str.h"

void stream_bytes(struct stream *s, void *dst, size_t n)
{
    unsigned char *d = dst;
    while (n > 0) {
        uint64_t x = stream_next(s);
        size_t k = n < sizeof x ? n : sizeof x;
        memcpy(d, &x, k);
        d += k;
        n -= k;
    }
}
