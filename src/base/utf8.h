/* UTF-8 as Unicode 15, table 3-7 has it: no surrogates, nothing overlong, nothing above U+10FFFF */
#ifndef EVERETT_BASE_UTF8_H
#define EVERETT_BASE_UTF8_H

#include "base/base.h"

/* Length of the valid sequence at s (1..4), or 0. `len` is at least 1. */
static inline size_t utf8_sequence(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len) {
        return 0;
    }
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

#endif
