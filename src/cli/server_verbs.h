/* The verbs of everett-server, one file each. */
#ifndef EVERETT_CLI_SERVER_VERBS_H
#define EVERETT_CLI_SERVER_VERBS_H

#include "base/err.h"

struct cli_verb;
struct db_pool;

int verb_serve(const struct cli_verb *v, int argc, char **argv);
int verb_account(const struct cli_verb *v, int argc, char **argv);
int verb_token(const struct cli_verb *v, int argc, char **argv);

/* A secret from the terminal, twice and without echo, or the first line of standard input. The
 * caller wipes and frees it. NULL with err. */
char *ask_password(bool from_stdin, struct err *err);

/* The words of a verb such as `token`: "create", "ls", ...; each with how many operands follow. */
struct cli_action {
    const char *name;
    int operands;
    const char *missing; /* the question when there are too few */
};
/* Returns the index of the action of words[0], or -1 after printing what is wrong. */
int cli_action(const struct cli_verb *v, const struct cli_action *actions, unsigned n,
               char **words);
/* The database of --dir. */
struct db_pool *open_db(const struct cli_verb *v, const char *dir);

#endif
