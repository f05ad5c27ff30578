/* everett exec --verify N: the same program N times, each time with something else about the host
 * changed (environment, umask, inherited descriptors, address randomisation, a busy neighbour on
 * the same core, locale, time zone), and every record of every repeat compared with the first. */
#ifndef EVERETT_CLI_VERIFY_H
#define EVERETT_CLI_VERIFY_H

#include <stdio.h>

#include "abi/event.h"
#include "base/base.h"

/* Runs the program once in a process of its own: records go to `record`, output is passed on only
 * when `is_quiet` is false; with `strace` every call is a record too. Returns its exit status. */
typedef int verify_run(void *ctx, FILE *record, bool is_quiet, bool strace);

/* The exit status of the first run when all were equal, else CLI_FAILED. Tells on standard error.
 */
int verify(uint64_t repeats, verify_run *run, void *ctx);

/* For verify_run: appends a record. */
void verify_record(FILE *record, const struct event *e);

#endif
