#include "director/director.h"

#include "director/exec.h"
#include "director/hooks.h"
#include "kernel/machine.h"
#include "kernel/port.h"

void director_boot(struct machine *m)
{
    if (m->plan->is_exec) {
        exec_boot(m);
    } else {
        m->port->panic("containers are started by a part of the director that is not linked in");
    }
}

void director_setup_completed(struct machine *m)
{
    (void)m; /* a universe of one command has no composer to start */
}

void faults_quiet(struct machine *m, uint64_t ns)
{
    (void)m; /* ... and no faults to stop */
    (void)ns;
}
