/* What uname(2), /proc/version and /proc/sys/kernel say the kernel is. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_VERSION_H
#define EVERETT_KERNEL_VFS_SPECIAL_VERSION_H

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-everett"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC Everett"
#define UTS_MACHINE "x86_64"

#endif
