#include "kernel/vfs/special/fdinfo.h"

#include "kernel/vfs/special/pidfd.h"
#include "kernel/vfs/special/signalfd.h"
#include "kernel/vfs/special/timerfd.h"

void fdinfo_extra(struct text *x, struct file *f)
{
    if (file_is_timerfd(f)) {
        timerfd_info(x, f);
    } else if (file_is_signalfd(f)) {
        signalfd_info(x, f);
    } else if (file_is_pidfd(f)) {
        pidfd_info(x, f);
    }
}
