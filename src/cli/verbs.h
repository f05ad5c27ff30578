/* The verbs, one file each. */
#ifndef EVERETT_CLI_VERBS_H
#define EVERETT_CLI_VERBS_H

struct cli_verb;

int verb_exec(const struct cli_verb *v, int argc, char **argv);

#endif
