/* The command line: a table of verbs, each with its table of options; --help, usage errors and
 * completion come from the tables. Only this folder prints to the user and exits. */
#ifndef EVERETT_CLI_CLI_H
#define EVERETT_CLI_CLI_H

#include "base/err.h"

enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1, /* a property failed */
    CLI_USAGE = 2,
    CLI_SETUP = 3, /* set-up of the system under test, or the host, failed */
};

enum cli_kind {
    CLI_FLAG,     /* bool */
    CLI_STRING,   /* const char * */
    CLI_U64,      /* uint64_t */
    CLI_DURATION, /* uint64_t, nanoseconds: "90", "90s", "1.5h", "1h30m", "250ms" */
    CLI_LIST,     /* struct cli_list: may be given several times */
};

struct cli_list {
    char **items; /* NULL-terminated, borrowed from argv */
    size_t count, cap;
};

struct cli_option {
    const char *name; /* without the dashes */
    enum cli_kind kind;
    void *out;
    const char *arg; /* placeholder in help; NULL for flags */
    const char *help;
};

struct cli_verb {
    const char *name;
    const char *synopsis; /* behind "everett NAME" */
    const char *summary;  /* one line */
    int (*run)(const struct cli_verb *v, int argc, char **argv);
};

extern const struct cli_verb cli_verbs[];
extern const unsigned cli_verb_count;

/* Parses argv[1..] up to "--" or the first non-option when `stop_early`. Returns the index of the
 * first operand; on --help prints and returns 0 with *done = true; on an error prints and returns
 * -1.
 */
int cli_parse(const struct cli_verb *v, const struct cli_option *opts, unsigned n, int argc,
              char **argv, bool stop_early, bool *done);

/* Prints "everett: message" and the hint to stderr; returns the exit status of err's kind. */
int cli_fail(const struct err *err);
/* A usage error of a verb, with a pointer to its help. Returns CLI_USAGE. */
int cli_usage(const struct cli_verb *v, const char *fmt, ...) printf_like(2, 3);

/* Path of a file that belongs to this build ("everett-engine", "libvoidstar.so", ...): beside the
 * executable, or in ../lib/everett. The caller frees it. NULL with err. */
char *cli_companion(const char *name, struct err *err);

/* Runs the companion executable `name` in place of this process, with `count` arguments. A verb
 * that needs libraries no other verb needs is an executable of its own, since each shared library
 * makes every start of `everett` slower. Returns only on failure: prints and returns the exit
 * status. */
int cli_become(const char *name, char *const *args, size_t count);

/* Parses a duration; false on anything else. */
bool cli_parse_duration(const char *s, uint64_t *ns);

#endif
