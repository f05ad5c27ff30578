/* Between the files of the composer. */
#ifndef EVERETT_DIRECTOR_COMPOSER_PRIV_H
#define EVERETT_DIRECTOR_COMPOSER_PRIV_H

#include "base/list.h"
#include "kernel/time/timer.h"

struct machine;
struct node;
struct process;

/* Kinds of command, by the prefix of their file names. */
enum command_kind {
    COMMAND_FIRST,
    COMMAND_PARALLEL,
    COMMAND_SERIAL,
    COMMAND_SINGLETON,
    COMMAND_ANYTIME,
    COMMAND_EVENTUALLY,
    COMMAND_FINALLY,
    COMMAND_KINDS,
};

/* One executable file in one container. The same path in two containers is two commands. */
struct command {
    char *name; /* file name */
    struct node *node;
    enum command_kind kind;
    uint32_t weight; /* in choices among its kind; 0: left out of this universe */
    uint32_t alive;  /* copies running now */
};

struct template
{
    char *name;
    struct command *commands; /* by node, then name */
    uint32_t count, cap;
    uint32_t kinds[COMMAND_KINDS]; /* how many of each */
};

/* A command in flight. */
struct run {
    struct list_head link;
    uint32_t id; /* command_id of its processes and output, from 1 */
    struct command *command;
    struct process *process;
    vtime started;
    bool killed; /* by the composer */
};

enum composer_phase {
    PHASE_NONE,  /* no template: nothing to do */
    PHASE_FIRST, /* the one first_ command; no faults */
    PHASE_DRIVE, /* drivers and anytime_ commands, with faults */
    PHASE_DRAIN, /* before finally_: what runs ends by itself, nothing new starts */
    PHASE_CLEAR, /* no faults; everything that runs has been killed, what was down comes back */
    PHASE_LAST,  /* the one eventually_ or finally_ command; no faults */
    PHASE_OVER,
};

struct composer {
    struct template *templates; /* by name */
    uint32_t template_count, template_cap;
    struct template *template; /* the one of this universe */
    enum composer_phase phase;
    enum command_kind mode; /* drivers: PARALLEL, SERIAL, SINGLETON; ANYTIME: there are none */
    enum command_kind last; /* EVENTUALLY, FINALLY */
    struct list_head runs;  /* struct run, by start */
    uint32_t run_count, next_id;
    bool is_running_one; /* PHASE_FIRST, PHASE_LAST: the command was started */
    bool has_driver_started, has_unnatural_end;

    /* drawn once */
    uint32_t copies_max;
    uint64_t pause_mean_ns, anytime_mean_ns;

    struct timer step;    /* look at the phase */
    struct timer driver;  /* the next driver may start */
    struct timer anytime; /* the next anytime_ command may start */
    struct timer budget;  /* the time for driving is over */
};

/* --- composer_find.c -------------------------------------------------------------------------- */

/* Lists /opt/antithesis/test/v1 in every running container. Fills templates; says what it found and
 * what it leaves out. */
void composer_find(struct machine *m, struct composer *c);

/* --- composer_run.c --------------------------------------------------------------------------- */

/* Picks a command of that kind by weight among those whose container can run one; NULL: none now.
 * With `idle_only` commands that run already do not count. */
struct command *composer_pick(struct machine *m, enum command_kind kind, bool idle_only,
                              const char *what);
void composer_start(struct machine *m, struct command *cmd);
/* SIGKILL to everything that commands started and that still runs. */
void composer_kill_all(struct machine *m);

/* --- composer.c ------------------------------------------------------------------------------- */

/* A command has ended; `was_natural`: nobody killed it and its container is up. */
void composer_command_ended(struct machine *m, const struct command *cmd, bool was_natural);

#endif
