/* Names of errno values, for traces. */
#ifndef EVERETT_KERNEL_STRACE_ERRNO_NAMES_H
#define EVERETT_KERNEL_STRACE_ERRNO_NAMES_H

/* "EINVAL" for 22; "E?" for a number Linux does not define. */
const char *errno_name(int number);

#endif
