/* Scoped cleanup for the host layers, so that early returns are safe. */
#ifndef EVERETT_BASE_CLEANUP_H
#define EVERETT_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_fn(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close_fn(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static inline void cleanup_fclose_fn(FILE **f)
{
    if (*f) {
        fclose(*f);
    }
}

static inline void cleanup_closedir_fn(DIR **d)
{
    if (*d) {
        closedir(*d);
    }
}

#define cleanup_free     __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_close    __attribute__((cleanup(cleanup_close_fn)))
#define cleanup_fclose   __attribute__((cleanup(cleanup_fclose_fn)))
#define cleanup_closedir __attribute__((cleanup(cleanup_closedir_fn)))

#endif
