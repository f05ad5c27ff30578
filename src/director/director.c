#include "director/director.h"

#include "director/exec.h"
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
