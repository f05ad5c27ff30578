/* Child processes of the service: their own process group and environment, and no way to outlive
 * the thread that made them. */
#ifndef EVERETT_SERVER_QUEUE_SPAWN_H
#define EVERETT_SERVER_QUEUE_SPAWN_H

#include <sys/types.h>

#include "base/err.h"

struct spawned {
    pid_t pid;
    int pidfd, out, error; /* owned; -1 once closed */
};

/* argv[0] is the path. EVERETT_HOME of the child is DIR/images. It is killed when the calling
 * thread ends. */
int spawn_start(struct spawned *s, const char *dir, char *const argv[], struct err *err) must_check;
/* Kills it unless it is gone, waits, closes. The status is that of waitpid. */
int spawn_end(struct spawned *s);

#endif
