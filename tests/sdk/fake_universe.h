/* A universe of one process, for tests: answers the guest calls of this process by a signal
 * handler, since a seccomp filter turns them into SIGSYS, and keeps what was said. Irreversible;
 * children inherit it until they call exec. */
#ifndef TESTS_SDK_FAKE_UNIVERSE_H
#define TESTS_SDK_FAKE_UNIVERSE_H

#include <stddef.h>
#include <stdint.h>

enum { FAKE_TEXT_MAX = 1 << 20, FAKE_EDGES_MAX = 64 };

struct fake_universe {
    uint64_t randoms;         /* the next number to be drawn; counts up by one */
    size_t json_limit;        /* longer documents get E2BIG */
    uint64_t lease;           /* the answer to every edge */
    uint64_t module_offset;   /* the answer to the next module; grows by 1 << 20 */
    char text[FAKE_TEXT_MAX]; /* documents, each followed by a newline */
    size_t text_length;
    unsigned flushes, modules;
    uint64_t module_edges;
    char module_name[4096];
    char source_name[256];
    struct {
        uint64_t edge, hits;
    } edges[FAKE_EDGES_MAX]; /* the first reports */
    unsigned edge_count;
};

extern struct fake_universe fake;

/* Ends the test program when seccomp refuses. */
void fake_universe_enter(void);

/* Forgets all that was said, keeps the answers. To be called first in each test: cmocka takes the
 * signal for itself whenever it starts one. */
void fake_universe_reset(void);

#endif
