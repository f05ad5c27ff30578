/* Every limit of the kernel, with what a guest sees when it is reached. */
#ifndef EVERETT_KERNEL_LIMITS_H
#define EVERETT_KERNEL_LIMITS_H

#define LIMIT_NODES       128           /* containers; the runner refuses more */
#define LIMIT_MMS         2048          /* address spaces alive at once: EAGAIN */
#define LIMIT_PID         32768         /* per node, as Linux's default pid_max: EAGAIN */
#define LIMIT_FDS         1048576       /* fs.nr_open: EMFILE below it by RLIMIT_NOFILE */
#define LIMIT_PATH        4096          /* PATH_MAX: ENAMETOOLONG */
#define LIMIT_NAME        255           /* NAME_MAX: ENAMETOOLONG */
#define LIMIT_SYMLINKS    40            /* ELOOP */
#define LIMIT_IOV         1024          /* UIO_MAXIOV: EINVAL */
#define LIMIT_IO_BYTES    0x7ffff000ul  /* MAX_RW_COUNT */
#define LIMIT_ARG_BYTES   (2ul << 20)   /* E2BIG */
#define LIMIT_ARG_STRLEN  (128ul << 10) /* MAX_ARG_STRLEN: E2BIG */
#define LIMIT_VMAS        65530         /* vm.max_map_count: ENOMEM */
#define LIMIT_PIPE_BYTES  65536
#define LIMIT_SIGQUEUE    1024  /* queued real-time signals a process: EAGAIN */
#define LIMIT_OUTPUT_LINE 16384 /* longer lines are cut into pieces */
#define LIMIT_SDK_JSON    (1ul << 20)

/* Switching rule for threads that never block (docs/determinism.md). */
#define SCHED_CLOCK_STREAK 50   /* clock reads in a row */
#define SCHED_CALL_SLICE   5000 /* system calls without a switch */

/* Loops without calls (kernel/sched/spin.h). */
#define SPIN_STEPS       500u       /* instructions of a slice: 2 to 5 ms on the host */
#define SPIN_SLICES      10u        /* of the first level: a virtual second in all */
#define SPIN_SLICES_MORE 2u         /* of each further one: four times as long */
#define SPIN_SLICE_NS    1000000ull /* virtual time of the first slice; doubles */
#define SPIN_UNPLANNED   5u         /* of a stretch that is not in the plan; one more each time */
#define SPIN_CREDIT      16u        /* stretches that are sliced after one that was a spin ... */
#define SPIN_BUDGET      256u       /* ... with so many slices in all; twice as many each time */
#define SPIN_PATIENCE_MS 2000u      /* processor time before a spin is suspected; times 4 a level */
/* ... up to this, which also holds if only the end of the universe is waited for. */
#define SPIN_PATIENCE_MAX_MS 5000u

#endif
