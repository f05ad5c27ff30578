#include "kernel/syscalls/handlers.h"

static const struct syscall_row rows[SYSCALL_MAX] = {
#define SYSCALL(nr, call, arguments, lvl, text)                                                    \
    [nr] = {                                                                                       \
        .name = #call, .fn = sys_##call, .args = arguments, .level = SYSCALL_##lvl, .note = text},
#include "kernel/syscalls/table.def"
#undef SYSCALL
};

const struct syscall_row *syscall_row(uint64_t nr)
{
    return nr < SYSCALL_MAX && rows[nr].name ? &rows[nr] : NULL;
}
