/* Program execution (execve(2), elf(5)): everything is gathered and checked in an exec plan, then
 * the old address space goes and the new one is built. */
#ifndef EVERETT_KERNEL_LOADER_EXEC_H
#define EVERETT_KERNEL_LOADER_EXEC_H

#include "abi/linux.h"
#include "base/base.h"

struct file;
struct machine;
struct task;

struct exec_plan {
    struct file *exe;    /* the program, or the interpreter of a script; owned */
    struct file *interp; /* PT_INTERP; owned, NULL for static programs */
    char *filename;      /* as given: AT_EXECFN */
    char *strings;       /* argv then envp, each NUL-terminated */
    uint64_t strings_len, strings_cap;
    uint32_t argc, envc;
    uint32_t euid, egid; /* set-user-ID, set-group-ID; UINT32_MAX: unchanged */
};

void exec_plan_free(struct machine *m, struct exec_plan *p);

/* Appends one string to argv (before any to envp) or envp. -E2BIG. */
int exec_add_arg(struct machine *m, struct exec_plan *p, const char *s, size_t len);
int exec_add_env(struct machine *m, struct exec_plan *p, const char *s, size_t len);

/* Opens and checks `path` (scripts are resolved, arguments put in front). 0 or the errno execve
 * gives. */
int exec_resolve(struct task *t, int dirfd, const char *path, uint32_t lookup_flags,
                 struct exec_plan *p);

/* Builds the program in the running, empty address space and sets registers. 0 or -errno, after
 * which the process cannot go on. */
int elf_load(struct task *t, const struct exec_plan *p);

/* First checks of a program header: -ENOEXEC if this is no x86-64 program for us. Fills interp (a
 * path, "" if none). */
int elf_probe(struct file *f, char *interp, size_t cap);

#endif
