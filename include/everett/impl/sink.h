/* Part of everett.h: where messages go and where randomness comes from. Nothing here is for direct
 * use. Functions and state are weak and hidden, so that all translation units of one program or
 * shared object, C and C++ alike, share one copy without a library to link. */
#ifndef EVERETT_IMPL_SINK_H
#define EVERETT_IMPL_SINK_H

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVERETT_SHARED __attribute__((weak, visibility("hidden")))

#define EVERETT_SDK_VERSION  "0.1.0"
#define EVERETT_LIBRARY_PATH "/usr/lib/libvoidstar.so"

#ifdef __cplusplus
#define EVERETT_LANGUAGE      "C++"
#define EVERETT_LANGUAGE_LONG __cplusplus
extern "C" {
#else
#define EVERETT_LANGUAGE      "C"
#define EVERETT_LANGUAGE_LONG __STDC_VERSION__
#endif

/* System calls. The kernel of a universe answers the large ones; Linux says ENOSYS (38). */
enum everett_guestcall {
    EVERETT_GETRANDOM = 318,
    EVERETT_GUESTCALL_RANDOM = 0x45560,
    EVERETT_GUESTCALL_JSON = 0x45561,
    EVERETT_GUESTCALL_FLUSH = 0x45562,
};

enum everett_sink_kind {
    EVERETT_SINK_UNRESOLVED,
    EVERETT_SINK_RESOLVING,
    EVERETT_SINK_NONE,
    EVERETT_SINK_FILE,
    EVERETT_SINK_UNIVERSE,
    EVERETT_SINK_LIBRARY,
};

struct everett_sink {
    int kind; /* enum everett_sink_kind; the rest is written before it leaves RESOLVING */
    int fd;
    int banner_sent;
    void (*json_data)(const char *message, size_t length);
    void (*flush)(void);
    uint64_t (*get_random)(void);
};

extern struct everett_sink everett_the_sink;
int everett_sink_resolve(void);

EVERETT_SHARED struct everett_sink everett_the_sink = {0, -1, 0, NULL, NULL, NULL};

static inline long everett_guestcall(long number, const void *first, size_t second)
{
#if defined(__x86_64__) && defined(__linux__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(0L)
                     : "rcx", "r11", "memory");
    return result;
#else
    (void)number;
    (void)first;
    (void)second;
    return -38;
#endif
}

/* A data pointer from dlsym may not be cast to a function pointer in ISO C; copying its bytes is
 * what POSIX's dlsym(3) recommends. */
static inline bool everett_symbol(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof(address));
    return address != NULL;
}

static inline bool everett_find_library(struct everett_sink *sink)
{
#ifdef EVERETT_NO_DLOPEN
    (void)sink;
    return false;
#else
    void *library = dlopen(EVERETT_LIBRARY_PATH, RTLD_NOW);
    return library != NULL && everett_symbol(library, "fuzz_json_data", &sink->json_data) &&
           everett_symbol(library, "fuzz_flush", &sink->flush) &&
           everett_symbol(library, "fuzz_get_random", &sink->get_random);
#endif
}

/* Appends, because several processes of one container share the file. */
static inline int everett_open_file(void)
{
    char path[4096];
    const char *file = getenv("ANTITHESIS_SDK_LOCAL_OUTPUT");
    const char *directory = getenv("ANTITHESIS_OUTPUT_DIR");
    if (file == NULL || file[0] == '\0') {
        if (directory == NULL || directory[0] == '\0') {
            return -1;
        }
        int n = snprintf(path, sizeof(path), "%s/sdk.jsonl", directory);
        if (n < 0 || (size_t)n >= sizeof(path)) {
            return -1;
        }
        file = path;
    }
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

EVERETT_SHARED int everett_sink_resolve(void)
{
    struct everett_sink *sink = &everett_the_sink;
    int expected = EVERETT_SINK_UNRESOLVED;
    if (!__atomic_compare_exchange_n(&sink->kind, &expected, EVERETT_SINK_RESOLVING, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
        while (expected == EVERETT_SINK_RESOLVING) {
            sched_yield();
            expected = __atomic_load_n(&sink->kind, __ATOMIC_ACQUIRE);
        }
        return expected;
    }
    int kind = EVERETT_SINK_NONE;
    if (everett_find_library(sink)) {
        kind = EVERETT_SINK_LIBRARY;
    } else if (everett_guestcall(EVERETT_GUESTCALL_FLUSH, NULL, 0) == 0) {
        kind = EVERETT_SINK_UNIVERSE;
    } else if ((sink->fd = everett_open_file()) >= 0) {
        kind = EVERETT_SINK_FILE;
    }
    __atomic_store_n(&sink->kind, kind, __ATOMIC_RELEASE);
    return kind;
}

#ifdef __cplusplus
}
#endif

#endif
