/* From a plan to a running machine. */
#ifndef EVERETT_KERNEL_BOOT_H
#define EVERETT_KERNEL_BOOT_H

#include "base/base.h"

struct machine;
struct plan;
struct port;

/* Makes the machine root at the start of `base` and brings up every subsystem; the director then
 * starts the first containers. */
struct machine *machine_boot(void *base, uint64_t length, const struct plan *plan,
                             const struct port *port);
/* The last event. Called once by the port when the universe is over. */
void machine_emit_end(struct machine *m);

#endif
